//! [`Seat`]: the right of one engine to use a store.

use std::{any::Any, fmt, sync::Arc};

use parking_lot::Mutex;

use crate::{ErrorKind, StoreError};

const OPERATION: &str = "open an engine on the store";

/// The right of one engine to use a store. Dropping it gives the right back.
pub struct Seat {
    /// The destructor gives the seat back.
    _guard: Box<dyn Any + Send + Sync>,
}

impl Seat {
    /// A seat that goes back when `guard` is dropped.
    #[must_use]
    pub fn new(guard: impl Send + Sync + 'static) -> Self {
        Self { _guard: Box::new(guard) }
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seat")
    }
}

/// One seat, for the implementation of [`JobStore::seat`](crate::JobStore::seat). Clones are the same seat.
///
/// ```
/// use job_store::{ErrorKind, Seats};
///
/// let seats = Seats::default();
/// let first = seats.take("the engine of the front end")?;
/// let refused = seats.clone().take("another engine").unwrap_err();
/// assert_eq!(refused.kind, ErrorKind::AlreadyOpen);
/// assert!(refused.to_string().contains("the engine of the front end"));
/// drop(first);
/// assert!(seats.take("another engine").is_ok());
/// # Ok::<(), job_store::StoreError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Seats {
    /// The name of the engine that has the seat.
    taken: Arc<Mutex<Option<String>>>,
}

impl Seats {
    /// Gives the seat to `engine`. Until the seat is dropped, errors to other engines name this engine.
    ///
    /// # Errors
    /// `AlreadyOpen` if another engine has the seat; the error names that engine.
    pub fn take(&self, engine: &str) -> Result<Seat, StoreError> {
        let mut taken = self.taken.lock();
        if let Some(first) = &*taken {
            let detail = format!("{first} works on it, and {engine} cannot work beside it");
            return Err(StoreError::new(ErrorKind::AlreadyOpen, OPERATION, detail));
        }
        *taken = Some(engine.to_owned());
        Ok(Seat::new(Taken(Arc::clone(&self.taken))))
    }
}

/// Gives the seat back when it is dropped.
struct Taken(Arc<Mutex<Option<String>>>);

impl Drop for Taken {
    fn drop(&mut self) {
        *self.0.lock() = None;
    }
}

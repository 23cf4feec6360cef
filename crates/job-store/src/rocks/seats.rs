//! Each database of this process has one seat, however many stores a host opens in it.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::Db;
use crate::Seats;

static KNOWN: Mutex<Vec<(Weak<Db>, Seats)>> = Mutex::new(Vec::new());

/// The seat of this open database.
pub(super) fn of(db: &Arc<Db>) -> Seats {
    let mut known = KNOWN.lock();
    known.retain(|(known, _)| known.strong_count() > 0);
    let found = known.iter().find(|(known, _)| known.as_ptr() == Arc::as_ptr(db));
    if let Some((_, seats)) = found {
        return seats.clone();
    }
    let seats = Seats::default();
    known.push((Arc::downgrade(db), seats.clone()));
    seats
}

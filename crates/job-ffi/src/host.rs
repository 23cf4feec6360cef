//! Functions of the host with the data that belongs to them.

use std::{ffi::c_void, fmt};

/// The function that frees the data of a callback. It is called once, on any thread, after the last use of the
/// data.
pub type JobDestroy = Option<unsafe extern "C-unwind" fn(user_data: *mut c_void)>;

/// The data of a callback. Dropping the value frees the data.
pub(crate) struct UserData {
    pointer: *mut c_void,
    destroy: JobDestroy,
}

// SAFETY: the interface has the host promise that its functions may be called on any thread with their data.
unsafe impl Send for UserData {}
// SAFETY: as above, also by several threads at once.
unsafe impl Sync for UserData {}

impl UserData {
    pub(crate) const fn new(pointer: *mut c_void, destroy: JobDestroy) -> Self {
        Self { pointer, destroy }
    }

    /// The data of a call that does not return before the last use of the data. The host frees it.
    pub(crate) const fn borrowed(pointer: *mut c_void) -> Self {
        Self::new(pointer, None)
    }

    pub(crate) const fn get(&self) -> *mut c_void {
        self.pointer
    }
}

impl Drop for UserData {
    fn drop(&mut self) {
        if let Some(destroy) = self.destroy.take() {
            // SAFETY: the host gave the function for this data, and it is called once, after the last use.
            unsafe { destroy(self.pointer) }
        }
    }
}

impl fmt::Debug for UserData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserData").finish_non_exhaustive()
    }
}

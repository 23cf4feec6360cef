//! The memory of the host: texts and bytes that it passes in, and places for results.

use std::{
    ffi::c_char,
    io::{self, Write},
    slice,
};

use serde::Serialize;

use crate::{
    error::{Failure, Outcome},
    status::JOB_ERROR_BUFFER,
};

/// The bytes at a pointer of the host to `char` or `void`. NULL is allowed if the length is 0.
///
/// # Safety
/// If it is not NULL, `pointer` has `length` bytes that do not change while the returned slice is used.
pub(crate) unsafe fn bytes<'a, B>(pointer: *const B, length: usize, name: &str) -> Outcome<&'a [u8]> {
    if length == 0 {
        return Ok(&[]);
    }
    if pointer.is_null() {
        return Err(Failure::argument(format!("{name} is NULL and has {length} bytes: give a pointer to them")));
    }
    if isize::try_from(length).is_err() {
        return Err(Failure::argument(format!("{name} has {length} bytes, which no memory has")));
    }
    // SAFETY: the pointer is not NULL, the length is not greater than memory can be, and the caller promises the
    // rest.
    Ok(unsafe { slice::from_raw_parts(pointer.cast(), length) })
}

/// The text at a pointer of the host.
///
/// # Safety
/// As [`bytes`].
pub(crate) unsafe fn text<'a>(pointer: *const c_char, length: usize, name: &str) -> Outcome<&'a str> {
    // SAFETY: the caller promises the same.
    let bytes = unsafe { bytes(pointer, length, name) }?;
    utf8(bytes, name)
}

pub(crate) fn utf8<'a>(bytes: &'a [u8], name: &str) -> Outcome<&'a str> {
    str::from_utf8(bytes).map_err(|error| {
        Failure::argument(format!("{name} is not UTF-8 from byte {} on: give it as UTF-8", error.valid_up_to()))
    })
}

/// The value at a pointer of the host.
///
/// # Safety
/// If it is not NULL and aligned, `pointer` has a value that does not change during the call.
pub(crate) unsafe fn value<T: Copy>(pointer: *const T, name: &str) -> Outcome<T> {
    check(pointer, name)?;
    // SAFETY: the pointer is aligned and not NULL, and the caller promises the value.
    Ok(unsafe { pointer.read() })
}

fn check<T>(pointer: *const T, name: &str) -> Outcome {
    match () {
        () if pointer.is_null() => Err(Failure::argument(format!("{name} is NULL: give an address"))),
        () if !pointer.is_aligned() => Err(Failure::argument(format!("{name} is an address that is not aligned"))),
        () => Ok(()),
    }
}

/// A place of the host for a result.
#[derive(Debug)]
pub(crate) struct Out<T>(*mut T);

impl<T> Out<T> {
    /// # Safety
    /// If it is not NULL, `pointer` may be written while the returned value is used.
    pub(crate) unsafe fn new(pointer: *mut T, name: &str) -> Outcome<Self> {
        check(pointer, name).map(|()| Self(pointer))
    }

    /// As [`new`](Self::new), for a result that the host may not want. `None` for NULL.
    ///
    /// # Safety
    /// As [`new`](Self::new).
    pub(crate) unsafe fn optional(pointer: *mut T, name: &str) -> Outcome<Option<Self>> {
        if pointer.is_null() {
            return Ok(None);
        }
        // SAFETY: the caller promises the same.
        unsafe { Self::new(pointer, name) }.map(Some)
    }

    pub(crate) fn set(&self, value: T) {
        // SAFETY: the pointer is aligned and not NULL, and may be written, as the caller of `new` promised.
        unsafe { self.0.write(value) }
    }
}

/// Places of the host for a list of results.
#[derive(Debug)]
pub(crate) struct Places<T> {
    first: *mut T,
    count: usize,
}

impl<T> Places<T> {
    /// # Safety
    /// If it is not NULL, `first` has `count` places that may be written while the returned value is used.
    pub(crate) unsafe fn new(first: *mut T, count: usize, name: &str) -> Outcome<Self> {
        if count > 0 {
            check(first, name)?;
        }
        Ok(Self { first, count })
    }

    /// Writes the values in their order, as many as there are places.
    pub(crate) fn fill(&self, values: impl IntoIterator<Item = T>) {
        for (at, value) in values.into_iter().take(self.count).enumerate() {
            // SAFETY: `at` is less than the number of places, so the address is one of them. The caller of `new`
            // promised that each may be written.
            let place = unsafe { self.first.add(at) };
            // SAFETY: the same; `new` has checked that the pointer is aligned and not NULL.
            unsafe { place.write(value) };
        }
    }
}

/// The buffer of the host for a result of unknown length. It keeps the bytes that fit, and counts all bytes.
#[derive(Debug)]
pub(crate) struct Buffer {
    start: *mut u8,
    capacity: usize,
    needed: usize,
    length: Out<usize>,
}

impl Buffer {
    /// # Safety
    /// If it is not NULL, `start` has `capacity` bytes that may be written as long as this value is used; and `length` as
    /// for [`Out::new`].
    pub(crate) unsafe fn new<B>(start: *mut B, capacity: usize, length: *mut usize) -> Outcome<Self> {
        // SAFETY: the caller promises the same.
        let length = unsafe { Out::new(length, "length") }?;
        if start.is_null() && capacity > 0 {
            let message =
                format!("buffer is NULL and has {capacity} bytes: give 0 as its capacity to ask for the size");
            return Err(Failure::argument(message));
        }
        Ok(Self { start: start.cast(), capacity, needed: 0, length })
    }

    /// Appends a value as JSON.
    pub(crate) fn write_json<T: Serialize>(&mut self, value: &T) -> Outcome {
        serde_json::to_writer(self, value)
            .map_err(|error| Failure::argument(format!("the answer is no JSON: {error}")))
    }

    /// Sets the length of the result. `JOB_ERROR_BUFFER` if the result did not fit.
    pub(crate) fn finish(self) -> Outcome {
        self.length.set(self.needed);
        if self.needed <= self.capacity {
            return Ok(());
        }
        let message = format!("the buffer has {} bytes, and the answer {}", self.capacity, self.needed);
        Err(Failure::new(JOB_ERROR_BUFFER, message))
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.capacity.saturating_sub(self.needed).min(bytes.len());
        if room > 0 {
            // SAFETY: fewer bytes than the capacity are written, so the pointer is inside of the buffer, which is
            // not NULL.
            let end = unsafe { self.start.add(self.needed) };
            // SAFETY: `room` bytes are left, the host lends them for writing, and Rust has no reference to them.
            unsafe { end.copy_from_nonoverlapping(bytes.as_ptr(), room) };
        }
        self.needed = self.needed.saturating_add(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

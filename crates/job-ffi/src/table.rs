//! [`Table`]: the values that have handles in C.

use std::sync::OnceLock;

use parking_lot::{
    MappedRwLockReadGuard as ReadGuard, MappedRwLockWriteGuard as WriteGuard, Mutex, RwLock, RwLockReadGuard,
    RwLockWriteGuard,
};

use crate::{
    error::{Failure, Outcome},
    status::JOB_ERROR_HANDLE,
};

/// The kind of the values of a table: the first byte of their handles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Builder = 0xb1,
    Engine = 0xe2,
    Context = 0xc3,
    Rows = 0xd4,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Builder => "builder",
            Self::Engine => "engine",
            Self::Context => "context",
            Self::Rows => "list of rows",
        }
    }
}

/// Values by handles. A handle is a number of kind, generation and place. A place gets another generation whenever
/// its value is taken out, so an old handle never leads to a new value.
///
/// Places stay at their addresses and are used again. A look-up locks only its own place.
pub(crate) struct Table<T> {
    kind: Kind,
    /// Chunks of places, each twice as large as the one before.
    chunks: [OnceLock<Box<[Place<T>]>>; CHUNKS],
    free: Mutex<Free>,
}

type Place<T> = RwLock<Slot<T>>;

struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

struct Free {
    /// The places whose values were taken out.
    places: Vec<u32>,
    /// The first place that was never used.
    next: u32,
}

const FIRST_CHUNK: u32 = 64;
const CHUNKS: usize = 18;
const INDEX_BITS: u32 = 24;
const KIND_SHIFT: u32 = 56;

impl<T> Table<T> {
    pub(crate) const fn new(kind: Kind) -> Self {
        Self {
            kind,
            chunks: [const { OnceLock::new() }; CHUNKS],
            free: Mutex::new(Free { places: Vec::new(), next: 0 }),
        }
    }

    /// Adds a value. Returns its handle, which is never 0.
    pub(crate) fn insert(&self, value: T) -> Outcome<u64> {
        let index = {
            let mut free = self.free.lock();
            match free.places.pop() {
                Some(index) => index,
                None if free.next < MOST => {
                    free.next += 1;
                    free.next - 1
                }
                None => return Err(Failure::new(JOB_ERROR_HANDLE, format!("there are too many handles: {MOST}"))),
            }
        };
        let place = self.place(index).ok_or_else(|| self.unknown(u64::from(index)))?;
        let mut slot = place.write();
        slot.value = Some(value);
        Ok(u64::from(self.kind as u8) << KIND_SHIFT | u64::from(slot.generation) << INDEX_BITS | u64::from(index))
    }

    /// The value, for reading. It stays in the table while it is read. A thread may read it several times at once.
    pub(crate) fn read(&self, handle: u64) -> Outcome<ReadGuard<'_, T>> {
        let (place, generation) = self.named(handle)?;
        // A thread that reads a value may read it again, also while another thread waits to take the value out.
        RwLockReadGuard::try_map(place.read_recursive(), |slot| slot.value_of(generation))
            .map_err(|_| self.unknown(handle))
    }

    /// The value, for this thread alone.
    pub(crate) fn write(&self, handle: u64) -> Outcome<WriteGuard<'_, T>> {
        let (place, generation) = self.named(handle)?;
        RwLockWriteGuard::try_map(place.write(), |slot| {
            if slot.generation == generation { slot.value.as_mut() } else { None }
        })
        .map_err(|_| self.unknown(handle))
    }

    /// Takes the value out when no other thread uses it. From then on the handle is not valid.
    pub(crate) fn take(&self, handle: u64) -> Outcome<T> {
        let (place, generation) = self.named(handle)?;
        let mut slot = place.write();
        if slot.generation != generation {
            return Err(self.unknown(handle));
        }
        let value = slot.value.take().ok_or_else(|| self.unknown(handle))?;
        let next = slot.generation.checked_add(1);
        slot.generation = next.unwrap_or(slot.generation);
        drop(slot);
        // A place with no generation left is used no more.
        if next.is_some() {
            self.free.lock().places.push(index_of(handle));
        }
        Ok(value)
    }

    /// The place and the generation of a handle; an error if the handle is not of this kind.
    fn named(&self, handle: u64) -> Outcome<(&Place<T>, u32)> {
        let generation = u32::try_from(handle >> INDEX_BITS & u64::from(u32::MAX)).unwrap_or_default();
        let of_kind = handle >> KIND_SHIFT == u64::from(self.kind as u8);
        let (chunk, offset) = position(index_of(handle));
        let place = self.chunks.get(chunk).filter(|_| of_kind).and_then(OnceLock::get);
        place
            .and_then(|chunk| chunk.get(offset))
            .map(|place| (place, generation))
            .ok_or_else(|| self.unknown(handle))
    }

    /// The place with this number. Makes the chunk of the place if it does not exist.
    fn place(&self, index: u32) -> Option<&Place<T>> {
        let (chunk, offset) = position(index);
        let places = self.chunks.get(chunk)?.get_or_init(|| {
            let size = FIRST_CHUNK << chunk;
            (0..size).map(|_| RwLock::new(Slot { generation: 0, value: None })).collect()
        });
        places.get(offset)
    }

    #[cold]
    fn unknown(&self, handle: u64) -> Failure {
        let name = self.kind.name();
        let message = match handle {
            0 => format!("the {name} is 0: give the handle of one that is open"),
            _ => format!("{handle:#x} is no {name}: it was closed or freed, or is the handle of something else"),
        };
        Failure::new(JOB_ERROR_HANDLE, message)
    }
}

impl<T> Slot<T> {
    fn value_of(&self, generation: u32) -> Option<&T> {
        if self.generation == generation { self.value.as_ref() } else { None }
    }
}

/// The most values at the same time.
const MOST: u32 = FIRST_CHUNK * ((1 << CHUNKS) - 1);

fn index_of(handle: u64) -> u32 {
    u32::try_from(handle & ((1 << INDEX_BITS) - 1)).unwrap_or(u32::MAX)
}

/// The chunk of a place, and the index in the chunk.
fn position(index: u32) -> (usize, usize) {
    let chunk = (index / FIRST_CHUNK + 1).ilog2();
    let before = FIRST_CHUNK * ((1 << chunk) - 1);
    (chunk as usize, (index - before) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_names_its_value_until_that_is_taken_and_nothing_after() {
        let table = Table::new(Kind::Rows);
        let handles: Vec<u64> = (0..1_000).map(|n| table.insert(n).unwrap()).collect();
        for (n, &handle) in handles.iter().enumerate() {
            assert_eq!(*table.read(handle).unwrap(), n);
        }
        for (n, &handle) in handles.iter().enumerate() {
            assert_eq!(table.take(handle).unwrap(), n);
            assert!(table.take(handle).is_err() && table.read(handle).is_err() && table.write(handle).is_err());
        }
        let again = table.insert(7).unwrap();
        assert!(!handles.contains(&again), "the place is used again, and its old handles name nothing");
        assert!(handles.iter().all(|&old| table.read(old).is_err()));
    }

    #[test]
    fn a_number_that_is_no_handle_of_the_kind_is_refused() {
        let (rows, contexts) = (Table::new(Kind::Rows), Table::new(Kind::Context));
        let (row, context) = (rows.insert(()).unwrap(), contexts.insert(()).unwrap());
        for handle in [0, 1, u64::MAX, row + 1, row ^ 1 << 30, row ^ 1 << 60, context, row | 0x00ff_ffff] {
            assert!(rows.read(handle).is_err() && rows.write(handle).is_err() && rows.take(handle).is_err());
        }
        assert!(rows.read(row).is_ok());
    }

    #[test]
    fn every_place_has_a_position_of_its_own() {
        let ends = [(0, (0, 0)), (63, (0, 63)), (64, (1, 0)), (191, (1, 127)), (192, (2, 0))];
        assert!(ends.iter().all(|&(index, expected)| position(index) == expected));
        assert_eq!(position(MOST - 1), (CHUNKS - 1, (FIRST_CHUNK << (CHUNKS - 1)) as usize - 1));
        const { assert!(MOST < 1 << INDEX_BITS) };
    }
}

//! The version of a store's tables and keys.

use std::ops::ControlFlow;

use super::{Batch, KeyValue, Order, Scan, Table, call::Call, index, keys};
use crate::{Durability, ErrorKind, StoreError};

/// The version of the whole store: which tables there are and what their keys mean.
const VERSION: u8 = 2;
/// A store without the index of finished jobs.
const WITHOUT_INDEX: u8 = 1;

/// Whether a store has the index of its finished jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Index {
    Made,
    /// The store was written by an earlier version, and is open for reads only.
    Missing,
}

/// Writes the version into an empty store, brings an earlier one up to date, and refuses any other.
pub(super) fn check(kv: &impl KeyValue, writable: bool) -> Result<Index, StoreError> {
    let call = Call::of("open the store");
    let view = kv.latest().map_err(|error| call.failed(error))?;
    let found = call.value(&view, Table::Jobs, keys::FORMAT)?;
    match found.as_ref().map(AsRef::as_ref) {
        Some([VERSION]) => return Ok(Index::Made),
        Some([WITHOUT_INDEX]) if writable => {
            index::build(kv, call)?;
            write(kv, call)?;
            return Ok(Index::Made);
        }
        Some([WITHOUT_INDEX]) => return Ok(Index::Missing),
        Some([version]) => {
            let detail =
                format!("it has format version {version}, this library reads {WITHOUT_INDEX} and {VERSION}");
            return Err(StoreError::new(ErrorKind::Format, call.operation, detail));
        }
        Some(_) => return Err(call.corrupt("its format version is damaged")),
        None if !writable => return Err(StoreError::new(ErrorKind::Format, call.operation, "it is no job store")),
        None => {}
    }
    let mut empty = true;
    let all = Scan { table: Table::Jobs, keys: &[]..&[u8::MAX], order: Order::Ascending, again: false };
    call.scan(&view, &all, |_, _| {
        empty = false;
        Ok(ControlFlow::Break(()))
    })?;
    if !empty {
        return Err(call.corrupt("it has jobs, but its format version is missing"));
    }
    write(kv, call)?;
    Ok(Index::Made)
}

fn write(kv: &impl KeyValue, call: Call) -> Result<(), StoreError> {
    let write = || {
        let mut batch = kv.batch()?;
        batch.put(Table::Jobs, keys::FORMAT, &[VERSION]);
        kv.commit(batch, Durability::Buffered)
    };
    write().map_err(|error| call.failed(error))
}

//! The version of what a store has written.

use std::ops::ControlFlow;

use super::{Batch, KeyValue, Order, Scan, Table, call::Call, keys};
use crate::{Durability, ErrorKind, StoreError};

/// The version of the whole store: which tables there are and what their keys mean.
const VERSION: u8 = 1;

/// Writes the version into an empty store, and refuses any but ours in a full one.
pub(super) fn check(kv: &impl KeyValue, writable: bool) -> Result<(), StoreError> {
    let call = Call::of("open the store");
    let view = kv.latest().map_err(|error| call.failed(error))?;
    let found = call.value(&view, Table::Jobs, keys::FORMAT)?;
    match found.as_ref().map(AsRef::as_ref) {
        Some([VERSION]) => return Ok(()),
        Some([version]) => {
            let detail = format!("it has format version {version}, this library reads {VERSION}");
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
    let write = || {
        let mut batch = kv.batch()?;
        batch.put(Table::Jobs, keys::FORMAT, &[VERSION]);
        kv.commit(batch, Durability::Buffered)
    };
    write().map_err(|error| call.failed(error))
}

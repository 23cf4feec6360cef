//! [`block`]: a block that stays in the memory of the engine until its last reader drops it.

use std::sync::Arc;

use bytes::Bytes;
use self_cell::self_cell;

use super::{Inner, KeyValue, Pinned, Table};
use crate::StoreError;

/// A store of any engine.
trait Source: Send + Sync {
    fn block(&self, key: &[u8]) -> Result<Option<Pinned<'_>>, StoreError>;
}

impl<K: KeyValue> Source for Inner<K> {
    fn block(&self, key: &[u8]) -> Result<Option<Pinned<'_>>, StoreError> {
        self.kv.pinned(Table::Rows, key)
    }
}

self_cell!(
    /// A block, and the store that it belongs to. So the engine is not closed before the block is dropped.
    struct Held {
        owner: Arc<dyn Source>,
        #[covariant]
        dependent: Pinned,
    }
);

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        (**self.borrow_dependent()).as_ref()
    }
}

/// The block of a key. `None` if it is gone, or the engine holds no values.
pub(super) fn block<K: KeyValue>(inner: &Arc<Inner<K>>, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
    let source: Arc<dyn Source> = Arc::clone(inner) as _;
    match Held::try_new(source, |source| source.block(key).map_err(Some)?.ok_or(None)) {
        Ok(held) => Ok(Some(Bytes::from_owner(held))),
        Err(None) => Ok(None),
        Err(Some(error)) => Err(error),
    }
}

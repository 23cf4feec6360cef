//! Rows that are in objects.

use std::ops::Range;

use bytes::Bytes;
use object_store::{Error, ObjectStoreExt, path::Path};

use super::{
    super::{Call, PostgresStore, results::verify},
    Part, admitted, failure,
    index::{Object, Placed},
    is_bucket_missing,
};
use crate::{
    EachBlock, EachRows, ErrorKind, SegmentKey, StoreError,
    contract::{self, Cut},
};

impl PostgresStore {
    /// As [`read`](crate::ResultStore::read): one ranged read for each object that the rows lie in.
    pub(in super::super) fn read_objects(
        &self,
        call: Call,
        key: SegmentKey,
        mut wanted: Range<u64>,
        each: &mut EachRows<'_>,
    ) -> Result<(), StoreError> {
        self.check_reachable(call, key)?;
        while !wanted.is_empty() {
            let found = self.objects_after(call, key, wanted.start)?;
            if found.is_empty() {
                return Err(contract::missing(self, key, &wanted));
            }
            for object in &found {
                let blocks = object.with(&wanted);
                let bytes = self.part(call, key, object, blocks, &wanted)?;
                for block in blocks {
                    let bytes = within(&bytes, blocks, block).unwrap_or_default();
                    let Some(Cut { rows, next, .. }) = contract::cut(key, block.end, bytes, &wanted)? else {
                        return Err(contract::missing(self, key, &wanted));
                    };
                    if each(rows)?.is_break() {
                        return Ok(());
                    }
                    wanted.start = next;
                }
                if wanted.is_empty() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// As [`blocks`](crate::ResultStore::blocks): each object as a whole, unchecked and not kept.
    pub(in super::super) fn object_blocks(
        &self,
        call: Call,
        key: SegmentKey,
        each: &mut EachBlock<'_>,
    ) -> Result<(), StoreError> {
        self.check_reachable(call, key)?;
        let mut row = 0;
        loop {
            let found = self.objects_after(call, key, row)?;
            if found.is_empty() {
                return Ok(());
            }
            for object in &found {
                let rows = row..object.end();
                let bytes = self.fetch(call, key, object, 0..object.size(), &rows)?;
                for block in &object.blocks {
                    if each(block.end, within(&bytes, &object.blocks, block).unwrap_or_default())?.is_break() {
                        return Ok(());
                    }
                }
                row = object.end();
            }
        }
    }

    fn check_reachable(&self, call: Call, key: SegmentKey) -> Result<(), StoreError> {
        if self.inner.objects.is_some() { Ok(()) } else { self.check_no_objects(call, key) }
    }

    /// The bytes of consecutive blocks, checked when they come from the object store.
    fn part(
        &self,
        call: Call,
        key: SegmentKey,
        object: &Object,
        blocks: &[Placed],
        wanted: &Range<u64>,
    ) -> Result<Bytes, StoreError> {
        let objects = self.objects(call)?;
        let (Some(first), Some(last)) = (blocks.first(), blocks.last()) else { return Ok(Bytes::new()) };
        let range = first.bytes.start..last.bytes.end;
        if let Some(bytes) = objects.cache.lock().get(&object.name, &range) {
            return Ok(bytes);
        }
        let bytes = self.fetch(call, key, object, range.clone(), wanted)?;
        for block in blocks {
            verify(key, block.end, within(&bytes, blocks, block).unwrap_or_default(), wanted)?;
        }
        let part = Part { name: object.name.clone(), range, bytes: bytes.clone() };
        objects.cache.lock().put(part, objects.options.cache_bytes);
        Ok(bytes)
    }

    fn fetch(
        &self,
        call: Call,
        key: SegmentKey,
        object: &Object,
        range: Range<u64>,
        wanted: &Range<u64>,
    ) -> Result<Bytes, StoreError> {
        let objects = self.objects(call)?;
        let (store, name) = (objects.place.store.clone(), Path::from(object.name.as_str()));
        let length = range.end - range.start;
        let answer = objects.answer(
            call,
            objects.start(async move { admitted(|| store.get_range(&name, range.clone())).await }),
        )?;
        match answer {
            Ok(bytes) if bytes.len() as u64 == length => Ok(bytes),
            Ok(_) => Err(torn(key, object, wanted)),
            Err(error) if is_bucket_missing(&error) => Err(failure(call, &error)),
            Err(Error::NotFound { .. }) => Err(self.gone(key, object, wanted)),
            Err(error) if self.is_torn(call, object)? => {
                tracing::debug!(%error, "an object is torn");
                Err(torn(key, object, wanted))
            }
            Err(error) => Err(failure(call, &error)),
        }
    }

    /// The error about a missing object: its job was removed, or the object store lost it.
    fn gone(&self, key: SegmentKey, object: &Object, wanted: &Range<u64>) -> StoreError {
        match contract::missing(self, key, wanted) {
            missing if missing.kind == ErrorKind::Corrupt => {
                key.corrupt(wanted, format!("the object {} is missing", object.name))
            }
            other => other,
        }
    }

    /// Whether a read failed because the object is shorter than its row says. Object stores answer differently to
    /// a range behind the end.
    fn is_torn(&self, call: Call, object: &Object) -> Result<bool, StoreError> {
        let objects = self.objects(call)?;
        let (store, name) = (objects.place.store.clone(), Path::from(object.name.as_str()));
        let answer = objects.answer(call, objects.start(async move { store.head(&name).await }))?;
        Ok(answer.is_ok_and(|found| found.size != object.size()))
    }
}

fn torn(key: SegmentKey, object: &Object, wanted: &Range<u64>) -> StoreError {
    key.corrupt(wanted, format!("the object {} is not as long as it was written", object.name))
}

/// The bytes of one block, in bytes that start with the first of `blocks`.
fn within<'a>(bytes: &'a Bytes, blocks: &[Placed], block: &Placed) -> Option<&'a [u8]> {
    let base = blocks.first()?.bytes.start;
    let [start, end] = [block.bytes.start, block.bytes.end].map(|at| usize::try_from(at.checked_sub(base)?).ok());
    bytes.get(start?..end?)
}

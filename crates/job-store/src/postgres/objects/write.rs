//! Writing one segment: a small one to the database, a large one to object after object.

use std::fmt;

use job_core::Segment;
use object_store::{Error, ObjectStoreExt, PutMode, PutPayload, path::Path};
use uuid::Uuid;

use super::{
    super::{Call, Parameters, PostgresStore, fence::fenced, uuid},
    Request, admitted, failure,
    index::{Object, Placed},
};
use crate::{
    Durability, SealedBlock, SegmentKey, SegmentWriter, StoreError,
    contract::{Packer, Tally},
};

/// Notes that an attempt is about to put objects.
const ANNOUNCE: &str = fenced!(
    "
    INSERT INTO uploads (job, attempt, due, revision) SELECT job, $2, true, 1 FROM fence
    ON CONFLICT (job, attempt) DO UPDATE SET due = true, revision = uploads.revision + 1 RETURNING 1"
);

/// Gathers blocks into an object. One object is sent while the next is gathered. Rows become readable object by
/// object.
pub(in super::super) struct ObjectSegment {
    store: PostgresStore,
    tally: Tally,
    packer: Packer,
    /// A part of the names of its objects, so that no two writers use one name.
    writer: Uuid,
    gathered: Gathered,
    put: Option<Put>,
    is_announced: bool,
    visible: u64,
    /// The error of a failed write. It leaves a gap, so the segment takes no more rows.
    failed: Option<StoreError>,
}

#[derive(Default)]
struct Gathered {
    first_row: u64,
    blocks: Vec<Placed>,
    bytes: Vec<u8>,
}

/// An object that is being sent.
struct Put {
    first_row: u64,
    object: Object,
    request: Request<()>,
}

impl ObjectSegment {
    /// `None` if the store has no object store.
    pub(in super::super) fn new(store: &PostgresStore, key: SegmentKey) -> Option<Self> {
        store.inner.objects.as_ref()?;
        Some(Self {
            store: store.clone(),
            tally: Tally::new(key),
            packer: Packer::new(store.inner.options.packing),
            writer: Uuid::new_v4(),
            gathered: Gathered::default(),
            put: None,
            is_announced: false,
            visible: 0,
            failed: None,
        })
    }

    fn call(&self) -> Call {
        Call::new("append rows").on(self.tally.key().job)
    }

    fn check_sound(&self) -> Result<(), StoreError> {
        self.store.check_fence(self.tally.key())?;
        self.failed.clone().map_or(Ok(()), Err)
    }

    fn gather(&mut self, block: &SealedBlock<'_>) -> Result<(), StoreError> {
        let Gathered { first_row, blocks, bytes } = &mut self.gathered;
        if blocks.is_empty() {
            *first_row = block.first_row;
        }
        let start = bytes.len() as u64;
        bytes.extend_from_slice(block.bytes);
        blocks.push(Placed { end: block.first_row + block.rows, bytes: start..bytes.len() as u64 });
        let most = self.store.objects(self.call())?.options.object_bytes;
        if self.gathered.bytes.len() >= most { self.put() } else { Ok(()) }
    }

    /// Waits for the last object, then starts to send the gathered blocks.
    fn put(&mut self) -> Result<(), StoreError> {
        self.wait_for_put()?;
        self.announce()?;
        let key = self.tally.key();
        let Gathered { first_row, blocks, bytes } = std::mem::take(&mut self.gathered);
        let name = format!("{}/{}/{}/{first_row:020}-{}", key.job, key.attempt, key.number, self.writer);
        let objects = self.store.objects(self.call())?;
        let (place, path) = (objects.place.store.clone(), Path::from(name.as_str()));
        let request = objects.start(async move {
            let payload = PutPayload::from(bytes);
            match admitted(|| place.put_opts(&path, payload.clone(), PutMode::Create.into())).await {
                // This writer has put the object and lost the answer, since no other writer uses the name.
                Ok(_) | Err(Error::AlreadyExists { .. }) => Ok(()),
                Err(error) => Err(error),
            }
        });
        self.put = Some(Put { first_row, object: Object { name, blocks }, request });
        Ok(())
    }

    /// Waits until the last object is stored, and adds it to the segment.
    fn wait_for_put(&mut self) -> Result<(), StoreError> {
        let Some(Put { first_row, object, request }) = self.put.take() else { return Ok(()) };
        let (call, key) = (self.call(), self.tally.key());
        let objects = self.store.objects(call)?;
        objects.answer(call, request)?.map_err(|error| failure(call, &error))?;
        if !self.store.add_object(call, key, first_row, &object)? {
            // The attempt is over, and its objects may have been collected before this one was stored.
            objects.forget(object.name);
            return Err(self.store.fenced(call, key)?);
        }
        self.visible = object.end();
        Ok(())
    }

    fn announce(&mut self) -> Result<(), StoreError> {
        if self.is_announced {
            return Ok(());
        }
        let key = self.tally.key();
        let parameters: Parameters<'_> = &[&uuid(key.job), &i64::from(key.attempt), &self.store.inner.claimant];
        // The write is synced, so that a server that dies still knows of the attempts that may have objects.
        if self.store.rows(self.call().durable(Durability::Synced), ANNOUNCE, parameters)?.is_empty() {
            return Err(self.store.fenced(self.call(), key)?);
        }
        self.is_announced = true;
        Ok(())
    }

    /// Writes the blocks of a small segment to the database.
    fn store_blocks(&mut self) -> Result<(), StoreError> {
        let Gathered { mut first_row, blocks, bytes } = std::mem::take(&mut self.gathered);
        let mut rest = bytes.as_slice();
        for Placed { end, bytes } in blocks {
            let length = usize::try_from(bytes.end - bytes.start).unwrap_or(usize::MAX);
            let Some((block, after)) = rest.split_at_checked(length) else { break };
            self.store.append_block(self.call(), self.tally.key(), first_row..end, block)?;
            (first_row, self.visible) = (end, end);
            rest = after;
        }
        Ok(())
    }
}

impl SegmentWriter for ObjectSegment {
    fn append(&mut self, block: SealedBlock<'_>) -> Result<(), StoreError> {
        self.check_sound()?;
        self.tally.check(&block)?;
        // The packer is taken out for the call, which borrows what it has packed.
        let mut packer = std::mem::take(&mut self.packer);
        let block = packer.pack(block);
        let gathered = self.gather(&block);
        if gathered.is_ok() {
            self.tally.add(&block);
        }
        self.packer = packer;
        gathered.inspect_err(|error| self.failed = Some(error.clone()))
    }

    fn visible_rows(&self) -> u64 {
        self.visible
    }

    fn stored_bytes(&self) -> u64 {
        self.tally.stored_bytes()
    }

    /// Puts the gathered blocks as an object and waits for it: the blocks of a segment are all in objects or none is.
    fn show_rows(&mut self) -> Result<(), StoreError> {
        self.check_sound()?;
        let put = if self.gathered.blocks.is_empty() { Ok(()) } else { self.put() };
        put.and_then(|()| self.wait_for_put()).inspect_err(|error| self.failed = Some(error.clone()))
    }

    fn finish(mut self: Box<Self>) -> Result<Segment, StoreError> {
        self.check_sound()?;
        let small = self.store.objects(self.call())?.options.small_segment;
        if !self.is_announced && self.gathered.bytes.len() <= small {
            self.store_blocks()?;
        } else if !self.gathered.blocks.is_empty() {
            self.put()?;
        }
        self.wait_for_put()?;
        Ok(self.tally.segment())
    }
}

impl Drop for ObjectSegment {
    /// An object that is being sent when the writer is dropped arrives later. That may be too late for the
    /// collector.
    fn drop(&mut self) {
        let (Some(put), Some(objects)) = (self.put.take(), &self.store.inner.objects) else { return };
        let place = objects.place.store.clone();
        objects.runtime.spawn(async move {
            let _ = put.request.await;
            let _ = place.delete(&Path::from(put.object.name)).await;
        });
    }
}

impl fmt::Debug for ObjectSegment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectSegment").field("tally", &self.tally).finish_non_exhaustive()
    }
}

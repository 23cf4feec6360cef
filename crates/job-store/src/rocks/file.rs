//! [`File`]: a file with rows of a large segment, before it is part of the database. It needs no log, memtable or
//! compaction, because no other key lies between its first and its last.

use std::{fs, path::PathBuf, sync::Arc};

use rocksdb::SstFileWriter;

use super::{
    Database, Rocks, failure, family, links,
    options::{self, Ingest},
};
use crate::{
    StoreError,
    key_value::{SortedRun, Table},
    place::Place,
};

/// A file of rows that is not part of the store yet. Dropped before it is, the file is removed.
pub(super) struct File<D> {
    writer: SstFileWriter<'static>,
    path: PathBuf,
    db: Arc<D>,
    place: Arc<Place>,
}

impl<D: Database> File<D> {
    pub(super) fn create(rocks: &Rocks<D>) -> Result<Self, StoreError> {
        rocks.place.check("")?;
        let path = rocks.files.path()?;
        let writer = SstFileWriter::create(options::file(&rocks.options));
        writer.open(&path).map_err(failure)?;
        Ok(Self { writer, path, db: Arc::clone(&rocks.db), place: Arc::clone(&rocks.place) })
    }
}

impl<D: Database> SortedRun for File<D> {
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.writer.put(key, value).map_err(failure)
    }

    /// Syncs the file.
    fn seal(&mut self) -> Result<(), StoreError> {
        self.writer.finish().map_err(failure)
    }

    fn publish(self: Box<Self>) -> Result<(), StoreError> {
        self.place.check("")?;
        let rows = family(&*self.db, Table::Rows)?;
        let ingest = |how| self.db.ingest(&rows, &options::ingest(how), &self.path);
        let moved = ingest(Ingest::Move);
        // A move needs hard links, which some file systems do not have. Each reports that differently.
        if moved.is_err() && !links::are_possible(&self.path) { ingest(Ingest::Copy) } else { moved }
            .map_err(failure)
    }
}

impl<D> Drop for File<D> {
    fn drop(&mut self) {
        // If the file was copied, the original is removed here; a moved file is gone already.
        let _ = fs::remove_file(&self.path);
    }
}

//! The layout that most engines have at first: a RocksDB key for each row. The row is stored as bincode, and is
//! decoded and turned into JSON for each page.

use anyhow::Result;
use rocksdb::{DB, Direction, IteratorMode, Options, WriteBatch};
use tempfile::TempDir;

use crate::vertices::Vertex;

pub(super) struct RowPerKey {
    db: DB,
    rows: usize,
    _directory: TempDir,
}

impl RowPerKey {
    pub(super) fn create(directory: TempDir, rows: &[Vertex]) -> Result<Self> {
        let mut table = rocksdb::BlockBasedOptions::default();
        table.set_block_cache(&rocksdb::Cache::new_lru_cache(256 << 20));
        let mut options = Options::default();
        options.create_if_missing(true);
        options.set_compression_type(rocksdb::DBCompressionType::Lz4);
        options.set_block_based_table_factory(&table);
        let db = DB::open(&options, directory.path())?;
        for (chunk, part) in rows.chunks(1_000).enumerate() {
            let mut batch = WriteBatch::default();
            for (place, row) in part.iter().enumerate() {
                let key = (chunk * 1_000 + place) as u64;
                batch.put(key.to_be_bytes(), bincode::encode_to_vec(row, bincode::config::standard())?);
            }
            db.write(batch)?;
        }
        db.flush()?;
        db.compact_range::<&[u8], &[u8]>(None, None);
        Ok(Self { db, rows: rows.len(), _directory: directory })
    }

    /// Writes all rows as the same payload as our engine does.
    pub(super) fn page(&self, out: &mut Vec<u8>) -> Result<()> {
        let rows = self.rows;
        out.extend_from_slice(
            format!(
                r#"{{"data":{{"outputs":{{"data_return_size":{rows},"data_offset":0,"data_total_size":{rows},"vertices":["#
            )
            .as_bytes(),
        );
        let from = 0_u64.to_be_bytes();
        for (place, entry) in
            self.db.iterator(IteratorMode::From(&from, Direction::Forward)).take(rows).enumerate()
        {
            let (_, value) = entry?;
            let (row, _): (Vertex, usize) = bincode::decode_from_slice(&value, bincode::config::standard())?;
            if place > 0 {
                out.push(b',');
            }
            serde_json::to_writer(&mut *out, &row)?;
        }
        out.extend_from_slice(br#"]}},"status":"complete"}"#);
        Ok(())
    }
}

//! Reads a page of 10 rows at a random place. The page is compared with RocksDB's point read of one block, which
//! is the minimum for any layout in blocks.

use anyhow::{Context, Result};
use job_core::PageRequest;
use rocksdb::{BlockBasedOptions, Cache, DB, DBCompressionType, Options};

use super::{Bench, open, reader};
use crate::{
    measure::{Series, seconds},
    report::{Goal, Row, Unit},
    stored::{self, BLOCK_BYTES},
    vertices::{Random, SEED, vertices},
};

pub(super) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let rows = bench.size(1_000_000, 200_000);
    let directory = bench.directory()?;
    let store = open(directory.path())?;
    let reader = reader(&store);
    let pool = vertices(100_000);
    let job = stored::finished(&*store, &pool, rows)?;
    let plain = bench.directory()?;
    let mean = serde_json::to_vec(&pool)?.len() / pool.len();
    let blocks = (rows * mean).div_ceil(BLOCK_BYTES) as u64;
    let db = blocks_in_rocksdb(plain.path(), &pool, blocks)?;

    let mut out = Vec::new();
    let mut random = Random(SEED);
    let mut page = |row: u64| {
        out.clear();
        stored::status(&reader, job, PageRequest::new(row, 10)?, &mut out)
    };
    let point = |block: u64| {
        let value = db.get_pinned(block.to_be_bytes())?.context("the block is there")?;
        std::hint::black_box(value.last());
        Ok(())
    };
    let mut ten = Vec::new();
    let mut copy = |block: u64, at: usize| {
        let value = db.get_pinned(block.to_be_bytes())?.context("the block is there")?;
        ten.clear();
        ten.extend_from_slice(value.get(at..at + 10 * mean).context("the rows are there")?);
        Ok(())
    };
    // Reads everything once, so that the caches are warm for both.
    for block in 0..blocks {
        page(block * rows as u64 / blocks)?;
        point(block)?;
    }
    let (mut ours, mut theirs, mut copied) = (Vec::new(), Vec::new(), Vec::new());
    let last = (BLOCK_BYTES - 10 * mean) as u64;
    for _ in 0..bench.size(100_000, 20_000) {
        ours.push(seconds(|| page(random.below(rows as u64 - 10)))?);
        theirs.push(seconds(|| point(random.below(blocks)))?);
        copied.push(seconds(|| copy(random.below(blocks), usize::try_from(random.below(last))?))?);
    }
    let (ours, theirs, copied) = (Series::new(ours)?, Series::new(theirs)?, Series::new(copied)?);
    let at = |what: &str, series: &Series, name: &str, share: f64| {
        let row =
            Row::new(format!("{what}, {name}"), "warm read", Unit::Seconds, Series::once(series.quantile(share)));
        row.beside("RocksDB point read of one block", Series::once(theirs.quantile(share)))
    };
    let page = |name, share| at("page of 10 rows", &ours, name, share).goal(Goal::CostAtMost(2.0));
    // The least that a store in blocks can reach, if the place of the rows in their block costs nothing to find.
    let bound = |name, share| at("a point read, and a copy of 10 rows of the block", &copied, name, share);
    Ok(vec![page("p50", 0.5), page("p99", 0.99), bound("p50", 0.5), bound("p99", 0.99)])
}

fn blocks_in_rocksdb(path: &std::path::Path, pool: &[impl serde::Serialize], blocks: u64) -> Result<DB> {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(&Cache::new_lru_cache(256 << 20));
    table.set_block_size(32 << 10);
    let mut options = Options::default();
    options.create_if_missing(true);
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_block_based_table_factory(&table);
    let db = DB::open(&options, path)?;
    let json = serde_json::to_vec(pool)?;
    for (key, value) in (0..blocks).zip(json.chunks_exact(BLOCK_BYTES).cycle()) {
        db.put(key.to_be_bytes(), value)?;
    }
    db.flush()?;
    db.compact_range::<&[u8], &[u8]>(None, None);
    Ok(db)
}

//! Writes typed rows as a durable result, and compares with `serde_json`, which serializes the same rows into a
//! `Vec`.

use anyhow::Result;
use job_store::{Durability, RocksStore};

use super::{Bench, open};
use crate::{
    measure::{interleave, seconds},
    report::{Goal, Row, Unit},
    stored,
    vertices::{Vertex, vertices},
};

pub(super) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let pool = vertices(100_000);
    let rows = bench.size(2_000_000, 300_000);
    let directory = bench.directory()?;
    let store = open(directory.path())?;
    let mut reused = Vec::new();
    let [one, two, fresh, reused, both] = interleave(
        bench.size(5, 3),
        [
            &mut || seconds(|| write(&store, &pool, rows, 1)),
            &mut || seconds(|| write(&store, &pool, rows, 2)),
            &mut || {
                let mut out = Vec::new();
                seconds(|| serialize(&pool, rows, usize::MAX, &mut out))
            },
            &mut || seconds(|| serialize(&pool, rows, 1 << 20, &mut reused)),
            &mut || seconds(|| serialize_twice(&pool, rows / 2)),
        ],
    )?;
    let rate = |series: &crate::measure::Series| series.per(rows as f64);
    let what = format!("write {:.1} M rows", rows as f64 / 1e6);
    Ok(vec![
        Row::new(format!("{what} / serde_json"), "fsync at the end", Unit::PerSecond, rate(&one))
            .beside("serde_json into one Vec", rate(&fresh))
            .goal(Goal::SpeedupAtLeast(0.9)),
        Row::new(format!("{what} / reused"), "fsync at the end", Unit::PerSecond, rate(&one))
            .beside("serde_json into a reused MiB", rate(&reused)),
        Row::new(format!("{what}, 2 segments / 1"), "fsync at the end", Unit::PerSecond, rate(&two))
            .beside("one segment", rate(&one)),
        Row::new(
            format!("{what}, 2 segments / serde_json on 2 threads"),
            "fsync at the end",
            Unit::PerSecond,
            rate(&two),
        )
        .beside("serde_json on 2 threads", rate(&both))
        .goal(Goal::SpeedupAtLeast(0.55)),
        Row::new(
            "what a second core is worth: serde_json alone, 2 threads / 1",
            "memory",
            Unit::PerSecond,
            rate(&both),
        )
        .beside("one thread", rate(&reused)),
    ])
}

/// Writes a finished job with its rows in `segments`, a thread each.
fn write(store: &RocksStore, pool: &[Vertex], rows: usize, segments: u32) -> Result<()> {
    let job = stored::running(store)?;
    let each = rows / segments as usize;
    let written = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..segments)
            .map(|number| {
                let job = &job;
                scope.spawn(move || stored::segment(store, job, number, pool.iter().cycle().take(each)))
            })
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().map_err(|_| anyhow::anyhow!("a writer panicked"))?)
            .collect()
    });
    let written: Result<Vec<_>> = written;
    stored::complete(store, &job, written?, Durability::Synced)
}

/// Serializes half of the rows on each of two threads.
fn serialize_twice(pool: &[Vertex], each: usize) -> Result<()> {
    std::thread::scope(|scope| {
        let threads = [(); 2].map(|()| scope.spawn(|| serialize(pool, each, 1 << 20, &mut Vec::new())));
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().map_err(|_| anyhow::anyhow!("a thread panicked"))?)
    })
}

fn serialize(pool: &[Vertex], rows: usize, reuse_after: usize, out: &mut Vec<u8>) -> Result<()> {
    out.clear();
    for row in pool.iter().cycle().take(rows) {
        if out.len() >= reuse_after {
            out.clear();
        }
        serde_json::to_writer(&mut *out, row)?;
        out.push(b',');
    }
    std::hint::black_box(out.as_slice());
    Ok(())
}

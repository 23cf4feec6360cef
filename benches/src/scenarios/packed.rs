//! Writes rows into PostgreSQL, and into objects beside it, packed and as they are.

use std::path::Path;

use anyhow::Result;
use job_store::{ObjectOptions, Packing, PostgresOptions, PostgresStore};
use test_servers::Postgres;

use super::Bench;
use crate::{
    measure::{interleave, seconds},
    report::{Goal, Row, Unit},
    stored,
    vertices::vertices,
};

pub(super) fn run(bench: &Bench) -> Result<Vec<Row>> {
    // PostgreSQL is not installed, and a line that says so has been printed.
    let Some(server) = Postgres::start()? else { return Ok(Vec::new()) };
    let rows = bench.size(1_000_000, 100_000);
    let pool = vertices(100_000);
    let directory = bench.directory()?;
    let write = |store: &PostgresStore| stored::finished(store, &pool, rows).map(drop);
    let mut table = Vec::new();
    for (what, objects) in [("into PostgreSQL", None), ("into objects beside it", Some(directory.path()))] {
        let packed = open(&server, Packing::Lz4, objects)?;
        let plain = open(&server, Packing::None, objects)?;
        let [packed, plain] =
            interleave(bench.size(5, 1), [&mut || seconds(|| write(&packed)), &mut || seconds(|| write(&plain))])?;
        let what = format!("write {:.1} M rows {what}, packed / not", rows as f64 / 1e6);
        table.push(
            Row::new(what, "fsync at the end", Unit::PerSecond, packed.per(rows as f64))
                .beside("not packed", plain.per(rows as f64))
                .goal(Goal::SpeedupAtLeast(2.0)),
        );
    }
    Ok(table)
}

/// A store in a database of its own, with the blocks of large results in the directory `objects` if there is one.
fn open(server: &Postgres, packing: Packing, objects: Option<&Path>) -> Result<PostgresStore> {
    let place = if objects.is_some() { "objects" } else { "database" };
    let url = server.database(&format!("bench_{place}_{packing}"))?;
    let mut options = PostgresOptions::default().packing(packing);
    if let Some(directory) = objects {
        let directory = directory.join(packing.to_string());
        std::fs::create_dir(&directory)?;
        options = options.objects(ObjectOptions::at(format!("file://{}", directory.display())));
    }
    Ok(PostgresStore::open(&url, options)?)
}

//! Processes that share a database lose no job when one of them dies or stops, or when the database or the
//! networks fail.

use job_tests::cluster::Cluster;

use crate::support::{seed, setting};

#[test]
fn a_cluster_loses_nothing_whoever_dies_or_sleeps() {
    let seed = seed();
    println!("seed {seed}");
    let cluster =
        Cluster { program: env!("CARGO_BIN_EXE_torture").into(), jobs: setting("CLUSTER_JOBS", 200), seed };
    if let Some(seen) = cluster.run() {
        println!("{seen}");
    }
}

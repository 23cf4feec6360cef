//! The costs of one job in the engine, for development; the table harness has the figures that count.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run has nothing to say but that")]

use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use job_benches::{engines, scenarios::open};
use job_runner::{
    Durability,
    store::{MemoryStore, Store},
};

fn jobs(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap();
    let stores: [(&str, Arc<dyn Store>); 2] =
        [("memory", Arc::new(MemoryStore::default())), ("disk, buffered", open(directory.path()).unwrap())];
    let mut group = criterion.benchmark_group("job");
    for (name, store) in stores {
        let engine = engines::builder(store, Durability::Buffered).workers(1).open().unwrap();
        group.bench_function(format!("submit and wait, {name}"), |bencher| {
            bencher.iter(|| engine.submit(engines::noop()).unwrap().wait().unwrap().revision);
        });
        group.bench_function(format!("submit 100 at once and wait, {name}"), |bencher| {
            bencher.iter(|| {
                let handles = engine.submit_all(vec![engines::noop(); 100]).unwrap();
                engines::wait_all(&handles).unwrap();
            });
        });
    }
    group.finish();
}

criterion_group!(benches, jobs);
criterion_main!(benches);

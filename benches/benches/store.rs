//! The pieces of the result store one by one, for development; the table harness has the figures that count.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run has nothing to say but that")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use job_benches::{
    scenarios::{open, reader},
    stored,
    vertices::{Random, SEED, vertices},
};
use job_core::{JobId, PageRequest};
use job_store::{BlockBuilder, JobStore, ResultStore, SegmentKey};

fn blocks(criterion: &mut Criterion) {
    let rows = vertices(1_000);
    let bytes = serde_json::to_vec(&rows).unwrap().len() as u64;
    let key = SegmentKey { job: JobId::from_bytes([7; 16]), attempt: 1, number: 0 };
    let mut group = criterion.benchmark_group("block");
    group.throughput(Throughput::Bytes(bytes));
    let mut builder = BlockBuilder::new(key);
    group.bench_function("push 1,000 rows and seal", |bencher| {
        bencher.iter(|| {
            for row in &rows {
                builder.push(row).unwrap();
            }
            builder.seal().rows
        });
    });
    let mut json = Vec::new();
    group.bench_function("serde_json into a Vec, the same rows", |bencher| {
        bencher.iter(|| {
            json.clear();
            for row in &rows {
                serde_json::to_writer(&mut json, row).unwrap();
            }
            json.len()
        });
    });
    group.finish();
}

fn pages(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    let reader = reader(&store);
    let rows = 200_000;
    let job = stored::finished(&*store, &vertices(10_000), rows).unwrap();
    let mut out = Vec::new();
    let mut random = Random(SEED);
    let mut page = |limit: u32| {
        out.clear();
        let offset = random.below(rows as u64 - u64::from(limit));
        stored::status(&reader, job, PageRequest::new(offset, limit).unwrap(), &mut out).unwrap();
        black_box(out.len())
    };
    let mut group = criterion.benchmark_group("page");
    for limit in [10, 1_000, 100_000] {
        group.bench_function(format!("of {limit} rows"), |bencher| bencher.iter(|| page(limit)));
    }
    group.bench_function("record only", |bencher| bencher.iter(|| store.get(job).unwrap()));
    group.bench_function("result only", |bencher| bencher.iter(|| store.result(job).unwrap()));
    group.finish();
}

criterion_group!(benches, blocks, pages);
criterion_main!(benches);

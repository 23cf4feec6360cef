//! A host whose vertices have keys, not numbers: a filter over ranges of keys, on every idle worker.
//!
//! `cargo run --package job-runner --example key_ranges`

use std::{collections::BTreeMap, error::Error, ops::Range, sync::Arc};

use job_runner::{Engine, JobContext, JobError, JobSpec, PageRequest, Partition, store::MemoryStore};

/// An ordered store of vertices, as an engine on a key-value store has one.
type Graph = BTreeMap<[u8; 16], u32>;

/// Cuts all keys by their first byte into `count` ranges of about the same size, the last one without its last key.
/// Where keys are not spread evenly, an engine asks its store for sizes, or takes the bounds of its files.
fn cut(count: u8) -> Vec<Range<[u8; 16]>> {
    let bound = |part: u16| {
        let first = u8::try_from(part * 256 / u16::from(count)).unwrap_or(u8::MAX);
        let mut key = if part < u16::from(count) { [0; 16] } else { [u8::MAX; 16] };
        if let Some(byte) = key.first_mut() {
            *byte = first;
        }
        key
    };
    (0..u16::from(count)).map(|part| bound(part)..bound(part + 1)).collect()
}

fn adults(ctx: &mut JobContext, graph: &Arc<Graph>) -> Result<(), JobError> {
    let graph = Arc::clone(graph);
    // Rows are read in the order of the keys, whichever worker scans which range.
    ctx.scan_ranges("vertices", cut(64), move |range, part: &mut Partition<'_>| {
        for (key, age) in graph.range(range.clone()) {
            part.check_stopped()?;
            if *age >= 18 {
                // The host writes its own JSON: no value is made of it first.
                part.push_json(
                    format!(r#"{{"id":"{:032x}","age":{age}}}"#, u128::from_be_bytes(*key)).as_bytes(),
                )?;
            }
        }
        Ok(())
    })
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let key = |n: u64| (u128::from(n.wrapping_mul(0x9e37_79b9_7f4a_7c15)) << 64 | u128::from(n)).to_be_bytes();
    let graph: Arc<Graph> = Arc::new((0..50_000).map(|n| (key(n), u32::try_from(n % 90).unwrap_or(0))).collect());
    let expected = graph.values().filter(|age| **age >= 18).count() as u64;

    let engine = Engine::builder(Arc::new(MemoryStore::default()))
        .vertex_filter(move |ctx: &mut JobContext| adults(ctx, &graph))
        .open()?;
    let job = engine.submit(JobSpec::vertex_filter().with_graph("people"))?;
    let record = job.wait()?;
    if record.size.rows != expected {
        return Err(format!("{} rows of {expected}", record.size.rows).into());
    }
    let mut rows = Vec::new();
    job.page(PageRequest::new(0, 2)?)?.write_to(&mut rows)?;
    println!("{} rows, the first of them {}", record.size.rows, String::from_utf8(rows)?);
    Ok(())
}

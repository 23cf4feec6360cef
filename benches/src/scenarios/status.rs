//! Measures how many status queries of finished jobs one thread can make in a second.

use anyhow::Result;
use job_core::{Event, JobResult, PageRequest};
use job_store::{Durability, ResultStore};

use super::{Bench, open, reader};
use crate::{
    measure::{interleave, seconds},
    report::{Goal, Row, Unit},
    stored,
};

pub(super) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let directory = bench.directory()?;
    let store = open(directory.path())?;
    let reader = reader(&store);
    let mut jobs = Vec::new();
    for _ in 0..1_000 {
        let job = stored::running(&*store)?;
        let done = job.apply(Event::Succeed(JobResult::default().size()), job.submitted_at)?;
        store.complete(&[(&done, &JobResult::default())], Durability::Buffered)?;
        jobs.push(job.id);
    }
    let calls = bench.size(300_000, 50_000);
    let mut out = Vec::new();
    let [record, payload] = interleave(
        bench.size(5, 3),
        [
            &mut || {
                seconds(|| {
                    for job in jobs.iter().cycle().take(calls) {
                        std::hint::black_box(reader.record(*job)?);
                    }
                    Ok(())
                })
            },
            &mut || {
                seconds(|| {
                    for job in jobs.iter().cycle().take(calls) {
                        out.clear();
                        stored::status(&reader, *job, PageRequest::default(), &mut out)?;
                    }
                    Ok(())
                })
            },
        ],
    )?;
    Ok(vec![
        Row::new("state of a finished job", "warm read", Unit::PerSecond, record.per(calls as f64))
            .goal(Goal::AtLeast(500_000.0)),
        Row::new("whole payload of a job without a list", "warm read", Unit::PerSecond, payload.per(calls as f64)),
    ])
}

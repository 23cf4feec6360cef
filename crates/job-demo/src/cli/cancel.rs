//! `cancel`: a waiting job will never run.

use std::{
    io::{self, Write},
    process::ExitCode,
    sync::Arc,
};

use job_demo::graphs::Graphs;

use super::{Global, Outcome, ids, source};

pub(super) fn cancel(global: &Global, id: &str) -> Outcome {
    let jobs = source::write(global, &Arc::new(Graphs::new(global.wordnet.clone())))?;
    let id = ids::resolve(&*jobs, id)?;
    jobs.cancel(id)?;
    let mut out = io::stdout().lock();
    // The service answers a cancel with an empty object.
    if global.json {
        writeln!(out, "{{}}")?;
    } else {
        writeln!(out, "job {id} is cancelled")?;
    }
    Ok(ExitCode::SUCCESS)
}

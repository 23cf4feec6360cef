//! `cancel`: a waiting job will never run.

use std::{
    io::{self, Write},
    process::ExitCode,
    sync::Arc,
};

use job_demo::graphs::Graphs;
use job_runner::JobId;

use super::{Global, Outcome, store};

pub(super) fn cancel(global: &Global, id: JobId) -> Outcome {
    let graphs = Arc::new(Graphs::new(global.wordnet.clone()));
    let engine = store::engine(&store::write(global)?, &graphs, 0)?;
    engine.cancel(id)?;
    let mut out = io::stdout().lock();
    // The service answers a cancel with an empty object.
    if global.json {
        writeln!(out, "{{}}")?;
    } else {
        writeln!(out, "job {id} is cancelled")?;
    }
    Ok(ExitCode::SUCCESS)
}

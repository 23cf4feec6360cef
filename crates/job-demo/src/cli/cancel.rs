//! `cancel`: a waiting job will never run.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use job_runner::JobId;

use super::{Global, Outcome, source};

pub(super) fn cancel(global: &Global, id: JobId) -> Outcome {
    source::write(global)?.cancel(id)?;
    let mut out = io::stdout().lock();
    // The service answers a cancel with an empty object.
    if global.json {
        writeln!(out, "{{}}")?;
    } else {
        writeln!(out, "job {id} is cancelled")?;
    }
    Ok(ExitCode::SUCCESS)
}

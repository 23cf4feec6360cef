//! `cancel`: a waiting job will never run, a running one stops at its next check.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use super::{CommandResult, Global, ids, job::State, source};

pub(super) fn cancel(global: &Global, id: &str) -> CommandResult {
    let jobs = source::write(global)?;
    let id = ids::resolve(&*jobs, id)?;
    jobs.cancel(id)?;
    let mut out = io::stdout().lock();
    // The service answers a cancel with an empty object.
    if global.json {
        writeln!(out, "{{}}")?;
    } else {
        // A running job ends at its next check.
        let state = jobs.job(id)?.map_or(State::Cancelled, |job| job.state);
        writeln!(out, "job {id} is {state}")?;
    }
    Ok(ExitCode::SUCCESS)
}

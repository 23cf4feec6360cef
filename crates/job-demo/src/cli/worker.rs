//! `worker`: runs the jobs of a store that other processes share, and answers no requests.

use std::{
    io::{self, Write},
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use tokio::runtime::Runtime;

use super::{
    CommandResult, Global, cores,
    exit::{Exit, Mistake},
    server, stop,
    store::{self, Work},
};

pub(super) fn worker(
    global: &Global,
    workers: Option<usize>,
    exports: Option<&Path>,
    grace: Duration,
) -> CommandResult {
    let workers = workers.unwrap_or_else(cores).max(1);
    server::none(global, "worker")?;
    let told = stop::listen()?;
    let store = store::write(global)?;
    if !store.is_shared() {
        let message = "a worker needs a store that others share: name one with --store postgres:URL";
        return Err(Mistake::new(Exit::Usage, message).into());
    }
    let graphs = Arc::new(global.served());
    global.load(&graphs)?;
    let runtime = Runtime::new()?;
    let engine = store.engine(&Work { graphs: &graphs, workers, exports, lenient: false })?;
    writeln!(io::stdout().lock(), "jobs run, {workers} at a time; Ctrl-C stops")?;
    runtime.block_on(told.wait());
    let left = engine.shutdown(grace);
    if left.abandoned > 0 {
        return Err(format!("{} jobs did not stop in time: others run them again", left.abandoned).into());
    }
    Ok(ExitCode::SUCCESS)
}

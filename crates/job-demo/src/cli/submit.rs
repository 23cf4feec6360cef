//! `submit`: a job is stored and acknowledged; nothing runs.

use std::{
    error::Error,
    io::{self, Write},
    process::ExitCode,
};

use job_demo::{algorithms::Algorithm, check::check, graphs::Graphs};
use job_runner::{
    JobSpec,
    core::{shown, strict},
};

use super::{
    Global, Outcome,
    exit::{Exit, Mistake},
    source,
};

pub(super) fn submit(global: &Global, work: &str, parameters: String) -> Outcome {
    let parameters = strict::object("--parameters", parameters)?;
    let spec = spec(work)?.graph(global.graph().as_str()).raw_parameters(parameters);
    check(&Graphs::new(global.wordnet.clone()), &spec)?;
    let id = source::write(global)?.submit(spec)?;
    let mut out = io::stdout().lock();
    if global.json {
        writeln!(out, r#"{{"jobId":"{id}"}}"#)?;
    } else {
        writeln!(out, "{id}")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn spec(work: &str) -> Result<JobSpec, Box<dyn Error>> {
    match work {
        "vertex_filter" => Ok(JobSpec::vertex_filter()),
        "edge_filter" => Ok(JobSpec::edge_filter()),
        name if Algorithm::find(name).is_some() => Ok(JobSpec::algorithm(name)),
        other => {
            let names = Algorithm::ALL.map(|algorithm| algorithm.name()).join(", ");
            let other = shown(other);
            let message =
                format!("work {other:?} is unknown: it must be vertex_filter, edge_filter or one of {names}");
            Err(Mistake::new(Exit::Usage, message).into())
        }
    }
}

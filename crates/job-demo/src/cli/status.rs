//! `status`: one answer to a status query, in the bytes of the API or laid out for reading.

use std::{
    error::Error,
    io::{self, BufWriter, Write},
    process::ExitCode,
};

use job_runner::PageRequest;
use serde::Deserialize;

use super::{
    CommandResult, Global,
    exit::{Exit, Mistake},
    ids, pretty,
    source::{self, Answer},
};

pub(super) fn status(global: &Global, id: &str, offset: Option<&str>, limit: Option<&str>) -> CommandResult {
    let page = PageRequest::parse(offset, limit)?;
    let source = source::read(global)?;
    let found = ids::find(&*source, id)?;
    let answer = match found {
        Some(id) => source.status(id, page)?,
        None => Answer::unknown(id),
    };
    let is_known = || Ok::<_, Box<dyn Error>>(found.map_or(Ok(None), |id| source.job(id))?.is_some());
    let bad = match answer.http_status {
        200 => None,
        _ if is_known()? => Some(Exit::JobFailed),
        _ => Some(Exit::NotFound),
    };
    if global.json {
        io::stdout().lock().write_all(&answer.body)?;
    } else if let Some(exit) = bad {
        return Err(Mistake::new(exit, sentence(&answer.body)).into());
    } else {
        let mut out = BufWriter::new(io::stdout().lock());
        pretty::write(&mut out, &answer.body, pretty::Cut::LONG)?;
        out.flush()?;
    }
    Ok(bad.map_or(ExitCode::SUCCESS, ExitCode::from))
}

/// The message of an error payload, or the payload itself if it has none.
pub(super) fn sentence(body: &[u8]) -> String {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Failure {
        error_message: String,
        error_code: String,
    }
    serde_json::from_slice(body).map_or_else(
        |_| String::from_utf8_lossy(body).into_owned(),
        |Failure { error_message, error_code }| format!("{error_message} ({error_code})"),
    )
}

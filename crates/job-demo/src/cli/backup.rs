//! `backup`: a copy of a store at one moment, made by the process that has it open.

use std::{
    error::Error,
    io::{self, Write},
    path::{self, Path, PathBuf},
    process::ExitCode,
};

use axum::{
    Json,
    http::StatusCode,
    routing::{MethodRouter, post},
};
use job_runner::store::{ErrorKind, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::task::spawn_blocking;

use super::{
    CommandResult, Global,
    address::Address,
    exit::{Exit, Mistake},
    location::Location,
    plain::{one_line, plain},
    remote::Remote,
    server,
    store::{self, Opened},
};

/// Where a server takes the request.
pub(super) const PATH: &str = "/backup";

/// The request to a server.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) to: PathBuf,
    /// A word that only the user of the server can read. A client over the network must not write files here.
    pub(super) key: String,
}

pub(super) fn backup(global: &Global, to: &Path) -> CommandResult {
    // The server has a working directory of its own.
    let to = path::absolute(to)?;
    let Location::Directory(directory) = &global.store else {
        let message = "a database has tools of its own for backups, such as pg_dump: docs/operate.md tells how, and in which \
                       order objects are saved";
        return Err(Mistake::new(Exit::Refused, message).into());
    };
    match running(global, directory)? {
        Some(Address { url, key, .. }) => Remote::new(&url)?.back_up(&Request { to: to.clone(), key })?,
        None => store::existing(&global.store)?.back_up(&to)?,
    }
    let text = if global.json {
        json!({ "backup": to }).to_string()
    } else {
        format!("the backup of {} is in {}", global.store, plain(&to.to_string_lossy()))
    };
    writeln!(io::stdout().lock(), "{}", one_line(&text))?;
    Ok(ExitCode::SUCCESS)
}

/// The server that has the store, if one has.
fn running(global: &Global, directory: &Path) -> Result<Option<Address>, Box<dyn Error>> {
    let Some(url) = &global.server else { return server::running_at(&global.store) };
    let address = Address::read(directory).filter(|address| address.url == url.trim_end_matches('/'));
    address.map(Some).ok_or_else(|| {
        let message = format!(
            "{url} does not serve the store {}: only the user who serves a store can back it up, on the same machine; \
             name its directory with --store",
            directory.display()
        );
        Mistake::new(Exit::Refused, message).into()
    })
}

/// The answer of a server, which has this key.
pub(super) fn route(store: Opened, key: String) -> MethodRouter {
    post(move |Json(request): Json<Request>| async move {
        if request.key != key {
            let message = "only the user who serves the store can back it up, on the same machine";
            return (StatusCode::FORBIDDEN, message.to_owned());
        }
        match spawn_blocking(move || store.back_up(&request.to)).await {
            Ok(Ok(())) => (StatusCode::OK, String::new()),
            Ok(Err(error)) => (status(&error), error.to_string()),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        }
    })
}

const fn status(error: &StoreError) -> StatusCode {
    match error.kind {
        ErrorKind::AlreadyExists | ErrorKind::Invalid => StatusCode::CONFLICT,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

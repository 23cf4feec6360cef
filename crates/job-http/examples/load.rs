//! A server with a large result, for the checks of the page and for programs that put a load on it.
//!
//! ```sh
//! cargo run --release -p job-http --example load -- 127.0.0.1:8090 100000
//! ```
//!
//! makes a result of this many rows and prints two addresses: of its first page, and of a status without data. The page for
//! people is at `/`. The benchmark measures both beside the same bytes from a static buffer.

use std::{env, error::Error, process::ExitCode, sync::Arc};

use job_http::{Api, Graph, GraphCatalog};
use job_runner::{
    Engine, JobContext, JobId, JobSpec,
    store::{RocksOptions, RocksStore},
};
use serde_json::json;
use tokio::net::TcpListener;

#[derive(Debug)]
struct Host;

impl GraphCatalog for Host {
    fn find(&self, _: &str, name: &str) -> Option<Graph> {
        Some(Graph::new(name))
    }

    fn names(&self, _: &str) -> Vec<String> {
        vec!["load".to_owned()]
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let listen = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8090".to_owned());
    let rows: u64 = env::args().nth(2).map_or(Ok(100_000), |rows| rows.parse())?;
    let directory = tempfile::tempdir()?;
    let store = Arc::new(RocksStore::open(directory.path(), RocksOptions::default())?);
    let engine = Engine::builder(store).workers(1).vertex_filter(vertices).accept_any_kind().open()?;
    let done = engine.submit(JobSpec::vertex_filter().with_graph("load").with_parameters(&rows)?)?;
    done.wait()?;
    // No handler: it waits for ever.
    let waiting = engine.submit(JobSpec::edge_filter().with_graph("load"))?.id();
    tokio::runtime::Runtime::new()?.block_on(serve(&listen, Arc::new(engine), done.id(), waiting))
}

/// Rows of some 170 bytes.
fn vertices(ctx: &mut JobContext) -> Result<(), job_runner::JobError> {
    let number: u64 = ctx.spec().parameters().read()?;
    let mut rows = ctx.rows("vertices")?;
    (0..number).try_for_each(|n| {
        rows.push(&json!({
            "id": format!("vertex-{n:08}"), "label": "user",
            "properties": {"Occupation": ["other or not specified"], "ChineseName": ["莎拉"], "Gender": ["F"], "Age": ["18-24"]},
        }))
    })
}

async fn serve(listen: &str, engine: Arc<Engine>, done: JobId, waiting: JobId) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(listen).await?;
    let listen = listener.local_addr()?;
    for (name, id) in [("page", done), ("state", waiting)] {
        println!("{name}: http://{listen}/ges/v1.0/p/graphs/load/jobs/{id}/status");
    }
    Ok(axum::serve(listener, Api::new(engine, Host).page("p").router()).await?)
}

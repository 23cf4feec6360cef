//! `serve`: the jobs of the demo over HTTP, in the service's own REST API, with a page for people.

use std::{
    error::Error,
    io::{self, Write},
    net::SocketAddr,
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use axum::routing::get;
use clap::{Args, ValueEnum};
use job_demo::{
    check::{Refused, check},
    graphs::Graphs,
    handlers,
};
use job_http::{
    Api, ApiFailure, Dialect, InvalidOrigin, InvalidPrefix, JobRequest, Origins, ServeOptions, Surface,
};
use job_runner::{Engine, JobSpec, wire::ApiError};
use tokio::{net::TcpListener, runtime::Runtime};

use super::{
    CommandResult, Global, actions,
    address::Address,
    backup, cores,
    exit::{Exit, Mistake},
    location::Location,
    metrics, server,
    stop::{self, Told},
    store::{self, Opened},
};

/// The one project of the demo.
pub(super) const PROJECT: &str = "demo";

/// The path at which a server answers with the text that identifies it.
pub(super) const INSTANCE: &str = "/instance";

/// How long running jobs may go on after the program is told to stop.
const GRACE: Duration = Duration::from_secs(2);

/// The names of the server, and the sites whose pages may send requests.
#[derive(Debug, Args)]
pub(super) struct Reach {
    /// A name that this server has, through a proxy say; may be repeated. On a loopback address it answers under no others
    /// than localhost and addresses
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,
    /// Another site whose pages may ask: scheme, host and port as browsers show them; may be repeated
    #[arg(long, value_name = "ORIGIN")]
    origin: Vec<String>,
}

impl Reach {
    fn origins(&self) -> Result<Origins, InvalidOrigin> {
        let named = self.host.iter().fold(Origins::default(), Origins::host);
        self.origin.iter().try_fold(named, |origins, origin| origins.allow(origin))
    }
}

/// The words of the answers.
#[derive(Debug, Args)]
pub(super) struct Words {
    /// The dialect of the answers: `document`, `memory-2025`, `memory-2025-rows` or `database`
    #[arg(long, value_name = "NAME", default_value = "document", value_parser = dialect)]
    dialect: Dialect,
    /// Whether a request with an unknown parameter is refused, or the parameter ignored
    #[arg(long, value_name = "WHAT", default_value = "refuse", value_enum)]
    unknown_parameters: Unknown,
}

/// The fate of parameters that no declaration has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Unknown {
    /// The request is refused.
    Refuse,
    /// They are left out, and told in the explanation of the job.
    Ignore,
}

fn dialect(name: &str) -> Result<Dialect, String> {
    let names = Dialect::ALL.map(Dialect::name).join(", ");
    Dialect::named(name).ok_or_else(|| format!("it must be one of {names}"))
}

impl Words {
    /// The service's surface, whose clients may ask for another dialect, and one without its name below `/v1`.
    fn surfaces(&self) -> Result<[Surface; 2], InvalidPrefix> {
        let service = Surface::builder().dialect(self.dialect).dialect_by_header().management_alias().build()?;
        let neutral = Surface::builder().prefix("/v1").neutral().project(PROJECT).build()?;
        Ok([service, neutral])
    }
}

pub(super) fn serve(
    global: &Global,
    listen: SocketAddr,
    exports: Option<&Path>,
    workers: Option<usize>,
    reach: &Reach,
    words: &Words,
) -> CommandResult {
    server::none(global, "serve")?;
    let told = stop::listen()?;
    let origins = reach.origins()?;
    let graphs = Arc::new(global.served());
    global.load(&graphs)?;
    let store = store::write(global)?;
    let recorder = metrics::install()?;
    let lenient = words.unknown_parameters == Unknown::Ignore;
    let work = store::Work { graphs: &graphs, workers: workers.unwrap_or_else(cores), exports, lenient };
    let engine = Arc::new(engine(&store, &work)?);
    let host = Host { graphs: Arc::clone(&graphs) };
    let render = recorder.clone();
    let api = Api::new(Arc::clone(&engine), host).operator().page(PROJECT).origins(origins);
    let api = api.metrics(move || render.render());
    let api = actions::register(api, &graphs).surfaces(words.surfaces()?);
    // Without a directory for them, exports are not served.
    let api = if exports.is_some() { api.exports() } else { api };
    let runtime = Runtime::new()?;
    metrics::keep(&runtime, recorder);
    runtime.block_on(listen_until_told(global, listen, api, store, told))?;
    engine.shutdown(GRACE);
    // A call to a store that hangs must not delay the end.
    runtime.shutdown_background();
    Ok(ExitCode::SUCCESS)
}

/// Without workers the engine has no handlers: other processes run the jobs.
fn engine(store: &Opened, work: &store::Work<'_>) -> Result<Engine, Box<dyn Error>> {
    match store {
        Opened::Shared(store) if work.workers == 0 => {
            let builder = handlers::declare(Engine::builder_shared(Arc::clone(store)).front_end());
            let builder = if work.lenient { builder.ignore_unknown_parameters() } else { builder };
            Ok(builder.open()?)
        }
        Opened::Own(_) if work.workers == 0 => {
            let message = "without workers nobody runs what is submitted: --workers 0 is for a store that others \
                           share, --store postgres:URL";
            Err(Mistake::new(Exit::Usage, message).into())
        }
        store => Ok(store.engine(work)?),
    }
}

async fn listen_until_told(
    global: &Global,
    listen: SocketAddr,
    api: Api,
    store: Opened,
    told: Told,
) -> Result<(), Box<dyn Error>> {
    let listener =
        TcpListener::bind(listen).await.map_err(|error| format!("cannot listen on {listen}: {error}"))?;
    let shutdown = api.shutdown_handle();
    let address = listener.local_addr()?;
    let graph = global.graph().as_str();
    let own = Address::own(address);
    let (instance, key) = (own.instance.clone(), own.key.clone());
    let router = api.router().route(INSTANCE, get(move || async move { instance }));
    let router = router.route(backup::PATH, backup::route(store, key));
    // The file is removed at the end.
    let _published = match &global.store {
        Location::Directory(directory) => Some(own.publish(directory).map_err(|error| {
            let directory = directory.display();
            format!("the address of this server cannot be written to {directory}: {error}")
        })?),
        Location::Postgres { .. } => None,
    };
    // Written in one call, since a reader of only the first line may close the pipe after it.
    let text = format!(
        "http://{address}/ is a page for people; Ctrl-C stops\n\
         http://{address}/ges/v1.0/{PROJECT}/graphs/{graph} is the API\n"
    );
    io::stdout().lock().write_all(text.as_bytes())?;
    let told = async move {
        told.wait().await;
        shutdown.close();
    };
    job_http::serve(listener, router, ServeOptions::default(), told).await?;
    Ok(())
}

/// The demo's graphs as a catalog of the API.
#[derive(Debug)]
struct Host {
    graphs: Arc<Graphs>,
}

impl job_http::GraphCatalog for Host {
    fn find(&self, project: &str, name: &str) -> Option<job_http::Graph> {
        // The graphs never change, so a result stays right.
        (project == PROJECT && self.graphs.names().contains(&name))
            .then(|| job_http::Graph::new(name).version(self.graphs.version(name)))
    }

    fn names(&self, project: &str) -> Vec<String> {
        if project == PROJECT {
            self.graphs.names().iter().copied().map(str::to_owned).collect()
        } else {
            Vec::new()
        }
    }

    fn check(&self, graph: &job_http::Graph, request: &JobRequest) -> Result<JobSpec, ApiFailure> {
        let spec = request.spec(graph);
        check(&self.graphs, &spec).map_err(|Refused { code, message }| ApiError::new(code, message))?;
        Ok(spec)
    }

    fn complete(&self, graph: &job_http::Graph, prefix: &str, limit: usize) -> Option<Vec<String>> {
        let graph = self.graphs.get(&graph.key).ok()?;
        Some(graph.ids_with(prefix, limit).into_iter().map(str::to_owned).collect())
    }
}

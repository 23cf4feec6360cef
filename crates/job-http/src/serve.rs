//! [`serve`]: a server with bounds on the number of connections, on their time, and on the time of a stop.

mod activity;
pub(crate) mod bodies;
mod options;
mod socket;

use std::{convert::Infallible, pin::pin, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{Request, Version},
    serve::Listener,
};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{Instant, interval, timeout},
};
use tower::ServiceExt;

pub use self::options::{InvalidOptions, ServeOptions};
use self::{
    activity::{Activity, Verdict},
    bodies::{Answered, Asked},
    socket::Socket,
};
use crate::origins::Loopback;

/// How long a connection without a request may take to close by itself.
const LINGER: Duration = Duration::from_secs(1);

/// Serves a host's routes until `told` resolves, over HTTP/1.1, or HTTP/2 with prior knowledge. Unlike
/// `axum::serve` it bounds the resources of clients, and the time of a stop:
///
/// * It closes a connection that sends no whole request, or does not take its answer; see [`ServeOptions`].
/// * It accepts at most [`connections`](ServeOptions::connections) at once.
/// * After `told` it accepts nothing, closes idle connections, and gives begun requests
///   [`drain_time`](ServeOptions::drain_time). Then it closes the rest, and returns the number of those.
///
/// Dropping the future closes every connection at once. At a stop, close the API's
/// [`ShutdownHandle`](crate::ShutdownHandle), so that queries that wait for a job answer; shut the engine down
/// afterwards. A dropped runtime waits for its blocking calls, also for one to a store that does not answer: end
/// it with `Runtime::shutdown_background`. A request has the address of its client as [`ConnectInfo`].
///
/// # Errors
/// When an option is out of its range; nothing is served then.
///
/// ```
/// use axum::{Router, routing::get};
/// use job_http::{ServeOptions, serve};
/// use tokio::net::TcpListener;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let router = Router::new().route("/", get(async || "hello"));
/// let told = async {}; // a signal, say
/// let cut = serve(listener, router, ServeOptions::default(), told).await?;
/// assert_eq!(cut, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub async fn serve<L>(
    mut listener: L,
    router: Router,
    options: ServeOptions,
    told: impl Future<Output = ()>,
) -> Result<usize, InvalidOptions>
where
    L: Listener,
    L::Addr: Clone + Sync + 'static,
{
    options.check()?;
    let places = Arc::new(Semaphore::new(options.connections));
    let options = Arc::new(options);
    let loopback = listener.local_addr().ok().and_then(|address| Loopback::of(&address));
    let (stop, stops) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut told = pin!(told);
    loop {
        // A place is taken before a connection is accepted. Without one, connections wait in the queue of the
        // system.
        let accept = async {
            let place = Arc::clone(&places).acquire_owned().await.ok()?;
            let (io, address) = listener.accept().await;
            Some((place, io, address))
        };
        tokio::select! {
            biased;
            () = &mut told => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            Some((place, io, address)) = accept => {
                let activity = Activity::new();
                let connection = Connection {
                    socket: Socket::new(io, activity.clone(), place),
                    activity,
                    address,
                    loopback,
                    router: router.clone(),
                    options: Arc::clone(&options),
                    stops: stops.clone(),
                };
                connections.spawn(connection.run());
            }
        }
    }
    drop(listener);
    stop.send_replace(true);
    Ok(drained(connections, &options).await)
}

/// Waits for the connections to end. Returns how many were cut off.
async fn drained(mut connections: JoinSet<End>, options: &ServeOptions) -> usize {
    let mut cut = 0;
    let wait = async {
        while let Some(ended) = connections.join_next().await {
            cut += usize::from(ended.is_ok_and(|end| end == End::Cut));
        }
    };
    let bound = options.drain_time.saturating_add(LINGER * 2);
    if timeout(bound, wait).await.is_err() {
        cut += connections.len();
    }
    if cut > 0 {
        tracing::warn!(connections = cut, "clients had not taken their answers when the server stopped");
    }
    cut
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The connection closed by itself, or had no open answer.
    Quiet,
    /// The connection was cut off in the middle of an answer.
    Cut,
}

struct Connection<S, A> {
    socket: Socket<S>,
    activity: Activity,
    address: A,
    loopback: Option<Loopback>,
    router: Router,
    options: Arc<ServeOptions>,
    stops: watch::Receiver<bool>,
}

impl<S, A> Connection<S, A>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
    A: Clone + Send + Sync + 'static,
{
    async fn run(self) -> End {
        let Self { socket, activity, address, loopback, router, options, mut stops } = self;
        let body_time = options.body_time;
        let requests = activity.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let shared = request.version() == Version::HTTP_2;
            let open = requests.begin(shared);
            let mut request = request.map(|body| Body::new(Asked::new(body, body_time)));
            request.extensions_mut().insert(ConnectInfo(address.clone()));
            if let Some(loopback) = loopback {
                request.extensions_mut().insert(loopback);
            }
            let answer = router.clone().oneshot(request);
            async move {
                let response = answer.await.unwrap_or_else(|never: Infallible| match never {});
                Ok::<_, Infallible>(response.map(|body| Answered::new(body, open, shared)))
            }
        });
        let mut server = auto::Builder::new(TokioExecutor::new());
        // `Activity` bounds the time of a head, from the beginning of the connection on.
        server.http1().timer(TokioTimer::new()).header_read_timeout(None);
        server.http2().timer(TokioTimer::new());
        let mut connection = pin!(server.serve_connection_with_upgrades(TokioIo::new(socket), service));

        let mut look = interval(options.tick());
        let (mut ending, mut deadline) = (None::<Instant>, None::<Instant>);
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "a connection failed");
                    }
                    return End::Quiet;
                }
                _ = stops.wait_for(|stop| *stop), if deadline.is_none() => {
                    connection.as_mut().graceful_shutdown();
                    let now = Instant::now();
                    (ending, deadline) = (ending.or(Some(now)), Some(now + options.drain_time));
                }
                now = look.tick() => match activity.verdict(&options, deadline.is_some()) {
                    Some(Verdict::Stalled) => {
                        tracing::debug!("a connection is closed: its client takes nothing of the answer");
                        return End::Cut;
                    }
                    Some(Verdict::Idle) => match ending {
                        Some(since) if now.duration_since(since) >= LINGER => return End::Quiet,
                        Some(_) => {}
                        None => {
                            connection.as_mut().graceful_shutdown();
                            ending = Some(now);
                        }
                    },
                    None if deadline.is_some_and(|deadline| now >= deadline) => return End::Cut,
                    None => {}
                }
            }
        }
    }
}

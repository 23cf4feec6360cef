//! The server over real sockets, with clients that stop in the middle.

use std::{
    convert::Infallible,
    future::{Future, pending},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::ConnectInfo,
    routing::{get, post},
};
use futures_util::stream;
use http_body_util::{BodyExt, Empty};
use hyper::{Request, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use job_http::{InvalidOptions, ServeOptions, serve};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc, oneshot},
    task::JoinHandle,
    time::timeout,
};

use crate::host::{MOVIES, service};

/// How long a test waits for an expected event.
const BOUND: Duration = Duration::from_mins(1);

async fn within<T>(what: impl Future<Output = T>) -> T {
    timeout(BOUND, what).await.expect("it did not come")
}

/// Options with long times. A test shortens the time that it is about.
fn patient() -> ServeOptions {
    let long = Duration::from_hours(1);
    ServeOptions::default().head_time(long).body_time(long).idle_time(long).stall_time(long).drain_time(long)
}

const SHORT: Duration = Duration::from_millis(100);

struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<Result<usize, InvalidOptions>>,
}

impl Server {
    async fn start(router: Router, options: ServeOptions) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stops) = oneshot::channel();
        let served = tokio::spawn(async move {
            let told = async { stops.await.unwrap() };
            serve(listener, router, options, told).await
        });
        Self { address, stop, served }
    }

    async fn connect(&self, text: &str) -> TcpStream {
        let mut client = TcpStream::connect(self.address).await.unwrap();
        client.write_all(text.as_bytes()).await.unwrap();
        client
    }

    /// Tells the server to stop. Returns how many connections it cut.
    async fn stop(self) -> usize {
        self.stop.send(()).unwrap();
        within(self.served).await.unwrap().unwrap()
    }
}

/// The remaining bytes. A reset counts as the end.
async fn rest(client: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = within(client.read_to_end(&mut bytes)).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn some(client: &mut TcpStream) -> String {
    let mut bytes = vec![0; 4_096];
    let read = within(client.read(&mut bytes)).await.unwrap();
    String::from_utf8_lossy(&bytes[..read]).into_owned()
}

/// Sends a message when it is dropped.
struct Held(mpsc::Sender<()>);

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.try_send(());
    }
}

/// Routes of a host: one that answers, one that needs a body, one with an endless page. The receiver gets a
/// message when such a page is dropped.
fn routes() -> (Router, mpsc::Receiver<()>) {
    let (held, gone) = mpsc::channel(1);
    let endless = move || async move {
        let piece = Bytes::from(vec![b'x'; 64 << 10]);
        let held = Held(held);
        let pieces = stream::repeat_with(move || {
            let _ = &held;
            Ok::<_, Infallible>(piece.clone())
        });
        Body::from_stream(pieces)
    };
    let router = Router::new()
        .route("/", get(async |ConnectInfo(client): ConnectInfo<SocketAddr>| client.ip().to_string()))
        .route("/body", post(async |body: Bytes| body.len().to_string()))
        .route("/endless", get(endless.clone()))
        .route("/never", get(pending::<()>));
    (router, gone)
}

fn router() -> Router {
    routes().0
}

const WHOLE: &str = "GET / HTTP/1.1\r\nhost: h\r\n\r\n";

#[tokio::test]
async fn a_client_that_sends_half_a_request_does_not_hold_up_a_stop() {
    let options = patient().drain_time(SHORT);
    for half in ["", "PRI", "GET / HT", "GET / HTTP/1.1\r\nhost: h", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let server = Server::start(router(), patient()).await;
        let mut client = server.connect(half).await;
        // The server has accepted the first connection, since a later one is served.
        assert!(some(&mut server.connect(WHOLE).await).await.contains("200 OK"));
        assert_eq!(server.stop().await, 0, "{half}");
        assert!(!rest(&mut client).await.contains("200 OK"));
    }
    let server = Server::start(router(), options).await;
    let mut client = server
        .connect("POST /body HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n")
        .await;
    assert!(some(&mut client).await.contains("100 Continue"));
    client.write_all(b"half").await.unwrap();
    assert_eq!(server.stop().await, 1);
}

#[tokio::test]
async fn a_page_that_nobody_reads_does_not_hold_up_a_stop() {
    let (router, mut gone) = routes();
    let server = Server::start(router, patient().drain_time(SHORT)).await;
    let mut client = server.connect("GET /endless HTTP/1.1\r\nhost: h\r\n\r\n").await;
    assert!(some(&mut client).await.contains("200 OK"));
    assert_eq!(server.stop().await, 1);
    assert_eq!(within(gone.recv()).await, Some(()));
}

#[tokio::test]
async fn a_handler_that_never_answers_does_not_hold_up_a_stop() {
    let (entered, mut enters) = mpsc::channel(1);
    let never = async move || {
        entered.send(()).await.unwrap();
        pending::<()>().await;
    };
    let router = Router::new().route("/", get(never));
    let server = Server::start(router, patient().drain_time(SHORT)).await;
    let _client = server.connect(WHOLE).await;
    within(enters.recv()).await.unwrap();
    assert_eq!(server.stop().await, 1);
}

#[tokio::test]
async fn a_request_that_has_begun_is_answered_before_a_stop() {
    let (entered, mut enters) = mpsc::channel(1);
    let end = Arc::new(Semaphore::new(0));
    let go_on = Arc::clone(&end);
    let slow = async move || {
        entered.send(()).await.unwrap();
        go_on.acquire().await.unwrap().forget();
        "x".repeat(1 << 20)
    };
    let server = Server::start(Router::new().route("/", get(slow)), patient()).await;
    let mut client = server.connect(WHOLE).await;
    within(enters.recv()).await.unwrap();
    let (address, stopped) = (server.address, tokio::spawn(server.stop()));
    // Waits until the server accepts no connection.
    within(async { while TcpStream::connect(address).await.is_ok() {} }).await;
    end.add_permits(1);
    let answer = rest(&mut client).await;
    assert!(answer.contains("200 OK") && answer.len() > 1 << 20, "{}", answer.len());
    assert_eq!(within(stopped).await.unwrap(), 0);
}

#[tokio::test]
async fn a_silent_connection_is_closed() {
    let server = Server::start(router(), patient().head_time(SHORT)).await;
    for half in ["", "GET / HT", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let answer = rest(&mut server.connect(half).await).await;
        assert!(!answer.contains("200 OK"), "{half}: {answer}");
    }
    let server = Server::start(router(), patient().idle_time(SHORT)).await;
    for next in ["", "GET / HT"] {
        let answer = rest(&mut server.connect(&format!("{WHOLE}{next}")).await).await;
        assert!(answer.contains("200 OK") && answer.ends_with("127.0.0.1"), "{answer}");
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_is_answered_with_408() {
    let options = patient().body_time(SHORT);
    let head = format!("POST {MOVIES}/vertices/action?action_id=query HTTP/1.1\r\nhost: 127.0.0.1\r\n");
    let server = Server::start(service().router, options).await;
    for body in ["content-length: 9\r\n\r\n{", "transfer-encoding: chunked\r\n\r\n1\r\n{\r\n"] {
        let answer = rest(&mut server.connect(&format!("{head}{body}")).await).await;
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        assert!(answer.contains("all of it must be there within 100ms"), "{answer}");
    }
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused_before_it_is_asked_for() {
    let server = Server::start(service().router, patient()).await;
    let head = format!("POST {MOVIES}/vertices/action?action_id=query HTTP/1.1\r\nhost: 127.0.0.1\r\n");
    for (length, expected) in [(9, "100 Continue"), (2 << 20, "413 Payload Too Large")] {
        let fields = format!("expect: 100-continue\r\ncontent-length: {length}\r\n\r\n");
        let answer = some(&mut server.connect(&format!("{head}{fields}")).await).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {expected}")), "{answer}");
    }
}

#[tokio::test]
async fn an_answer_that_nobody_takes_is_given_up() {
    let (router, mut gone) = routes();
    let server = Server::start(router, patient().stall_time(SHORT)).await;
    let _client = server.connect("GET /endless HTTP/1.1\r\nhost: h\r\n\r\n").await;
    assert_eq!(within(gone.recv()).await, Some(()));
    assert_eq!(server.stop().await, 0);
}

type Client = http2::SendRequest<Empty<Bytes>>;

async fn http2_client(server: &Server) -> (Client, JoinHandle<hyper::Result<()>>) {
    let io = TokioIo::new(TcpStream::connect(server.address).await.unwrap());
    let (client, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    (client, tokio::spawn(connection))
}

fn http2_get(path: &str) -> Request<Empty<Bytes>> {
    Request::get(format!("http://127.0.0.1{path}")).body(Empty::new()).unwrap()
}

#[tokio::test]
async fn http2_is_spoken_with_prior_knowledge() {
    let server = Server::start(router(), patient()).await;
    let (mut client, connection) = http2_client(&server).await;
    for _ in 0..3 {
        let answer = within(client.send_request(http2_get("/"))).await.unwrap();
        assert_eq!(answer.version(), hyper::Version::HTTP_2);
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "127.0.0.1");
    }
    assert_eq!(server.stop().await, 0);
    within(connection).await.unwrap().unwrap();
}

#[tokio::test]
async fn an_answer_that_nobody_takes_is_given_up_beside_others_of_its_connection() {
    let server = Server::start(router(), patient().stall_time(SHORT)).await;
    let (mut client, connection) = http2_client(&server).await;
    let stalled = within(client.send_request(http2_get("/endless"))).await.unwrap();
    // Other requests of the connection are answered, until it is closed.
    while within(client.send_request(http2_get("/"))).await.is_ok() {}
    assert!(within(connection).await.unwrap().is_err());
    drop(stalled);
}

#[tokio::test]
async fn a_page_that_nobody_reads_over_http2_does_not_hold_up_a_stop() {
    let server = Server::start(router(), patient().drain_time(SHORT)).await;
    let (mut client, _connection) = http2_client(&server).await;
    let _unread = within(client.send_request(http2_get("/endless"))).await.unwrap();
    let _unanswered = tokio::spawn(client.send_request(http2_get("/never")));
    assert_eq!(server.stop().await, 1);
}

#[tokio::test]
async fn no_more_connections_are_open_than_there_may_be() {
    let open = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&open);
    let (entered, mut enters) = mpsc::channel(8);
    let counts = async move || {
        assert!(count.fetch_add(1, Ordering::SeqCst) < 2, "more than two at once");
        entered.send(()).await.unwrap();
        tokio::task::yield_now().await;
        count.fetch_sub(1, Ordering::SeqCst);
        "done"
    };
    let server = Server::start(Router::new().route("/", get(counts)), patient().connections(2)).await;
    let mut clients = Vec::new();
    for _ in 0..6 {
        clients.push(server.connect(WHOLE).await);
    }
    within(enters.recv()).await.unwrap();
    within(enters.recv()).await.unwrap();
    for _ in 0..50 {
        tokio::task::yield_now().await;
        assert!(enters.try_recv().is_err(), "a third connection was accepted");
    }
    // A closed connection makes room for the next one.
    for mut client in clients {
        assert!(some(&mut client).await.contains("200 OK"));
    }
    assert_eq!(server.stop().await, 0);
}

#[tokio::test]
async fn dropping_the_server_closes_everything() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut served = Box::pin(serve(listener, router(), patient(), pending()));
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(WHOLE.as_bytes()).await.unwrap();
    let answer = tokio::select! {
        _ = &mut served => unreachable!(),
        answer = some(&mut client) => answer,
    };
    assert!(answer.contains("200 OK"));
    drop(served);
    assert_eq!(rest(&mut client).await, "");
    assert!(TcpStream::connect(address).await.is_err());
}

/// A page whose name points to this machine after the browser has loaded it.
#[tokio::test]
async fn on_a_loopback_address_nobody_asks_under_a_name_of_his_own() {
    let server = Server::start(service().router, patient()).await;
    for (host, expected) in [
        ("evil.example", "403 Forbidden"),
        ("evil.example:80", "403 Forbidden"),
        ("127.0.0.1", "200 OK"),
        ("localhost:8080", "200 OK"),
    ] {
        let head = format!("GET {MOVIES}/jobs/status HTTP/1.1\r\nhost: {host}\r\n\r\n");
        let answer = some(&mut server.connect(&head).await).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {expected}")), "{host}: {answer}");
    }
    let (mut client, _connection) = http2_client(&server).await;
    let asked = Request::get(format!("http://evil.example{MOVIES}/jobs/status")).body(Empty::new()).unwrap();
    assert_eq!(within(client.send_request(asked)).await.unwrap().status(), 403);
}

#[tokio::test]
async fn options_that_make_no_sense_are_refused_before_anything_is_served() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options = ServeOptions::default().connections(0);
    let refused = within(serve(listener, router(), options, pending())).await.unwrap_err();
    assert_eq!(refused.to_string(), "connections is 0: it must be from 1 to 1000000");
}

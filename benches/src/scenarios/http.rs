//! Serves pages and states over HTTP, and compares with the same bytes from a static buffer of the same server. The
//! server is a child process; four connections of this process ask it over the loopback interface.

use std::{
    convert::Infallible,
    io::{BufRead, BufReader, Read, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use axum::{
    Router,
    body::{Body, Bytes},
    http::Request,
    response::{IntoResponse as _, Response},
    routing::get,
};
use futures_util::stream;
use job_core::JobId;
use job_http::{Api, Graph, GraphCatalog};
use job_runner::{Engine, JobSpec};
use job_store::BlockBuilder;
use tower::ServiceExt as _;

use super::{Bench, open};
use crate::{
    measure::interleave,
    report::{Goal, Row, Unit},
    stored,
    vertices::vertices,
};

const CONNECTIONS: usize = 4;
const ROWS: usize = 100_000;

#[derive(Debug)]
struct Host;

impl GraphCatalog for Host {
    fn find(&self, _: &str, name: &str) -> Option<Graph> {
        Some(Graph::new(name))
    }

    fn names(&self, _: &str) -> Vec<String> {
        vec!["movies".to_owned()]
    }
}

pub(super) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let directory = bench.directory()?;
    let server = Server::start(directory.path())?;
    let time = Duration::from_millis(bench.size(2_000, 300) as u64);
    let ask = |request: &Asked| server.rate(request, time);
    let [page, page_buffer, pieces, state, state_buffer, gzip, zstd] = [
        Asked::plain(&server.page),
        Asked::plain("/buffer/page"),
        Asked::plain("/buffer/pieces"),
        Asked::plain(&server.state),
        Asked::plain("/buffer/state"),
        Asked::packed(&server.page, "gzip"),
        Asked::packed(&server.page, "zstd"),
    ];
    let [page, page_buffer, pieces, state, state_buffer, gzip, zstd] = interleave(
        bench.size(5, 1),
        [
            &mut || ask(&page),
            &mut || ask(&page_buffer),
            &mut || ask(&pieces),
            &mut || ask(&state),
            &mut || ask(&state_buffer),
            &mut || ask(&gzip),
            &mut || ask(&zstd),
        ],
    )?;
    let row = |what: &str, ours| Row::new(what, "warm read", Unit::PerSecond, ours);
    Ok(vec![
        row("page of 100,000 rows over HTTP / a static buffer", page.clone())
            .beside("the same bytes from a buffer", page_buffer.clone())
            .goal(Goal::SpeedupAtLeast(0.9)),
        // The ceiling of every body that is sent piece by piece: these pieces are made beforehand.
        row("page of 100,000 rows over HTTP / a static buffer in pieces of 128 KiB", page.clone())
            .beside("the same bytes in pieces", pieces.clone()),
        row("a static buffer in pieces of 128 KiB / in one", pieces)
            .beside("the same bytes from a buffer", page_buffer),
        row("state over HTTP / a static buffer", state)
            .beside("the same bytes from a buffer", state_buffer)
            .goal(Goal::SpeedupAtLeast(0.8)),
        row("page of 100,000 rows over HTTP, gzip asked for", gzip).beside("as it is", page.clone()),
        row("page of 100,000 rows over HTTP, zstd asked for", zstd).beside("as it is", page),
    ])
}

/// A request, and whether its answer is packed.
struct Asked {
    head: String,
}

impl Asked {
    fn plain(path: &str) -> Self {
        Self { head: format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n") }
    }

    fn packed(path: &str, encoding: &str) -> Self {
        Self { head: format!("GET {path} HTTP/1.1\r\nhost: localhost\r\naccept-encoding: {encoding}\r\n\r\n") }
    }
}

/// The child that serves.
struct Server {
    child: Child,
    address: SocketAddr,
    page: String,
    state: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start(directory: &Path) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe().context("find this program")?)
            .args(["--child", "http", "--rows", &ROWS.to_string(), "--out"])
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("start the server")?;
        let mut lines = BufReader::new(child.stdout.take().context("a pipe from the server")?).lines();
        let mut line = || lines.next().context("the server ended early")?.context("read from the server");
        let (address, page, state) = (line()?, line()?, line()?);
        Ok(Self { child, address: address.parse()?, page, state })
    }

    /// Answers a second on all connections together.
    fn rate(&self, asked: &Asked, time: Duration) -> Result<f64> {
        let start = Instant::now();
        let answers = std::thread::scope(|scope| {
            let threads = [(); CONNECTIONS].map(|()| scope.spawn(|| self.ask_for(asked, start + time)));
            let answers = threads.into_iter().map(|thread| match thread.join() {
                Ok(answers) => answers,
                Err(_) => bail!("a client panicked"),
            });
            answers.sum::<Result<u64>>()
        })?;
        Ok(answers as f64 / start.elapsed().as_secs_f64())
    }

    fn ask_for(&self, asked: &Asked, until: Instant) -> Result<u64> {
        let mut connection = TcpStream::connect(self.address)?;
        connection.set_nodelay(true)?;
        let (mut buffer, mut answers) = (vec![0; 256 << 10], 0);
        while Instant::now() < until {
            connection.write_all(asked.head.as_bytes())?;
            read_answer(&mut connection, &mut buffer)?;
            answers += 1;
        }
        Ok(answers)
    }
}

/// Reads one answer to its end and keeps none of it, so that the client costs as little as it can.
fn read_answer(from: &mut impl Read, buffer: &mut [u8]) -> Result<()> {
    let mut filled = 0;
    let head = loop {
        let read = from.read(buffer.get_mut(filled..).unwrap_or_default())?;
        ensure!(read > 0, "the server closed the connection");
        filled += read;
        let received = buffer.get(..filled).unwrap_or_default();
        if let Some(end) = received.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let text = String::from_utf8_lossy(buffer.get(..head).unwrap_or_default()).to_ascii_lowercase();
    ensure!(text.starts_with("http/1.1 200"), "the answer is {text}");
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
    match length {
        Some(length) => read_counted(from, buffer, length.trim().parse::<usize>()? + head - filled),
        None => read_chunks(from, buffer, head..filled),
    }
}

fn read_counted(from: &mut impl Read, buffer: &mut [u8], mut left: usize) -> Result<()> {
    while left > 0 {
        let most = left.min(buffer.len());
        let read = from.read(buffer.get_mut(..most).unwrap_or_default())?;
        ensure!(read > 0, "the answer is cut");
        left -= read;
    }
    Ok(())
}

/// Reads chunks until the empty one, by their lengths.
fn read_chunks(from: &mut impl Read, buffer: &mut [u8], received: std::ops::Range<usize>) -> Result<()> {
    let mut chunks = Chunks::default();
    let mut done = chunks.take(buffer.get(received).unwrap_or_default())?;
    while !done {
        let read = from.read(buffer)?;
        ensure!(read > 0, "the answer is cut");
        done = chunks.take(buffer.get(..read).unwrap_or_default())?;
    }
    Ok(())
}

/// The place in a body of chunks.
#[derive(Debug, Default)]
struct Chunks {
    /// Bytes of the chunk, with the line end after it, that are still to come.
    left: usize,
    /// The line with the length of the next chunk, as far as it has come.
    line: Vec<u8>,
    last: bool,
}

impl Chunks {
    /// Whether the body ends with these bytes.
    fn take(&mut self, mut bytes: &[u8]) -> Result<bool> {
        while let Some(first) = bytes.first() {
            if self.left > 0 {
                let passed = self.left.min(bytes.len());
                self.left -= passed;
                bytes = bytes.get(passed..).unwrap_or_default();
                if self.last && self.left == 0 {
                    return Ok(true);
                }
                continue;
            }
            self.line.push(*first);
            bytes = bytes.get(1..).unwrap_or_default();
            if let Some(digits) = self.line.strip_suffix(b"\r\n") {
                let length =
                    usize::from_str_radix(std::str::from_utf8(digits)?, 16).context("a chunk's length")?;
                (self.left, self.last) = (length + 2, length == 0);
                self.line.clear();
            }
        }
        Ok(false)
    }
}

/// Serves a result of `rows` rows and a waiting job until the standard input ends; for a child process.
///
/// # Errors
/// The errors of the store and of the socket.
pub fn serve(directory: &Path, rows: usize) -> Result<()> {
    let store = open(directory)?;
    let done = stored::finished(&*store, &vertices(rows), rows)?;
    let engine = Engine::builder(store).workers(1).accept_any_kind().open()?;
    // The engine has no handler for it, so it waits as long as the server runs.
    let waiting = engine.submit(JobSpec::edge_filter().with_graph("movies"))?.id();
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(answer(Arc::new(engine), done, waiting))
}

async fn answer(engine: Arc<Engine>, done: JobId, waiting: JobId) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let api = Api::new(engine, Host).router();
    let path = |id: JobId| format!("/ges/v1.0/p/graphs/movies/jobs/{id}/status");
    let mut router = Router::new();
    println!("{address}");
    for (name, id) in [("page", done), ("state", waiting)] {
        let answer = api.clone().oneshot(Request::get(path(id)).body(Body::empty())?).await?;
        let bytes = axum::body::to_bytes(answer.into_body(), usize::MAX).await?;
        println!("{}", path(id));
        if name == "page" {
            let pieces: Vec<Bytes> =
                bytes.chunks(BlockBuilder::BYTES).map(|piece| bytes.slice_ref(piece)).collect();
            router = router.route("/buffer/pieces", get(move || async move { in_pieces(pieces) }));
        }
        let buffer = get(move || async move { ([("content-type", "application/json")], bytes) });
        router = router.route(&format!("/buffer/{name}"), buffer);
    }
    let listener = tokio::net::TcpListener::from_std(listener)?;
    Ok(axum::serve(listener, router.fallback_service(api)).await?)
}

fn in_pieces(pieces: Vec<Bytes>) -> Response {
    let pieces = stream::iter(pieces.into_iter().map(Ok::<_, Infallible>));
    ([("content-type", "application/json")], Body::from_stream(pieces)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_to_its_end_and_no_further() {
        for answer in [
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n7\r\n\r\n0\r\n\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n",
        ] {
            for step in [1, 2, 7, 1_000] {
                let mut from = Slowly { bytes: answer.as_bytes(), step };
                read_answer(&mut from, &mut [0; 1_024]).unwrap();
                assert_eq!(from.bytes, b"", "by {step}: {answer}");
            }
        }
        let refused = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
        assert!(read_answer(&mut refused.as_bytes(), &mut [0; 1_024]).is_err());
        let cut = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhell";
        assert!(read_answer(&mut cut.as_bytes(), &mut [0; 1_024]).is_err());
    }

    /// Gives a few bytes at a time.
    struct Slowly {
        bytes: &'static [u8],
        step: usize,
    }

    impl Read for Slowly {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            let most = self.step.min(into.len()).min(self.bytes.len());
            let (now, later) = self.bytes.split_at(most);
            into[..most].copy_from_slice(now);
            self.bytes = later;
            Ok(most)
        }
    }
}

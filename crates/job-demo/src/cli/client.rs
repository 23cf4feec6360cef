//! [`Client`]: requests over HTTP, one connection each.

use std::{error::Error, io, time::Duration};

use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Uri,
    body::Bytes,
    client::conn::http1,
    header::{CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::{
    net::TcpStream,
    runtime::{self, Runtime},
    time::timeout,
};

use super::exit::{Exit, Mistake};

/// The longest time to connect.
const CONNECT: Duration = Duration::from_secs(5);

/// The longest time for an answer.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);

/// Sends requests to one server.
#[derive(Debug)]
pub(super) struct Client {
    runtime: Runtime,
    url: String,
    authority: String,
}

/// The answer of a server.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Bytes,
}

/// A server that did not answer.
#[derive(Debug, Error)]
pub(super) enum Unreached {
    #[error("the server at {url} cannot be reached: {source}")]
    Nobody { url: String, source: io::Error },
    #[error("the server at {url} does not answer")]
    Silent { url: String },
    #[error("the server at {url} broke off: {source}")]
    Broken { url: String, source: Box<dyn Error + Send + Sync> },
}

impl Client {
    /// The client for a URL such as `http://127.0.0.1:8080`.
    pub(super) fn new(url: &str) -> Result<Self, Box<dyn Error>> {
        let authority = authority(url)?;
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { runtime, url: format!("http://{authority}"), authority })
    }

    /// Sends a request for a path, with JSON as its body.
    pub(super) fn ask(
        &self,
        method: Method,
        path: &str,
        json: String,
        patience: Duration,
    ) -> Result<Reply, Unreached> {
        let url = || self.url.clone();
        self.runtime.block_on(async {
            let connected = timeout(CONNECT, TcpStream::connect(&*self.authority)).await;
            let stream = connected.map_err(|_| Unreached::Silent { url: url() })?;
            let stream = stream.map_err(|source| Unreached::Nobody { url: url(), source })?;
            match timeout(patience, self.exchange(stream, method, path, json)).await {
                Ok(answer) => answer.map_err(|source| Unreached::Broken { url: url(), source }),
                Err(_) => Err(Unreached::Silent { url: url() }),
            }
        })
    }

    async fn exchange(
        &self,
        stream: TcpStream,
        method: Method,
        path: &str,
        json: String,
    ) -> Result<Reply, Box<dyn Error + Send + Sync>> {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.authority)
            // The commands read the answers of this dialect, which need not be the default.
            .header("x-job-dialect", "document")
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(json)))?;
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await?.to_bytes();
        connection.abort();
        Ok(Reply { status, body })
    }
}

/// Host and port of a URL that has nothing else.
fn authority(url: &str) -> Result<String, Mistake> {
    let wrong = |why: &str| {
        Mistake::new(Exit::Usage, format!("--server {url:?} {why}: it must be such as http://127.0.0.1:8080"))
    };
    let parsed: Uri = url.parse().map_err(|_| wrong("is no URL"))?;
    if parsed.scheme_str() != Some("http") {
        return Err(wrong("is not http://"));
    }
    if !matches!(parsed.path(), "" | "/") || parsed.query().is_some() {
        return Err(wrong("has a path"));
    }
    match parsed.authority() {
        Some(authority) if authority.as_str().contains('@') => Err(wrong("has a user")),
        Some(authority) if authority.port().is_some() => Ok(authority.to_string()),
        Some(authority) => Ok(format!("{authority}:80")),
        None => Err(wrong("names no host")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_host_and_a_port() {
        for (url, expected) in [
            ("http://127.0.0.1:8080", Some("127.0.0.1:8080")),
            ("http://[::1]:8080/", Some("[::1]:8080")),
            ("http://jobs.example", Some("jobs.example:80")),
            ("https://jobs.example", None),
            ("127.0.0.1:8080", None),
            ("http://h/ges", None),
            ("http://u:p@h", None),
            ("http:///x", None),
            ("", None),
        ] {
            assert_eq!(authority(url).ok().as_deref(), expected, "{url}");
        }
    }
}

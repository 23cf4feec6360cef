//! [`Address`]: where the database is, and whether it is spoken to by TLS.

use std::{path::PathBuf, time::Duration};

use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::{AsyncMessage, Client, Config, Connection, Error, NoTls, config::SslMode};

/// What the server says unasked. Nothing moves on a connection unless this is polled.
pub(super) type Messages = BoxStream<'static, Result<AsyncMessage, Error>>;

#[cfg(not(feature = "tls"))]
const NO_TLS: &str = "the URL of the database asks for TLS (`sslmode`), which this build does not speak: build it with \
                      the feature `tls`, or leave TLS to a tunnel beside it and say `sslmode=disable`";

#[derive(Clone)]
pub(super) struct Address {
    config: Config,
    #[cfg(feature = "tls")]
    tls: Option<super::tls::Tls>,
}

impl Address {
    /// Reads a URL, or words `key=value`; an error is a sentence.
    pub(super) fn parse(url: &str) -> Result<Self, String> {
        let Settings { url, roots } = Settings::read(url);
        let mut config: Config = url.parse().map_err(|error| format!("the URL of the database: {error}"))?;
        if roots.is_some() && config.get_ssl_mode() == SslMode::Prefer {
            config.ssl_mode(SslMode::Require);
        }
        if config.get_application_name().is_none() {
            config.application_name("job-engine");
        }
        // A peer that vanished without a word is noticed in half a minute, not after the hours that systems take.
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(Duration::from_secs(15));
        }
        config.keepalives_idle(Duration::from_secs(10));
        if config.get_keepalives_interval().is_none() {
            config.keepalives_interval(Duration::from_secs(5));
        }
        let is_plain = matches!(config.get_ssl_mode(), SslMode::Disable | SslMode::Prefer);
        #[cfg(feature = "tls")]
        return Ok(Self {
            config,
            tls: if is_plain { None } else { Some(super::tls::connector(roots.as_deref())?) },
        });
        #[cfg(not(feature = "tls"))]
        return if is_plain { Ok(Self { config }) } else { Err(NO_TLS.to_owned()) };
    }

    pub(super) async fn connect(&self) -> Result<(Client, Messages), Error> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return Ok(apart(self.config.connect(tls.clone()).await?));
        }
        Ok(apart(self.config.connect(NoTls).await?))
    }
}

fn apart<S, T>((client, mut connection): (Client, Connection<S, T>)) -> (Client, Messages)
where
    Connection<S, T>: Send + 'static,
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    (client, stream::poll_fn(move |context| connection.poll_message(context)).boxed())
}

/// A URL without what the driver does not know.
#[derive(Debug, PartialEq, Eq)]
struct Settings {
    url: String,
    roots: Option<PathBuf>,
}

impl Settings {
    fn read(url: &str) -> Self {
        let is_url = ["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme));
        let (head, settings, between) = match url.split_once('?') {
            Some((head, settings)) if is_url => (format!("{head}?"), settings, "&"),
            _ if is_url => (url.to_owned(), "", "&"),
            _ => (String::new(), url, " "),
        };
        let mut roots = None;
        let mut kept = Vec::new();
        for setting in settings.split(between) {
            match setting.split_once('=') {
                Some(("sslrootcert", path)) => roots = Some(PathBuf::from(path)),
                // What `require` does here.
                Some(("sslmode", "verify-ca" | "verify-full")) => kept.push("sslmode=require"),
                _ => kept.push(setting),
            }
        }
        Self { url: head + &kept.join(between), roots }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_driver_does_not_know_is_taken_out_of_the_url() {
        let read = |url| {
            let Settings { url, roots } = Settings::read(url);
            (url, roots)
        };
        let url = |url: &str| (url.to_owned(), None);
        assert_eq!(read("postgres://u@h/d"), url("postgres://u@h/d"));
        assert_eq!(read("host=h dbname=d password='a b'"), url("host=h dbname=d password='a b'"));
        assert_eq!(
            read("postgresql://u@h/d?sslmode=verify-full&connect_timeout=3"),
            url("postgresql://u@h/d?sslmode=require&connect_timeout=3")
        );
        let roots = Some(PathBuf::from("/etc/ca.pem"));
        assert_eq!(
            read("postgres://u@h/d?sslrootcert=/etc/ca.pem&sslmode=require"),
            ("postgres://u@h/d?sslmode=require".to_owned(), roots.clone())
        );
        assert_eq!(read("host=h sslrootcert=/etc/ca.pem"), ("host=h".to_owned(), roots));
    }

    #[cfg(not(feature = "tls"))]
    #[test]
    fn without_the_feature_tls_is_refused_with_a_sentence() {
        for setting in ["sslmode=require", "sslmode=verify-ca", "sslmode=verify-full", "sslrootcert=/etc/ca.pem"] {
            let refused = Address::parse(&format!("postgres://u@h/d?{setting}")).err();
            assert!(refused.as_ref().is_some_and(|why| why.contains("the feature `tls`")), "{refused:?}");
        }
        assert!(Address::parse("postgres://u@h/d?sslmode=prefer").is_ok());
    }
}

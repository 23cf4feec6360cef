//! [`Address`]: the hosts of the database, and whether connections use TLS.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net,
    time::timeout_at,
};
use tokio_postgres::{
    AsyncMessage, Client, Config, Connection, Error, NoTls, SimpleQueryMessage,
    config::{Host, SslMode, TargetSessionAttrs},
};

use super::{failure::Failed, settings::Settings};

/// The messages of the server that answer no call. A connection makes progress only while this stream is polled.
pub(super) type Messages = BoxStream<'static, Result<AsyncMessage, Error>>;

type Connected = (Client, Messages);

#[cfg(not(feature = "tls"))]
const NO_TLS: &str = "the URL of the database asks for TLS (`sslmode`), which this build does not speak: build it with \
                      the feature `tls`, or leave TLS to a tunnel beside it and say `sslmode=disable`";

#[derive(Clone)]
pub(super) struct Address {
    /// The settings for each host of the URL.
    hosts: Vec<Config>,
    /// The index of the host that answered last. It is tried first.
    last: Arc<AtomicUsize>,
    /// Whether the host must take writes, so that a standby is refused.
    writes: bool,
    #[cfg(feature = "tls")]
    tls: Option<super::tls::Tls>,
}

impl Address {
    /// Reads a URL, or words `key=value`; an error is a sentence.
    pub(super) fn parse(url: &str) -> Result<Self, String> {
        let Settings { text, roots } = Settings::read(url);
        let mut config: Config = text.parse().map_err(|error| format!("the URL of the database: {error}"))?;
        if roots.is_some() && config.get_ssl_mode() == SslMode::Prefer {
            config.ssl_mode(SslMode::Require);
        }
        if config.get_application_name().is_none() {
            config.application_name("job-engine");
        }
        // A peer that has vanished is noticed in half a minute, not after the hours that systems take.
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(Duration::from_secs(15));
        }
        config.keepalives_idle(Duration::from_secs(10));
        if config.get_keepalives_interval().is_none() {
            config.keepalives_interval(Duration::from_secs(5));
        }
        // The server itself is asked whether it takes writes, since a role may override the setting that the
        // driver asks for.
        let wanted = config.get_target_session_attrs();
        let is_list = config.get_hosts().len().max(config.get_hostaddrs().len()) > 1;
        let writes = wanted == TargetSessionAttrs::ReadWrite || (is_list && wanted == TargetSessionAttrs::Any);
        if writes {
            config.target_session_attrs(TargetSessionAttrs::Any);
        }
        let hosts = one_by_one(&config)?;
        let last = Arc::default();
        let is_plain = matches!(config.get_ssl_mode(), SslMode::Disable | SslMode::Prefer);
        #[cfg(feature = "tls")]
        return Ok(Self {
            hosts,
            last,
            writes,
            tls: if is_plain { None } else { Some(super::tls::connector(roots.as_deref())?) },
        });
        #[cfg(not(feature = "tls"))]
        return if is_plain { Ok(Self { hosts, last, writes }) } else { Err(NO_TLS.to_owned()) };
    }

    /// Connects to the first host that answers; of several hosts, to the first that takes writes. Each host gets
    /// its share of the remaining time. So a host that drops packets silently does not keep the others from being
    /// asked.
    pub(super) async fn connect(&self, deadline: Instant) -> Result<Connected, Failed> {
        let (count, first) = (self.hosts.len(), self.last.load(Ordering::Relaxed));
        let mut failed = Failed::Late;
        for turn in 0..count {
            let at = (first + turn) % count;
            let Some(host) = self.hosts.get(at) else { break };
            match self.connect_to(host, share(deadline, count - turn)).await {
                Ok(connected) => {
                    self.last.store(at, Ordering::Relaxed);
                    return Ok(connected);
                }
                // The error of a host that answered is better than a time-out.
                Err(Failed::Late) => {}
                Err(other) => failed = other,
            }
        }
        Err(failed)
    }

    /// As [`connect`](Self::connect), for all addresses of one host name.
    async fn connect_to(&self, host: &Config, deadline: Instant) -> Result<Connected, Failed> {
        let machines = timeout_at(deadline.into(), machines(host)).await.map_err(|_| Failed::Late)?;
        let count = machines.len();
        let mut failed = Failed::Late;
        for (turn, machine) in machines.iter().enumerate() {
            let connecting = timeout_at(share(deadline, count - turn).into(), self.connect_once(machine));
            match connecting.await {
                Ok(Ok(connected)) => return Ok(connected),
                Ok(Err(other)) => failed = other,
                Err(_) => {}
            }
        }
        Err(failed)
    }

    async fn connect_once(&self, machine: &Config) -> Result<Connected, Failed> {
        let (client, mut messages) = self.connect_by(machine).await.map_err(Failed::Database)?;
        if self.writes && is_standby(&client, &mut messages).await? {
            return Err(Failed::Standby);
        }
        Ok((client, messages))
    }

    async fn connect_by(&self, machine: &Config) -> Result<Connected, Error> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return Ok(apart(machine.connect(tls.clone()).await?));
        }
        Ok(apart(machine.connect(NoTls).await?))
    }
}

/// The deadline for one of `count` hosts.
fn share(deadline: Instant, count: usize) -> Instant {
    let now = Instant::now();
    let count = u32::try_from(count).unwrap_or(u32::MAX).max(1);
    now + deadline.saturating_duration_since(now) / count
}

/// The server is asked directly, since the settings of a session may say something else.
async fn is_standby(client: &Client, messages: &mut Messages) -> Result<bool, Failed> {
    let drive = async { while let Some(Ok(_)) = messages.next().await {} };
    tokio::select! {
        answer = client.simple_query("SELECT pg_is_in_recovery()") => {
            let answer = answer.map_err(Failed::Database)?;
            Ok(answer.iter().any(|said| matches!(said, SimpleQueryMessage::Row(row) if row.get(0) == Some("t"))))
        }
        // The connection has ended. The first call will notice.
        () = drive => Ok(false),
    }
}

/// The machines of a host. The driver would give each of them the time of all.
async fn machines(host: &Config) -> Vec<Config> {
    let port = host.get_ports().first().copied().unwrap_or(5432);
    let ([Host::Tcp(name)], []) = (host.get_hosts(), host.get_hostaddrs()) else { return vec![host.clone()] };
    // A name without an address is left to the driver, which reports it.
    let found: Vec<IpAddr> = match name.parse() {
        Ok(address) => vec![address],
        Err(_) => net::lookup_host((name.as_str(), port))
            .await
            .into_iter()
            .flatten()
            .map(|at: SocketAddr| at.ip())
            .collect(),
    };
    if found.is_empty() {
        return vec![host.clone()];
    }
    let at = |address| {
        let mut machine = host.clone();
        machine.hostaddr(address);
        machine
    };
    found.into_iter().map(at).collect()
}

/// The settings for each host alone, with its port.
fn one_by_one(config: &Config) -> Result<Vec<Config>, String> {
    let (hosts, addresses, ports) = (config.get_hosts(), config.get_hostaddrs(), config.get_ports());
    let count = hosts.len().max(addresses.len());
    let fits = |length: usize| length == 0 || length == count;
    if count == 0 || !fits(hosts.len()) || !fits(addresses.len()) || !(fits(ports.len()) || ports.len() == 1) {
        return Err(
            "the URL of the database: it names no host, or not as many addresses or ports as hosts".to_owned()
        );
    }
    let one = |at: usize| {
        let mut one = without_hosts(config);
        match hosts.get(at) {
            Some(Host::Tcp(name)) => _ = one.host(name),
            Some(Host::Unix(path)) => _ = one.host_path(path),
            None => {}
        }
        if let Some(address) = addresses.get(at) {
            one.hostaddr(*address);
        }
        if let Some(port) = ports.get(at).or_else(|| ports.first()) {
            one.port(*port);
        }
        one
    };
    Ok((0..count).map(one).collect())
}

/// A copy of the settings without hosts: the driver cannot remove a host.
fn without_hosts(config: &Config) -> Config {
    let mut bare = Config::new();
    if let Some(user) = config.get_user() {
        bare.user(user);
    }
    if let Some(password) = config.get_password() {
        bare.password(password);
    }
    if let Some(database) = config.get_dbname() {
        bare.dbname(database);
    }
    if let Some(options) = config.get_options() {
        bare.options(options);
    }
    if let Some(name) = config.get_application_name() {
        bare.application_name(name);
    }
    if let Some(timeout) = config.get_connect_timeout() {
        bare.connect_timeout(*timeout);
    }
    if let Some(timeout) = config.get_tcp_user_timeout() {
        bare.tcp_user_timeout(*timeout);
    }
    if let Some(interval) = config.get_keepalives_interval() {
        bare.keepalives_interval(interval);
    }
    if let Some(retries) = config.get_keepalives_retries() {
        bare.keepalives_retries(retries);
    }
    bare.keepalives(config.get_keepalives())
        .keepalives_idle(config.get_keepalives_idle())
        .ssl_mode(config.get_ssl_mode())
        .ssl_negotiation(config.get_ssl_negotiation())
        .channel_binding(config.get_channel_binding())
        .target_session_attrs(config.get_target_session_attrs());
    bare
}

fn apart<S, T>((client, mut connection): (Client, Connection<S, T>)) -> (Client, Messages)
where
    Connection<S, T>: Send + 'static,
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    (client, stream::poll_fn(move |context| connection.poll_message(context)).boxed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_host_of_a_list_has_its_own_port_and_all_the_rest() {
        let read = |url| {
            let address = Address::parse(url)?;
            let shown = |host: &Config| {
                (host.get_hosts().to_vec(), host.get_ports().to_vec(), host.get_user().map(str::to_owned))
            };
            Ok::<_, String>(address.hosts.iter().map(shown).collect::<Vec<_>>())
        };
        let host = |name: &str, port| (vec![Host::Tcp(name.to_owned())], vec![port], Some("u".to_owned()));
        assert_eq!(read("postgres://u@a:1,b:2/d").unwrap(), [host("a", 1), host("b", 2)]);
        assert_eq!(read("host=a,b port=7 user=u").unwrap(), [host("a", 7), host("b", 7)]);
        assert_eq!(read("host=a port=7 user=u").unwrap(), [host("a", 7)]);
        for wrong in ["host=a,b port=1,2,3 user=u", "user=u", "host=a,b hostaddr=127.0.0.1 user=u"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_time_of_a_call_is_shared_among_the_hosts_that_are_left() {
        let deadline = Instant::now() + Duration::from_secs(30);
        let left = |count| share(deadline, count).saturating_duration_since(Instant::now());
        assert!(left(3) <= Duration::from_secs(10) && left(1) > Duration::from_secs(10));
        assert_eq!(share(Instant::now(), 0).saturating_duration_since(Instant::now()), Duration::ZERO);
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

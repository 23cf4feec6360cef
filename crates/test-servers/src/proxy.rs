//! [`Proxy`]: a network between a client and a server, which can be broken.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

/// A proxy on a port of its own, until a test breaks it. Dropping it cuts every connection.
///
/// ```
/// use std::{io::{Read, Write}, net::{TcpListener, TcpStream}};
/// use test_servers::Proxy;
///
/// let server = TcpListener::bind("127.0.0.1:0")?;
/// let proxy = Proxy::start(server.local_addr()?.port())?;
/// let mut client = TcpStream::connect(("127.0.0.1", proxy.port()))?;
/// client.write_all(b"hello")?;
/// let (mut accepted, _) = server.accept()?;
/// let mut heard = [0; 5];
/// accepted.read_exact(&mut heard)?;
/// assert_eq!(&heard, b"hello");
/// proxy.cut();
/// assert_eq!(client.read(&mut heard)?, 0);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    network: Arc<Network>,
}

#[derive(Debug)]
struct Network {
    server: SocketAddr,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    refuses: bool,
    holds: bool,
    is_over: bool,
    connections: u64,
    open: Vec<Connection>,
}

#[derive(Debug)]
struct Connection {
    number: u64,
    ends: [TcpStream; 2],
    /// Whether the connection carries no byte any more.
    is_swallowed: bool,
}

impl Proxy {
    /// Starts a proxy for this loopback port.
    ///
    /// # Errors
    /// When the system gives no port.
    pub fn start(server: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let server = (Ipv4Addr::LOCALHOST, server).into();
        let network = Arc::new(Network { server, state: Mutex::default(), changed: Condvar::new() });
        let accepting = Arc::clone(&network);
        thread::spawn(move || {
            for client in listener.incoming() {
                if accepting.state().is_over {
                    return;
                }
                // If the server is down, the client's end is closed.
                let _ = client.and_then(|client| Network::join(&accepting, client));
            }
        });
        Ok(Self { port, network })
    }

    /// The port on the loopback address.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Ends every connection at once. New ones are made as before.
    pub fn cut(&self) {
        self.network.state().open.retain(Connection::end);
        self.network.changed.notify_all();
    }

    /// Whether new connections end at once.
    pub fn refuse(&self, refuses: bool) {
        self.network.state().refuses = refuses;
    }

    /// Whether all bytes are held: connections stay, new ones are made, and no byte moves. Held bytes go on
    /// afterwards.
    pub fn hold(&self, holds: bool) {
        self.network.state().holds = holds;
        self.network.changed.notify_all();
    }

    /// From now on the present connections carry no bytes. Neither end gets a sign of that, not even when the
    /// other end closes. New connections work.
    pub fn swallow(&self) {
        for connection in &mut self.network.state().open {
            connection.is_swallowed = true;
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.network.state().is_over = true;
        self.cut();
        // The thread notices at the next connection.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

impl Network {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn join(network: &Arc<Self>, client: TcpStream) -> io::Result<()> {
        if network.state().refuses {
            return Ok(());
        }
        let server = TcpStream::connect(network.server)?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let pumps = [(client.try_clone()?, server.try_clone()?), (server.try_clone()?, client.try_clone()?)];
        let mut state = network.state();
        state.connections += 1;
        let number = state.connections;
        state.open.push(Connection { number, ends: [client, server], is_swallowed: false });
        drop(state);
        for (from, to) in pumps {
            let network = Arc::clone(network);
            thread::spawn(move || network.pump(number, from, to));
        }
        Ok(())
    }

    /// Passes bytes until one end closes or the connection is cut.
    fn pump(&self, number: u64, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = [0; 16 << 10];
        loop {
            let length = from.read(&mut buffer).unwrap_or(0);
            // The end of a connection passes only after its bytes.
            if !self.lets_pass(number) || length == 0 {
                break;
            }
            if buffer.get(..length).is_none_or(|bytes| to.write_all(bytes).is_err()) {
                break;
            }
        }
        self.state().open.retain(|connection| connection.number != number || connection.end());
        self.changed.notify_all();
    }

    /// Waits while all bytes are held. `false` if the connection has ended.
    fn lets_pass(&self, number: u64) -> bool {
        let mut state = self.state();
        loop {
            match state.open.iter().find(|connection| connection.number == number) {
                None => return false,
                Some(connection) if !state.holds && !connection.is_swallowed => return true,
                Some(_) => state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

impl Connection {
    /// Closes the connection. Returns false, since a closed connection is not kept.
    fn end(&self) -> bool {
        for end in &self.ends {
            let _ = end.shutdown(Shutdown::Both);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client, the server's end of its connection, and the proxy between them.
    fn connected() -> (TcpStream, TcpStream, Proxy, TcpListener) {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let proxy = Proxy::start(server.local_addr().unwrap().port()).unwrap();
        let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).unwrap();
        let (mut accepted, _) = server.accept().unwrap();
        // The proxy counts a connection after it was accepted, and before it carries its first byte.
        client.write_all(&[0]).unwrap();
        assert_eq!(read(&mut accepted), 0);
        (client, accepted, proxy, server)
    }

    fn read(from: &mut TcpStream) -> u8 {
        let mut byte = [0];
        from.read_exact(&mut byte).unwrap();
        byte[0]
    }

    #[test]
    fn what_is_held_back_comes_afterwards_in_its_order() {
        let (mut client, mut server, proxy, _listener) = connected();
        proxy.hold(true);
        client.write_all(&[1]).unwrap();
        client.write_all(&[2]).unwrap();
        server.set_nonblocking(true).unwrap();
        assert_eq!(server.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        server.set_nonblocking(false).unwrap();
        proxy.hold(false);
        assert_eq!((read(&mut server), read(&mut server)), (1, 2));
    }

    #[test]
    fn what_is_swallowed_stays_so_and_others_get_through() {
        let (mut client, server, proxy, listener) = connected();
        proxy.swallow();
        client.write_all(&[1]).unwrap();
        let mut other = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).unwrap();
        let (mut accepted, _) = listener.accept().unwrap();
        other.write_all(&[7]).unwrap();
        assert_eq!(read(&mut accepted), 7);
        drop(client);
        server.set_nonblocking(true).unwrap();
        assert_eq!((&server).read(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        proxy.cut();
        server.set_nonblocking(false).unwrap();
        assert_eq!((&server).read(&mut [0]).unwrap(), 0);
    }

    #[test]
    fn a_network_that_refuses_ends_new_connections_alone() {
        let (mut client, mut server, proxy, _listener) = connected();
        proxy.refuse(true);
        let mut refused = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).unwrap();
        assert_eq!(refused.read(&mut [0]).unwrap_or(0), 0);
        client.write_all(&[5]).unwrap();
        assert_eq!(read(&mut server), 5);
    }
}

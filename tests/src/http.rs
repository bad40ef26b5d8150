//! The smallest HTTP client that a lab needs: one GET from inside a host.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use socket2::{Domain, Protocol, Socket, Type};

use crate::host::Host;

/// GET `/` at an address and port from a host, by a connection of its own; the body of the answer.
pub fn get(host: &Host, address: IpAddr, port: u16, timeout: Duration) -> Result<String> {
    get_path(host, SocketAddr::new(address, port), "/", timeout)
}

/// The same with a path.
pub fn get_path(host: &Host, at: SocketAddr, path: &str, timeout: Duration) -> Result<String> {
    host.within(|| fetch(None, at, path, timeout))
}

/// GET `/` from one of the host's addresses: [`crate::address::ROUTED_CLIENT`] makes the client
/// come by the router.
pub fn get_from(
    host: &Host,
    source: IpAddr,
    address: IpAddr,
    port: u16,
    timeout: Duration,
) -> Result<String> {
    host.within(|| fetch(Some(source), SocketAddr::new(address, port), "/", timeout))
}

/// GET in the namespace of the calling thread. The whole of it ends within the timeout.
pub(crate) fn fetch(
    source: Option<IpAddr>,
    at: SocketAddr,
    path: &str,
    timeout: Duration,
) -> Result<String> {
    let end = Instant::now() + timeout;
    let mut stream = connect(source, at, timeout).with_context(|| format!("connecting to {at}"))?;
    stream.set_nodelay(true)?;
    // In one piece: a server that refuses may hang up before a second one.
    let request = format!("GET {path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    let mut part = [0; 4096];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        ensure!(!left.is_zero(), "{at} did not answer within {timeout:?}");
        stream.set_read_timeout(Some(left))?;
        match stream
            .read(&mut part)
            .with_context(|| format!("reading from {at}"))?
        {
            0 => break,
            length => answer.extend(part.get(..length).unwrap_or_default()),
        }
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let Some((head, body)) = answer.split_once("\r\n\r\n") else {
        bail!("{at} sent no HTTP answer: {answer:?}");
    };
    let status = head.lines().next().unwrap_or_default();
    ensure!(status.contains(" 200 "), "{at} answered {status}: {body}");
    if head
        .to_ascii_lowercase()
        .contains("transfer-encoding: chunked")
    {
        return unchunk(body);
    }
    Ok(body.trim_end().to_owned())
}

fn connect(source: Option<IpAddr>, at: SocketAddr, timeout: Duration) -> Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(at), Type::STREAM, Some(Protocol::TCP))?;
    if let Some(source) = source {
        socket.bind(&SocketAddr::new(source, 0).into())?;
    }
    socket.connect_timeout(&at.into(), timeout)?;
    Ok(socket.into())
}

/// RFC 9112 §7.1, without trailers: each chunk is its length in hexadecimal, then its bytes.
fn unchunk(body: &str) -> Result<String> {
    let mut rest = body;
    let mut whole = String::new();
    while let Some((length, after)) = rest.split_once("\r\n") {
        let length = usize::from_str_radix(length.trim(), 16).context("odd chunk length")?;
        if length == 0 {
            return Ok(whole);
        }
        whole.push_str(after.get(..length).context("a chunk cut short")?);
        rest = after.get(length + 2..).context("a chunk cut short")?;
    }
    bail!("the last chunk is missing")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn puts_chunks_together_again() {
        assert_eq!(
            unchunk("4\r\nabcd\r\n2\r\nef\r\n0\r\n\r\n").unwrap(),
            "abcdef"
        );
        assert!(unchunk("4\r\nab").is_err());
    }
}

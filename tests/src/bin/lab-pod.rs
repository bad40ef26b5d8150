//! What stands in for a pod's program: a small server that says who it is and who asks, by HTTP over
//! TCP and by UDP, in both families: `lab-pod NAME PORT`. Without arguments it holds the namespaces of
//! a pod, and does nothing else.

use std::io::{Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use socket2::SockRef;

/// Of thousands of datagrams; the kernel gives as much of it as it is allowed to.
const BUFFER: usize = 4 << 20;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let Some(name) = arguments.next() else {
        loop {
            thread::park();
        }
    };
    let port: u16 = arguments
        .next()
        .context("usage: lab-pod NAME PORT")?
        .parse()?;
    // Bound to `::` both families arrive, IPv4 ones as mapped addresses.
    let at = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    let udp = UdpSocket::bind(at)?;
    // What waits here while the machine is busy is late, not lost.
    SockRef::from(&udp).set_recv_buffer_size(BUFFER)?;
    let tcp = TcpListener::bind(at)?;
    let echo_name = name.clone();
    thread::spawn(move || echo(&udp, &echo_name));
    for stream in tcp.incoming().flatten() {
        let name = name.clone();
        // A client that hangs up, or does not speak, is no reason to end.
        thread::spawn(move || drop(serve(stream, &name)));
    }
    Ok(())
}

/// Answer requests on one connection until the client ends it.
fn serve(mut stream: TcpStream, name: &str) -> Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.set_nodelay(true)?;
    let client = stream.peer_addr()?.ip().to_canonical();
    let body = format!("{name} {client}\n");
    let mut request = Vec::new();
    let mut part = [0; 1024];
    loop {
        let length = stream.read(&mut part)?;
        if length == 0 {
            return Ok(());
        }
        request.extend(part.get(..length).unwrap_or_default());
        if request.ends_with(b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&request).to_ascii_lowercase();
            let length = body.len();
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
            stream.write_all(answer.as_bytes())?;
            if head.contains("connection: close") {
                return Ok(());
            }
            request.clear();
        }
    }
}

/// Send each datagram back with the name before it.
fn echo(socket: &UdpSocket, name: &str) {
    let mut datagram = [0; 512];
    while let Ok((length, from)) = socket.recv_from(&mut datagram) {
        let mut answer = format!("{name} {} ", from.ip().to_canonical()).into_bytes();
        answer.extend(datagram.get(..length).unwrap_or_default());
        // The next datagram matters more than one that cannot be sent.
        drop(socket.send_to(&answer, from));
    }
}

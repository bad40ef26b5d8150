//! One GET by a connection of its own.

use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::Request;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// More than any proxy says.
const LONGEST: usize = 16 * 1024;

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// Nobody listens.
    Refused,
    /// The address is none that can be reached from here.
    NoRoute,
    /// Somebody listens, and says nothing that is HTTP.
    Broken,
}

/// Status and body of the answer.
pub(super) async fn get(at: SocketAddr, path: &str) -> Result<(u16, Bytes), Failure> {
    let stream = TcpStream::connect(at)
        .await
        .map_err(|error| failure(&error))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    let request = Request::get(path)
        .header(HOST, at.to_string())
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new());
    let request = request.map_err(broken)?;
    let exchange = async {
        let answer = sender.send_request(request).await.map_err(broken)?;
        let status = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), LONGEST).collect().await;
        Ok((status, body.map_err(broken)?.to_bytes()))
    };
    // The connection is only driven: how it ends is told by the exchange.
    let driving = async {
        drop(connection.await);
        std::future::pending().await
    };
    tokio::select! {
        answer = exchange => answer,
        never = driving => never,
    }
}

fn failure(error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::ConnectionRefused {
        Failure::Refused
    } else {
        Failure::NoRoute
    }
}

fn broken<E>(_: E) -> Failure {
    Failure::Broken
}

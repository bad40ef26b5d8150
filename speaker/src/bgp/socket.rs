//! The bytes of one TCP connection: a task that reads, a task that writes, and nothing decided.
//!
//! ```text
//! peer task ──Bytes (queue, bounded by the machine)──▶ writer ─▶ TCP
//!     ▲◀──Event::Sent, Closed─────────────────────────┘
//!     └◀──Event::Received, Closed (few at once: a busy peer task stops the reading)── reader ◀─ TCP
//! ```

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bgp::ConnectionId;
use bytes::Bytes;
use sys::tcp::DialError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

/// How much is read at once: some messages of ordinary length, one of extended length.
const READ: usize = 64 * 1024;

/// How many reads may wait for the peer task. When they do, nothing more is read and TCP slows the
/// peer down.
const READS: usize = 2;

/// How long what was queued before the end may take to leave, and the peer to close in turn. A
/// NOTIFICATION is some dozens of bytes: where the peer reads at all this is plenty.
const FLUSH: Duration = Duration::from_secs(1);

/// What a connection, or the attempt to open one, has come to.
#[derive(Debug)]
pub(super) enum Event {
    /// The attempt succeeded.
    Opened(ConnectionId, TcpStream),
    /// The attempt failed.
    Failed(ConnectionId, DialError),
    /// Bytes came; the place among [`READS`] is free again when they were handled.
    Received(ConnectionId, Bytes, OwnedSemaphorePermit),
    /// So many bytes have been handed to the kernel.
    Sent(ConnectionId, usize),
    /// It is over: closed by the peer (`None`), or broken.
    Closed(ConnectionId, Option<io::Error>),
}

/// An open connection. Dropping it ends it at once; [`Socket::flush`] lets it say what it has to.
#[derive(Debug)]
pub(super) struct Socket {
    outgoing: mpsc::UnboundedSender<Bytes>,
    reader: AbortOnDropHandle<()>,
    writer: AbortOnDropHandle<()>,
    /// Bytes that were queued and that the kernel has not taken yet.
    queued: usize,
}

impl Socket {
    /// Starts the two tasks of a connection.
    pub(super) fn start(
        connection: ConnectionId,
        stream: TcpStream,
        events: &mpsc::UnboundedSender<Event>,
    ) -> Self {
        let (read_half, write_half) = stream.into_split();
        let (outgoing, queue) = mpsc::unbounded_channel();
        let reader = tokio::spawn(read(connection, read_half, events.clone()));
        let writer = tokio::spawn(write(connection, write_half, queue, events.clone()));
        Self {
            outgoing,
            reader: AbortOnDropHandle::new(reader),
            writer: AbortOnDropHandle::new(writer),
            queued: 0,
        }
    }

    /// Queues bytes behind those that wait.
    pub(super) fn transmit(&mut self, bytes: Bytes) {
        self.queued += bytes.len();
        // A writer that has failed says so by `Closed`.
        let _ = self.outgoing.send(bytes);
    }

    /// Takes note that the kernel has taken bytes; returns what is still queued.
    pub(super) fn sent(&mut self, bytes: usize) -> usize {
        self.queued = self.queued.saturating_sub(bytes);
        self.queued
    }

    /// Sends what is queued, closes, and waits for the peer to close as well; takes a second at most.
    /// What is read meanwhile nobody handles: octets left unread would have the kernel reset the
    /// connection, and a peer that is just writing would see that in place of our last words.
    pub(super) async fn flush(self) {
        drop(self.outgoing);
        let ended = async {
            // Neither has anything to say, and a task that failed has ended too.
            let _ = self.writer.await;
            let _ = self.reader.await;
        };
        // Past its time it is dropped, which ends it.
        let _ = timeout(FLUSH, ended).await;
    }
}

async fn read(
    connection: ConnectionId,
    mut half: OwnedReadHalf,
    events: mpsc::UnboundedSender<Event>,
) {
    let places = Arc::new(Semaphore::new(READS));
    let mut buffer = vec![0; READ];
    let why = loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match half.read(&mut buffer).await {
            Ok(0) => break None,
            Ok(length) => {
                let bytes = Bytes::copy_from_slice(buffer.get(..length).unwrap_or_default());
                if events
                    .send(Event::Received(connection, bytes, place))
                    .is_err()
                {
                    return;
                }
            }
            Err(error) => break Some(error),
        }
    };
    // The peer task is gone only when nobody asks any more.
    let _ = events.send(Event::Closed(connection, why));
}

async fn write(
    connection: ConnectionId,
    mut half: OwnedWriteHalf,
    mut queue: mpsc::UnboundedReceiver<Bytes>,
    events: mpsc::UnboundedSender<Event>,
) {
    while let Some(bytes) = queue.recv().await {
        let written = half.write_all(&bytes).await;
        let failed = written.is_err();
        // Nobody may listen any more while the last words leave.
        let _ = events.send(match written {
            Ok(()) => Event::Sent(connection, bytes.len()),
            Err(error) => Event::Closed(connection, Some(error)),
        });
        if failed {
            return;
        }
    }
    // The peer reads to the end of what was sent before it sees the end.
    let _ = half.shutdown().await;
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// A peer that is refused in the middle of a flood.
    #[tokio::test]
    async fn last_words_come_before_the_end_to_a_peer_that_is_still_writing() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let dialed = TcpStream::connect(listener.local_addr().unwrap()).await;
        let (far, _) = listener.accept().await.unwrap();
        let (outlet, mut events) = mpsc::unbounded_channel();
        let mut socket = Socket::start(ConnectionId::Dialed(0), dialed.unwrap(), &outlet);
        let (mut hearing, mut writing) = far.into_split();
        let flood = tokio::spawn(async move {
            for _ in 0..64 {
                writing.write_all(&[0; 64 * 1024]).await?;
            }
            // Dropping this half would end the connection from the far side.
            Ok::<_, io::Error>(writing)
        });
        // It comes faster than it is handled.
        assert!(matches!(events.recv().await, Some(Event::Received(..))));
        socket.transmit(Bytes::from_static(b"last words"));
        let farewell = tokio::spawn(socket.flush());
        tokio::spawn(async move { while events.recv().await.is_some() {} });
        let flooded = flood.await.unwrap();
        assert!(flooded.is_ok(), "the writer saw {flooded:?}");
        let mut heard = Vec::new();
        hearing.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, b"last words");
        drop((hearing, flooded));
        farewell.await.unwrap();
    }
}

//! Where peers connect to us that are asked to; nothing is open while there are none.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use model::{IpFamily, Remote};
use sys::tcp::{Device, Listener, Md5Key, Options, Peers};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use super::Desired;
use super::transport;

/// After an error that says that descriptors are short, so that the loop does not spin.
const PAUSE: Duration = Duration::from_millis(100);

/// How long a port that another process has is left alone before it is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// A listener for each family and device in which a peer is passive.
#[derive(Debug)]
pub(super) struct Listeners {
    port: u16,
    open: BTreeMap<Place, Open>,
    /// Where it failed, and when it is tried again: said once.
    failed: BTreeMap<Place, Instant>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    family: IpFamily,
    device: Option<Device>,
}

#[derive(Debug)]
struct Open {
    listener: Listener,
    /// Whose segments must be signed, and how.
    keys: BTreeMap<Peers, Md5Key>,
}

/// The kernel does not take a key.
#[derive(Debug, Error)]
#[error("failed to set the TCP-MD5 key of {peers}")]
struct KeyError {
    peers: Peers,
    #[source]
    source: io::Error,
}

impl Listeners {
    /// Nothing is open.
    pub(super) fn new(port: u16) -> Self {
        Self {
            port,
            open: BTreeMap::new(),
            failed: BTreeMap::new(),
        }
    }

    /// Opens what passive peers and ranges need, with their keys, and closes the rest. A peer whose
    /// password, or whose address, is not known is not listened to.
    ///
    /// The kernel takes the key of the longest prefix: a peer's own before that of the range that it
    /// is in. It knows no peer without a key in a range with one, so that such a peer cannot connect.
    pub(super) fn reconcile<'a>(&mut self, wanted: impl Iterator<Item = &'a Desired>) {
        let mut places: BTreeMap<Place, BTreeMap<Peers, Option<Md5Key>>> = BTreeMap::new();
        for desired in wanted {
            let Some((peers, Options { md5, device, .. })) = awaited(desired) else {
                continue;
            };
            let family = desired.settings.remote.family();
            let place = Place { family, device };
            places.entry(place).or_default().insert(peers, md5);
        }
        self.open.retain(|place, _| places.contains_key(place));
        self.failed.retain(|place, _| places.contains_key(place));
        for (place, keys) in places {
            self.open(&place);
            match self.open.get_mut(&place).map(|open| open.require(keys)) {
                None => {}
                Some(Ok(())) => {
                    self.failed.remove(&place);
                }
                Some(Err(error)) => {
                    // Rather nobody than somebody who does not have to sign.
                    self.open.remove(&place);
                    self.fail(place, &error);
                }
            }
        }
    }

    fn open(&mut self, place: &Place) {
        let early = self
            .failed
            .get(place)
            .is_some_and(|at| *at > Instant::now());
        if early || self.open.contains_key(place) {
            return;
        }
        let any = match place.family {
            IpFamily::V4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpFamily::V6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        match Listener::open(SocketAddr::new(any, self.port), place.device.as_ref()) {
            Ok(listener) => {
                let keys = BTreeMap::new();
                self.open.insert(place.clone(), Open { listener, keys });
            }
            Err(error) => self.fail(place.clone(), &error),
        }
    }

    /// Leaves a place alone for a while; said once.
    fn fail(&mut self, place: Place, error: &dyn std::error::Error) {
        let again = Instant::now() + RETRY;
        if self.failed.insert(place, again).is_none() {
            let error = runtime::log::chain(error);
            tracing::warn!(error, "passive BGP peers cannot connect, trying again");
        }
    }

    /// When something that failed is to be tried again.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.failed.values().min().copied()
    }

    /// The next connection, where from, and by which device if not by any. Cancel safe.
    pub(super) async fn accept(&self) -> (TcpStream, SocketAddr, Option<Device>) {
        loop {
            let accepts = self.open.iter().map(|(place, open)| {
                Box::pin(async {
                    let (stream, from) = open.listener.accept().await?;
                    Ok::<_, io::Error>((stream, from, place.device.clone()))
                })
            });
            let accepts: Vec<_> = accepts.collect();
            if accepts.is_empty() {
                std::future::pending::<()>().await;
            }
            match first(accepts).await {
                Ok(accepted) => return accepted,
                Err(error) => {
                    tracing::debug!(error = %error, "a BGP connection was lost before it began");
                    sleep(PAUSE).await;
                }
            }
        }
    }
}

/// Whom to let connect for a peer, and how; `None` if nobody is to, or nobody can yet.
fn awaited(desired: &Desired) -> Option<(Peers, Options)> {
    let peer = &desired.settings;
    let peers = match &peer.remote {
        Remote::Range(range) => Peers::prefix(range.address(), range.length())?,
        Remote::Address(_) | Remote::Interface(_) if !peer.passive => return None,
        Remote::Address(address) => Peers::host(*address),
        Remote::Interface(_) => Peers::host(desired.remote?.ip()),
    };
    let options = transport::options(desired).ok()?;
    Some((peers, options))
}

/// The first of some futures to be ready; the others are dropped.
async fn first<F: Future + Unpin>(mut futures: Vec<F>) -> F::Output {
    std::future::poll_fn(move |context| {
        let ready =
            futures
                .iter_mut()
                .find_map(|future| match std::pin::Pin::new(future).poll(context) {
                    std::task::Poll::Ready(output) => Some(output),
                    std::task::Poll::Pending => None,
                });
        ready.map_or(std::task::Poll::Pending, std::task::Poll::Ready)
    })
    .await
}

impl Open {
    /// Sets what differs. After an error nobody may be let in.
    fn require(&mut self, wanted: BTreeMap<Peers, Option<Md5Key>>) -> Result<(), KeyError> {
        let wanted: BTreeMap<Peers, Md5Key> = wanted
            .into_iter()
            .filter_map(|(peers, key)| Some((peers, key?)))
            .collect();
        let gone = self.keys.keys().filter(|known| !wanted.contains_key(known));
        let gone: Vec<Peers> = gone.copied().collect();
        for peers in gone {
            self.set(peers, None)?;
        }
        for (peers, key) in wanted {
            if self.keys.get(&peers) != Some(&key) {
                self.set(peers, Some(key))?;
            }
        }
        Ok(())
    }

    fn set(&mut self, peers: Peers, key: Option<Md5Key>) -> Result<(), KeyError> {
        self.listener
            .set_md5(peers, key.as_ref())
            .map_err(|source| KeyError { peers, source })?;
        match key {
            Some(key) => self.keys.insert(peers, key),
            None => self.keys.remove(&peers),
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use model::Remote;

    use super::super::Secret;
    use super::super::tests::{desired, peer};
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_port_that_is_taken_is_tried_again_until_it_is_free() {
        let any = (Ipv4Addr::UNSPECIFIED, 0);
        let taken = std::net::TcpListener::bind(any).unwrap();
        let port = taken.local_addr().unwrap().port();
        let mut settings = peer();
        settings.remote = Remote::Address("192.0.2.1".parse().unwrap());
        settings.passive = true;
        let waits = [desired(settings, Secret::None)];
        let mut listeners = Listeners::new(port);
        listeners.reconcile(waits.iter());
        let again = listeners.deadline().unwrap();
        drop(taken);
        // Too early.
        listeners.reconcile(waits.iter());
        assert_eq!(
            (listeners.deadline(), listeners.open.len()),
            (Some(again), 0)
        );
        tokio::time::sleep_until(again).await;
        listeners.reconcile(waits.iter());
        assert_eq!((listeners.deadline(), listeners.open.len()), (None, 1));
    }
}

//! Where peers connect to us that are asked to; nothing is open while there are none.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use model::IpFamily;
use sys::tcp::{Device, Listener, Md5Key, Peers};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use super::Desired;
use super::transport::Transport;

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
    keys: BTreeMap<IpAddr, Md5Key>,
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

    /// Opens what passive peers need, with their keys, and closes the rest. A peer whose password
    /// is not known is not listened to.
    pub(super) fn reconcile<'a>(&mut self, wanted: impl Iterator<Item = &'a Desired>) {
        let mut places: BTreeMap<Place, BTreeMap<IpAddr, Option<Md5Key>>> = BTreeMap::new();
        for desired in wanted.filter(|desired| desired.settings.passive) {
            let Ok(transport) = Transport::of(desired) else {
                continue;
            };
            let address = transport.remote.ip();
            let place = Place {
                family: IpFamily::of(address),
                device: transport.options.device,
            };
            let keys = places.entry(place).or_default();
            keys.insert(address, transport.options.md5);
        }
        self.open.retain(|place, _| places.contains_key(place));
        self.failed.retain(|place, _| places.contains_key(place));
        for (place, keys) in places {
            self.open(&place);
            if let Some(open) = self.open.get_mut(&place) {
                open.require(keys);
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
                self.failed.remove(place);
                let keys = BTreeMap::new();
                self.open.insert(place.clone(), Open { listener, keys });
            }
            Err(error) => {
                let again = Instant::now() + RETRY;
                if self.failed.insert(place.clone(), again).is_none() {
                    let error = runtime::log::chain(&error);
                    tracing::warn!(error, "passive BGP peers cannot connect, trying again");
                }
            }
        }
    }

    /// When something that failed is to be tried again.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.failed.values().min().copied()
    }

    /// The next connection and where from. Cancel safe.
    pub(super) async fn accept(&self) -> (TcpStream, SocketAddr) {
        loop {
            let accepts = self
                .open
                .values()
                .map(|open| Box::pin(open.listener.accept()));
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
    /// Sets what differs; a key that cannot be set leaves the peer's segments unheard, which is
    /// what a wrong key does as well.
    fn require(&mut self, wanted: BTreeMap<IpAddr, Option<Md5Key>>) {
        let wanted: BTreeMap<IpAddr, Md5Key> = wanted
            .into_iter()
            .filter_map(|(address, key)| Some((address, key?)))
            .collect();
        let gone = self.keys.keys().filter(|known| !wanted.contains_key(known));
        let gone: Vec<IpAddr> = gone.copied().collect();
        for address in gone {
            self.set(address, None);
        }
        for (address, key) in wanted {
            if self.keys.get(&address) != Some(&key) {
                self.set(address, Some(key));
            }
        }
    }

    fn set(&mut self, address: IpAddr, key: Option<Md5Key>) {
        if let Err(error) = self.listener.set_md5(Peers::host(address), key.as_ref()) {
            tracing::warn!(peer = %address, error = %error, "failed to set the TCP-MD5 key");
            return;
        }
        match key {
            Some(key) => self.keys.insert(address, key),
            None => self.keys.remove(&address),
        };
    }
}

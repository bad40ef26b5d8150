//! The speaker's BGP driver alone, in a host of the lab: its sessions, sockets and timers are those
//! of the binary, on a thread and runtime of their own. What it would be told by the plan it is
//! told by hand, as 100,000 Services are more than an API server is to be asked for.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bgp::RouterId;
use lab::Host;
use lab::address::{node, router};
use model::{BgpAttributes, BgpPeer, Community, IpFamily, NodeName, PeerAsn, PeerName};
use plan::{Departure, Ending, Forwarding, NextHops, Route, RoutePrefix};
use speaker::bfd::{Statuses, Wishes};
use speaker::bgp::{Changes, Channels, Desired, Metrics, Peers, Secret, Sessions, Settings};
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub(crate) const ROUTES: u32 = 100_000;
pub(crate) const OUR_AS: u32 = 64513;
pub(crate) const ROUTER_AS: u32 = 64512;

/// A running driver with r1 as its one peer. Dropping it closes the session in order.
pub(crate) struct Driver {
    peers: watch::Sender<Peers>,
    ending: watch::Sender<Option<Ending>>,
    shutdown: CancellationToken,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Driver {
    /// Start it on n1; r1 is to hold these routes.
    pub(crate) fn start(host: &Host, routes: Arc<[Route]>) -> Result<Self> {
        let (peers, asked) = watch::channel(Arc::new(BTreeMap::from([(
            PeerName::new("r1"),
            desired(routes)?,
        )])));
        let (end, ending) = watch::channel(None);
        let shutdown = CancellationToken::new();
        let channels = Channels {
            peers: asked,
            sessions: watch::channel(Sessions::new()).0,
            changes: watch::channel(Changes::new()).0,
            wishes: watch::channel(Wishes::new()).0,
            statuses: watch::channel(Statuses::new()).1,
            ending,
            shutdown: shutdown.clone(),
        };
        let settings = Settings {
            node: NodeName::new("n1"),
            port: 179,
        };
        let host = host.clone();
        let run = move || {
            host.within(|| {
                let runtime = Builder::new_current_thread().enable_all().build()?;
                runtime.block_on(speaker::bgp::run(settings, channels, Metrics::default()));
                Ok(())
            })
        };
        let thread = thread::Builder::new()
            .name("driver".to_owned())
            .spawn(run)?;
        Ok(Self {
            peers,
            ending: end,
            shutdown,
            thread: Some(thread),
        })
    }

    /// The plan has changed: r1 is to hold these routes. The comparison with what was sent before
    /// is the owner's. Returns when that began.
    pub(crate) fn hold(&self, routes: Arc<[Route]>) -> Result<Instant> {
        let desired = desired(routes)?;
        let start = Instant::now();
        let wanted = Arc::new(BTreeMap::from([(PeerName::new("r1"), desired)]));
        self.peers.send_if_modified(|sent| {
            let changed = **sent != *wanted;
            if changed {
                *sent = wanted;
            }
            changed
        });
        Ok(start)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let ending = Ending::Leaving(Departure::Uninstalled);
        self.ending.send_replace(Some(ending));
        self.shutdown.cancel();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Half of them IPv4 and half IPv6, all with the same attributes, in the order of a plan.
pub(crate) fn routes() -> Vec<Route> {
    let attributes = attributes(0);
    let v4 = (0..ROUTES / 2).map(|n| IpAddr::from(Ipv4Addr::from(0x0a40_0000 + n)));
    let v6 =
        (0..ROUTES / 2).map(|n| IpAddr::from(Ipv6Addr::from((0xfd97_u128 << 112) + u128::from(n))));
    v4.chain(v6)
        .map(|address| Route {
            prefix: RoutePrefix::host(address),
            attributes: Arc::clone(&attributes),
        })
        .collect()
}

/// What a Service with some settings is told with.
pub(crate) fn attributes(med: u32) -> Arc<BgpAttributes> {
    Arc::new(BgpAttributes {
        med: Some(med),
        communities: [Community::Standard(OUR_AS << 16 | 1)].into(),
        ..BgpAttributes::default()
    })
}

fn desired(routes: Arc<[Route]>) -> Result<Desired> {
    let [IpAddr::V4(v4), IpAddr::V6(v6)] = node(1) else {
        anyhow::bail!("a node has an address of each family");
    };
    let [address, _] = router(1);
    Ok(Desired {
        remote: Some(SocketAddr::new(address, 179)),
        interfaces: Arc::default(),
        settings: BgpPeer {
            name: PeerName::new("r1"),
            uid: None,
            my_asn: OUR_AS,
            peer_asn: PeerAsn::Exactly(ROUTER_AS),
            remote: model::Remote::Address(address),
            port: 179,
            source_address: None,
            router_id: None,
            node_selectors: Vec::new(),
            hold_time: Duration::from_secs(90),
            keepalive_time: None,
            connect_time: Some(Duration::from_secs(1)),
            ebgp_multi_hop: false,
            ttl_security: false,
            password: None,
            role: None,
            max_prefixes: 1_000,
            address_families: IpFamily::ALL.to_vec(),
            passive: false,
            bfd: None,
            bfd_strict: false,
            graceful_restart: model::GracefulRestart::default(),
            graceful_shutdown: model::GracefulShutdown::default(),
            vrf: None,
            requires: Vec::new(),
        },
        secret: Secret::None,
        router_id: RouterId::from(v4).context("no identifier")?,
        next_hops: NextHops {
            v4: None,
            v6: Some(v6),
        },
        on_link: true,
        forwarding: Forwarding::Preserved,
        drain: None,
        routes,
    })
}

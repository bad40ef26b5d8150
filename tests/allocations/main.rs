//! What may not allocate does not.

use std::net::Ipv6Addr;
use std::num::NonZeroU8;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bfd::{Config, Path, Role, State};
use lab::allocations::{Counting, of_threads};
use lab::eventually;
use model::{NodeName, PeerName};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use speaker::bfd::{
    Channels, Commands, Control, Ground, Key, Metrics, Settings, Statuses, Wish, Wishes, control,
    run,
};
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const SOON: Duration = Duration::from_secs(10);
const ADDRESSES: [&str; 2] = ["127.67.0.1", "127.67.0.2"];

struct Node {
    statuses: watch::Receiver<Statuses>,
    registry: Registry,
    _wishes: watch::Sender<Wishes>,
    _control: Control,
}

/// The driver of one of two nodes that watch each other every ten milliseconds.
fn node([from, to]: [&str; 2], shutdown: &CancellationToken) -> Result<Node> {
    let (wishes, wished) = watch::channel(Wishes::from([(
        PeerName::new("peer").into(),
        wish(from, to)?,
    )]));
    let (shown, statuses) = watch::channel(Statuses::new());
    let (control, commands): (Control, Commands) = control();
    let ground = Ground {
        node: NodeName::new(from),
        receive_on: [from.parse()?, Ipv6Addr::LOCALHOST.into()],
    };
    let channels = Channels {
        wishes: wished,
        statuses: shown,
        commands,
        shutdown: shutdown.clone(),
    };
    let mut registry = Registry::default();
    tokio::spawn(run(ground, channels, Metrics::register(&mut registry)));
    Ok(Node {
        statuses,
        registry,
        _wishes: wishes,
        _control: control,
    })
}

fn wish(from: &str, to: &str) -> Result<Wish> {
    Ok(Wish {
        key: Key {
            remote: to.parse()?,
            interface: None,
            vrf: None,
            multihop: false,
        },
        settings: Settings {
            name: PeerName::new("peer").into(),
            source: Some(from.parse()?),
            scope: None,
            path: Path::SingleHop,
            config: Config {
                desired_min_tx: Duration::from_millis(10),
                required_min_rx: Duration::from_millis(10),
                detect_mult: NonZeroU8::new(100).context("not zero")?,
                role: Role::Active,
            },
            absence: Duration::ZERO,
        },
    })
}

/// How many packets of the other side counted.
fn received(node: &Node) -> Result<u64> {
    let mut shown = String::new();
    encode(&mut shown, &node.registry)?;
    let line = "seamark_bfd_packets_received_total{peer=\"peer\"} ";
    let count = shown.lines().find_map(|shown| shown.strip_prefix(line));
    Ok(count.context("nothing is counted")?.parse()?)
}

#[test]
fn bfd_allocates_nothing_for_a_packet() -> Result<()> {
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .worker_threads(1)
        .build()?;
    let shutdown = CancellationToken::new();
    let within = runtime.enter();
    let [one, two] = ADDRESSES;
    let nodes = [node([one, two], &shutdown)?, node([two, one], &shutdown)?];
    for node in &nodes {
        eventually(SOON, "the session is up at its fast rate", || {
            let statuses = node.statuses.borrow();
            let status = statuses.values().next().context("no session")?;
            let agreed = status.figures.detection_time == Some(Duration::from_secs(1));
            ensure!(status.figures.state == State::Up && agreed, "{status:?}");
            Ok(())
        })?;
    }
    // The first packets find everything that is kept from one to the next.
    for node in &nodes {
        let settled = received(node)? + 20;
        eventually(SOON, "some packets", || {
            ensure!(received(node)? >= settled);
            Ok(())
        })?;
    }
    let before = (of_threads("bfd")?, received(&nodes[0])?);
    eventually(SOON, "many packets", || {
        ensure!(received(&nodes[0])? >= before.1 + 200);
        Ok(())
    })?;
    let allocated = of_threads("bfd")? - before.0;
    ensure!(allocated == 0, "{allocated} allocations");
    drop(within);
    shutdown.cancel();
    Ok(())
}

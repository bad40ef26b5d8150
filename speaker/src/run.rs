//! The process: what there is of it, and how it is joined together.
//!
//! ```text
//! main thread (one tokio runtime)                              │ thread "layer2" (its own)
//!   bgp driver ◀─Peers (watch)─┐                               │
//!    │ │  └──Sessions (watch)─▶│                               │
//!    │ └─Changes (watch)─▶ events                              │ thread "bfd" (its own)
//!    └─Wishes, Statuses (watch)─▶ bfd ─────────────────────────┼─▶ engine ─▶ sockets
//!   discovery ─Neighbors (watch)─▶ owner                       │
//!   watch ×7 ──Event──▶ owner ──Desired (watch)────────────────┼─▶ driver ─▶ sockets
//!   interfaces ─Event──▶  │ ◀──Report (mpsc)───────────────────┼── driver
//!   prober ─────Event──▶  │ ─Order (watch)─▶ prober            │
//!        ▲────────────────┼─────interfaces (watch)─────────────┼── netlink
//!                         └─Standing (watch)─▶ status writer   │
//!   admin: /healthz /readyz /metrics                           │
//! ```

use std::fmt::Debug;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crds::{IPAllocation, PasswordSecret, SPEAKER_CONFIG_NAME, SPEAKER_SECRET_NAME, SpeakerConfig};
use kube::{Api, Client, Resource};
use model::NodeName;
use plan::History;
use prometheus_client::registry::Registry;
use runtime::admin::{Admin, BindError, Gate, Health, Readiness};
use runtime::client::ConnectError;
use runtime::log::InitError;
use runtime::supervise::Supervisor;
use runtime::watch::{Selection, WatchEvent, pump};
use serde::de::DeserializeOwned;
use sys::netlink::Interface;
use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::args::{Args, NodeNameError};
use crate::index::{Event, Index};
use crate::metrics::Metrics;
use crate::owner::{Inlets, Outlets, Owner};
use crate::prober::{self, Order};
use crate::slim::{SlimEndpointSlice, SlimNode, SlimService, SlimSpeakerStatus};
use crate::{bfd, bgp, discovery, events, interfaces, layer2, permission, status};

/// Who we are to the API server.
const AGENT: &str = concat!("seamark-speaker/", env!("CARGO_PKG_VERSION"));

/// Events under way from the watches to the owner; when it is full they wait, and so does the API
/// server.
const EVENTS: usize = 256;

/// Reports under way from the driver; it keeps the latest of each subject itself when full.
const REPORTS: usize = 64;

/// The owner's loop turns every ten seconds at least.
const HEALTH_LIMIT: Duration = Duration::from_secs(60);

/// How long the tasks may take to end: BGP peers that do not read are waited for for a second. A
/// speaker that leaves has led its peers away by then.
const GRACE: Duration = Duration::from_secs(2);

/// Why the speaker does not run.
#[derive(Debug, Error)]
pub enum RunError {
    /// The log cannot be set up.
    #[error(transparent)]
    Log(#[from] InitError),
    /// Which node this is cannot be told.
    #[error(transparent)]
    NodeName(#[from] NodeNameError),
    /// There is no way to the API server.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// Health and metrics cannot be served.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The system gives us no threads, timers or signals.
    #[error("failed to start {what}")]
    Start {
        /// What it was to be.
        what: &'static str,
        /// What the system says.
        source: io::Error,
    },
}

/// Runs the speaker until it is told to end.
pub fn run(args: &Args) -> Result<ExitCode, RunError> {
    runtime::log::init(&args.common)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(start("the runtime"))?;
    runtime.block_on(serve(args))
}

fn start(what: &'static str) -> impl FnOnce(io::Error) -> RunError {
    move |source| RunError::Start { what, source }
}

async fn serve(args: &Args) -> Result<ExitCode, RunError> {
    let node = args.node_name()?;
    let told_to_end = runtime::shutdown::signals().map_err(start("listening to signals"))?;
    let shutdown = CancellationToken::new();
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let admin = Admin::bind(args.admin.admin_address).await?;
    let client = runtime::client::connect(&args.common, AGENT, metrics.requests.clone()).await?;
    tracing::info!(%node, "starting");

    let readiness = Readiness::default();
    let health = Health::new(HEALTH_LIMIT);
    let mut tasks = Supervisor::new(shutdown.clone());
    let (events, inlet) = mpsc::channel(EVENTS);
    let (reports, reported) = mpsc::channel(REPORTS);
    let (plans, desired) = watch::channel(layer2::Desired::default());
    let (seen, interfaces) = watch::channel(Arc::default());
    let (peers, asked) = watch::channel(bgp::Peers::default());
    let (sessions, stand) = watch::channel(bgp::Sessions::default());
    let (changes, changed) = watch::channel(bgp::Changes::default());
    let (neighbors, heard) = watch::channel(discovery::Neighbors::default());
    let (standing, standings) = watch::channel(None);
    let (orders, ordered) = watch::channel(Order::default());
    let (end, ending) = watch::channel(None);
    let (said, told) = watch::channel(false);

    // First of all, so that the first plan knows the answer.
    let port = args.proxy_health_port;
    if port != 0 {
        let probing = prober::run(port, ordered, events.clone(), metrics.probes);
        tasks.spawn("prober", until(shutdown.clone(), probing));
    }

    let channels = layer2::Channels {
        desired,
        interfaces: seen,
        reports,
        shutdown: shutdown.clone(),
    };
    layer2::start(channels, metrics.layer2.clone()).map_err(start("the layer 2 thread"))?;

    let index = Index::new(node.clone(), args.classes(), history(port));
    let planned = readiness.gate("first plan");
    let (wishes, statuses, paths) = watch_paths(&mut tasks, &node, metrics.bfd, &shutdown);
    let outlets = Outlets {
        plans,
        peers,
        standing,
        orders,
        metrics: metrics.plans,
        bgp: metrics.bgp.clone(),
        health: health.clone(),
        planned,
        ending: end,
        paths,
        told,
    };
    let inlets = Inlets {
        events: inlet,
        reports: reported,
        sessions: stand,
        neighbors: heard,
    };
    let telling = events::tell(client.clone(), node.clone(), changed, asked.clone());
    let discovering = discovery::run(asked.clone(), interfaces.clone(), neighbors);
    tasks.spawn("discovery", until(shutdown.clone(), discovering));
    let channels = bgp::Channels {
        peers: asked,
        sessions,
        changes,
        wishes,
        statuses,
        ending,
        shutdown: shutdown.clone(),
    };
    let here = bgp::Settings::of(&node, args.bgp_port);
    tasks.spawn("bgp", bgp::run(here, channels, metrics.bgp));
    tasks.spawn("events", until(shutdown.clone(), telling));
    let owner = Owner::new(index, outlets);
    tasks.spawn("owner", owner.run(inlets, told_to_end, shutdown.clone()));
    let watches = Watches {
        client: client.clone(),
        namespace: args.namespace.name(),
        readiness: readiness.clone(),
        events,
        shutdown: shutdown.clone(),
    };
    watches.spawn(&mut tasks);
    let forwarding = interfaces::forward(interfaces.clone(), watches.events);
    tasks.spawn("interfaces", forwarding);

    let sockets = readiness.gate("layer 2 sockets");
    let candidate = readiness.gate("SpeakerStatus of this node");
    let writing = status::write(Api::all(client), node, standings, candidate, said);
    let writer = once_permitted(interfaces, sockets, writing);
    tasks.spawn("status writer", until(shutdown.clone(), writer));
    let registry = Arc::new(registry);
    tasks.spawn("admin", admin.serve(health, readiness, registry, shutdown));
    Ok(tasks.run(GRACE).await)
}

/// What is known of a service proxy that is asked at this port, before it has answered.
fn history(port: u16) -> History {
    match port {
        0 => History::default(),
        _ => History::start(uptime(), Instant::now()),
    }
}

/// How long this node has been up, suspended or not; `None` if the kernel does not say.
fn uptime() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/uptime").ok()?;
    let seconds = text.split_whitespace().next()?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// BFD beside BGP: where peers ask for it and how it stands, and what has it part from the far sides
/// before the process ends.
fn watch_paths(
    tasks: &mut Supervisor,
    node: &NodeName,
    metrics: bfd::Metrics,
    shutdown: &CancellationToken,
) -> (
    watch::Sender<bfd::Wishes>,
    watch::Receiver<bfd::Statuses>,
    bfd::Control,
) {
    let (asking, wishes) = watch::channel(bfd::Wishes::new());
    let (statuses, shown) = watch::channel(bfd::Statuses::new());
    let (control, commands) = bfd::control();
    let channels = bfd::Channels {
        wishes,
        statuses,
        commands,
        shutdown: shutdown.clone(),
    };
    let ground = bfd::Ground::of(node.clone());
    tasks.spawn("bfd", bfd::run(ground, channels, metrics));
    (asking, shown, control)
}

/// Begins what makes this node a candidate when its sockets can be opened.
async fn once_permitted(
    interfaces: watch::Receiver<Arc<[Interface]>>,
    sockets: Gate,
    task: impl Future<Output = ()>,
) {
    permission::granted(interfaces).await;
    sockets.open();
    task.await;
}

/// Runs a task that does not know of shutdown.
async fn until(shutdown: CancellationToken, task: impl Future<Output = ()>) {
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = task => {}
    }
}

/// The seven watches, and no more.
struct Watches {
    client: Client,
    namespace: String,
    readiness: Readiness,
    events: mpsc::Sender<Event>,
    shutdown: CancellationToken,
}

impl Watches {
    fn spawn(&self, tasks: &mut Supervisor) {
        let all = Selection::default;
        let fields = |selector: &str| Selection {
            fields: Some(selector.to_owned()),
            ..all()
        };
        let not_headless = Selection {
            labels: Some("!service.kubernetes.io/headless".to_owned()),
            ..all()
        };
        let balanced = fields("spec.type=LoadBalancer");
        let settled = fields(&format!("metadata.name={SPEAKER_CONFIG_NAME}"));
        let passwords = fields(&format!("metadata.name={SPEAKER_SECRET_NAME}"));
        let api: Api<SlimService> = Api::all(self.client.clone());
        self.watch(tasks, "watch services", api, balanced, Event::Service);
        let api: Api<SlimEndpointSlice> = Api::all(self.client.clone());
        let name = "watch endpointslices";
        self.watch(tasks, name, api, not_headless, Event::EndpointSlice);
        let api: Api<SlimNode> = Api::all(self.client.clone());
        self.watch(tasks, "watch nodes", api, all(), Event::Node);
        let api: Api<IPAllocation> = Api::all(self.client.clone());
        self.watch(tasks, "watch ipallocations", api, all(), Event::Allocation);
        let api: Api<SpeakerConfig> = Api::all(self.client.clone());
        let name = "watch speakerconfigs";
        self.watch(tasks, name, api, settled, Event::SpeakerConfig);
        let api: Api<SlimSpeakerStatus> = Api::all(self.client.clone());
        let name = "watch speakerstatuses";
        self.watch(tasks, name, api, all(), Event::SpeakerStatus);
        let api: Api<PasswordSecret> = Api::namespaced(self.client.clone(), &self.namespace);
        self.watch(tasks, "watch secrets", api, passwords, Event::Secret);
    }

    /// One watch; its gate opens with the first complete list.
    fn watch<K>(
        &self,
        tasks: &mut Supervisor,
        name: &'static str,
        api: Api<K>,
        selection: Selection,
        event: fn(WatchEvent<K>) -> Event,
    ) where
        K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
    {
        let gate = self.readiness.gate(name);
        let map = move |seen| {
            if matches!(seen, WatchEvent::Restarted(_)) {
                gate.open();
            }
            event(seen)
        };
        let pump = pump(api, selection, self.events.clone(), map);
        tasks.spawn(name, until(self.shutdown.clone(), pump));
    }
}

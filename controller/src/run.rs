//! Puts the parts together: one runtime thread, one connection, one task that owns the state.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use crds::{
    BFDProfile, BGPAdvertisement, BGPPeer, Community, IPAddressPool, IPAllocation, L2Advertisement,
    PasswordSecret, SpeakerConfig,
};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Namespace, Service};
use k8s_openapi::jiff::Timestamp;
use kube::core::PartialObjectMeta;
use kube::runtime::events::{Recorder, Reporter};
use kube::{Api, Client};
use prometheus_client::registry::Registry;
use runtime::admin::{Admin, Gate, Health, Readiness};
use runtime::client::Requests;
use runtime::lease::{Election, Tenure, fence};
use runtime::supervise::Supervisor;
use runtime::watch::{Selection, pump};
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::account::Account;
use crate::args::Args;
use crate::effect::{Effect, Outcome};
use crate::metrics::Metrics;
use crate::owner::{Event, Owner};
use crate::status::FIELD_MANAGER;
use crate::writer::Writer;

/// Events that wait for the owner. When it is full the watches wait: nothing is dropped.
const EVENTS: usize = 1024;

/// Effects that wait for the writer. When it is full the owner keeps the rest and goes on reading.
const EFFECTS: usize = 64;

/// The Lease by which one of several replicas decides.
const LEASE: &str = "seamark-controller";

/// Events taken before anything is decided, so that a burst is decided oldest Service first.
const BATCH: usize = 256;

/// The loop turns at least this often, to show that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// Secrets that no password of a peer stands in, and that can be large.
const NO_PASSWORDS: &str = "type!=helm.sh/release.v1,type!=kubernetes.io/service-account-token,\
                            type!=kubernetes.io/tls";

/// How long what is under way at the end may take.
const GRACE: Duration = Duration::from_secs(5);

/// Runs until told to end.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    runtime::log::init(&args.common)?;
    let shutdown = runtime::shutdown::signals().context("cannot listen for signals")?;
    let mut registry = Registry::with_prefix("seamark");
    let metrics = Metrics::register(&mut registry);
    let requests = Requests::default();
    requests.register(&mut registry);
    let agent = concat!("seamark-controller/", env!("CARGO_PKG_VERSION"));
    let client = runtime::client::connect(&args.common, agent, requests).await?;
    let admin = Admin::bind(args.admin.admin_address).await?;

    let namespace = args.namespace.name();
    info!(namespace, "starting");

    let readiness = Readiness::default();
    let lists = "complete lists of services, ledger and configuration";
    let synced = readiness.gate(lists);
    let health = Health::new(HEARTBEAT * 6);
    let (events, inbox) = mpsc::channel(EVENTS);
    let (effects, queue) = mpsc::channel(EFFECTS);
    let namespaces = Arc::new(Notify::new());

    let mut tasks = Supervisor::new(shutdown.clone());
    watch_everything(&mut tasks, &client, &namespace, &events, &namespaces);
    let leases: Api<Lease> = Api::namespaced(client.clone(), &namespace);
    let resign = CancellationToken::new();
    let replica = args.replica.as_deref();
    let (election, tenure) = Election::new(leases, LEASE, replica, resign.clone());
    let (account, known_account) = watch::channel(None);
    let (asking, own_namespace) = (client.clone(), namespace.clone());
    tasks.spawn("election", async move {
        let found = Account::own(&asking, &own_namespace).await;
        let owner = found.as_ref().map(Account::owner_reference);
        account.send_replace(found);
        election.owned_by(owner).run().await;
    });
    let client = fence(client, tenure.clone());
    let quickstart = args.quickstart();
    if !quickstart.is_empty() {
        let creating = quickstart.create(client.clone(), tenure.clone());
        let ending = shutdown.clone();
        tasks.spawn("quickstart", async move {
            tokio::select! {
                () = creating => ending.cancelled().await,
                () = ending.cancelled() => {}
            }
        });
    }
    let reporter = Reporter {
        controller: FIELD_MANAGER.to_owned(),
        instance: None,
    };
    let recorder = Recorder::new(client.clone(), reporter);
    let reading = args.reading();
    let writer = Writer::new(
        client,
        reading.clone(),
        namespace.clone(),
        known_account.clone(),
        recorder,
        metrics.clone(),
    );
    let outcomes = outcomes(&mut tasks, events);
    tasks.spawn("writer", async move {
        writer.run(queue, outcomes).await;
        // Nothing is under way any more: another replica may go on.
        resign.cancel();
    });
    let admin = admin.serve(
        health.clone(),
        readiness,
        Arc::new(registry),
        shutdown.clone(),
    );
    tasks.spawn("admin", admin);
    let owner = OwnerLoop {
        owner: Owner::new(reading, namespace, metrics),
        inbox,
        effects,
        tenure,
        account: known_account,
        leads: false,
        namespaces,
        synced,
        health,
        shutdown,
    };
    tasks.spawn("owner", owner.run());
    Ok(tasks.run(GRACE).await)
}

/// The writer's answers, as events among the others.
fn outcomes(tasks: &mut Supervisor, events: mpsc::Sender<Event>) -> mpsc::Sender<Outcome> {
    let (sender, mut receiver) = mpsc::channel(EFFECTS);
    tasks.spawn("outcomes", async move {
        while let Some(outcome) = receiver.recv().await {
            if events.send(Event::Done(outcome)).await.is_err() {
                return;
            }
        }
    });
    sender
}

fn watch_everything(
    tasks: &mut Supervisor,
    client: &Client,
    namespace: &str,
    events: &mpsc::Sender<Event>,
    namespaces: &Arc<Notify>,
) {
    watch_configuration(tasks, client, events);
    let all = Selection::default;
    let load_balancers = Selection {
        fields: Some("spec.type=LoadBalancer".to_owned()),
        ..Selection::default()
    };
    let boxed = |event| Event::Service(Box::new(event));
    let services: Api<Service> = Api::all(client.clone());
    tasks.spawn(
        "services",
        pump(services, load_balancers, events.clone(), boxed),
    );
    let ledger: Api<IPAllocation> = Api::all(client.clone());
    tasks.spawn(
        "ledger",
        pump(ledger, all(), events.clone(), Event::Allocation),
    );
    let secrets: Api<PasswordSecret> = Api::namespaced(client.clone(), namespace);
    let possible = Selection {
        fields: Some(NO_PASSWORDS.to_owned()),
        ..Selection::default()
    };
    tasks.spawn(
        "secrets",
        pump(secrets, possible, events.clone(), Event::Secret),
    );
    let config: Api<SpeakerConfig> = Api::all(client.clone());
    tasks.spawn(
        "speakerconfig",
        pump(config, all(), events.clone(), Event::SpeakerConfig),
    );
    let metadata: Api<PartialObjectMeta<Namespace>> = Api::all(client.clone());
    let (events, needed) = (events.clone(), Arc::clone(namespaces));
    tasks.spawn("namespaces", async move {
        tokio::select! {
            () = needed.notified() => pump(metadata, all(), events, Event::Namespace).await,
            () = events.closed() => {}
        }
    });
}

/// The kinds that users write.
fn watch_configuration(tasks: &mut Supervisor, client: &Client, events: &mpsc::Sender<Event>) {
    let all = Selection::default;
    let pools: Api<IPAddressPool> = Api::all(client.clone());
    tasks.spawn("pools", pump(pools, all(), events.clone(), Event::Pool));
    let l2: Api<L2Advertisement> = Api::all(client.clone());
    tasks.spawn(
        "l2advertisements",
        pump(l2, all(), events.clone(), Event::L2Advertisement),
    );
    let bgp: Api<BGPAdvertisement> = Api::all(client.clone());
    tasks.spawn(
        "bgpadvertisements",
        pump(bgp, all(), events.clone(), Event::BgpAdvertisement),
    );
    let peers: Api<BGPPeer> = Api::all(client.clone());
    tasks.spawn(
        "bgppeers",
        pump(peers, all(), events.clone(), |event| {
            Event::BgpPeer(Box::new(event))
        }),
    );
    let profiles: Api<BFDProfile> = Api::all(client.clone());
    tasks.spawn(
        "bfdprofiles",
        pump(profiles, all(), events.clone(), Event::BfdProfile),
    );
    let communities: Api<Community> = Api::all(client.clone());
    tasks.spawn(
        "communities",
        pump(communities, all(), events.clone(), Event::Community),
    );
}

/// The shell around the [`Owner`]: events in, effects out, and the clock.
struct OwnerLoop {
    owner: Owner,
    inbox: mpsc::Receiver<Event>,
    effects: mpsc::Sender<Effect>,
    tenure: Tenure,
    account: watch::Receiver<Option<Account>>,
    leads: bool,
    namespaces: Arc<Notify>,
    synced: Gate,
    health: Health,
    shutdown: CancellationToken,
}

impl OwnerLoop {
    async fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut next: Option<Effect> = None;
        loop {
            self.health.beat();
            let until_deadline = self.until_deadline();
            tokio::select! {
                biased;
                // Nothing new is begun; the writer ends what it has.
                () = self.shutdown.cancelled() => return,
                leads = self.tenure.changed(self.leads) => {
                    self.leads = leads;
                    // Effects that wait for room were decided by who no longer leads.
                    next = next.filter(|_| leads);
                    let account = self.account.borrow().clone();
                    self.owner.runs_as(account);
                    self.owner.lead(leads);
                }
                permit = self.effects.reserve(), if next.is_some() => {
                    if let (Ok(permit), Some(effect)) = (permit, next.take()) {
                        permit.send(effect);
                    }
                    next = self.owner.poll();
                    continue;
                }
                received = self.inbox.recv_many(&mut batch, BATCH) => {
                    if received == 0 {
                        return;
                    }
                }
                () = tokio::time::sleep(until_deadline) => {}
            }
            let now = Timestamp::now();
            for event in batch.drain(..) {
                self.owner.handle(event, now);
            }
            self.owner.settle(now);
            if self.owner.is_synced() {
                self.synced.open();
            }
            if self.owner.needs_namespaces() {
                self.namespaces.notify_one();
            }
            if next.is_none() {
                next = self.owner.poll();
            }
        }
    }

    fn until_deadline(&self) -> Duration {
        let Some(deadline) = self.owner.deadline() else {
            return HEARTBEAT;
        };
        let left = deadline.duration_since(Timestamp::now());
        Duration::try_from(left).unwrap_or_default().min(HEARTBEAT)
    }
}

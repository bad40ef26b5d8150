//! The one task that owns the speaker's state.
//!
//! ```text
//! watches, interfaces ──Event──▶ Index ──facts──▶ plan ──watch (latest)──▶ layer 2 thread
//!                                                   ├────watch (latest)──▶ BGP driver
//! prober ─────────────Event──▶ │ └──Order, watch (latest)──▶ prober
//! layer 2 thread ─────Report──▶ Driver ─┐           │
//! BGP driver ───────Sessions────────────┤           │
//! discovery ────────Neighbors───────────┤           │
//!                                       └─▶ Standing┴──watch (latest)──▶ status writer
//! ```
//!
//! The first change after a quiet time is planned at once. While changes keep coming, plans are
//! kept apart by [`SHARE`] times what the last one took, so that a burst of a thousand Services
//! costs a tenth of a core at most, and a single Service, which is three or four changes within
//! milliseconds, waits for nothing. Before everything was read once there is no plan at all.
//!
//! **The end.** A signal reaches the owner first, as only the facts tell what it means. A speaker that
//! restarts ends at once. One that leaves plans that its peers are to be led away, goes on with all
//! that it does until they are, and then ends.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ::bgp::RouterId;
use crds::SessionState;
use model::{InterfaceName, PeerName};
use plan::{
    Conflict, Departure, Ending, Fitness, Plan, Route, Snapshot, Transition, WithheldAddress,
};
use runtime::admin::{Gate, Health};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::bfd;
use crate::bgp::{self, Peers, Sessions};
use crate::discovery::Neighbors;
use crate::driver::Driver;
use crate::index::{Event, Index};
use crate::layer2;
use crate::metrics::{Counts, PlanMetrics};
use crate::prober::Order;
use crate::standing::Standing;

/// The least time between two plans: the timer's own grain.
const PACE: Duration = Duration::from_millis(1);

/// How many times longer than the last plan took the next one waits.
const SHARE: u32 = 9;

/// How often the loop turns when nothing happens, for /healthz.
const BEAT: Duration = Duration::from_secs(10);

/// How long leaving a peer may take besides the wait that it is given: being told, and withdrawn
/// from, take a second each at most.
const STEPS: Duration = Duration::from_secs(3);

/// How long BFD may take to announce that we will be away: some packets, and an answer to them.
const PAUSING: Duration = Duration::from_secs(1);

/// How much is taken from the channel at once.
const BATCH: usize = 256;

/// What comes in.
#[derive(Debug)]
pub(crate) struct Inlets {
    pub(crate) events: mpsc::Receiver<Event>,
    pub(crate) reports: mpsc::Receiver<layer2::Report>,
    /// How the BGP peers stand. Its sender lives as long as the driver.
    pub(crate) sessions: watch::Receiver<Sessions>,
    /// Who has been heard on links that BGP peers are on. Its sender lives as long as the driver.
    pub(crate) neighbors: watch::Receiver<Neighbors>,
}

/// Where results go. A receiver that is slow sees the latest one.
#[derive(Debug)]
pub(crate) struct Outlets {
    pub(crate) plans: watch::Sender<layer2::Desired>,
    pub(crate) peers: watch::Sender<Peers>,
    pub(crate) standing: watch::Sender<Option<Standing>>,
    pub(crate) orders: watch::Sender<Order>,
    pub(crate) metrics: PlanMetrics,
    pub(crate) bgp: bgp::Metrics,
    pub(crate) health: Health,
    /// Opened by the first plan.
    pub(crate) planned: Gate,
    /// What the end of this process means to BGP peers, said as it comes.
    pub(crate) ending: watch::Sender<Option<Ending>>,
    /// What BFD is told before that.
    pub(crate) paths: bfd::Control,
    /// Whether SpeakerStatus says by now that this speaker restarts.
    pub(crate) told: watch::Receiver<bool>,
}

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Owner {
    index: Index,
    driver: Driver,
    outlets: Outlets,
    counts: Option<Counts>,
    /// The reasons that the log has named; kept only while it takes them.
    withheld: BTreeMap<IpAddr, WithheldAddress>,
    /// What advertisements disagree about, which was said when it began.
    conflicts: BTreeSet<Conflict>,
    /// Our BGP Identifier where a BGPPeer names none, once the interfaces are known: an address
    /// that comes or goes later must not end sessions.
    router_id: Option<RouterId>,
    sessions: Sessions,
    neighbors: Neighbors,
    /// What the log has last said of the service proxy.
    fitness: Fitness,
    /// Whether this node's Node object is known to be absent, which was said then.
    homeless: bool,
    /// What the log has last said of why peers are led away.
    drain: Option<Departure>,
    /// Until when peers may take to go, once this speaker leaves for good, and why it does.
    leaving: Option<(Instant, Departure)>,
    /// When the next plan is to be made, if anything has changed since the last.
    due: Option<Instant>,
    last: Option<Instant>,
    /// How long after the last one the next may follow.
    pace: Duration,
}

impl Owner {
    pub(crate) fn new(index: Index, outlets: Outlets) -> Self {
        Self {
            index,
            driver: Driver::default(),
            outlets,
            counts: None,
            withheld: BTreeMap::new(),
            conflicts: BTreeSet::new(),
            router_id: None,
            sessions: Sessions::new(),
            neighbors: Neighbors::new(),
            fitness: Fitness::default(),
            homeless: false,
            drain: None,
            leaving: None,
            due: None,
            last: None,
            pace: PACE,
        }
    }

    /// Runs until shutdown, which it brings about itself some time after it is told to end.
    pub(crate) async fn run(
        mut self,
        mut inlets: Inlets,
        told_to_end: CancellationToken,
        shutdown: CancellationToken,
    ) {
        let mut events = Vec::with_capacity(BATCH);
        let mut reports = Vec::with_capacity(BATCH);
        loop {
            self.outlets.health.beat();
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                () = told_to_end.cancelled(), if self.leaving.is_none() => {
                    // What is not known to stand would not be waited for.
                    self.sessions.clone_from(&inlets.sessions.borrow_and_update());
                    if !self.end() {
                        self.publish(true);
                        self.pause(&mut inlets.sessions).await;
                        self.told().await;
                        return shutdown.cancel();
                    }
                }
                Some(()) = some(inlets.reports.recv_many(&mut reports, BATCH)) => {
                    for report in reports.drain(..) {
                        report.log();
                        self.driver.apply(report);
                    }
                    self.publish(false);
                }
                Ok(()) = inlets.sessions.changed() => {
                    self.sessions.clone_from(&inlets.sessions.borrow_and_update());
                    self.outlets.bgp.show(&self.sessions);
                    self.publish(false);
                }
                Ok(()) = inlets.neighbors.changed() => {
                    self.neighbors.clone_from(&inlets.neighbors.borrow_and_update());
                    // The plan is not about them; the peers' last part of it is among the facts.
                    self.send_peers(&self.index.facts().bgp);
                }
                Some(()) = some(inlets.events.recv_many(&mut events, BATCH)) => {}
                () = sleep_until(self.wake()) => {}
            }
            self.take(&mut events, Instant::now());
            if self.has_left(Instant::now()) {
                // Past its time it is left to the far side to notice.
                let _ = timeout(PAUSING, self.outlets.paths.leave()).await;
                return shutdown.cancel();
            }
        }
    }

    /// This process is told to end: says what that means. If its node is left for good, peers are
    /// led away first, and all else goes on until they are.
    fn end(&mut self) -> bool {
        let ending = plan::ending(self.index.facts());
        match ending {
            Ending::Restarting => {
                tracing::info!("restarting: BGP peers are to keep the routes until we are back");
                false
            }
            Ending::Leaving(why) => {
                tracing::info!(reason = %why, "leaving: BGP peers are led away first");
                self.index.leave(why);
                self.leaving = Some((Instant::now() + self.patience(), why));
                if self.index.is_complete() {
                    self.plan();
                }
                true
            }
        }
    }

    /// Has BFD bear our absence, and only then TCP closed: a router whose BFD goes first drops the
    /// routes, whatever it is told by BGP. What BFD cannot bear is taken down after TCP, on purpose.
    async fn pause(&self, sessions: &mut watch::Receiver<Sessions>) {
        let paths = &self.outlets.paths;
        if timeout(PAUSING, paths.hold_on()).await.is_err() {
            tracing::warn!("not all BFD sessions have confirmed that they bear the restart");
        }
        let ending = Some(Ending::Restarting);
        self.outlets.ending.send_replace(ending);
        // A session is gone when its peer has closed as well. Past its time it is left to the far
        // side to notice, both times.
        let _ = timeout(PAUSING, sessions.wait_for(Sessions::is_empty)).await;
        let _ = timeout(PAUSING, paths.leave()).await;
    }

    /// Waits until the other speakers can know that this one is away, so that it is not for ever. That
    /// the API server hangs keeps nobody from restarting.
    async fn told(&mut self) {
        let standing = self.outlets.standing.borrow().clone();
        if standing.is_some_and(|standing| standing.exists) {
            let told = self.outlets.told.wait_for(|told| *told);
            if timeout(PAUSING, told).await.is_err() {
                tracing::warn!("failed to write in time that this speaker restarts");
            }
        }
    }

    /// How long it may take to leave all peers.
    fn patience(&self) -> Duration {
        let peers = self.outlets.peers.borrow();
        let settings = peers.values().map(|peer| peer.settings.graceful_shutdown);
        let waits = settings.filter(|settings| settings.enabled);
        waits
            .map(|settings| settings.wait)
            .max()
            .unwrap_or_default()
            + STEPS
    }

    /// Whether this speaker leaves and no session is left, or there is no more time.
    fn has_left(&mut self, now: Instant) -> bool {
        let Some((until, why)) = self.leaving else {
            return false;
        };
        let mut states = self.sessions.values().map(|session| session.state);
        let left = states.all(|state| state != SessionState::Established);
        if left || until <= now {
            let ending = Ending::Leaving(why);
            self.outlets.ending.send_replace(Some(ending));
            return true;
        }
        false
    }

    /// Takes what was read, and plans if it is time.
    fn take(&mut self, events: &mut Vec<Event>, now: Instant) {
        let mut changed = self.index.expire(now.into_std());
        for event in events.drain(..) {
            changed |= self.index.apply(event, now.into_std());
        }
        self.order();
        if changed && self.index.is_complete() {
            let earliest = self.last.map_or(now, |last| last + self.pace);
            self.due.get_or_insert(earliest);
        }
        if self.due.is_some_and(|due| due <= now) {
            self.due = None;
            self.last = Some(now);
            self.plan();
            self.pace = (now.elapsed() * SHARE).max(PACE);
        }
    }

    /// Says what is wanted of the prober, if that has changed, and what has come of it.
    fn order(&mut self) {
        let order = self.index.order();
        self.outlets.orders.send_if_modified(|sent| {
            let changed = *sent != order;
            if changed {
                *sent = order;
            }
            changed
        });
        let fitness = self.index.facts().fitness;
        let before = std::mem::replace(&mut self.fitness, fitness);
        if before == fitness {
            return;
        }
        self.outlets.metrics.judged(fitness);
        let (from, to) = (before.reason(), fitness.reason());
        if fitness.is_fit() {
            tracing::info!(from, to, reason = %fitness, "service proxy judged anew");
        } else {
            tracing::warn!(from, to, reason = %fitness, "service proxy judged anew");
        }
    }

    /// Says once that nothing can be announced because this node is none of the cluster's.
    fn look_for_node(&mut self) {
        let facts = self.index.facts();
        let absent = !facts.nodes.contains_key(&facts.node);
        if absent && !self.homeless {
            tracing::warn!(
                node = %facts.node,
                "there is no Node of this name; give the right one with --node-name"
            );
        }
        self.homeless = absent;
    }

    /// Says once that peers are led away, and that they no longer are.
    fn look_for_drain(&mut self, now: Option<Departure>) {
        let before = std::mem::replace(&mut self.drain, now);
        match (before, now) {
            (before, Some(why)) if before != now => {
                tracing::info!(reason = %why, "draining: BGP peers are led away from this node");
            }
            (Some(_), None) => tracing::info!("no longer draining: BGP peers may come back"),
            (_, Some(_)) | (None, None) => {}
        }
    }

    fn plan(&mut self) {
        self.look_for_node();
        let started = Instant::now();
        let facts = self.index.facts();
        let mut plan = plan::plan(facts);
        if self.router_id.is_none() && !facts.interfaces.is_empty() {
            self.router_id = bgp::router_id(&facts.interfaces, &facts.node);
        }
        let took = started.elapsed();
        self.look_for_drain(plan.drain);
        self.send(&plan);
        tell(self.index.facts(), &plan);
        self.outlets
            .metrics
            .planned(&plan, took, self.index.config_generation());
        self.counts = Some(Counts::of(&plan));
        self.explain(std::mem::take(&mut plan.withheld));
        self.complain(std::mem::take(&mut plan.conflicts));
        self.index.accept(plan);
        self.outlets.planned.open();
        self.publish(false);
    }

    /// A line for each reason of each address that is withheld for others than before, for whoever
    /// asks.
    fn explain(&mut self, withheld: BTreeMap<IpAddr, WithheldAddress>) {
        if !tracing::enabled!(tracing::Level::DEBUG) {
            return;
        }
        for (address, now) in &withheld {
            if self.withheld.get(address) != Some(now) {
                let service = &now.service.service;
                for reason in now.reasons() {
                    tracing::debug!(vip = %address, %service, %reason, "withholding");
                }
            }
        }
        self.withheld = withheld;
    }

    /// Says once of each conflict that it is there.
    fn complain(&mut self, conflicts: BTreeSet<Conflict>) {
        for conflict in conflicts.difference(&self.conflicts) {
            tracing::warn!(reason = %conflict, "advertisements disagree");
        }
        self.conflicts = conflicts;
    }

    /// Gives each driver its part, if that has changed, with what has not shared with the last one.
    fn send(&self, plan: &Plan) {
        self.outlets.plans.send_if_modified(|sent| {
            let shared = |(interface, new): (&InterfaceName, &Arc<BTreeSet<IpAddr>>)| {
                let old = sent.get(interface).filter(|old| *old == new);
                (interface.clone(), Arc::clone(old.unwrap_or(new)))
            };
            let changed = **sent != plan.l2;
            if changed {
                *sent = Arc::new(plan.l2.iter().map(shared).collect());
            }
            changed
        });
        self.send_peers(&plan.bgp);
    }

    fn send_peers(&self, planned: &BTreeMap<PeerName, Arc<[Route]>>) {
        self.outlets.peers.send_if_modified(|sent| {
            // Routes that have not changed are the same slice, and are compared by address.
            let peers = self.peers(planned, sent);
            let changed = **sent != *peers;
            if changed {
                *sent = peers;
            }
            changed
        });
    }

    fn peers(&self, planned: &BTreeMap<PeerName, Arc<[Route]>>, before: &Peers) -> Peers {
        let facts = self.index.facts();
        let (Some(config), Some(router_id)) = (&facts.config, self.router_id) else {
            // Without a configuration the plan has no peers that it did not have before.
            return Arc::clone(before);
        };
        let local = bgp::Local {
            passwords: &self.index.passwords(),
            interfaces: &facts.interfaces,
            neighbors: &self.neighbors,
            router_id,
            forwarding: self.index.forwarding(),
            drain: self.drain,
        };
        bgp::peers(planned, config, local, before)
    }

    /// Gives the status writer what there is to say, once there is anything.
    fn publish(&self, restarting: bool) {
        let Some(counts) = &self.counts else { return };
        let standing = Standing::new(
            &self.index,
            counts,
            &self.driver,
            &self.conflicts,
            &self.sessions,
        );
        let standing = Standing {
            restarting,
            ..standing
        };
        self.outlets.standing.send_if_modified(|said| {
            let changed = said.as_ref() != Some(&standing);
            if changed {
                *said = Some(standing);
            }
            changed
        });
    }

    fn wake(&self) -> Instant {
        let beat = Instant::now() + BEAT;
        let expiry = self.index.deadline().map(Instant::from_std);
        let leaving = self.leaving.map(|(until, _)| until);
        let wakes = [self.due, expiry, leaving].into_iter().flatten();
        wakes.fold(beat, Instant::min)
    }
}

/// Nothing, for ever, once the senders of a channel are gone.
async fn some(received: impl Future<Output = usize>) -> Option<()> {
    (received.await > 0).then_some(())
}

/// One line for each address that begins or ceases.
fn tell(before: &Snapshot, plan: &Plan) {
    for transition in plan::transitions(before, plan) {
        match transition {
            Transition::Announce {
                address,
                service,
                interfaces,
            } => {
                let names: Vec<&str> = interfaces.iter().map(InterfaceName::as_str).collect();
                let interface = names.join(",");
                tracing::info!(vip = %address, service = %service.service, interface, "announcing");
            }
            Transition::Advertise {
                address,
                service,
                terms,
            } => {
                let peers = terms.peers();
                let names: Vec<&str> = peers.into_iter().map(PeerName::as_str).collect();
                let peer = names.join(",");
                tracing::info!(vip = %address, service = %service.service, peer, "advertising");
            }
            Transition::Withdraw {
                address,
                service,
                protocol,
                why,
            } => {
                tracing::info!(
                    vip = %address,
                    service = %service.service,
                    %protocol,
                    reason = %why,
                    "withdrawing"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests;

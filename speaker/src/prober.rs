//! Asks this node's service proxy whether it serves.
//!
//! ```text
//! owner ──Order (watch, latest)──▶ prober ──GET──▶ :10256/healthz on this node, each second
//!   ▲                                │   └──GET──▶ one healthCheckNodePort, if that tells nothing
//!   └────────────Probe (event)───────┘
//! ```
//!
//! What kube-proxy says at the port of a Service (`serviceProxyHealthy`) is what it says of itself,
//! so that one port stands for all of them. Each probe is a connection of its own to an address of
//! this node; what the answers come to is decided by [`plan::History`].

mod answer;
mod exchange;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use plan::{Answer, Source};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use crate::index::Event;
use crate::metrics::ProbeMetrics;
use exchange::Failure;

/// How long one of the two may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the owner wants to know, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    /// Until the next probe.
    pub(crate) period: Duration,
    /// A `healthCheckNodePort`, any one.
    pub(crate) service_port: Option<u16>,
    /// This node's own addresses besides the loopback ones: where a proxy may listen instead.
    pub(crate) addresses: Vec<IpAddr>,
}

impl Default for Order {
    /// Before the owner has said anything.
    fn default() -> Self {
        Self {
            period: plan::History::default().period(),
            service_port: None,
            addresses: Vec::new(),
        }
    }
}

/// One probe and what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Probe {
    pub(crate) answer: Answer,
    pub(crate) source: Source,
}

/// Probes for as long as there is somebody to tell. The first probe waits for nothing.
pub(crate) async fn run(
    port: u16,
    orders: watch::Receiver<Order>,
    events: mpsc::Sender<Event>,
    metrics: ProbeMetrics,
) {
    let mut prober = Prober {
        port,
        last: BTreeMap::new(),
    };
    loop {
        let order = orders.borrow().clone();
        let probe = prober.probe(&order).await;
        metrics.probed(probe.answer);
        if events.send(Event::Probe(probe)).await.is_err() {
            return;
        }
        // The answer itself may have changed the order.
        let period = orders.borrow().period;
        sleep(period).await;
    }
}

struct Prober {
    port: u16,
    /// Where each port was last heard; asked first.
    last: BTreeMap<u16, IpAddr>,
}

impl Prober {
    async fn probe(&mut self, order: &Order) -> Probe {
        let source = Source::Proxy;
        let answer = self.ask(source, self.port, order).await;
        let tells = match answer {
            Answer::Serving | Answer::Late | Answer::Starting | Answer::Silent => true,
            Answer::Foreign | Answer::Refused => false,
        };
        if let Some(port) = order.service_port.filter(|_| !tells) {
            let source = Source::Service;
            match self.ask(source, port, order).await {
                answer @ (Answer::Serving | Answer::Late) => return Probe { answer, source },
                Answer::Starting | Answer::Foreign | Answer::Silent | Answer::Refused => {}
            }
        }
        Probe { answer, source }
    }

    /// The first address at which somebody listens speaks for all.
    async fn ask(&mut self, source: Source, port: u16, order: &Order) -> Answer {
        let last = self.last.get(&port).copied();
        let loopback = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        let addresses = last.into_iter().chain(loopback);
        let addresses: Vec<IpAddr> = addresses.chain(order.addresses.iter().copied()).collect();
        let asking = async {
            let mut refused = false;
            for address in addresses {
                match exchange::get(SocketAddr::new(address, port), "/healthz").await {
                    Ok((status, body)) => {
                        return (Some(address), answer::read(source, status, &body));
                    }
                    Err(Failure::Refused) => refused = true,
                    // An address of a family that this node does not have.
                    Err(Failure::NoRoute) => {}
                    Err(Failure::Broken) => return (Some(address), Answer::Silent),
                }
            }
            let answer = if refused {
                Answer::Refused
            } else {
                Answer::Silent
            };
            (None, answer)
        };
        let (heard, answer) = timeout(PATIENCE, asking)
            .await
            .unwrap_or((last, Answer::Silent));
        match heard {
            Some(address) => self.last.insert(port, address),
            None => self.last.remove(&port),
        };
        // Ports of Services that are gone are of no use.
        self.last
            .retain(|port, _| *port == self.port || order.service_port == Some(*port));
        answer
    }
}

#[cfg(test)]
mod tests;

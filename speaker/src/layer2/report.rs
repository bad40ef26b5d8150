//! What the driver tells the owner.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::rc::Rc;

use model::InterfaceName;
use tokio::sync::{Notify, mpsc};

/// A change in what the driver does or can do. The driver itself writes no log, as a log that
/// blocks would silence every VIP of the node: the owner calls [`Report::log`]. What was planned
/// and is now done is debug matter there; the decision is logged where it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// The VIP is answered for, and announced, on the interface.
    Announcing {
        /// Where.
        interface: InterfaceName,
        /// What.
        vip: IpAddr,
    },
    /// The VIP is no longer answered for on the interface.
    Withdrawn {
        /// Where.
        interface: InterfaceName,
        /// What.
        vip: IpAddr,
    },
    /// Nothing can be announced on an interface that the plan names; it is tried again.
    InterfaceFailed {
        /// Where.
        interface: InterfaceName,
        /// Why, with causes and remedy.
        error: String,
    },
    /// An interface that the plan names is served, at first or again.
    InterfaceReady {
        /// Where.
        interface: InterfaceName,
    },
    /// An interface that failed is named by the plan no longer, so that its failure is none.
    InterfaceUnused {
        /// Where.
        interface: InterfaceName,
    },
    /// A solicited-node group could not be joined; it is tried again. Switches that snoop may
    /// keep neighbor solicitations from us meanwhile.
    GroupFailed {
        /// Where.
        interface: InterfaceName,
        /// Which.
        group: Ipv6Addr,
        /// Why.
        error: String,
    },
    /// A group that could not be joined now is.
    GroupReady {
        /// Where.
        interface: InterfaceName,
        /// Which.
        group: Ipv6Addr,
    },
    /// A group that could not be joined is needed no longer.
    GroupUnused {
        /// Where.
        interface: InterfaceName,
        /// Which.
        group: Ipv6Addr,
    },
    /// Changes of interfaces are not seen at present; the last known ones are used.
    MonitorFailed {
        /// Why.
        error: String,
    },
    /// Interfaces are followed again.
    MonitorReady,
}

/// What a report is about. A later report of a subject makes an earlier one pointless.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Vip(InterfaceName, IpAddr),
    Interface(InterfaceName),
    Group(InterfaceName, Ipv6Addr),
    Monitor,
}

impl Report {
    /// Writes the report to the log.
    pub fn log(&self) {
        match self {
            Self::Announcing { interface, vip } => {
                tracing::debug!(%interface, %vip, "answering for the address");
            }
            Self::Withdrawn { interface, vip } => {
                tracing::debug!(%interface, %vip, "no longer answering for the address");
            }
            Self::InterfaceFailed { interface, error } => {
                tracing::warn!(%interface, error, "cannot announce on the interface, trying again");
            }
            Self::InterfaceReady { interface } => {
                tracing::debug!(%interface, "sockets are open on the interface");
            }
            Self::InterfaceUnused { interface } => {
                tracing::debug!(%interface, "nothing is to be announced on the interface any more");
            }
            Self::GroupFailed {
                interface, error, ..
            } => {
                tracing::warn!(%interface, error, "cannot join a multicast group, trying again");
            }
            Self::GroupReady { interface, group } => {
                tracing::debug!(%interface, %group, "joined the multicast group after all");
            }
            Self::GroupUnused { interface, group } => {
                tracing::debug!(%interface, %group, "the multicast group is not needed any more");
            }
            Self::MonitorFailed { error } => {
                tracing::warn!(error, "cannot follow the interfaces, trying again");
            }
            Self::MonitorReady => tracing::info!("following the interfaces again"),
        }
    }

    fn subject(&self) -> Subject {
        match self {
            Self::Announcing { interface, vip } | Self::Withdrawn { interface, vip } => {
                Subject::Vip(interface.clone(), *vip)
            }
            Self::InterfaceFailed { interface, .. }
            | Self::InterfaceReady { interface }
            | Self::InterfaceUnused { interface } => Subject::Interface(interface.clone()),
            Self::GroupFailed {
                interface, group, ..
            }
            | Self::GroupReady { interface, group }
            | Self::GroupUnused { interface, group } => Subject::Group(interface.clone(), *group),
            Self::MonitorFailed { .. } | Self::MonitorReady => Subject::Monitor,
        }
    }
}

/// Where the driver's tasks leave their reports: it never makes them wait. While the owner is
/// slow, only the latest report of each subject is kept.
#[derive(Debug, Clone, Default)]
pub(super) struct Reporter(Rc<Outbox>);

#[derive(Debug, Default)]
struct Outbox {
    waiting: RefCell<Waiting>,
    filled: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    order: VecDeque<Subject>,
    latest: BTreeMap<Subject, Report>,
}

impl Reporter {
    pub(super) fn report(&self, report: Report) {
        self.0.waiting.borrow_mut().put(report);
        self.0.filled.notify_one();
    }

    /// Hands the reports to the owner, for as long as it takes them.
    pub(super) async fn forward(self, owner: mpsc::Sender<Report>) {
        loop {
            while let Some(report) = self.take() {
                if owner.send(report).await.is_err() {
                    return;
                }
            }
            self.0.filled.notified().await;
        }
    }

    pub(super) fn take(&self) -> Option<Report> {
        self.0.waiting.borrow_mut().take()
    }
}

impl Waiting {
    fn put(&mut self, report: Report) {
        let subject = report.subject();
        if self.latest.insert(subject.clone(), report).is_none() {
            self.order.push_back(subject);
        }
    }

    fn take(&mut self) -> Option<Report> {
        let subject = self.order.pop_front()?;
        self.latest.remove(&subject)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announcing(vip: &str) -> Report {
        let interface = InterfaceName::new("eth0");
        Report::Announcing {
            interface,
            vip: vip.parse().expect("an address"),
        }
    }

    fn withdrawn(vip: &str) -> Report {
        let interface = InterfaceName::new("eth0");
        Report::Withdrawn {
            interface,
            vip: vip.parse().expect("an address"),
        }
    }

    #[tokio::test]
    async fn slow_owner_gets_the_latest_of_each_subject_in_order() {
        let (reporter, (tx, mut rx)) = (Reporter::default(), mpsc::channel(8));
        for report in [
            announcing("10.99.0.200"),
            announcing("fd99::200"),
            withdrawn("10.99.0.200"),
        ] {
            reporter.report(report);
        }
        let owner = async {
            let mut got = Vec::new();
            while got.len() < 2 {
                got.extend(rx.recv().await);
            }
            got
        };
        let got = tokio::select! {
            got = owner => got,
            () = reporter.forward(tx) => Vec::new(),
        };
        assert_eq!(got, [withdrawn("10.99.0.200"), announcing("fd99::200")]);
    }

    #[test]
    fn what_waits_is_bounded_by_the_number_of_subjects() {
        let reporter = Reporter::default();
        for _ in 0..1_000 {
            reporter.report(announcing("10.99.0.200"));
            reporter.report(withdrawn("10.99.0.200"));
        }
        assert_eq!(reporter.take(), Some(withdrawn("10.99.0.200")));
        assert_eq!(reporter.take(), None);
    }
}

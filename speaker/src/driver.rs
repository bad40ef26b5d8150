//! What the layer 2 driver has reported, as far as it still stands.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;

use model::InterfaceName;

use crate::layer2::Report;

/// How many groups of an interface are named before the rest is only counted.
const NAMED: usize = 3;

/// The troubles that the driver is in.
#[derive(Debug, Default)]
pub(crate) struct Driver {
    monitor: Option<String>,
    interfaces: BTreeMap<InterfaceName, String>,
    groups: BTreeMap<InterfaceName, BTreeSet<Ipv6Addr>>,
}

impl Driver {
    /// Takes a report.
    pub(crate) fn apply(&mut self, report: Report) {
        match report {
            Report::Announcing { .. } | Report::Withdrawn { .. } => {}
            Report::InterfaceFailed { interface, error } => {
                self.interfaces.insert(interface, error);
            }
            Report::InterfaceReady { interface } | Report::InterfaceUnused { interface } => {
                self.interfaces.remove(&interface);
            }
            Report::GroupFailed {
                interface, group, ..
            } => {
                self.groups.entry(interface).or_default().insert(group);
            }
            Report::GroupReady { interface, group } | Report::GroupUnused { interface, group } => {
                if let Some(groups) = self.groups.get_mut(&interface) {
                    groups.remove(&group);
                    if groups.is_empty() {
                        self.groups.remove(&interface);
                    }
                }
            }
            Report::MonitorFailed { error } => self.monitor = Some(error),
            Report::MonitorReady => self.monitor = None,
        }
    }

    /// Each trouble in words, in a fixed order.
    pub(crate) fn troubles(&self) -> Vec<String> {
        let monitor = self
            .monitor
            .iter()
            .map(|error| format!("interfaces: {error}"));
        let interfaces = self.interfaces.iter();
        let interfaces = interfaces.map(|(interface, error)| format!("{interface}: {error}"));
        let groups = self.groups.iter().map(|(interface, groups)| {
            let named: Vec<String> = groups.iter().take(NAMED).map(ToString::to_string).collect();
            let others = groups.len() - named.len();
            let others = if others > 0 {
                format!(" and {others} more")
            } else {
                String::new()
            };
            format!("{interface}: not joined to {}{others}", named.join(", "))
        });
        monitor.chain(interfaces).chain(groups).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eth0() -> InterfaceName {
        InterfaceName::new("eth0")
    }

    #[test]
    fn a_trouble_stands_until_its_opposite_is_reported() {
        let error = || "no such device".to_owned();
        let group: Ipv6Addr = "ff02::1:ff00:200".parse().unwrap();
        let interface = eth0();
        let opposites = [
            [
                Report::InterfaceReady { interface: eth0() },
                Report::GroupReady {
                    interface: eth0(),
                    group,
                },
            ],
            [
                Report::InterfaceUnused { interface: eth0() },
                Report::GroupUnused { interface, group },
            ],
        ];
        for opposite in opposites {
            let mut driver = Driver::default();
            driver.apply(Report::MonitorFailed { error: error() });
            driver.apply(Report::InterfaceFailed {
                interface: eth0(),
                error: error(),
            });
            driver.apply(Report::GroupFailed {
                interface: eth0(),
                group,
                error: error(),
            });
            assert_eq!(
                driver.troubles(),
                [
                    "interfaces: no such device",
                    "eth0: no such device",
                    "eth0: not joined to ff02::1:ff00:200"
                ]
            );
            driver.apply(Report::MonitorReady);
            opposite.into_iter().for_each(|report| driver.apply(report));
            assert_eq!(driver.troubles(), [""; 0]);
        }
    }

    #[test]
    fn a_thousand_groups_are_counted_and_not_listed() {
        let mut driver = Driver::default();
        for low in 1..=1000 {
            let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, low);
            let error = "no room".to_owned();
            driver.apply(Report::GroupFailed {
                interface: eth0(),
                group,
                error,
            });
        }
        let troubles = driver.troubles();
        assert!(
            troubles
                .iter()
                .all(|trouble| trouble.ends_with("and 997 more")),
            "{troubles:?}"
        );
        assert_eq!(troubles.len(), 1);
    }
}

//! Address pools, parsed.

use crate::{AddressRange, LabelSelector, Labels, PoolName};

/// An IPAddressPool whose text has been read and found good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// Its name.
    pub name: PoolName,
    /// When it was created, in seconds since 1970: of two pools that overlap, the younger loses.
    pub created: i64,
    /// Its labels, by which advertisements select it.
    pub labels: Labels,
    /// The addresses it may give, as written; after parsing, no two of one pool overlap.
    pub addresses: Vec<AddressRange>,
    /// Addresses of it that it must never give.
    pub exclude: Vec<AddressRange>,
    /// Whether Services that ask for nothing get addresses from it.
    pub auto_assign: bool,
    /// Whether IPv4 addresses that end in .0 or .255 are never given.
    pub avoid_buggy_ips: bool,
    /// Whom it serves, and in which order it is tried.
    pub service_allocation: ServiceAllocation,
}

/// Whom a pool serves. Namespaces and service selectors must both admit a Service.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServiceAllocation {
    /// Lower is tried first; `None` (unset or 0) comes last.
    pub priority: Option<u32>,
    /// Namespaces by name. Together with `namespace_selectors`, one match is enough; both empty
    /// admit every namespace.
    pub namespaces: Vec<String>,
    /// Namespaces by label.
    pub namespace_selectors: Vec<LabelSelector>,
    /// Services by label: one match is enough, none written admits every Service.
    pub service_selectors: Vec<LabelSelector>,
}

impl ServiceAllocation {
    /// Whether Services of this namespace may have addresses of the pool. A selector that matches
    /// no namespace at all still restricts: it admits nobody, not everybody.
    pub fn admits_namespace(&self, namespace: &str, labels: &Labels) -> bool {
        let unrestricted = self.namespaces.is_empty() && self.namespace_selectors.is_empty();
        unrestricted
            || self.namespaces.iter().any(|name| name == namespace)
            || self
                .namespace_selectors
                .iter()
                .any(|selector| selector.matches(labels))
    }

    /// Whether a Service with these labels may have addresses of the pool.
    pub fn admits_service(&self, labels: &Labels) -> bool {
        self.service_selectors.is_empty()
            || self
                .service_selectors
                .iter()
                .any(|selector| selector.matches(labels))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_that_matches_no_namespace_admits_nobody() {
        let allocation = ServiceAllocation {
            namespace_selectors: vec![LabelSelector::of_labels([("team", "a")])],
            ..ServiceAllocation::default()
        };
        assert!(!allocation.admits_namespace("shop", &Labels::new()));
        let labels = Labels::from([("team".to_owned(), "a".to_owned())]);
        assert!(allocation.admits_namespace("shop", &labels));
    }

    #[test]
    fn namespaces_by_name_and_by_label_are_ored() {
        let allocation = ServiceAllocation {
            namespaces: vec!["shop".to_owned()],
            namespace_selectors: vec![LabelSelector::of_labels([("team", "a")])],
            ..ServiceAllocation::default()
        };
        assert!(allocation.admits_namespace("shop", &Labels::new()));
        assert!(!allocation.admits_namespace("bank", &Labels::new()));
    }
}

//! Layer 2 advertisements, parsed.

use crate::{AdvertisementName, InterfaceName, LabelSelector, Labels, PoolName};

/// An L2Advertisement: which pools' addresses are announced for which Services, from which nodes
/// and interfaces. Every empty list means all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct L2Advertisement {
    /// Its name.
    pub name: AdvertisementName,
    /// Pools by name; together with `pool_selectors`, one match is enough.
    pub pools: Vec<PoolName>,
    /// Pools by label.
    pub pool_selectors: Vec<LabelSelector>,
    /// Services by label.
    pub service_selectors: Vec<LabelSelector>,
    /// Nodes by label.
    pub node_selectors: Vec<LabelSelector>,
    /// Interfaces by name or glob.
    pub interfaces: Vec<InterfacePattern>,
    /// Nodes that should rather announce; weights add up.
    pub preferred_node_selectors: Vec<PreferredNodeSelector>,
    /// What a reader must know to honour this item. A speaker that meets an unknown word
    /// withholds what only this item admits.
    pub requires: Vec<String>,
}

/// A weight for the nodes that a selector matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreferredNodeSelector {
    /// 1 to 100.
    pub weight: u32,
    /// The nodes.
    pub preference: LabelSelector,
}

/// An interface's name, in which `*` stands for any run of characters and `?` for any one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct InterfacePattern(String);

impl L2Advertisement {
    /// Whether it speaks for a pool.
    pub fn admits_pool(&self, pool: &PoolName, labels: &Labels) -> bool {
        let unrestricted = self.pools.is_empty() && self.pool_selectors.is_empty();
        unrestricted || self.pools.contains(pool) || any_matches(&self.pool_selectors, labels)
    }

    /// Whether it speaks for a Service.
    pub fn admits_service(&self, labels: &Labels) -> bool {
        self.service_selectors.is_empty() || any_matches(&self.service_selectors, labels)
    }

    /// Whether a node may announce for it.
    pub fn admits_node(&self, labels: &Labels) -> bool {
        self.node_selectors.is_empty() || any_matches(&self.node_selectors, labels)
    }

    /// Whether an interface is named by it; with no pattern written, none is named and the
    /// speaker chooses.
    pub fn names_interface(&self, interface: &InterfaceName) -> bool {
        self.interfaces
            .iter()
            .any(|pattern| pattern.matches(interface))
    }

    /// The sum of the weights that prefer a node.
    pub fn preference(&self, node: &Labels) -> u32 {
        let preferred = self.preferred_node_selectors.iter();
        preferred
            .filter(|p| p.preference.matches(node))
            .map(|p| p.weight)
            .sum()
    }
}

fn any_matches(selectors: &[LabelSelector], labels: &Labels) -> bool {
    selectors.iter().any(|selector| selector.matches(labels))
}

impl InterfacePattern {
    /// Takes the pattern as it is.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self(pattern.into())
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the whole name matches.
    pub fn matches(&self, interface: &InterfaceName) -> bool {
        glob(self.0.as_bytes(), interface.as_str().as_bytes())
    }
}

/// Greedy matching with one point to come back to: linear but for the product of the lengths at
/// worst, which are 15 characters here.
fn glob(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p, n));
                p += 1;
            }
            Some(&c) if c == b'?' || Some(&c) == name.get(n) => {
                p += 1;
                n += 1;
            }
            Some(_) | None => match retry {
                Some((star, taken)) => {
                    retry = Some((star, taken + 1));
                    p = star + 1;
                    n = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern
        .get(p..)
        .is_some_and(|rest| rest.iter().all(|&c| c == b'*'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_whole_names() {
        for (pattern, name, expected) in [
            ("eth0", "eth0", true),
            ("eth0", "eth01", false),
            ("eth*", "eth0.100", true),
            ("eth*", "bond0", false),
            ("*", "", true),
            ("en?s*f0", "eno1", false),
            ("en?s*f0", "enps12f0", true),
            ("*0*0", "a0b0c0", true),
            ("?", "", false),
            ("", "eth0", false),
        ] {
            let matched = InterfacePattern::new(pattern).matches(&InterfaceName::new(name));
            assert_eq!(matched, expected, "{pattern} against {name}");
        }
    }
}

//! What differs, grouped the way UPDATEs are packed.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::per_family::PerFamily;
use crate::route_set::Route;
use crate::{Attributes, Families, Family, Prefix};

/// Prefixes to withdraw by family, and to announce by family and attributes.
#[derive(Debug, Default)]
pub(super) struct Changes {
    withdrawn: PerFamily<Vec<Prefix>>,
    groups: Vec<Group>,
    by_attributes: BTreeMap<(Family, Arc<Attributes>), usize>,
    /// The group of the last route: most routes come in runs.
    last: usize,
    len: usize,
}

#[derive(Debug)]
struct Group {
    family: Family,
    attributes: Arc<Attributes>,
    prefixes: Vec<Prefix>,
}

impl Changes {
    /// How many prefixes are in it.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn withdraw(&mut self, prefix: Prefix) {
        self.withdrawn.of_mut(prefix.family()).push(prefix);
        self.len += 1;
    }

    pub(super) fn announce(&mut self, route: &Route) {
        self.len += 1;
        let family = route.prefix.family();
        let in_last = |group: &Group| {
            group.family == family && Arc::ptr_eq(&group.attributes, &route.attributes)
        };
        if !self.groups.get(self.last).is_some_and(in_last) {
            self.last = self.group(family, &route.attributes);
        }
        if let Some(group) = self.groups.get_mut(self.last) {
            group.prefixes.push(route.prefix);
        }
    }

    /// Each family's withdrawn prefixes, where there are any.
    pub(super) fn withdrawn(&mut self) -> impl Iterator<Item = (Family, Vec<Prefix>)> {
        let withdrawn = Families::BOTH
            .iter()
            .map(|family| (family, std::mem::take(self.withdrawn.of_mut(family))));
        withdrawn.filter(|(_, prefixes)| !prefixes.is_empty())
    }

    /// The announced prefixes with what they carry.
    pub(super) fn announced(self) -> impl Iterator<Item = (Family, Arc<Attributes>, Vec<Prefix>)> {
        let groups = self.groups.into_iter();
        groups.map(|group| (group.family, group.attributes, group.prefixes))
    }

    fn group(&mut self, family: Family, attributes: &Arc<Attributes>) -> usize {
        let groups = &mut self.groups;
        let key = (family, Arc::clone(attributes));
        *self.by_attributes.entry(key).or_insert_with(|| {
            groups.push(Group {
                family,
                attributes: Arc::clone(attributes),
                prefixes: Vec::new(),
            });
            groups.len() - 1
        })
    }
}

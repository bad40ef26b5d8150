//! A configuration kind as it stands in force.
//!
//! What a user deletes goes; what merely cannot be read stays. A kind whose definition is being
//! deleted takes its objects with it, which looks like the same delete events: so an object that
//! vanishes stays in force until the kind itself has been looked up and found whole.

use std::collections::{BTreeMap, BTreeSet};

/// The objects of one kind that are in force, by name.
#[derive(Debug)]
pub(crate) struct SettledKind<K> {
    objects: BTreeMap<String, K>,
    vanished: BTreeSet<String>,
    /// In force, but gone with the definition or in a failure; never taken for deleted.
    lost: BTreeSet<String>,
    synced: bool,
    failed: bool,
    unknown: Option<Unknown>,
}

/// Why the objects in force may not be what the API server holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// The kind cannot be read.
    Unreadable,
    /// Its definition is missing or being deleted.
    DefinitionGone,
    /// It can be read again, but objects that nobody deleted are not back.
    Lost,
}

impl<K> Default for SettledKind<K> {
    fn default() -> Self {
        Self {
            objects: BTreeMap::new(),
            vanished: BTreeSet::new(),
            lost: BTreeSet::new(),
            synced: false,
            failed: false,
            unknown: None,
        }
    }
}

impl<K> SettledKind<K> {
    /// An object was created or changed: the kind is alive.
    pub(crate) fn apply(&mut self, name: String, object: K) {
        self.present(name, object);
        self.unknown = self.lost_one();
    }

    /// An object was deleted; it stays in force until [`Self::confirm`].
    pub(crate) fn delete(&mut self, name: &str) {
        if self.objects.contains_key(name) {
            self.vanished.insert(name.to_owned());
        }
    }

    /// A complete list was read.
    pub(crate) fn restart(&mut self, list: Vec<(String, K)>) {
        let empty_after_failure = self.failed && list.is_empty() && !self.objects.is_empty();
        self.synced = true;
        self.failed = false;
        let known: BTreeSet<String> = self.objects.keys().cloned().collect();
        if empty_after_failure {
            self.lost = known;
            self.vanished.clear();
        } else {
            self.vanished = &known - &self.lost;
        }
        for (name, object) in list {
            self.present(name, object);
        }
        self.unknown = self.lost_one();
    }

    fn present(&mut self, name: String, object: K) {
        self.vanished.remove(&name);
        self.lost.remove(&name);
        self.objects.insert(name, object);
    }

    fn lost_one(&self) -> Option<Unknown> {
        (!self.lost.is_empty()).then_some(Unknown::Lost)
    }

    /// The API server is silent altogether; what was read last stays in force.
    pub(crate) fn silence(&mut self) {
        self.failed = true;
    }

    /// The kind could not be read; what was read last stays in force.
    pub(crate) fn fail(&mut self) {
        self.silence();
        if self.synced && self.unknown.is_none() {
            self.unknown = Some(Unknown::Unreadable);
        }
    }

    /// The kind can be read again, and nothing was missed.
    pub(crate) fn resume(&mut self) {
        self.failed = false;
        if self.unknown == Some(Unknown::Unreadable) {
            self.unknown = self.lost_one();
        }
    }

    /// The definition was looked up. If it is whole, what vanished was deleted by somebody who
    /// meant it; returns whether anything goes.
    pub(crate) fn confirm(&mut self, whole: bool) -> bool {
        if !whole {
            self.unknown = Some(Unknown::DefinitionGone);
            self.lost.append(&mut self.vanished);
            return false;
        }
        let vanished = std::mem::take(&mut self.vanished);
        for name in &vanished {
            self.objects.remove(name);
        }
        !vanished.is_empty()
    }

    /// Whether objects have vanished and nobody has yet looked up why.
    pub(crate) fn is_doubtful(&self) -> bool {
        !self.vanished.is_empty()
    }

    /// Whether a complete list was ever read.
    pub(crate) fn is_synced(&self) -> bool {
        self.synced
    }

    /// Why the objects in force may not be what the API server holds.
    pub(crate) fn unknown(&self) -> Option<Unknown> {
        self.unknown
    }

    /// The objects in force, in the order of their names.
    pub(crate) fn objects(&self) -> impl Iterator<Item = &K> {
        self.objects.values()
    }

    /// One object in force.
    pub(crate) fn object(&self, name: &str) -> Option<&K> {
        self.objects.get(name)
    }

    /// How many are in force.
    pub(crate) fn len(&self) -> usize {
        self.objects.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(names: &[&str]) -> SettledKind<u8> {
        let mut kind = SettledKind::default();
        kind.restart(names.iter().map(|name| ((*name).to_owned(), 0)).collect());
        kind
    }

    #[test]
    fn a_deleted_object_goes_only_once_its_kind_was_found_whole() {
        let mut kind = settled(&["lan"]);
        kind.delete("lan");
        assert!(kind.is_doubtful());
        assert_eq!(kind.len(), 1);
        assert!(kind.confirm(true));
        assert_eq!(kind.len(), 0);
    }

    #[test]
    fn objects_of_a_kind_whose_definition_is_gone_stay_in_force() {
        let mut kind = settled(&["lan"]);
        kind.delete("lan");
        assert!(!kind.confirm(false));
        assert_eq!(
            (kind.len(), kind.unknown()),
            (1, Some(Unknown::DefinitionGone))
        );
    }

    #[test]
    fn objects_lost_with_their_definition_stay_until_each_is_applied_again() {
        let mut kind = settled(&["lan", "wan"]);
        kind.delete("lan");
        kind.delete("wan");
        assert!(!kind.confirm(false));
        kind.fail();
        kind.restart(Vec::new());
        assert!(!kind.is_doubtful(), "nobody asks whether they were deleted");
        assert_eq!((kind.len(), kind.unknown()), (2, Some(Unknown::Lost)));
        kind.apply("lan".to_owned(), 1);
        assert_eq!((kind.len(), kind.unknown()), (2, Some(Unknown::Lost)));
        kind.restart(vec![("lan".to_owned(), 1)]);
        assert!(!kind.is_doubtful());
        kind.apply("wan".to_owned(), 1);
        assert_eq!((kind.len(), kind.unknown()), (2, None));
        kind.delete("wan");
        assert!(kind.confirm(true), "from now on a delete is a delete");
    }

    #[test]
    fn an_empty_list_after_a_failure_takes_nothing_away() {
        let mut kind = settled(&["lan"]);
        kind.fail();
        assert_eq!(kind.unknown(), Some(Unknown::Unreadable));
        kind.restart(Vec::new());
        assert_eq!((kind.len(), kind.unknown()), (1, Some(Unknown::Lost)));
        assert!(!kind.is_doubtful());
        kind.apply("wan".to_owned(), 1);
        assert_eq!((kind.len(), kind.unknown()), (2, Some(Unknown::Lost)));
    }

    #[test]
    fn an_object_missing_from_a_list_is_looked_up_before_it_goes() {
        let mut kind = settled(&["lan", "wan"]);
        kind.restart(vec![("lan".to_owned(), 1)]);
        assert!(kind.is_doubtful());
        assert_eq!(kind.len(), 2);
        assert!(kind.confirm(true));
        assert_eq!(kind.objects().copied().collect::<Vec<_>>(), [1]);
    }
}

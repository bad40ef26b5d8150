//! One kind's watch: what to make of its events.

use runtime::watch::WatchEvent;

/// The objects of one kind, as far as plans need them. Each method says whether anything changed
/// that a plan could see.
pub(super) trait Objects<K> {
    /// How many are known.
    fn count(&self) -> usize;

    /// One was created or changed.
    fn apply(&mut self, object: K) -> bool;

    /// One was seen deleted.
    fn delete(&mut self, object: K) -> bool;

    /// These are all there are.
    fn replace(&mut self, objects: Vec<K>) -> bool;
}

/// How far a kind was read.
#[derive(Debug, Default)]
pub(super) struct Reading {
    complete: bool,
    failed: bool,
    /// The last list was empty after a failure, and is believed only once something is read.
    doubted: bool,
}

impl Reading {
    /// Whether a complete list was ever read.
    pub(super) fn is_complete(&self) -> bool {
        self.complete
    }

    /// Takes one event to the objects; says whether anything changed that a plan could see.
    pub(super) fn follow<K>(
        &mut self,
        kind: &'static str,
        event: WatchEvent<K>,
        objects: &mut impl Objects<K>,
    ) -> bool {
        match event {
            WatchEvent::Restarted(list) => {
                let first = !std::mem::replace(&mut self.complete, true);
                let failed = std::mem::take(&mut self.failed);
                if failed && list.is_empty() && objects.count() > 0 {
                    if !std::mem::replace(&mut self.doubted, true) {
                        tracing::warn!(
                            kind,
                            "read as empty after a failure, keeping what was known until one is read"
                        );
                    }
                    return false;
                }
                self.doubted = false;
                objects.replace(list) || first
            }
            WatchEvent::Applied(object) => {
                let forgot = std::mem::take(&mut self.doubted) && objects.replace(Vec::new());
                objects.apply(object) || forgot
            }
            WatchEvent::Deleted(object) => objects.delete(object),
            WatchEvent::Resumed => {
                self.failed = false;
                false
            }
            WatchEvent::Failed(_) => {
                self.failed = true;
                false
            }
        }
    }
}

//! The settled configuration.

use std::sync::Arc;

use crds::SpeakerConfig;
use plan::Snapshot;

use super::reading::Objects;

/// The one object's name.
pub(super) const NAME: &str = "seamark";

/// The snapshot's configuration and the generation of the object it was read from.
pub(super) struct Config<'a> {
    pub(super) facts: &'a mut Snapshot,
    pub(super) generation: &'a mut Option<i64>,
}

impl Objects<SpeakerConfig> for Config<'_> {
    fn count(&self) -> usize {
        usize::from(self.facts.config.is_some())
    }

    fn apply(&mut self, object: SpeakerConfig) -> bool {
        if object.metadata.name.as_deref() != Some(NAME) {
            return false;
        }
        let config = match model::SpeakerConfig::try_from(&object.spec) {
            Ok(config) => config,
            Err(error) => {
                let error = runtime::log::chain(&error);
                tracing::error!(
                    error,
                    "SpeakerConfig not understood, keeping the one in force"
                );
                return false;
            }
        };
        let mut changed = *self.generation != object.metadata.generation;
        *self.generation = object.metadata.generation;
        if self.facts.config.as_deref() != Some(&config) {
            self.facts.config = Some(Arc::new(config));
            changed = true;
        }
        changed
    }

    fn delete(&mut self, _: SpeakerConfig) -> bool {
        tracing::warn!("SpeakerConfig was deleted, keeping the one in force");
        false
    }

    fn replace(&mut self, objects: Vec<SpeakerConfig>) -> bool {
        let mut changed = false;
        for object in objects {
            changed |= self.apply(object);
        }
        changed
    }
}

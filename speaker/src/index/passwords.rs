//! Passwords of peers.

use std::collections::{BTreeMap, BTreeSet};

use crds::{PasswordSecret, SPEAKER_SECRET_NAME};
use kube::ResourceExt;
use model::{Password, PasswordKey, PeerName, SpeakerConfig};

use super::reading::Objects;

/// What the Secret holds, and what it held that peers still use: a key that is gone is missing
/// data, and ends no session.
#[derive(Debug, Default)]
pub(super) struct Passwords {
    known: BTreeMap<PasswordKey, Password>,
    /// Keys that the Secret has now.
    present: BTreeSet<PasswordKey>,
}

impl Passwords {
    /// The passwords of the peers of a configuration, as far as they are known.
    pub(super) fn of_peers(&self, config: Option<&SpeakerConfig>) -> BTreeMap<PeerName, Password> {
        let peers = config.into_iter().flat_map(|config| &config.bgp_peers);
        let known = peers.filter_map(|peer| {
            let password = self.known.get(peer.password.as_ref()?)?;
            Some((peer.name.clone(), password.clone()))
        });
        known.collect()
    }

    /// Drops what neither the Secret has nor a peer uses.
    pub(super) fn forget_unused(&mut self, config: Option<&SpeakerConfig>) {
        let Self { known, present } = self;
        let used = |key: &PasswordKey| {
            let mut peers = config.into_iter().flat_map(|config| &config.bgp_peers);
            peers.any(|peer| peer.password.as_ref() == Some(key))
        };
        known.retain(|key, _| present.contains(key) || used(key));
    }
}

impl Objects<PasswordSecret> for Passwords {
    fn count(&self) -> usize {
        self.present.len()
    }

    fn apply(&mut self, secret: PasswordSecret) -> bool {
        if secret.name_any() != SPEAKER_SECRET_NAME {
            return false;
        }
        self.present = secret.passwords().map(|(key, _)| key).collect();
        let mut changed = false;
        for (key, password) in secret.passwords() {
            if self.known.get(&key) != Some(password) {
                self.known.insert(key, password.clone());
                changed = true;
            }
        }
        changed
    }

    fn delete(&mut self, _: PasswordSecret) -> bool {
        tracing::warn!("the Secret with passwords was deleted, keeping those in use");
        self.present.clear();
        false
    }

    fn replace(&mut self, secrets: Vec<PasswordSecret>) -> bool {
        self.present.clear();
        let mut changed = false;
        for secret in secrets {
            changed |= self.apply(secret);
        }
        changed
    }
}

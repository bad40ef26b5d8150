//! Passwords of peers, copied from the Secrets of users into the one that speakers read.
//!
//! A password that was copied once stays while its peer is in force and uses one: a Secret that
//! cannot be found is missing data, not an order.

use std::collections::{BTreeMap, BTreeSet};

use crds::{
    BGPPeer, BgpProblem, Invalid, ObjectRef, PasswordProblem, PasswordSecret, PasswordSecretRef,
    PasswordValue, SPEAKER_SECRET_NAME,
};
use kube::ResourceExt;
use model::{BgpPeer, Password, PasswordKey};
use runtime::watch::{WatchEvent, WatchFailure};

use crate::effect::{Effect, SecretChange};
use crate::kind::SettledKind;
use crate::owner::Owner;
use crate::service::newer;

/// The Secrets of the controller's namespace, as far as passwords go.
#[derive(Debug)]
pub(super) struct Secrets {
    namespace: String,
    known: BTreeMap<String, PasswordSecret>,
    /// The version with which the speakers' Secret was last deleted: an answer to an earlier write is
    /// past.
    deleted: String,
    /// What speakers were last given, also while their Secret is gone.
    copied: BTreeMap<PasswordKey, Password>,
    synced: bool,
    unreadable: bool,
}

impl Secrets {
    /// Nothing is known of the Secrets of this namespace.
    pub(super) fn of(namespace: String) -> Self {
        Self {
            namespace,
            known: BTreeMap::new(),
            deleted: String::new(),
            copied: BTreeMap::new(),
            synced: false,
            unreadable: false,
        }
    }

    /// Takes one event; returns whether a password may have changed, or what can be said of one.
    fn take(&mut self, event: WatchEvent<PasswordSecret>) -> bool {
        match event {
            WatchEvent::Restarted(list) => {
                self.known.clear();
                self.synced = true;
                self.unreadable = false;
                for secret in list {
                    self.put(secret);
                }
                true
            }
            WatchEvent::Applied(secret) => std::mem::take(&mut self.unreadable) | self.put(secret),
            WatchEvent::Deleted(secret) => {
                let name = secret.name_any();
                if name == SPEAKER_SECRET_NAME {
                    self.deleted = secret.resource_version().unwrap_or_default();
                }
                self.known.remove(&name).is_some()
            }
            WatchEvent::Resumed => std::mem::take(&mut self.unreadable),
            WatchEvent::Failed(WatchFailure::Unreachable | WatchFailure::Unauthorized) => false,
            WatchEvent::Failed(
                WatchFailure::NotFound | WatchFailure::Forbidden | WatchFailure::Other,
            ) => !std::mem::replace(&mut self.unreadable, true),
        }
    }

    /// Takes a state of a Secret, from the watch or from the answer to a write of ours; an older
    /// one than is known changes nothing.
    pub(super) fn put(&mut self, secret: PasswordSecret) -> bool {
        let name = secret.name_any();
        let version = |secret: &PasswordSecret| secret.resource_version().unwrap_or_default();
        let known = self.known.get(&name);
        let stale = known.is_some_and(|known| {
            known.uid() == secret.uid() && !newer(&version(&secret), &version(known))
        });
        let past = name == SPEAKER_SECRET_NAME && newer(&self.deleted, &version(&secret));
        if stale || past {
            return false;
        }
        let changed = known.is_none_or(|known| known.values != secret.values);
        if name == SPEAKER_SECRET_NAME {
            let passwords = secret.passwords();
            let passwords = passwords.map(|(key, password)| (key, password.clone()));
            self.copied.extend(passwords);
        }
        self.known.insert(name, secret);
        changed
    }

    /// What speakers should be given for these peers, and what is missing for it.
    fn wanted(
        &self,
        peers: &[BgpPeer],
        objects: &SettledKind<BGPPeer>,
    ) -> (BTreeMap<PasswordKey, Password>, Vec<Invalid>) {
        let mut wanted = BTreeMap::new();
        let mut problems = Vec::new();
        for peer in peers {
            let Some(key) = &peer.password else { continue };
            let object = objects.object(peer.name.as_str());
            // A peer that stays as it was in force may have an object without a password.
            let reference = object.and_then(|object| object.spec.password_secret.as_ref());
            let found = reference.map(|reference| self.look_up(reference));
            let (password, problem) = match found {
                Some(Ok(password)) => (Some(password), None),
                Some(Err(problem)) => (self.copied.get(key), Some(problem)),
                None => (self.copied.get(key), None),
            };
            problems.extend(problem.map(|problem| {
                Invalid {
                    object: ObjectRef::of::<BGPPeer>(peer.name.as_str()),
                    field: "spec.passwordSecret".to_owned(),
                    reason: BgpProblem::Password {
                        problem,
                        kept: password.is_some(),
                    }
                    .into(),
                }
            }));
            wanted.extend(password.map(|password| (key.clone(), password.clone())));
        }
        (wanted, problems)
    }

    fn look_up(&self, reference: &PasswordSecretRef) -> Result<&Password, PasswordProblem> {
        let (namespace, name) = (self.namespace.clone(), reference.name.clone());
        let key = reference.key.clone();
        let secret = self.known.get(&reference.name);
        let value = secret.and_then(|secret| secret.values.get(&reference.key));
        match value {
            Some(PasswordValue::Password(password)) => Ok(password),
            Some(PasswordValue::Unfit) | None if self.unreadable => {
                Err(PasswordProblem::Unreadable { namespace })
            }
            Some(PasswordValue::Unfit) => Err(PasswordProblem::Unfit {
                namespace,
                name,
                key,
            }),
            None if secret.is_some() => Err(PasswordProblem::KeyMissing {
                namespace,
                name,
                key,
            }),
            None => Err(PasswordProblem::SecretMissing {
                namespace,
                name,
                key,
            }),
        }
    }

    /// What must be written for speakers to have these passwords and no others.
    fn change(&self, wanted: BTreeMap<PasswordKey, Password>) -> Option<SecretChange> {
        let current = self.known.get(SPEAKER_SECRET_NAME);
        let shown: BTreeMap<PasswordKey, &PasswordValue> = current
            .into_iter()
            .flat_map(PasswordSecret::of_peers)
            .collect();
        let is_shown = |key: &PasswordKey, password: &Password| match shown.get(key) {
            Some(PasswordValue::Password(shown)) => shown == password,
            Some(PasswordValue::Unfit) | None => false,
        };
        let gone = shown.keys().filter(|key| !wanted.contains_key(key));
        let remove: BTreeSet<PasswordKey> = gone.cloned().collect();
        let mut set = wanted;
        set.retain(|key, password| !is_shown(key, password));
        let needed = !set.is_empty() || !remove.is_empty();
        needed.then(|| SecretChange {
            set,
            remove,
            resource_version: current.and_then(ResourceExt::resource_version),
        })
    }
}

impl Owner {
    pub(in crate::owner) fn on_secret(&mut self, event: WatchEvent<PasswordSecret>) {
        self.configuration.dirty |= self.configuration.secrets.take(event);
    }

    /// Brings the Secret that speakers read to what the peers in force need, and says which of
    /// them lack a password.
    pub(super) fn settle_passwords(&mut self) {
        let configuration = &mut self.configuration;
        let secrets = &mut configuration.secrets;
        let peers = &configuration.settled.bgp_peers;
        if !secrets.synced && !secrets.unreadable {
            return;
        }
        let (wanted, problems) = secrets.wanted(peers, &configuration.kinds.bgp_peers);
        configuration.problems.extend(problems);
        if !secrets.synced {
            return;
        }
        secrets.copied.retain(|key, _| {
            let mut keys = peers.iter().filter_map(|peer| peer.password.as_ref());
            keys.any(|used| used == key)
        });
        let object = format!("Secret/{SPEAKER_SECRET_NAME}");
        if configuration.writing.contains(&object) {
            return;
        }
        if let Some(change) = secrets.change(wanted) {
            configuration.writing.insert(object);
            self.want(Effect::WriteSpeakerSecret(Box::new(change)));
        }
    }
}

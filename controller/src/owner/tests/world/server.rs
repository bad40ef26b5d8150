//! The API server: carries out what is decided, as the writer would.

use crds::{SPEAKER_SECRET_NAME, SpeakerConfig};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use model::Allocation;
use runtime::watch::WatchEvent;
use serde_json::Value;

use super::World;
use crate::effect::{
    ConfigKind, Effect, Outcome, Release, ReleaseVerdict, SecretChange, Settle, Settled,
    WriteFailure, Written,
};
use crate::ledger::LedgerEntry;
use crate::owner::Event;

impl World {
    /// Do what an effect says, as the writer would. No watch tells of it.
    pub(in crate::owner) fn carry_out(&mut self, effect: Effect) -> Outcome {
        match effect {
            Effect::Settle(settle) => Outcome::Settled(Box::new(self.settle(*settle))),
            Effect::Release(release) => self.release(&release),
            Effect::Leave(key, uid) => Outcome::Left(key, uid, Ok(())),
            Effect::LookUpKind(kind) => Outcome::KindLookedUp(kind, Some(true)),
            Effect::WriteSpeakerConfig { spec, .. } => {
                let mut config = SpeakerConfig::new(crds::SPEAKER_CONFIG_NAME, *spec);
                config.status = self.config.as_ref().and_then(|c| c.status.clone());
                self.keep_config(config)
            }
            Effect::WriteSpeakerConfigStatus(status) => {
                let mut config = self.config.clone().unwrap();
                config.status = Some(*status);
                self.keep_config(config)
            }
            Effect::WritePoolStatus(name, status) => {
                let object = format!("IPAddressPool/{name}");
                let Some(pool) = self.pools.get_mut(&name) else {
                    let result = Err(WriteFailure::NotFound);
                    return Outcome::ConfigurationWritten { object, result };
                };
                pool.status = Some(*status);
                let event = Event::Pool(WatchEvent::Applied(pool.clone()));
                self.tell(event);
                Outcome::ConfigurationWritten {
                    object,
                    result: Ok(Written::Status),
                }
            }
            Effect::WriteConditions(kind, name, conditions) => {
                self.keep_conditions(kind, &name, conditions)
            }
            Effect::WriteSpeakerSecret(change) => self.keep_secret(&change),
        }
    }

    fn keep_conditions(
        &mut self,
        kind: ConfigKind,
        name: &str,
        conditions: Vec<Condition>,
    ) -> Outcome {
        let object = format!("{}/{name}", kind.kind());
        let event = match kind {
            ConfigKind::BgpPeer => self.bgp_peers.get_mut(name).map(|peer| {
                peer.status = Some(crds::BGPPeerStatus { conditions });
                Event::BgpPeer(Box::new(WatchEvent::Applied(peer.clone())))
            }),
            ConfigKind::BgpAdvertisement => self.bgp_advertisements.get_mut(name).map(|object| {
                object.status = Some(crds::BGPAdvertisementStatus { conditions });
                Event::BgpAdvertisement(WatchEvent::Applied(object.clone()))
            }),
            ConfigKind::BfdProfile => self.bfd_profiles.get_mut(name).map(|object| {
                object.status = Some(crds::BFDProfileStatus { conditions });
                Event::BfdProfile(WatchEvent::Applied(object.clone()))
            }),
            ConfigKind::Community => self.communities.get_mut(name).map(|object| {
                object.status = Some(crds::CommunityStatus { conditions });
                Event::Community(WatchEvent::Applied(object.clone()))
            }),
            ConfigKind::Pool | ConfigKind::L2Advertisement => None,
        };
        if let Some(event) = event {
            self.tell(event);
        }
        Outcome::ConfigurationWritten {
            object,
            result: Ok(Written::Status),
        }
    }

    fn keep_secret(&mut self, change: &SecretChange) -> Outcome {
        let object = format!("Secret/{SPEAKER_SECRET_NAME}");
        let known = self.secrets.get(SPEAKER_SECRET_NAME);
        if known.and_then(ResourceExt::resource_version) != change.resource_version {
            let result = Err(WriteFailure::Conflict);
            return Outcome::ConfigurationWritten { object, result };
        }
        let mut data = known.and_then(|s| s.data.clone()).unwrap_or_default();
        for key in &change.remove {
            data.remove(key.as_str());
        }
        for (key, password) in &change.set {
            data.insert(key.to_string(), ByteString(password.as_bytes().to_vec()));
        }
        self.store_secret(SPEAKER_SECRET_NAME, data);
        let secret = self.secrets[SPEAKER_SECRET_NAME].clone();
        Outcome::ConfigurationWritten {
            object,
            result: Ok(Written::SpeakerSecret(Box::new(secret.into()))),
        }
    }

    fn keep_config(&mut self, mut config: SpeakerConfig) -> Outcome {
        (self.prune)(&mut config.spec);
        config.metadata.uid = Some("config".to_owned());
        config.metadata.resource_version = Some(self.next());
        self.config = Some(config.clone());
        Outcome::ConfigurationWritten {
            object: format!("SpeakerConfig/{}", crds::SPEAKER_CONFIG_NAME),
            result: Ok(Written::SpeakerConfig(Box::new(config))),
        }
    }

    pub(in crate::owner) fn settle(&mut self, settle: Settle) -> Settled {
        let mut settled = Settled {
            uid: settle.uid.clone(),
            decided_on: settle.decided_on.clone(),
            claimed: Vec::new(),
            read: Vec::new(),
            released: Vec::new(),
            service: None,
            failure: None,
        };
        for claim in &settle.claims {
            if let Some(taken) = self.entries.get(&claim.address) {
                settled.read.extend(LedgerEntry::of(taken));
                settled.failure = Some(WriteFailure::Taken(claim.address));
                return settled;
            }
            let entry = self.store(claim);
            settled.claimed.extend(LedgerEntry::of(&entry));
        }
        if let Some(status) = &settle.status {
            match self.apply_status(&settle, &status.body) {
                Ok(service) => settled.service = Some(service),
                Err(failure) => {
                    settled.failure = Some(failure);
                    return settled;
                }
            }
        }
        for (entry, pool) in &settle.repoint {
            let allocation = Allocation {
                pool: pool.clone(),
                ..entry.allocation.clone()
            };
            let entry = self.store(&allocation);
            settled.read.extend(LedgerEntry::of(&entry));
        }
        for entry in settle.release {
            self.entries.remove(&entry.allocation.address);
            settled.released.push(entry);
        }
        settled
    }

    fn apply_status(&mut self, settle: &Settle, body: &Value) -> Result<Service, WriteFailure> {
        let version = self.next();
        let service = self
            .services
            .get_mut(&settle.service.name)
            .ok_or(WriteFailure::NotFound)?;
        if service.metadata.resource_version.as_deref() != Some(&settle.decided_on) {
            return Err(WriteFailure::Conflict);
        }
        let mut status = service.status.take().unwrap_or_default();
        let conditions = body["status"]["conditions"].clone();
        status.conditions = serde_json::from_value(conditions).unwrap();
        if let Some(shown) = body["status"].get("loadBalancer") {
            status.load_balancer = serde_json::from_value(shown.clone()).unwrap();
        }
        service.status = Some(status);
        service.metadata.resource_version = Some(version);
        Ok(service.clone())
    }

    fn release(&mut self, release: &Release) -> Outcome {
        let address = release.entry.allocation.address;
        let holder = release.holder.as_ref();
        let living = holder.and_then(|(key, _)| self.services.get(&key.name));
        let result = match living {
            Some(_) => ReleaseVerdict::StillHeld,
            None => {
                self.entries.remove(&address);
                ReleaseVerdict::Gone
            }
        };
        Outcome::Released {
            address,
            entry: release.entry.uid.clone(),
            result: Ok(result),
        }
    }
}

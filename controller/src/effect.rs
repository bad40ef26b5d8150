//! What the owner wants done, and what came of it. Decisions leave the owner as values; one
//! writer carries them out.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crds::{
    IPAddressPoolStatus, PasswordSecret, SpeakerConfig, SpeakerConfigSpec, SpeakerConfigStatus,
};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use model::{Allocation, Password, PasswordKey, PoolName, ServiceKey, Uid};
use serde_json::Value;
use thiserror::Error;

use crate::ledger::LedgerEntry;

/// One thing to do. Each names the versions it was decided on; the API server refuses it if they
/// are no longer so.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    /// Bring the ledger and a Service's status to what was decided, in this order: claims, then
    /// status, then changed records, then releases.
    Settle(Box<Settle>),
    /// Give an address back once its Service is confirmed gone.
    Release(Box<Release>),
    /// Take our condition from a Service that is no longer ours; nothing if it is gone.
    Leave(ServiceKey, Uid),
    /// Find out whether a configuration kind is whole.
    LookUpKind(ConfigKind),
    /// Write the settled configuration; `None` as version creates it.
    WriteSpeakerConfig {
        /// What it should say.
        spec: Box<SpeakerConfigSpec>,
        /// The version that it was compared with.
        resource_version: Option<String>,
    },
    /// Write the status of SpeakerConfig.
    WriteSpeakerConfigStatus(Box<SpeakerConfigStatus>),
    /// Write the status of a pool.
    WritePoolStatus(String, Box<IPAddressPoolStatus>),
    /// Write the conditions of an object that has no other status, by its name.
    WriteConditions(ConfigKind, String, Vec<Condition>),
    /// Change the passwords that speakers read.
    WriteSpeakerSecret(Box<SecretChange>),
}

/// See [`Effect::WriteSpeakerSecret`]. What else the Secret holds is left as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SecretChange {
    /// Keys to write.
    pub(crate) set: BTreeMap<PasswordKey, Password>,
    /// Keys to take out.
    pub(crate) remove: BTreeSet<PasswordKey>,
    /// The version that it was compared with; `None` creates the Secret.
    pub(crate) resource_version: Option<String>,
}

/// The configuration kinds that only the controller reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ConfigKind {
    /// IPAddressPool.
    Pool,
    /// L2Advertisement.
    L2Advertisement,
    /// BGPAdvertisement.
    BgpAdvertisement,
    /// BGPPeer.
    BgpPeer,
    /// BFDProfile.
    BfdProfile,
    /// Community.
    Community,
}

impl ConfigKind {
    /// All of them.
    pub(crate) const ALL: [Self; 6] = [
        Self::Pool,
        Self::L2Advertisement,
        Self::BgpAdvertisement,
        Self::BgpPeer,
        Self::BfdProfile,
        Self::Community,
    ];

    /// The name of its definition.
    pub(crate) fn definition(self) -> &'static str {
        match self {
            Self::Pool => "ipaddresspools.seamark.io",
            Self::L2Advertisement => "l2advertisements.seamark.io",
            Self::BgpAdvertisement => "bgpadvertisements.seamark.io",
            Self::BgpPeer => "bgppeers.seamark.io",
            Self::BfdProfile => "bfdprofiles.seamark.io",
            Self::Community => "communities.seamark.io",
        }
    }

    /// The kind's name, for people.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Pool => "IPAddressPool",
            Self::L2Advertisement => "L2Advertisement",
            Self::BgpAdvertisement => "BGPAdvertisement",
            Self::BgpPeer => "BGPPeer",
            Self::BfdProfile => "BFDProfile",
            Self::Community => "Community",
        }
    }
}

/// See [`Effect::Settle`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settle {
    /// The Service.
    pub(crate) service: ServiceKey,
    /// Its uid.
    pub(crate) uid: Uid,
    /// The version of the Service that this was decided on.
    pub(crate) decided_on: String,
    /// Entries to create: the atomic claim of an address.
    pub(crate) claims: Vec<Allocation>,
    /// The status to apply.
    pub(crate) status: Option<StatusWrite>,
    /// Entries whose record goes to another pool.
    pub(crate) repoint: Vec<(LedgerEntry, PoolName)>,
    /// Entries to give back.
    pub(crate) release: Vec<LedgerEntry>,
    /// A refusal to tell its user of.
    pub(crate) note: Option<Note>,
}

/// A server-side apply of a Service's status.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StatusWrite {
    /// The body.
    pub(crate) body: Value,
    /// Whether fields that somebody else wrote are taken over; only the ledger gives that right.
    pub(crate) force: bool,
}

/// One Kubernetes Event about a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Note {
    /// The same word as in the condition.
    pub(crate) reason: &'static str,
    /// The same sentence as in the condition.
    pub(crate) message: String,
}

/// See [`Effect::Release`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Release {
    /// The entry, as it was decided on.
    pub(crate) entry: LedgerEntry,
    /// Who held it; `None` if its holders are empty already and only the delete is missing.
    pub(crate) holder: Option<(ServiceKey, Uid)>,
}

/// What came of an effect.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Of [`Effect::Settle`].
    Settled(Box<Settled>),
    /// Of [`Effect::Release`].
    Released {
        /// The address it was about.
        address: IpAddr,
        /// `metadata.uid` of the entry it was about.
        entry: String,
        /// What came of it.
        result: Result<ReleaseVerdict, WriteFailure>,
    },
    /// Of [`Effect::Leave`].
    Left(ServiceKey, Uid, Result<(), WriteFailure>),
    /// Of [`Effect::LookUpKind`]; `None` if the API server did not answer.
    KindLookedUp(ConfigKind, Option<bool>),
    /// Of a write of SpeakerConfig, its status, the speakers' Secret, or the status of an object of
    /// users.
    ConfigurationWritten {
        /// The object, as `Kind/name`.
        object: String,
        /// Whether it was written.
        result: Result<Written, WriteFailure>,
    },
}

/// What was written, as the API server answered it where that matters.
#[derive(Debug)]
pub(crate) enum Written {
    /// SpeakerConfig or its status.
    SpeakerConfig(Box<SpeakerConfig>),
    /// The speakers' Secret.
    SpeakerSecret(Box<PasswordSecret>),
    /// The status of an object of users.
    Status,
}

/// What came of releasing an entry.
#[derive(Debug)]
pub(crate) enum ReleaseVerdict {
    /// The entry is gone.
    Gone,
    /// Its Service is still there and still ours: nothing was written.
    StillHeld,
}

/// How far [`Effect::Settle`] came.
#[derive(Debug)]
pub(crate) struct Settled {
    /// The Service.
    pub(crate) uid: Uid,
    /// The version that was decided on.
    pub(crate) decided_on: String,
    /// Entries that were created, or found to be our own already.
    pub(crate) claimed: Vec<LedgerEntry>,
    /// Entries that were changed, or found to be somebody else's.
    pub(crate) read: Vec<LedgerEntry>,
    /// Entries that are gone.
    pub(crate) released: Vec<LedgerEntry>,
    /// The Service as the API server answered it.
    pub(crate) service: Option<Service>,
    /// What stopped it before the end.
    pub(crate) failure: Option<WriteFailure>,
}

/// Why a write did not happen.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum WriteFailure {
    /// The object is no longer what was decided on: decide again.
    #[error("the object has changed since it was read")]
    Conflict,
    /// Somebody else holds an entry of that name.
    #[error("{0} is already in the ledger")]
    Taken(IpAddr),
    /// The object is gone.
    #[error("the object is gone")]
    NotFound,
    /// Another replica decides by now.
    #[error("another replica leads")]
    NotLeading,
    /// The API server said no or nothing; the text is for the log.
    #[error("{0}")]
    Refused(String),
}

impl WriteFailure {
    /// The word for it in metrics.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Conflict => "conflict",
            Self::Taken(_) => "taken",
            Self::NotFound => "not_found",
            Self::NotLeading => "not_leading",
            Self::Refused(_) => "refused",
        }
    }
}

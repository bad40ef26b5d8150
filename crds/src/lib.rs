//! The kinds of group `seamark.io`, version `v1beta1`, and what they mean.
//!
//! ```text
//!  IPAddressPool    ─┐  parse                speaker_config             From
//!  L2Advertisement  ─┤
//!  BGPAdvertisement ─┼──────▶ model::Config ──────────────▶ model::… ◀──────▶ SpeakerConfig
//!  BGPPeer          ─┤
//!  BFDProfile       ─┤
//!  Community        ─┴──────▶ Vec<Invalid>: what to say on the objects that cause it
//!  IPAllocation     ◀───────▶ model::Allocation
//! ```
//!
//! The types read leniently: whatever the API server's schema should have stopped (an unknown
//! operator, a weight out of range) still decodes, so that one bad object cannot fail a whole
//! list; [`parse`] then refuses it by name.

mod address;
mod bfd_profile;
mod bgp_advertisement;
mod bgp_peer;
mod community;
mod ip_address_pool;
mod ip_allocation;
mod l2_advertisement;
mod label_selector;
mod ledger;
mod manifest;
mod parse;
mod password_secret;
mod problem;
mod schema;
mod settled;
mod speaker_config;
mod speaker_status;
mod time;

pub use bfd_profile::{BFDProfile, BFDProfileSpec, BFDProfileStatus};
pub use bgp_advertisement::{BGPAdvertisement, BGPAdvertisementSpec, BGPAdvertisementStatus};
pub use bgp_peer::{
    BGPPeer, BGPPeerSpec, BGPPeerStatus, GracefulRestart, GracefulShutdown, PasswordSecretRef,
};
pub use community::{Community, CommunitySpec, CommunityStatus, NamedCommunity};
pub use ip_address_pool::{
    IPAddressPool, IPAddressPoolSpec, IPAddressPoolStatus, ServiceAllocation,
};
pub use ip_allocation::{AllocationHolder, IPAllocation, IPAllocationSpec};
pub use l2_advertisement::{
    L2Advertisement, L2AdvertisementSpec, L2AdvertisementStatus, PreferredNodeSelector,
};
pub use label_selector::{LabelSelector, LabelSelectorRequirement};
pub use ledger::{ReadAllocationError, entry_name};
pub use manifest::{Manifest, RenderManifestError, definitions, manifests};
pub use parse::{Last, Objects, Parsed, parse};
pub use password_secret::{PasswordSecret, PasswordValue, SPEAKER_SECRET_NAME};
pub use problem::{
    BfdProfileProblem, BgpProblem, Invalid, ObjectRef, PasswordProblem, Problem, Severity,
};
pub use settled::{ReadSpeakerConfigError, fits, speaker_config};
pub use speaker_config::{
    SPEAKER_CONFIG_NAME, SpeakerConfig, SpeakerConfigBfd, SpeakerConfigBgpAdvertisement,
    SpeakerConfigBgpPeer, SpeakerConfigL2Advertisement, SpeakerConfigPool, SpeakerConfigSpec,
    SpeakerConfigStatus,
};
pub use speaker_status::{
    BfdState, MAX_INTERFACES, MAX_SESSIONS, PROXY_HEALTHY, RESTARTING, SessionState, SpeakerBfd,
    SpeakerInterface, SpeakerSession, SpeakerStatus, SpeakerStatusSpec, SpeakerStatusStatus,
    WithheldCount,
};

//! The nouns that controller, speaker and command line share, with the invariants they keep by
//! construction. Nothing here acts, and nothing here knows Kubernetes' wire formats.

mod advertisement;
mod allocation;
mod bgp_advertisement;
mod bgp_peer;
mod class;
mod community;
mod config;
mod family;
mod name;
mod pool;
mod range;
mod remote;
mod resilience;
mod selector;
mod service;

pub use advertisement::{InterfacePattern, L2Advertisement, PreferredNodeSelector};
pub use allocation::{Allocation, Holder};
pub use bgp_advertisement::{BgpAdvertisement, BgpAttributes};
pub use bgp_peer::{BgpPeer, Password, PasswordKey, PeerAsn, Role};
pub use class::LoadBalancerClasses;
pub use community::{Community, CommunityError};
pub use config::{Config, SpeakerConfig, SpeakerPool};
pub use family::IpFamily;
pub use name::{
    AdvertisementName, BfdProfileName, InterfaceName, NodeName, PeerName, PoolName, ServiceKey, Uid,
};
pub use pool::{Pool, ServiceAllocation};
pub use range::{AddressRange, RangeError};
pub use remote::{Cidr, Remote};
pub use resilience::{BfdProfile, GracefulRestart, GracefulShutdown};
pub use selector::{LabelSelector, Labels, Operator, Requirement};
pub use service::{
    ExternalTrafficPolicy, InvalidRequest, IpFamilyPolicy, RequestedAddresses, ServiceRequest,
};

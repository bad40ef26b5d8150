//! What is wrong with peers, BGP advertisements and communities.

use std::net::IpAddr;

use model::{AddressRange, CommunityError};
use thiserror::Error;

use super::Severity;

/// What can be wrong with an object that is about BGP. The words say what to do next.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BgpProblem {
    /// A number outside its range.
    #[error("{value} is out of range; write a number from {min} to {max}")]
    NumberOutOfRange {
        /// What stands there.
        value: i64,
        /// The least that can.
        min: i64,
        /// The most.
        max: i64,
    },
    /// Both ways of saying which AS number the peer has, or none.
    #[error("write either peerASN or dynamicASN")]
    PeerAsn,
    /// Text that is none of the words that may stand there.
    #[error("{value:?} is unknown; write {words}")]
    UnknownWord {
        /// What stands there.
        value: String,
        /// What could.
        words: &'static str,
    },
    /// Text that is no address, or none that a router can have.
    #[error(
        "{0:?} is no address to speak with; write one unicast address without zone, as in \
         192.0.2.1 or 2001:db8::1"
    )]
    PeerAddress(String),
    /// More than one way of saying where the peer is, or none.
    #[error("write exactly one of peerAddress, interface and listenRange")]
    Remote,
    /// Text that is the name of no one interface.
    #[error(
        "{0:?} is the name of no interface; write one (eth1), of 1 to 15 characters without slash or \
         space, and no glob"
    )]
    Interface(String),
    /// Text that is no network that routers can be in.
    #[error(
        "{0:?} is no network of routers; write one of unicast addresses, without host bits, as in \
         192.0.2.0/24 or 2001:db8::/64"
    )]
    ListenRange(String),
    /// A field that a peer on an interface cannot have.
    #[error(
        "a peer on an interface is one hop away, is spoken to by link-local addresses, and is in the \
         VRF of the interface; remove this"
    )]
    NotOnInterface,
    /// A field that is for peers to which we connect.
    #[error("peers in listenRange connect to us; remove this")]
    NotForRange,
    /// The two ends of a session are of different families.
    #[error("{source_address} and {peer} are of different families; write both of one")]
    MixedEnds {
        /// Ours.
        source_address: IpAddr,
        /// The peer's.
        peer: IpAddr,
    },
    /// Text that is no BGP identifier.
    #[error("{0:?} is no router ID; write it like an IPv4 address, other than 0.0.0.0")]
    RouterId(String),
    /// Text that is no duration.
    #[error("{0:?} is no duration in whole seconds; write it as in 90s or 1m30s")]
    NotADuration(String),
    /// A duration outside its range.
    #[error("{time} is out of range; write {range}")]
    TimeOutOfRange {
        /// What stands there.
        time: String,
        /// What could.
        range: &'static str,
    },
    /// KEEPALIVEs that come too seldom to keep anything alive.
    #[error(
        "keepaliveTime {keepalive} does not fit holdTime {hold}; write at most the hold time, best \
         a third of it"
    )]
    Keepalive {
        /// What stands there.
        keepalive: String,
        /// The hold time.
        hold: String,
    },
    /// A field that only external peers have.
    #[error("this is for external peers, and the AS numbers make this one internal; remove it")]
    ExternalOnly,
    /// Two fields that contradict each other.
    #[error("it accepts only what crossed no router; remove it or ebgpMultiHop")]
    TtlSecurityMultiHop,
    /// Text that no interface can be called.
    #[error("{0:?} can be the name of no VRF; write 1 to 15 characters without slash or space")]
    Vrf(String),
    /// Text that can be no key of a Secret, or no name of one.
    #[error("{0:?} can name nothing; write 1 to 253 letters, digits, '-', '_' and '.'")]
    SecretReference(String),
    /// Another peer, which is older, is the same to the nodes of both.
    #[error(
        "BGPPeer {older} is older and has {same} on nodes that this one may select too; delete one, \
         or write nodeSelectors that no node can match both of"
    )]
    DuplicatePeer {
        /// The one in force.
        older: String,
        /// What they have in common.
        same: &'static str,
    },
    /// The profile that a peer names cannot be had.
    #[error("{problem}; {}", profile_consequence(.kept))]
    BfdProfile {
        /// Why not.
        problem: BfdProfileProblem,
        /// Whether the peer has its values already.
        kept: bool,
    },
    /// Waiting for BFD where there is none.
    #[error("it waits for BFD, which needs a bfdProfile; write one, or remove this")]
    StrictWithoutProfile,
    /// What is not there yet of BFD.
    #[error("BFD's echo mode is not built yet; remove this")]
    EchoMode,
    /// An advertisement names a peer that does not exist.
    #[error("there is no BGPPeer {0:?}; create it or correct the name")]
    UnknownPeer(String),
    /// An advertisement names a community that nothing gives a value.
    #[error(
        "no Community names {0:?}; add it to one, or write the community itself: 64512:1, \
         large:64512:1:2, rt:64512:1"
    )]
    UnknownCommunity(String),
    /// Text that is no community.
    #[error(transparent)]
    Community(#[from] CommunityError),
    /// A name that can name no community.
    #[error("{0:?} can name no community; write a name without colon or space")]
    CommunityName(String),
    /// A name that is given already.
    #[error("{name:?} is a well-known community; choose another name")]
    WellKnownName {
        /// The name.
        name: String,
    },
    /// Another object gives the name another value.
    #[error("Community {older} is older and gives {name:?} another value; remove one of them")]
    NameTaken {
        /// The name.
        name: String,
        /// The object that counts.
        older: String,
    },
    /// A prefix that holds addresses of others.
    #[error(
        "prefixes of length {length} hold addresses beside {range} of pool {pool}, and their \
         traffic would come here too; write a larger length, or give the pool the whole prefix"
    )]
    AggregateBeyondPool {
        /// The length.
        length: u8,
        /// The entry of the pool.
        range: AddressRange,
        /// The pool.
        pool: String,
    },
    /// No password is there to speak with.
    #[error("{problem}; {}", consequence(.kept))]
    Password {
        /// Why not.
        problem: PasswordProblem,
        /// Whether the one that was copied last is still in use.
        kept: bool,
    },
}

fn consequence(kept: &bool) -> &'static str {
    if *kept {
        "the password copied last stays in use"
    } else {
        "no session is opened before"
    }
}

fn profile_consequence(kept: &bool) -> &'static str {
    if *kept {
        "its last values stay in use"
    } else {
        "the peer is not put in force before, so that it does not run unprotected"
    }
}

/// Why a peer cannot have its BFDProfile.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BfdProfileProblem {
    /// There is none of this name.
    #[error("there is no BFDProfile {0}; create it or correct the name")]
    Missing(String),
    /// The one of this name is refused.
    #[error("BFDProfile {0} is refused; correct it, as its condition Accepted says")]
    Refused(String),
}

/// Why a password cannot be copied.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PasswordProblem {
    /// There is no such Secret.
    #[error("there is no Secret {name} in namespace {namespace}; create it with the key {key}")]
    SecretMissing {
        /// The controller's namespace.
        namespace: String,
        /// Name of the Secret.
        name: String,
        /// The key that is needed.
        key: String,
    },
    /// The Secret lacks the key.
    #[error("Secret {namespace}/{name} has no key {key}; add it, or name another with key")]
    KeyMissing {
        /// The controller's namespace.
        namespace: String,
        /// Name of the Secret.
        name: String,
        /// The key that is needed.
        key: String,
    },
    /// What stands there is no password for TCP-MD5.
    #[error(
        "key {key} of Secret {namespace}/{name} holds no password: it must have 1 to 80 bytes and \
         no line break; write it anew, as with kubectl create secret generic --from-literal"
    )]
    Unfit {
        /// The controller's namespace.
        namespace: String,
        /// Name of the Secret.
        name: String,
        /// The key.
        key: String,
    },
    /// Secrets cannot be read.
    #[error(
        "Secrets of namespace {namespace} cannot be read; apply charts/seamark/rbac, or look at \
         the controller's log"
    )]
    Unreadable {
        /// The controller's namespace.
        namespace: String,
    },
}

impl BgpProblem {
    /// The word for a condition.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NumberOutOfRange { .. } => "NumberOutOfRange",
            Self::PeerAsn => "InvalidPeerASN",
            Self::UnknownWord { .. } => "UnknownWord",
            Self::PeerAddress(_) => "InvalidPeerAddress",
            Self::Remote => "InvalidPeer",
            Self::Interface(_) => "InvalidInterface",
            Self::ListenRange(_) => "InvalidListenRange",
            Self::NotOnInterface => "NotOnInterface",
            Self::NotForRange => "NotForListenRange",
            Self::MixedEnds { .. } => "DifferentFamilies",
            Self::RouterId(_) => "InvalidRouterID",
            Self::NotADuration(_) => "NotADuration",
            Self::TimeOutOfRange { .. } => "TimeOutOfRange",
            Self::Keepalive { .. } => "KeepaliveTooLong",
            Self::ExternalOnly => "ExternalPeersOnly",
            Self::TtlSecurityMultiHop => "TTLSecurityWithMultiHop",
            Self::Vrf(_) => "InvalidVRF",
            Self::SecretReference(_) => "InvalidSecretReference",
            Self::DuplicatePeer { .. } => "DuplicatePeer",
            Self::BfdProfile { problem, .. } => match problem {
                BfdProfileProblem::Missing(_) => "UnknownBFDProfile",
                BfdProfileProblem::Refused(_) => "BFDProfileRefused",
            },
            Self::StrictWithoutProfile => "StrictWithoutBFD",
            Self::EchoMode => "EchoModeUnsupported",
            Self::UnknownPeer(_) => "UnknownPeer",
            Self::UnknownCommunity(_) => "UnknownCommunity",
            Self::Community(_) => "InvalidCommunity",
            Self::CommunityName(_) => "InvalidCommunityName",
            Self::WellKnownName { .. } => "WellKnownName",
            Self::NameTaken { .. } => "CommunityNameTaken",
            Self::AggregateBeyondPool { .. } => "AggregateBeyondPool",
            Self::Password { problem, .. } => match problem {
                PasswordProblem::SecretMissing { .. } => "SecretMissing",
                PasswordProblem::KeyMissing { .. } => "SecretKeyMissing",
                PasswordProblem::Unfit { .. } => "InvalidPassword",
                PasswordProblem::Unreadable { .. } => "SecretsUnreadable",
            },
        }
    }

    /// What it does to the object that has it.
    pub fn severity(&self) -> Severity {
        match self {
            Self::UnknownPeer(_)
            | Self::AggregateBeyondPool { .. }
            | Self::BfdProfile { kept: true, .. }
            | Self::Password { kept: true, .. } => Severity::Warning,
            Self::NameTaken { .. } | Self::Password { kept: false, .. } => Severity::Partial,
            Self::NumberOutOfRange { .. }
            | Self::PeerAsn
            | Self::UnknownWord { .. }
            | Self::PeerAddress(_)
            | Self::Remote
            | Self::Interface(_)
            | Self::ListenRange(_)
            | Self::NotOnInterface
            | Self::NotForRange
            | Self::BfdProfile { kept: false, .. }
            | Self::StrictWithoutProfile
            | Self::EchoMode
            | Self::MixedEnds { .. }
            | Self::RouterId(_)
            | Self::NotADuration(_)
            | Self::TimeOutOfRange { .. }
            | Self::Keepalive { .. }
            | Self::ExternalOnly
            | Self::TtlSecurityMultiHop
            | Self::Vrf(_)
            | Self::SecretReference(_)
            | Self::DuplicatePeer { .. }
            | Self::UnknownCommunity(_)
            | Self::Community(_)
            | Self::CommunityName(_)
            | Self::WellKnownName { .. } => Severity::Rejected,
        }
    }
}

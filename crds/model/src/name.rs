//! Newtypes for every name that crosses a border, so that a pool can never be passed for a node.
//! Their text is shared: thousands of ledger entries name the same few pools, and a copy of a name
//! costs no memory.

use std::fmt;
use std::sync::Arc;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes the name as it is; Kubernetes has validated it before we read it.
            pub fn new(name: impl Into<String>) -> Self {
                Self(Arc::from(Into::<String>::into(name)))
            }

            /// The bare name.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// `metadata.name` of an IPAddressPool.
    PoolName
}
name! {
    /// `metadata.name` of a Node.
    NodeName
}
name! {
    /// `metadata.name` of an L2Advertisement or a BGPAdvertisement.
    AdvertisementName
}
name! {
    /// `metadata.name` of a BGPPeer.
    PeerName
}
name! {
    /// `metadata.name` of a BFDProfile.
    BfdProfileName
}
name! {
    /// Name of a network interface, as netlink shows it.
    InterfaceName
}
name! {
    /// `metadata.uid`: tells an object from a later one of the same name.
    Uid
}

/// Namespace and name of a Service; printed as `namespace/name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceKey {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
}

impl ServiceKey {
    /// Takes both parts as they are.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}

impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

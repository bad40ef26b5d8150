//! Entries of the ledger, as objects and as nouns.

use std::net::IpAddr;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use model::{Allocation, Holder, PoolName, ServiceKey, Uid};
use thiserror::Error;

use crate::ip_allocation::{AllocationHolder, IPAllocation, IPAllocationSpec};

/// Why an IPAllocation cannot be read. The schema's rules let none of this in.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReadAllocationError {
    /// `spec.address` is not an address.
    #[error("{text:?} in IPAllocation {name} is not an IP address")]
    NotAnAddress {
        /// The object.
        name: String,
        /// What stands there.
        text: String,
    },
    /// The name belongs to another address, so that this entry claims nothing.
    #[error("IPAllocation {name} says {address}, whose entry is named {}", entry_name(*address))]
    Misnamed {
        /// The object.
        name: String,
        /// What it says.
        address: IpAddr,
    },
}

/// The name of an address's entry: an IPv4 address as it is, an IPv6 address as eight full
/// lower-case groups joined by `-`, because an object's name has no colons. Different addresses
/// have different names, so that creating the object is an atomic claim.
pub fn entry_name(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => address
            .segments()
            .map(|group| format!("{group:04x}"))
            .join("-"),
    }
}

impl From<&Allocation> for IPAllocation {
    fn from(allocation: &Allocation) -> Self {
        let holders = allocation.holders.iter();
        let held_by: Vec<String> = holders.clone().map(|h| h.service.to_string()).collect();
        // Beyond the year 9999 there is no text for it; nothing is decided by this time.
        let since = Timestamp::from_millisecond(allocation.since).unwrap_or_default();
        let spec = IPAllocationSpec {
            address: allocation.address.to_string(),
            pool: allocation.pool.to_string(),
            holders: holders.map(AllocationHolder::from).collect(),
            held_by: held_by.join(","),
            since: MicroTime(since),
        };
        Self::new(&entry_name(allocation.address), spec)
    }
}

impl TryFrom<&IPAllocation> for Allocation {
    type Error = ReadAllocationError;

    fn try_from(object: &IPAllocation) -> Result<Self, ReadAllocationError> {
        let name = object.metadata.name.clone().unwrap_or_default();
        let spec = &object.spec;
        let Ok(address) = spec.address.parse() else {
            let text = spec.address.clone();
            return Err(ReadAllocationError::NotAnAddress { name, text });
        };
        if name != entry_name(address) {
            return Err(ReadAllocationError::Misnamed { name, address });
        }
        Ok(Self {
            address,
            pool: PoolName::new(spec.pool.clone()),
            holders: spec.holders.iter().map(Holder::from).collect(),
            since: spec.since.0.as_millisecond(),
        })
    }
}

impl From<&Holder> for AllocationHolder {
    fn from(holder: &Holder) -> Self {
        Self {
            namespace: holder.service.namespace.clone(),
            name: holder.service.name.clone(),
            uid: holder.uid.as_str().to_owned(),
        }
    }
}

impl From<&AllocationHolder> for Holder {
    fn from(holder: &AllocationHolder) -> Self {
        Self {
            service: ServiceKey::new(holder.namespace.clone(), holder.name.clone()),
            uid: Uid::new(holder.uid.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allocation(address: &str) -> Allocation {
        Allocation {
            address: address.parse().unwrap(),
            pool: PoolName::new("lan"),
            holders: vec![Holder {
                service: ServiceKey::new("shop", "web"),
                uid: Uid::new("6b1f"),
            }],
            since: 1_794_000_000_123,
        }
    }

    #[test]
    fn an_address_has_one_name() {
        for (address, name) in [
            ("10.99.0.200", "10.99.0.200"),
            ("fd99::2:1", "fd99-0000-0000-0000-0000-0000-0002-0001"),
            ("::1", "0000-0000-0000-0000-0000-0000-0000-0001"),
        ] {
            assert_eq!(entry_name(address.parse().unwrap()), name);
        }
    }

    #[test]
    fn an_entry_goes_over_the_wire_and_back_to_the_millisecond() {
        for address in ["10.99.0.200", "fd99::2:1"] {
            let before = allocation(address);
            let wire = serde_json::to_string(&IPAllocation::from(&before)).unwrap();
            let object: IPAllocation = serde_json::from_str(&wire).unwrap();
            assert_eq!(object.spec.held_by, "shop/web");
            assert_eq!(Allocation::try_from(&object), Ok(before));
        }
    }

    #[test]
    fn a_released_entry_names_nobody() {
        let mut released = allocation("10.99.0.200");
        released.holders.clear();
        let spec = serde_json::to_value(&IPAllocation::from(&released).spec).unwrap();
        assert_eq!(
            spec,
            serde_json::json!({
                "address": "10.99.0.200",
                "pool": "lan",
                "holders": [],
                "since": "2026-11-06T21:20:00.123000Z",
            })
        );
    }

    #[test]
    fn an_entry_under_another_name_is_refused() {
        let mut object = IPAllocation::from(&allocation("10.99.0.200"));
        object.metadata.name = Some("10.99.0.201".to_owned());
        assert_eq!(
            Allocation::try_from(&object).unwrap_err().to_string(),
            "IPAllocation 10.99.0.201 says 10.99.0.200, whose entry is named 10.99.0.200"
        );
        object.spec.address = "here".to_owned();
        assert!(matches!(
            Allocation::try_from(&object),
            Err(ReadAllocationError::NotAnAddress { .. })
        ));
    }
}

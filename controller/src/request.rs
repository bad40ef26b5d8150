//! What a Service asks for, read from its annotations and fields.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use k8s_openapi::api::core::v1::{Service, ServiceSpec};
use model::{
    InvalidRequest, IpFamily, IpFamilyPolicy, PoolName, RequestedAddresses, ServiceKey,
    ServiceRequest, Uid,
};

/// Asked-for addresses, by annotation: ours first, then the two spellings that MetalLB's users
/// have in their manifests.
const ADDRESSES: [&str; 3] = [
    "seamark.io/loadBalancerIPs",
    "metallb.io/loadBalancerIPs",
    "metallb.universe.tf/loadBalancerIPs",
];

/// Which spellings are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Annotations {
    /// Ours alone.
    Ours,
    /// Those of MetalLB as well.
    #[default]
    OursAndMetalLb,
}

impl Annotations {
    /// Those of one meaning that are read.
    fn read<'a>(self, spellings: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
        let count = match self {
            Self::Ours => 1,
            Self::OursAndMetalLb => spellings.len(),
        };
        spellings.iter().take(count).copied()
    }
}

/// The asked-for pool, by annotation, in the same order.
const POOL: [&str; 3] = [
    "seamark.io/address-pool",
    "metallb.io/address-pool",
    "metallb.universe.tf/address-pool",
];

/// The asked-for address, by field; deprecated by Kubernetes, still written by many charts.
const FIELD: &str = "spec.loadBalancerIP";

/// More addresses than one Service can mean; a bound on what we keep for it.
const MAX_ADDRESSES: usize = 16;

/// The request of a Service of type LoadBalancer. `None` for an object without name or uid, which
/// the API server never sends.
pub(crate) fn request_of(service: &Service, read: Annotations) -> Option<ServiceRequest> {
    let metadata = &service.metadata;
    let spec = service.spec.as_ref();
    let key = ServiceKey::new(metadata.namespace.as_deref()?, metadata.name.as_deref()?);
    let empty = BTreeMap::new();
    let annotations = metadata.annotations.as_ref().unwrap_or(&empty);
    Some(ServiceRequest {
        service: key,
        uid: Uid::new(metadata.uid.as_deref()?),
        created: metadata
            .creation_timestamp
            .as_ref()
            .map_or(0, |time| time.0.as_second()),
        labels: metadata.labels.clone().unwrap_or_default(),
        families: spec.map(families).unwrap_or_default(),
        family_policy: family_policy(spec.and_then(|s| s.ip_family_policy.as_deref())),
        requested: requested(
            read,
            annotations,
            spec.and_then(|s| s.load_balancer_ip.as_deref()),
        ),
        shown: shown_addresses(service),
    })
}

/// The IP addresses that the status shows.
fn shown_addresses(service: &Service) -> Vec<IpAddr> {
    let status = service
        .status
        .as_ref()
        .and_then(|status| status.load_balancer.as_ref());
    let ingress = status
        .and_then(|status| status.ingress.as_deref())
        .unwrap_or_default();
    ingress
        .iter()
        .filter_map(|entry| entry.ip.as_deref()?.parse().ok())
        .collect()
}

/// `spec.ipFamilies`, but only once the cluster IPs are there: until then the API server has not
/// settled them.
fn families(spec: &ServiceSpec) -> Vec<IpFamily> {
    let settled = spec.cluster_ips.as_ref().is_some_and(|ips| !ips.is_empty());
    let names = spec
        .ip_families
        .as_deref()
        .filter(|_| settled)
        .unwrap_or_default();
    names
        .iter()
        .filter_map(|name| match name.as_str() {
            "IPv4" => Some(IpFamily::V4),
            "IPv6" => Some(IpFamily::V6),
            _ => None,
        })
        .collect()
}

fn family_policy(text: Option<&str>) -> IpFamilyPolicy {
    match text {
        Some("PreferDualStack") => IpFamilyPolicy::PreferDualStack,
        Some("RequireDualStack") => IpFamilyPolicy::RequireDualStack,
        Some(_) | None => IpFamilyPolicy::SingleStack,
    }
}

fn requested(
    read: Annotations,
    annotations: &BTreeMap<String, String>,
    field: Option<&str>,
) -> Result<RequestedAddresses, InvalidRequest> {
    Ok(RequestedAddresses {
        addresses: requested_addresses(read, annotations, field)?,
        pool: requested_pool(read, annotations)?,
    })
}

/// All places that ask for addresses must ask for the same ones: which of two was meant is not
/// ours to guess.
fn requested_addresses(
    read: Annotations,
    annotations: &BTreeMap<String, String>,
    field: Option<&str>,
) -> Result<Vec<IpAddr>, InvalidRequest> {
    let written = read
        .read(&ADDRESSES)
        .filter_map(|name| Some((name, annotations.get(name)?.as_str())));
    let field = field
        .filter(|text| !text.is_empty())
        .map(|text| (FIELD, text));
    let mut found: Option<(&str, Vec<IpAddr>)> = None;
    for (name, text) in written.chain(field) {
        let addresses = parse_addresses(name, text)?;
        match &found {
            None => found = Some((name, addresses)),
            Some((first, known)) if as_set(known) != as_set(&addresses) => {
                return Err(conflicting(first, name));
            }
            Some(_) => {}
        }
    }
    Ok(found.map(|(_, addresses)| addresses).unwrap_or_default())
}

fn as_set(addresses: &[IpAddr]) -> BTreeSet<IpAddr> {
    addresses.iter().copied().collect()
}

fn parse_addresses(field: &str, text: &str) -> Result<Vec<IpAddr>, InvalidRequest> {
    if text.trim().is_empty() {
        return Err(InvalidRequest::Empty {
            field: field.to_owned(),
        });
    }
    let count = text.split(',').count();
    if count > MAX_ADDRESSES {
        let field = field.to_owned();
        return Err(InvalidRequest::TooMany {
            field,
            count,
            limit: MAX_ADDRESSES,
        });
    }
    let mut addresses = Vec::with_capacity(count);
    for part in text.split(',').map(str::trim) {
        let address: IpAddr = part.parse().map_err(|_| InvalidRequest::NotAnAddress {
            field: field.to_owned(),
            text: part.chars().take(64).collect(),
        })?;
        if addresses.contains(&address) {
            return Err(InvalidRequest::Repeated {
                field: field.to_owned(),
                address,
            });
        }
        addresses.push(address);
    }
    Ok(addresses)
}

fn requested_pool(
    read: Annotations,
    annotations: &BTreeMap<String, String>,
) -> Result<Option<PoolName>, InvalidRequest> {
    let mut found: Option<(&str, &str)> = None;
    for name in read.read(&POOL) {
        let Some(pool) = annotations.get(name).map(|text| text.trim()) else {
            continue;
        };
        if pool.is_empty() {
            return Err(InvalidRequest::Empty {
                field: name.to_owned(),
            });
        }
        match found {
            None => found = Some((name, pool)),
            Some((first, known)) if known != pool => return Err(conflicting(first, name)),
            Some(_) => {}
        }
    }
    Ok(found.map(|(_, pool)| PoolName::new(pool)))
}

fn conflicting(first: &str, second: &str) -> InvalidRequest {
    InvalidRequest::Conflicting {
        first: first.to_owned(),
        second: second.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn annotations(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    fn ask(pairs: &[(&str, &str)], field: Option<&str>) -> Result<RequestedAddresses, String> {
        let read = Annotations::OursAndMetalLb;
        requested(read, &annotations(pairs), field).map_err(|error| error.to_string())
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn nothing_written_asks_for_nothing() {
        assert_eq!(ask(&[], None), Ok(RequestedAddresses::default()));
        assert_eq!(ask(&[], Some("")), Ok(RequestedAddresses::default()));
    }

    #[test]
    fn every_spelling_is_read() {
        for name in ADDRESSES {
            let asked = ask(&[(name, "10.0.0.1, fd00::1")], None).unwrap();
            assert_eq!(asked.addresses, [ip("10.0.0.1"), ip("fd00::1")], "{name}");
        }
        for name in POOL {
            assert_eq!(
                ask(&[(name, "lan")], None).unwrap().pool,
                Some(PoolName::new("lan"))
            );
        }
        assert_eq!(
            ask(&[], Some("10.0.0.1")).unwrap().addresses,
            [ip("10.0.0.1")]
        );
    }

    #[test]
    fn those_of_others_are_not_read_where_that_is_said() {
        let pairs = [
            (ADDRESSES[1], "no address"),
            (POOL[2], "lan"),
            (POOL[0], "own"),
        ];
        let asked = requested(Annotations::Ours, &annotations(&pairs), None).unwrap();
        assert_eq!(asked.pool, Some(PoolName::new("own")));
        assert!(asked.addresses.is_empty());
    }

    #[test]
    fn spellings_that_agree_are_one_request() {
        let asked = ask(
            &[
                (ADDRESSES[0], "10.0.0.1,fd00::1"),
                (ADDRESSES[1], "fd00::1, 10.0.0.1"),
            ],
            None,
        );
        assert_eq!(asked.unwrap().addresses, [ip("10.0.0.1"), ip("fd00::1")]);
    }

    #[test]
    fn spellings_that_differ_are_refused_and_both_are_named() {
        assert_eq!(
            ask(&[(ADDRESSES[0], "10.0.0.1")], Some("10.0.0.2")).unwrap_err(),
            "seamark.io/loadBalancerIPs and spec.loadBalancerIP ask for different things; keep one of them"
        );
        assert!(ask(&[(POOL[0], "a"), (POOL[2], "b")], None).is_err());
    }

    #[test]
    fn text_that_is_no_address_is_shown_back() {
        assert_eq!(
            ask(&[(ADDRESSES[1], "10.0.0.1,web")], None).unwrap_err(),
            "metallb.io/loadBalancerIPs says \"web\", which is not an IP address; write addresses separated by commas"
        );
        assert!(
            ask(&[(ADDRESSES[0], "10.0.0.01")], None).is_err(),
            "leading zeros are ambiguous"
        );
        assert!(ask(&[(ADDRESSES[0], "10.0.0.1,10.0.0.1")], None).is_err());
        assert!(ask(&[(ADDRESSES[0], " ")], None).is_err());
        assert!(ask(&[(POOL[0], "")], None).is_err());
    }

    #[test]
    fn families_count_only_once_the_cluster_ips_are_there() {
        let mut spec = ServiceSpec {
            ip_families: Some(vec!["IPv6".to_owned(), "IPv4".to_owned()]),
            ..ServiceSpec::default()
        };
        assert_eq!(families(&spec), []);
        spec.cluster_ips = Some(vec!["fd96::1".to_owned(), "10.96.0.1".to_owned()]);
        assert_eq!(families(&spec), [IpFamily::V6, IpFamily::V4]);
    }
}

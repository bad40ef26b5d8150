//! Peers and BGP advertisements on their way to the speakers.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use model::{
    AdvertisementName, BfdProfile, BfdProfileName, BgpAdvertisement, BgpAttributes, BgpPeer,
    Community, PasswordKey, PeerAsn, PeerName, PoolName, Remote, Uid,
};

use super::{from_selectors, to_selectors};
use crate::bgp_peer::{GracefulRestart, GracefulShutdown};
use crate::parse::{self, number};
use crate::problem::{BgpProblem, Problem};
use crate::speaker_config::{
    SpeakerConfigBfd, SpeakerConfigBgpAdvertisement, SpeakerConfigBgpPeer,
};
use crate::time;

impl From<&BgpPeer> for SpeakerConfigBgpPeer {
    fn from(peer: &BgpPeer) -> Self {
        let (peer_asn, dynamic_asn) = match peer.peer_asn {
            PeerAsn::Exactly(asn) => (Some(i64::from(asn)), None),
            PeerAsn::Internal => (None, Some("internal".to_owned())),
            PeerAsn::External => (None, Some("external".to_owned())),
        };
        Self {
            name: peer.name.to_string(),
            uid: peer.uid.as_ref().map(Uid::to_string),
            my_asn: i64::from(peer.my_asn),
            peer_asn,
            dynamic_asn,
            peer_address: peer.remote.address().map(|address| address.to_string()),
            interface: match &peer.remote {
                Remote::Interface(name) => Some(name.to_string()),
                Remote::Address(_) | Remote::Range(_) => None,
            },
            listen_range: match &peer.remote {
                Remote::Range(range) => Some(range.to_string()),
                Remote::Address(_) | Remote::Interface(_) => None,
            },
            peer_port: i64::from(peer.port),
            source_address: peer.source_address.as_ref().map(IpAddr::to_string),
            router_id: peer.router_id.as_ref().map(Ipv4Addr::to_string),
            node_selectors: from_selectors(&peer.node_selectors),
            hold_time: time::emit(peer.hold_time),
            keepalive_time: peer.keepalive_time.map(time::emit),
            connect_time: peer.connect_time.map(time::emit),
            ebgp_multi_hop: peer.ebgp_multi_hop,
            ttl_security: peer.ttl_security,
            password_key: peer.password.as_ref().map(PasswordKey::to_string),
            role: peer.role.map(|role| parse::role_word(role).to_owned()),
            max_prefixes: i64::from(peer.max_prefixes),
            address_families: peer
                .address_families
                .iter()
                .map(ToString::to_string)
                .collect(),
            passive: peer.passive,
            bfd: peer.bfd.as_ref().map(Into::into),
            bfd_strict: peer.bfd_strict,
            graceful_restart: peer.graceful_restart.into(),
            graceful_shutdown: peer.graceful_shutdown.into(),
            vrf: peer.vrf.clone(),
            requires: peer.requires.clone(),
        }
    }
}

impl TryFrom<&SpeakerConfigBgpPeer> for BgpPeer {
    type Error = Problem;

    fn try_from(item: &SpeakerConfigBgpPeer) -> Result<Self, Problem> {
        let families = item.address_families.iter();
        let families = families.map(|text| parse::read_family(text));
        let (keepalive, connect) = (item.keepalive_time.as_ref(), item.connect_time.as_ref());
        let role = item.role.as_ref();
        Ok(Self {
            name: PeerName::new(item.name.clone()),
            uid: item.uid.clone().map(Uid::new),
            my_asn: number(item.my_asn, 1, u32::MAX)?,
            peer_asn: peer_asn(item)?,
            remote: remote(item)?,
            port: number(item.peer_port, 1, u16::MAX)?,
            source_address: item.source_address.as_deref().map(address).transpose()?,
            router_id: item.router_id.as_deref().map(router_id).transpose()?,
            node_selectors: to_selectors(&item.node_selectors)?,
            hold_time: duration(&item.hold_time)?,
            keepalive_time: keepalive.map(|text| duration(text)).transpose()?,
            connect_time: connect.map(|text| duration(text)).transpose()?,
            ebgp_multi_hop: item.ebgp_multi_hop,
            ttl_security: item.ttl_security,
            password: item.password_key.as_ref().map(PasswordKey::new),
            role: role.map(|text| parse::read_role(text)).transpose()?,
            max_prefixes: number(item.max_prefixes, 1, u32::MAX)?,
            address_families: families.collect::<Result<_, _>>()?,
            passive: item.passive,
            bfd: item.bfd.as_ref().map(bfd).transpose()?,
            bfd_strict: item.bfd_strict,
            graceful_restart: graceful_restart(&item.graceful_restart)?,
            graceful_shutdown: graceful_shutdown(&item.graceful_shutdown)?,
            vrf: item.vrf.clone(),
            requires: item.requires.clone(),
        })
    }
}

fn peer_asn(item: &SpeakerConfigBgpPeer) -> Result<PeerAsn, BgpProblem> {
    match (item.peer_asn, &item.dynamic_asn) {
        (Some(asn), None) => Ok(PeerAsn::Exactly(number(asn, 1, u32::MAX)?)),
        (None, Some(word)) => parse::read_dynamic_asn(word),
        (None, None) | (Some(_), Some(_)) => Err(BgpProblem::PeerAsn),
    }
}

fn remote(item: &SpeakerConfigBgpPeer) -> Result<Remote, BgpProblem> {
    let written = parse::Written {
        peer_address: item.peer_address.as_deref(),
        interface: item.interface.as_deref(),
        listen_range: item.listen_range.as_deref(),
    };
    parse::read_remote(written).map_err(|(_, problem)| problem)
}

impl From<&BfdProfile> for SpeakerConfigBfd {
    fn from(profile: &BfdProfile) -> Self {
        let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        Self {
            profile: profile.name.to_string(),
            receive_interval: millis(profile.receive_interval),
            transmit_interval: millis(profile.transmit_interval),
            detect_multiplier: i64::from(profile.detect_multiplier.get()),
            minimum_ttl: i64::from(profile.minimum_ttl),
            passive_mode: profile.passive,
        }
    }
}

fn bfd(item: &SpeakerConfigBfd) -> Result<BfdProfile, BgpProblem> {
    Ok(BfdProfile {
        name: BfdProfileName::new(item.profile.clone()),
        receive_interval: parse::interval(item.receive_interval)?,
        transmit_interval: parse::interval(item.transmit_interval)?,
        detect_multiplier: parse::multiplier(item.detect_multiplier)?,
        minimum_ttl: parse::minimum_ttl(item.minimum_ttl)?,
        passive: item.passive_mode,
    })
}

fn graceful_restart(item: &GracefulRestart) -> Result<model::GracefulRestart, BgpProblem> {
    Ok(model::GracefulRestart {
        enabled: item.enabled,
        restart_time: parse::restart_time(&item.restart_time)?,
        notification: item.notification,
        bfd_budget: parse::bfd_budget(&item.bfd_budget)?,
    })
}

fn graceful_shutdown(item: &GracefulShutdown) -> Result<model::GracefulShutdown, BgpProblem> {
    Ok(model::GracefulShutdown {
        enabled: item.enabled,
        wait: parse::wait(&item.wait)?,
    })
}

fn address(text: &str) -> Result<IpAddr, BgpProblem> {
    let address = text.parse();
    address.map_err(|_| BgpProblem::PeerAddress(text.to_owned()))
}

fn router_id(text: &str) -> Result<Ipv4Addr, BgpProblem> {
    text.parse()
        .map_err(|_| BgpProblem::RouterId(text.to_owned()))
}

fn duration(text: &str) -> Result<Duration, BgpProblem> {
    time::parse(text).ok_or_else(|| BgpProblem::NotADuration(text.to_owned()))
}

impl From<&BgpAdvertisement> for SpeakerConfigBgpAdvertisement {
    fn from(advertisement: &BgpAdvertisement) -> Self {
        let attributes = &advertisement.attributes;
        Self {
            name: advertisement.name.to_string(),
            ip_address_pools: advertisement
                .pools
                .iter()
                .map(PoolName::to_string)
                .collect(),
            ip_address_pool_selectors: from_selectors(&advertisement.pool_selectors),
            service_selectors: from_selectors(&advertisement.service_selectors),
            node_selectors: from_selectors(&advertisement.node_selectors),
            peers: advertisement
                .peers
                .iter()
                .map(PeerName::to_string)
                .collect(),
            aggregation_length: i64::from(advertisement.aggregation_length),
            aggregation_length_v6: i64::from(advertisement.aggregation_length_v6),
            aggregate_anyway: advertisement.aggregate_anyway,
            local_pref: attributes.local_pref.map(i64::from),
            med: attributes.med.map(i64::from),
            as_path_prepend: i64::from(attributes.as_path_prepend),
            communities: attributes
                .communities
                .iter()
                .map(Community::to_string)
                .collect(),
            requires: advertisement.requires.clone(),
        }
    }
}

impl TryFrom<&SpeakerConfigBgpAdvertisement> for BgpAdvertisement {
    type Error = Problem;

    fn try_from(item: &SpeakerConfigBgpAdvertisement) -> Result<Self, Problem> {
        Ok(Self {
            name: AdvertisementName::new(item.name.clone()),
            pools: item.ip_address_pools.iter().map(PoolName::new).collect(),
            pool_selectors: to_selectors(&item.ip_address_pool_selectors)?,
            service_selectors: to_selectors(&item.service_selectors)?,
            node_selectors: to_selectors(&item.node_selectors)?,
            peers: item.peers.iter().map(PeerName::new).collect(),
            aggregation_length: number(item.aggregation_length, 1, 32)?,
            aggregation_length_v6: number(item.aggregation_length_v6, 1, 128)?,
            aggregate_anyway: item.aggregate_anyway,
            attributes: Arc::new(attributes(item)?),
            requires: item.requires.clone(),
        })
    }
}

fn attributes(item: &SpeakerConfigBgpAdvertisement) -> Result<BgpAttributes, BgpProblem> {
    let value = |value: Option<i64>| value.map(|v| number(v, 0, u32::MAX)).transpose();
    let communities = item.communities.iter();
    let communities = communities.map(|text| text.parse::<Community>());
    Ok(BgpAttributes {
        local_pref: value(item.local_pref)?,
        med: value(item.med)?,
        as_path_prepend: number(item.as_path_prepend, 0, u8::MAX)?,
        communities: communities.collect::<Result<_, _>>()?,
    })
}

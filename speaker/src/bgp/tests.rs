//! From what is planned to what the machine and its connections are given.

mod ranges;

use std::collections::BTreeMap;
use std::num::NonZeroU8;
use std::sync::Arc;
use std::time::Duration;

use bgp::{Attributes, Community, LargeCommunity, Mode, Prefix, RouteSet, RouterId};
use model::{BgpAttributes, BgpPeer, NodeName, Password, PasswordKey, PeerName, SpeakerConfig};
use plan::{Departure, NextHops, Route, RoutePrefix};
use prometheus_client::registry::Registry;
use sys::tcp::Hops;

use super::routes::Routes;
use super::transport::{self, Transport};
use super::*;
use crate::discovery::{Neighbor, Neighbors};

pub(super) fn peer() -> BgpPeer {
    BgpPeer {
        name: PeerName::new("tor-1"),
        uid: None,
        my_asn: 64_513,
        peer_asn: model::PeerAsn::Exactly(64_512),
        remote: model::Remote::Address("10.99.0.1".parse().unwrap()),
        port: 179,
        source_address: None,
        router_id: None,
        node_selectors: Vec::new(),
        hold_time: Duration::from_secs(90),
        keepalive_time: None,
        connect_time: None,
        ebgp_multi_hop: false,
        ttl_security: false,
        password: None,
        role: None,
        max_prefixes: 10_000,
        address_families: vec![model::IpFamily::V4, model::IpFamily::V6],
        passive: false,
        bfd: None,
        bfd_strict: false,
        graceful_restart: model::GracefulRestart::default(),
        graceful_shutdown: model::GracefulShutdown::default(),
        vrf: None,
        requires: Vec::new(),
    }
}

fn router_id() -> RouterId {
    RouterId::from("10.99.0.11".parse().unwrap()).unwrap()
}

pub(super) fn desired(settings: BgpPeer, secret: Secret) -> Desired {
    Desired {
        remote: settings
            .remote
            .address()
            .map(|address| SocketAddr::new(address, settings.port)),
        settings,
        secret,
        router_id: router_id(),
        next_hops: NextHops::default(),
        interfaces: Arc::default(),
        on_link: true,
        forwarding: Forwarding::Preserved,
        drain: None,
        routes: Arc::default(),
    }
}

fn hops(change: impl FnOnce(&mut BgpPeer)) -> Hops {
    let mut settings = peer();
    change(&mut settings);
    let desired = desired(settings, Secret::None);
    Transport::of(&desired).unwrap().options.hops
}

#[test]
fn an_external_peer_is_on_our_link_unless_it_is_said_to_be_further_away() {
    assert_eq!(hops(|_| {}), Hops::Direct);
    assert_eq!(
        hops(|peer| peer.peer_asn = model::PeerAsn::External),
        Hops::Direct
    );
    assert_eq!(hops(|peer| peer.ebgp_multi_hop = true), Hops::Any);
    assert_eq!(
        hops(|peer| peer.peer_asn = model::PeerAsn::Internal),
        Hops::Any
    );
    assert_eq!(
        hops(|peer| peer.peer_asn = model::PeerAsn::Exactly(64_513)),
        Hops::Any
    );
    let secured = Hops::Secured(NonZeroU8::MIN);
    assert_eq!(hops(|peer| peer.ttl_security = true), secured);
}

#[test]
fn a_peer_whose_password_is_not_known_is_not_spoken_to() {
    let refused = Transport::of(&desired(peer(), Secret::Missing)).unwrap_err();
    assert!(refused.to_string().contains("password"), "{refused}");
    let empty = Secret::Known(Password::new(""));
    assert!(Transport::of(&desired(peer(), empty)).is_err());
    let known = Secret::Known(Password::new("s3cret"));
    let transport = Transport::of(&desired(peer(), known)).unwrap();
    assert!(transport.options.md5.is_some());
}

#[test]
fn a_bgp_peer_that_is_made_again_keeps_its_session() {
    let node = NodeName::new("n1");
    let mut again = peer();
    again.uid = Some(model::Uid::new("another"));
    let (before, after) = (desired(peer(), Secret::None), desired(again, Secret::None));
    let config = |desired| transport::config(desired, &node);
    assert_eq!(config(&before), config(&after));
    assert!(Transport::of(&before).unwrap() == Transport::of(&after).unwrap());
}

#[tokio::test(start_paused = true)]
async fn that_all_sessions_are_closed_ends_nothing_before_shutdown() {
    let (_wants, peers) = watch::channel(Peers::default());
    let (end, ending) = watch::channel(None);
    let shutdown = CancellationToken::new();
    let channels = Channels {
        peers,
        sessions: watch::Sender::default(),
        changes: watch::Sender::default(),
        wishes: watch::Sender::default(),
        statuses: watch::channel(Statuses::new()).1,
        ending,
        shutdown: shutdown.clone(),
    };
    let settings = Settings {
        node: NodeName::new("n1"),
        port: 0,
    };
    let metrics = Metrics::register(&mut Registry::default());
    let mut driver = std::pin::pin!(run(settings, channels, metrics));
    end.send_replace(Some(Ending::Restarting));
    let minute = Duration::from_secs(60);
    let early = tokio::time::timeout(minute, &mut driver).await;
    assert!(
        early.is_err(),
        "what is still to be done would find the process at its end"
    );
    shutdown.cancel();
    driver.await;
}

#[tokio::test]
async fn what_is_told_of_a_session_goes_with_its_peer() {
    let name = PeerName::new("tor-1");
    let wanted = BTreeMap::from([(name.clone(), desired(peer(), Secret::Missing))]);
    let (wants, peers) = watch::channel(Arc::new(wanted));
    let (changes, mut told) = watch::channel(Changes::new());
    let (_end, ending) = watch::channel(None);
    let channels = Channels {
        peers,
        sessions: watch::Sender::default(),
        changes,
        wishes: watch::Sender::default(),
        statuses: watch::channel(Statuses::new()).1,
        ending,
        shutdown: CancellationToken::new(),
    };
    let settings = Settings {
        node: NodeName::new("n1"),
        port: 0,
    };
    tokio::spawn(run(
        settings,
        channels,
        Metrics::register(&mut Registry::default()),
    ));
    told.changed().await.unwrap();
    let refused = told.borrow_and_update()[&SessionName::from(name)].clone();
    assert_eq!(refused.reason(), "SessionRefused");
    assert!(
        refused.trouble().unwrap().contains("password"),
        "{refused:?}"
    );
    wants.send(Arc::default()).unwrap();
    told.changed().await.unwrap();
    assert_eq!(*told.borrow(), Changes::new());
}

#[test]
fn the_machine_is_given_what_the_peer_asks_for() {
    let node = NodeName::new("n1");
    let config = transport::config(&desired(peer(), Secret::None), &node);
    assert_eq!(config.router_id, router_id());
    assert_eq!(config.mode, Mode::Dial);
    assert_eq!(config.hostname, "n1");
    let mut settings = peer();
    settings.router_id = Some("192.0.2.1".parse().unwrap());
    settings.passive = true;
    settings.address_families = vec![model::IpFamily::V6];
    let config = transport::config(&desired(settings, Secret::None), &node);
    assert_eq!(config.router_id.to_string(), "192.0.2.1");
    assert_eq!(config.mode, Mode::Passive);
    assert!(config.families.contains(bgp::Family::Ipv6Unicast));
    assert!(!config.families.contains(bgp::Family::Ipv4Unicast));
}

fn route(vip: &str, attributes: &Arc<BgpAttributes>) -> Route {
    Route {
        prefix: RoutePrefix::host(vip.parse().unwrap()),
        attributes: Arc::clone(attributes),
    }
}

#[test]
fn routes_keep_their_meaning() {
    let planned = Arc::new(BgpAttributes {
        local_pref: Some(200),
        med: Some(7),
        as_path_prepend: 2,
        communities: [
            model::Community::Standard(64_512 << 16 | 1),
            model::Community::Large(64_512, 1, 2),
        ]
        .into(),
    });
    let routes = [route("10.97.0.1", &planned), route("fd97::1", &planned)];
    let mut followed = Routes::default();
    followed.follow(&routes.into());
    let attributes = Arc::new(Attributes {
        multi_exit_disc: Some(7),
        local_pref: Some(200),
        as_path_prepend: 2,
        communities: vec![Community::new(64_512, 1)],
        extended_communities: Vec::new(),
        large_communities: vec![LargeCommunity {
            global: 64_512,
            local1: 1,
            local2: 2,
        }],
    });
    let expected = ["10.97.0.1", "fd97::1"].map(|vip| bgp::Route {
        prefix: Prefix::host(vip.parse().unwrap()),
        attributes: Arc::clone(&attributes),
    });
    assert_eq!(
        *followed.set(),
        RouteSet::build(expected, &RouteSet::default())
    );
}

#[test]
fn a_peer_keeps_its_settings_while_the_plan_has_it_and_the_configuration_does_not() {
    let planned = BTreeMap::from([(PeerName::new("tor-1"), Arc::default())]);
    let mut settings = peer();
    settings.password = Some(PasswordKey::of(&settings.name));
    let config = SpeakerConfig {
        bgp_peers: vec![settings],
        ..SpeakerConfig::default()
    };
    let none = BTreeMap::new();
    let neighbors = Neighbors::new();
    let local = |passwords| Local {
        passwords,
        interfaces: &[],
        neighbors: &neighbors,
        router_id: router_id(),
        forwarding: Forwarding::Preserved,
        drain: None,
    };
    let first = peers(&planned, &config, local(&none), &Peers::default());
    assert_eq!(first[&PeerName::new("tor-1")].secret, Secret::Missing);
    let known = BTreeMap::from([(PeerName::new("tor-1"), Password::new("s3cret"))]);
    let second = peers(&planned, &config, local(&known), &first);
    let secret = Secret::Known(Password::new("s3cret"));
    assert_eq!(second[&PeerName::new("tor-1")].secret, secret);
    let gone = SpeakerConfig::default();
    let third = peers(&planned, &gone, local(&known), &second);
    assert_eq!(third, second);
}

#[test]
fn a_peer_on_a_link_is_where_it_was_heard() {
    let name = PeerName::new("tor-1");
    let planned = BTreeMap::from([(name.clone(), Arc::default())]);
    let link = model::InterfaceName::new("eth1");
    let mut settings = peer();
    settings.remote = model::Remote::Interface(link.clone());
    let config = SpeakerConfig {
        bgp_peers: vec![settings],
        ..SpeakerConfig::default()
    };
    let none = BTreeMap::new();
    let local = |neighbors| Local {
        passwords: &none,
        interfaces: &[],
        neighbors,
        router_id: router_id(),
        forwarding: Forwarding::Preserved,
        drain: None,
    };
    let nobody = Neighbors::new();
    let unheard = peers(&planned, &config, local(&nobody), &Peers::default());
    let waits = Transport::of(&unheard[&name]).unwrap_err().to_string();
    assert!(
        waits.contains("advertisement has been heard on eth1"),
        "{waits}"
    );
    let neighbor = Neighbor {
        address: "fe80::1".parse().unwrap(),
        link: sys::InterfaceIndex::new(7).unwrap(),
    };
    let heard = Neighbors::from([(link, neighbor)]);
    let found = peers(&planned, &config, local(&heard), &unheard);
    let transport = Transport::of(&found[&name]).unwrap();
    assert_eq!(transport.remote.to_string(), "[fe80::1%7]:179");
    assert_eq!(transport.options.hops, Hops::Direct);
    assert_eq!(found[&name].next_hops, NextHops::default());
}

#[test]
fn a_peer_that_is_left_is_given_its_wait_and_the_reason() {
    let planned = BTreeMap::from([(PeerName::new("tor-1"), Arc::default())]);
    for (enabled, wait) in [(true, 7), (false, 0)] {
        let mut settings = peer();
        settings.graceful_shutdown = model::GracefulShutdown {
            enabled,
            wait: Duration::from_secs(7),
        };
        let config = SpeakerConfig {
            bgp_peers: vec![settings],
            ..SpeakerConfig::default()
        };
        let none = BTreeMap::new();
        let local = Local {
            passwords: &none,
            interfaces: &[],
            neighbors: &Neighbors::new(),
            router_id: router_id(),
            forwarding: Forwarding::Preserved,
            drain: Some(Departure::ShuttingDown),
        };
        let wanted = peers(&planned, &config, local, &Peers::default());
        let drain = wanted[&PeerName::new("tor-1")].drain.clone().unwrap();
        assert_eq!(drain.wait, Duration::from_secs(wait));
        assert_eq!(drain.text, "the node is shutting down");
    }
}

#[test]
fn what_is_said_of_forwarding_is_what_is_known_of_it() {
    let node = NodeName::new("n1");
    let said = |forwarding| {
        let mut desired = desired(peer(), Secret::None);
        desired.forwarding = forwarding;
        transport::config(&desired, &node).graceful_restart
    };
    let preserved = said(Forwarding::Preserved).unwrap();
    assert_eq!(preserved.forwarding, bgp::wire::Forwarding::Preserved);
    assert_eq!(preserved.restart_time, Duration::from_secs(30));
    assert!(!preserved.notification);
    let lost = said(Forwarding::Lost).unwrap();
    assert_eq!(lost.forwarding, bgp::wire::Forwarding::Lost);
}

#[test]
fn only_a_peer_that_keeps_routes_for_long_enough_waits_for_the_service_proxy() {
    let waits = |forwarding, enabled, seconds| {
        let mut settings = peer();
        settings.graceful_restart.enabled = enabled;
        settings.graceful_restart.restart_time = Duration::from_secs(seconds);
        let mut desired = desired(settings, Secret::None);
        desired.forwarding = forwarding;
        transport::waits(&desired)
    };
    assert!(waits(Forwarding::Unanswered, true, 30));
    assert!(!waits(Forwarding::Unanswered, true, 9));
    assert!(!waits(Forwarding::Unanswered, false, 30));
    assert!(!waits(Forwarding::Preserved, true, 30));
    assert!(
        !waits(Forwarding::Lost, true, 30),
        "kept routes are to go at once"
    );
}

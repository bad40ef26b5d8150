use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use proptest::prelude::*;

use super::{AdjRibOut, Marker};
use crate::far_side::{FarSide, Heard};
use crate::fixtures::{V4, V6, config, routes, v4, v6, with_med};
use crate::rules::Rules;
use crate::wire::{RefreshSubtype, RouteRefresh, Session};
use crate::{Asn, Attributes, Community, Config, Families, Family, RouteSet};

fn session() -> Session {
    Session {
        local_asn: Asn(65_000),
        remote_asn: Asn(65_001),
        families: Families::BOTH,
        four_octet_as: true,
        route_refresh: true,
        enhanced_route_refresh: true,
        ..Session::default()
    }
}

/// What we tell, and a router that listens.
struct Told {
    rib: AdjRibOut,
    session: Session,
    rules: Rules,
    far: FarSide,
}

impl Told {
    fn new(desired: RouteSet) -> Self {
        let local = IpAddr::from(Ipv4Addr::new(10, 0, 0, 1));
        let session = session();
        Self {
            rib: AdjRibOut::new(desired, Families::BOTH, Families::BOTH),
            rules: Rules::new(&config(0), local, &session),
            far: FarSide {
                session: Some(session.clone()),
                ..FarSide::default()
            },
            session,
        }
    }

    /// Tells as much as goes into so many octets; how many it took.
    fn tell(&mut self, limit: usize) -> usize {
        let mut out = Vec::new();
        self.rib.emit(&self.session, &self.rules, limit, &mut out);
        self.far.hear(&out);
        out.len()
    }

    fn tell_all(&mut self) {
        self.tell(usize::MAX);
        assert!(self.rib.is_settled());
    }

    /// UPDATEs since the last time.
    fn updates(&mut self) -> usize {
        std::mem::take(&mut self.far.updates)
    }
}

/// RFC 4724 §2.
#[test]
fn all_routes_are_told_and_then_the_end_of_each_family() {
    let desired = routes((0..3_000).map(v4).chain((0..3_000).map(v6)), 1);
    let mut told = Told::new(desired.clone());
    told.tell_all();
    assert!(told.far.holds(&desired));
    assert_eq!(told.far.heard, [Heard::EndOfRib(V4), Heard::EndOfRib(V6)]);
    assert_eq!((told.rib.count().v4, told.rib.count().v6), (3_000, 3_000));
}

#[test]
fn the_end_is_told_of_a_family_without_routes_and_of_one_that_is_withheld() {
    let desired = routes([v4(1), v6(1)], 1);
    let mut told = Told::new(desired);
    told.rib = AdjRibOut::new(
        routes([v4(1), v6(1)], 1),
        Families::BOTH,
        [V4].into_iter().collect(),
    );
    told.tell_all();
    assert_eq!(told.far.routes.keys().collect::<Vec<_>>(), [&v4(1)]);
    assert_eq!(told.far.heard, [Heard::EndOfRib(V4), Heard::EndOfRib(V6)]);
}

#[test]
fn one_change_is_one_update() {
    let before = routes((0..10_000).map(v4), 1);
    let mut told = Told::new(before.clone());
    told.tell_all();
    told.updates();
    for (change, count) in [
        ((v4(20_000), Some(with_med(1))), 10_001),
        ((v4(5), Some(with_med(2))), 10_001),
        ((v4(20_000), None), 10_000),
        ((v6(1), Some(with_med(1))), 10_001),
    ] {
        let desired = told.rib.desired.with([change]);
        told.rib.set_desired(desired.clone());
        told.tell_all();
        assert_eq!(told.updates(), 1);
        assert!(told.far.holds(&desired));
        assert_eq!(told.rib.count().v4 + told.rib.count().v6, count);
    }
}

#[test]
fn what_is_desired_already_is_not_told_again() {
    let desired = routes((0..100).map(v4), 1);
    let mut told = Told::new(desired.clone());
    told.tell_all();
    told.updates();
    let rebuilt = RouteSet::build(desired.iter().cloned(), &RouteSet::default());
    told.rib.set_desired(rebuilt);
    assert_eq!(told.tell(usize::MAX), 0);
    assert!(told.rib.is_settled());
}

#[test]
fn prefixes_with_the_same_attributes_share_their_updates() {
    let desired = routes((0..8_000).map(v4), 1);
    let mut told = Told::new(desired);
    told.tell_all();
    // 800 prefixes of five octets fill a message; a batch ends in one that is not full.
    assert!(told.updates() <= 13);
}

/// What waits for a peer that does not read is bounded, whatever happens to the routes meanwhile.
#[test]
fn a_slow_peer_is_told_the_newest_state_and_nothing_piles_up() {
    let mut told = Told::new(routes((0..50_000).map(v4), 1));
    let longest = 1_000 + 5 * (4_096 + 1_000) + 8 * 60;
    for round in 0..200 {
        let desired = routes((0..50_000).map(v4), round);
        told.rib.set_desired(desired);
        assert!(told.tell(1_000) <= longest);
        let waiting: usize = told.rib.batch.len();
        assert!(waiting <= 4, "{waiting} items wait");
    }
    told.tell_all();
    assert!(told.far.holds(&told.rib.desired));
}

#[test]
fn what_came_and_went_while_the_peer_did_not_read_is_never_told() {
    let mut told = Told::new(routes([v4(1)], 1));
    told.tell_all();
    told.updates();
    told.rib.set_desired(routes([v4(1), v4(2)], 1));
    told.rib.set_desired(routes([v4(1)], 1));
    assert_eq!(told.tell(usize::MAX), 0);
}

/// RFC 7313 §4.
#[test]
fn a_refresh_tells_one_family_again_between_its_borders() {
    let desired = routes((0..2_000).map(v4).chain([v6(1)]), 1);
    let mut told = Told::new(desired.clone());
    told.tell_all();
    told.far.heard.clear();
    told.far.prefixes = 0;
    told.rib.refresh(V4, Marker::of(&told.session));
    told.tell_all();
    assert_eq!(told.far.heard, borders(V4));
    assert_eq!(told.far.prefixes, 2_000);
}

fn borders(family: Family) -> [Heard; 2] {
    [RefreshSubtype::BeginningOfRib, RefreshSubtype::EndOfRib].map(|subtype| {
        Heard::RouteRefresh(RouteRefresh {
            family: family.into(),
            subtype,
        })
    })
}

/// RFC 7313 §4 would let them cross. FRR 8.4 keeps one timer per peer from BoRR to EoRR, so that it
/// misses the BoRR of a second family and complains of its EoRR.
#[test]
fn families_are_told_again_one_after_the_other() {
    let desired = routes((0..2_000).map(v4).chain((0..2_000).map(v6)), 1);
    for [first, second] in [[V4, V6], [V6, V4]] {
        let mut told = Told::new(desired.clone());
        told.tell_all();
        told.far.heard.clear();
        told.far.prefixes = 0;
        told.rib.refresh(first, Marker::Enhanced);
        told.rib.refresh(second, Marker::Enhanced);
        told.tell_all();
        assert_eq!(told.far.heard, [borders(first), borders(second)].concat());
        assert_eq!(told.far.prefixes, 4_000);
    }
}

#[test]
fn a_peer_that_asks_for_one_family_without_end_is_told_the_other_as_well() {
    let mut told = Told::new(routes((0..2_000).map(v4).chain([v6(1)]), 1));
    told.tell_all();
    told.far.heard.clear();
    told.rib.refresh(V4, Marker::Enhanced);
    told.rib.refresh(V6, Marker::Enhanced);
    while told.far.heard.len() < 4 {
        told.rib.refresh(V4, Marker::Enhanced);
        told.tell(1);
    }
    assert_eq!(told.far.heard, [borders(V4), borders(V6)].concat());
}

/// A pass at the start ends both families with End-of-RIB; what was asked for follows it.
#[test]
fn what_is_asked_for_during_the_first_pass_follows_it() {
    let mut told = Told::new(routes([v4(1), v6(1)], 1));
    told.rib.refresh(V6, Marker::Enhanced);
    told.tell_all();
    let ends = [Heard::EndOfRib(V4), Heard::EndOfRib(V6)];
    assert_eq!(told.far.heard, [ends, borders(V6)].concat());
}

/// RFC 2918 §4.
#[test]
fn a_plain_refresh_ends_with_end_of_rib() {
    let mut told = Told::new(routes([v6(1)], 1));
    told.session.enhanced_route_refresh = false;
    told.tell_all();
    told.far.heard.clear();
    told.far.prefixes = 0;
    told.rib.refresh(V6, Marker::of(&told.session));
    told.tell_all();
    assert_eq!(told.far.heard, [Heard::EndOfRib(V6)]);
    assert_eq!(told.far.prefixes, 1);
}

#[test]
fn a_peer_that_asks_again_and_again_gets_one_more_pass() {
    let mut told = Told::new(routes((0..20_000).map(v4), 1));
    told.tell_all();
    told.far.prefixes = 0;
    for _ in 0..50 {
        told.rib.refresh(V4, Marker::Enhanced);
    }
    told.tell_all();
    assert_eq!(told.far.prefixes, 2 * 20_000);
    assert!(told.far.holds(&told.rib.desired));
}

#[test]
fn a_family_whose_next_hop_is_lost_is_withdrawn_and_comes_back_with_it() {
    let desired = routes([v4(1), v6(1)], 1);
    let mut told = Told::new(desired.clone());
    told.tell_all();
    told.rib.set_families([V4].into_iter().collect());
    told.tell_all();
    assert_eq!(told.far.routes.keys().collect::<Vec<_>>(), [&v4(1)]);
    assert_eq!((told.rib.count().v4, told.rib.count().v6), (1, 0));
    told.rib.set_families(Families::BOTH);
    told.tell_all();
    assert!(told.far.holds(&desired));
}

#[test]
fn another_next_hop_is_told_for_its_family_alone() {
    let mut told = Told::new(routes([v4(1), v6(1)], 1));
    told.tell_all();
    told.far.prefixes = 0;
    let moved = Config {
        next_hop_v6: Some("fd99::9".parse().unwrap()),
        ..config(0)
    };
    let local = IpAddr::from(Ipv4Addr::new(10, 0, 0, 1));
    told.rules = Rules::new(&moved, local, &told.session);
    told.rib.tell_again(V6);
    told.tell_all();
    assert_eq!(told.far.prefixes, 1);
}

#[test]
fn a_route_that_fits_into_no_message_is_withdrawn_and_counted() {
    let huge = Arc::new(Attributes {
        communities: (0..1_100).map(Community).collect(),
        ..Attributes::default()
    });
    let desired = routes([v4(1), v4(2), v6(1)], 1);
    let mut told = Told::new(desired.clone());
    told.tell_all();
    told.rib
        .set_desired(desired.with([(v4(1), Some(Arc::clone(&huge)))]));
    told.tell_all();
    assert!(!told.far.routes.contains_key(&v4(1)));
    assert_eq!(told.rib.count().v4, 1);
    assert_eq!(told.rib.oversized().v4, 1);
    told.rib.set_desired(desired.clone());
    told.tell_all();
    assert!(told.far.holds(&desired));
    assert_eq!((told.rib.count().v4, told.rib.oversized().v4), (2, 0));
}

proptest! {
    /// Whatever is desired, asked for and withheld in whatever order, and however slowly it is
    /// read: at the end the far side holds what is desired.
    #[test]
    fn the_far_side_ends_with_what_is_desired(
        steps in proptest::collection::vec((0..6_u8, 0..64_u32, 0..3_u32, 0..600_usize), 1..80),
    ) {
        let mut told = Told::new(RouteSet::default());
        for (step, n, med, limit) in steps {
            let prefix = if n % 2 == 0 { v4(n) } else { v6(n) };
            let family = prefix.family();
            match step {
                0 => {
                    let desired = told.rib.desired.with([(prefix, Some(with_med(med)))]);
                    told.rib.set_desired(desired);
                }
                1 => {
                    let desired = told.rib.desired.with([(prefix, None)]);
                    told.rib.set_desired(desired);
                }
                2 => told.rib.refresh(family, Marker::Enhanced),
                3 => told.rib.set_families([family].into_iter().collect()),
                4 => told.rib.tell_again(family),
                _ => told.rib.set_families(Families::BOTH),
            }
            told.tell(limit);
        }
        told.rib.set_families(Families::BOTH);
        told.tell_all();
        prop_assert_eq!(told.far.differs(&told.rib.desired), []);
        let count = told.rib.count();
        prop_assert_eq!(count.v4 + count.v6, told.rib.desired.len());
        prop_assert_eq!(told.far.count(&Heard::EndOfRib(V4)), 1);
    }
}

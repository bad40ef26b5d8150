use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

fn node(node: &str) -> Candidate<'_> {
    Candidate {
        node,
        tier: 0,
        preference: 0,
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A thousand neighbouring VIPs of each family, as pools have them.
fn vips() -> impl Iterator<Item = IpAddr> {
    let v4 = (0..1_000).map(|n| IpAddr::from(Ipv4Addr::from(0x0a63_0000 + n)));
    let v6 = (0..1_000).map(|n| IpAddr::from(Ipv6Addr::from((0xfd99_u128 << 112) + n)));
    v4.chain(v6)
}

/// Computed apart from this code. A change here would move addresses while a cluster is upgraded node by node.
#[test]
fn scores_are_fixed_for_ever() {
    let scores = [
        score(ip("10.99.0.200"), "node-1"),
        score(ip("10.99.0.200"), "node-2"),
        score(ip("fd99::200"), "node-1"),
        score(ip("fd99::200"), "node-2"),
        score(ip("0.0.0.0"), ""),
    ];
    let expected = [
        0xf711_7935_f58d_8836,
        0x2713_c64b_0fb3_948d,
        0x028e_e083_d0a1_f1f6,
        0x7b65_881d_3bc3_097d,
        0xa212_a99a_7164_a1e9,
    ];
    assert_eq!(scores, expected);
}

#[test]
fn tier_comes_before_preference_and_preference_before_the_hash() {
    let candidates = [
        Candidate {
            tier: 1,
            preference: 100,
            ..node("a")
        },
        Candidate {
            tier: 0,
            preference: 1,
            ..node("b")
        },
        Candidate {
            tier: 0,
            preference: 2,
            ..node("c")
        },
        Candidate {
            tier: 2,
            preference: 0,
            ..node("d")
        },
    ];
    for vip in vips() {
        assert_eq!(rank(vip, &candidates), [2, 1, 0, 3]);
        assert_eq!(owner(vip, &candidates), Some(2));
    }
}

#[test]
fn nobody_owns_without_candidates() {
    assert_eq!(owner(ip("10.99.0.200"), &[]), None);
    assert_eq!(owner(ip("fd99::200"), &[]), None);
    assert_eq!(rank(ip("fd99::200"), &[]), [0_usize; 0]);
}

/// Each node's share is within four standard deviations of a fair lot, in both families together
/// and apart.
#[test]
fn vips_are_spread_evenly() {
    for nodes in [3_usize, 10] {
        let names: Vec<String> = (1..=nodes).map(|n| format!("node-{n}")).collect();
        let candidates: Vec<_> = names.iter().map(|name| node(name)).collect();
        for select in [IpAddr::is_ipv4, IpAddr::is_ipv6] {
            let mut shares = vec![0_i32; nodes];
            for vip in vips().filter(select) {
                shares[owner(vip, &candidates).unwrap()] += 1;
            }
            let part = 1.0 / nodes as f64;
            let bound = 4.0 * (1_000.0 * part * (1.0 - part)).sqrt();
            let unfair = shares
                .iter()
                .filter(|share| (f64::from(**share) - 1_000.0 * part).abs() > bound);
            assert_eq!(unfair.count(), 0, "{shares:?}");
        }
    }
}

fn any_vip() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<Ipv4Addr>().prop_map(IpAddr::V4),
        any::<Ipv6Addr>().prop_map(IpAddr::V6)
    ]
}

/// Distinct names, as nodes have them, with few tiers and preferences, so that ties occur.
fn any_nodes() -> impl Strategy<Value = Vec<(String, u8, u32)>> {
    let names = proptest::collection::btree_set("[a-z0-9.-]{1,12}", 1..12);
    names.prop_flat_map(|names| {
        let nodes: Vec<_> = names
            .into_iter()
            .map(|name| (Just(name), 0..3_u8, 0..3_u32))
            .collect();
        nodes.prop_shuffle()
    })
}

fn candidates(nodes: &[(String, u8, u32)]) -> Vec<Candidate<'_>> {
    nodes
        .iter()
        .map(|(node, tier, preference)| Candidate {
            node,
            tier: *tier,
            preference: *preference,
        })
        .collect()
}

fn names<'a>(order: &[usize], candidates: &[Candidate<'a>]) -> Vec<&'a str> {
    order.iter().map(|index| candidates[*index].node).collect()
}

proptest! {
    #[test]
    fn the_order_of_the_candidates_does_not_matter(vip in any_vip(), nodes in any_nodes()) {
        let shuffled = candidates(&nodes);
        let mut sorted = shuffled.clone();
        sorted.sort_unstable_by_key(|candidate| candidate.node);
        prop_assert_eq!(names(&rank(vip, &shuffled), &shuffled), names(&rank(vip, &sorted), &sorted));
    }

    #[test]
    fn every_candidate_is_ranked_once_and_the_owner_first(
        vip in any_vip(),
        nodes in any_nodes(),
    ) {
        let candidates = candidates(&nodes);
        let order = rank(vip, &candidates);
        prop_assert_eq!(order.first().copied(), owner(vip, &candidates));
        let mut indices = order;
        indices.sort_unstable();
        prop_assert_eq!(indices, (0..candidates.len()).collect::<Vec<_>>());
    }

    /// So only the VIPs of a node that leaves move, and none but those come back with it.
    #[test]
    fn without_one_node_the_others_keep_their_order(
        vip in any_vip(),
        nodes in any_nodes(),
        leaver in any::<proptest::sample::Index>(),
    ) {
        let all = candidates(&nodes);
        let leaver = all[leaver.index(all.len())].node;
        let rest: Vec<_> = all.iter().copied().filter(|other| other.node != leaver).collect();
        let mut expected = names(&rank(vip, &all), &all);
        expected.retain(|node| *node != leaver);
        prop_assert_eq!(names(&rank(vip, &rest), &rest), expected);
    }
}

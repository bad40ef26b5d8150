use super::*;
use crate::fixtures::{name, pool, range, ranges};

fn space(family: IpFamily, pools: &[Pool]) -> (Space, Vec<Overlap>) {
    let elder_first: Vec<usize> = (0..pools.len()).collect();
    Space::build(family, pools, &elder_first)
}

fn lost(loser: &str, winner: &str, lost: &str) -> Overlap {
    Overlap {
        loser: name(loser),
        winner: name(winner),
        range: range(lost),
    }
}

fn owner(space: &Space, address: &str) -> Option<usize> {
    space.owner(AddressRange::number(crate::fixtures::ip(address)))
}

#[test]
fn the_younger_loses_just_the_overlap() {
    let pools = [
        pool("elder", &["10.0.0.10-10.0.0.20", "10.0.0.30", "fd00::1"]),
        pool("younger", &["10.0.0.0-10.0.0.40", "fd00::1-fd00::2"]),
    ];
    let (v4, overlaps) = space(IpFamily::V4, &pools);
    assert_eq!(
        overlaps,
        [
            lost("younger", "elder", "10.0.0.10-10.0.0.20"),
            lost("younger", "elder", "10.0.0.30"),
        ]
    );
    assert_eq!((v4.free(0), v4.free(1)), (12, 41 - 12));
    assert_eq!(owner(&v4, "10.0.0.9"), Some(1));
    assert_eq!(owner(&v4, "10.0.0.10"), Some(0));
    assert_eq!(owner(&v4, "10.0.0.41"), None);
    let (v6, overlaps) = space(IpFamily::V6, &pools);
    assert_eq!(overlaps, [lost("younger", "elder", "fd00::1")]);
    assert_eq!((v6.free(0), v6.free(1)), (1, 1));
}

#[test]
fn a_pool_inside_an_elder_one_has_nothing_to_give() {
    let pools = [
        pool("elder", &["10.0.0.0-10.0.0.255"]),
        pool("younger", &["10.0.0.5-10.0.0.6"]),
    ];
    let (v4, overlaps) = space(IpFamily::V4, &pools);
    assert_eq!(overlaps, [lost("younger", "elder", "10.0.0.5-10.0.0.6")]);
    assert_eq!(v4.first_free(1), None);
    assert!(v4.has_family(1));
}

#[test]
fn what_the_elder_excludes_is_the_youngers() {
    let elder = Pool {
        exclude: ranges(&["10.0.0.5-10.0.0.6"]),
        ..pool("elder", &["10.0.0.0-10.0.0.9"])
    };
    let (v4, overlaps) = space(
        IpFamily::V4,
        &[elder, pool("younger", &["10.0.0.5-10.0.0.6"])],
    );
    assert_eq!(overlaps, []);
    assert_eq!((v4.free(0), v4.free(1)), (8, 2));
}

#[test]
fn what_the_elder_avoids_is_nobodys() {
    let elder = Pool {
        avoid_buggy_ips: true,
        ..pool("elder", &["10.0.0.255-10.0.1.1", "fd00::-fd00::ff"])
    };
    let pools = [elder, pool("younger", &["10.0.0.255-10.0.1.0"])];
    let (v4, _) = space(IpFamily::V4, &pools);
    assert_eq!((v4.free(0), v4.free(1)), (1, 0));
    let (v6, _) = space(IpFamily::V6, &pools);
    assert_eq!(v6.free(0), 256, "only IPv4 has such addresses");
}

#[test]
fn excluded_ranges_are_cut_out_of_all_of_ipv6_without_listing_them() {
    let all = "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
    let whole = Pool {
        exclude: ranges(&["::-7fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]),
        ..pool("whole", &[all])
    };
    let (v6, overlaps) = space(IpFamily::V6, &[whole, pool("again", &[all])]);
    assert_eq!(v6.first_free(0), Some(1 << 127));
    assert_eq!(v6.free(0), 1 << 127);
    assert_eq!(v6.free(1), 1 << 127);
    assert_eq!(
        overlaps,
        [lost(
            "again",
            "whole",
            "8000::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
        )]
    );
}

#[test]
fn an_overlap_says_which_pools_to_change() {
    assert_eq!(
        lost("b", "a", "10.0.0.1-10.0.0.2").to_string(),
        "10.0.0.1-10.0.0.2 is also in the older pool a, which gives it; take it out of pool b or \
         of pool a"
    );
}

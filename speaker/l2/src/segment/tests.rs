use std::net::Ipv4Addr;

use super::*;
use crate::hex::golden;

mod answers;
mod pacing;

const OURS: Mac = Mac([0x02, 0x00, 0x5e, 0x00, 0x00, 0x0a]);
const UP: Link = Link {
    mac: OURS,
    up: true,
};
const DOWN: Link = Link {
    mac: OURS,
    up: false,
};

#[expect(
    clippy::disallowed_methods,
    reason = "an Instant has no other source; any one will do"
)]
pub(crate) fn start() -> Instant {
    Instant::now()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn set(vips: &[&str]) -> BTreeSet<IpAddr> {
    vips.iter().map(|vip| ip(vip)).collect()
}

/// A segment whose link is up, which announces these VIPs, after its first outputs.
fn announcing(vips: &[&str], now: Instant) -> Segment {
    let mut segment = Segment::new(Config::default(), UP);
    segment.handle(Input::Announce(&set(vips)), now);
    drain(&mut segment);
    segment
}

fn drain(segment: &mut Segment) -> Vec<Output> {
    std::iter::from_fn(|| segment.poll()).collect()
}

fn handle(segment: &mut Segment, input: Input<'_>, now: Instant) -> Vec<Output> {
    segment.handle(input, now);
    drain(segment)
}

/// Calls with `Timeout` at each deadline up to and including `until`; gives what came out when.
fn run(segment: &mut Segment, from: Instant, until: Duration) -> Vec<(Duration, Output)> {
    let mut outputs = Vec::new();
    while let Some(at) = segment.deadline().filter(|at| *at <= from + until) {
        let at = at.max(from);
        let drained = handle(segment, Input::Timeout, at);
        assert!(!drained.is_empty(), "a deadline without anything to do");
        outputs.extend(drained.into_iter().map(|output| (at - from, output)));
    }
    outputs
}

/// One announcement of a VIP, from a MAC.
fn announcement(mac: Mac, vip: &str) -> Vec<Output> {
    let frames = match ip(vip) {
        IpAddr::V4(vip) => {
            vec![
                arp::announcement_as_request(mac, vip),
                arp::announcement_as_reply(mac, vip),
            ]
        }
        IpAddr::V6(vip) => vec![ndp::unsolicited(mac, vip)],
    };
    frames.into_iter().map(Output::Transmit).collect()
}

fn join(group: &str) -> Output {
    Output::JoinGroup(group.parse().unwrap())
}

fn leave(group: &str) -> Output {
    Output::LeaveGroup(group.parse().unwrap())
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn a_new_vip_is_announced_seven_times_and_then_every_refresh() {
    let now = start();
    let mut segment = announcing(&["10.99.0.200", "fd99::200"], now);

    let outputs = run(&mut segment, now, ms(124_400));

    let steps = [20, 100, 500, 1_100, 2_200, 4_400, 64_400, 124_400].map(ms);
    let both = [
        announcement(OURS, "10.99.0.200"),
        announcement(OURS, "fd99::200"),
    ]
    .concat();
    let expected: Vec<_> = steps
        .into_iter()
        .flat_map(|step| both.iter().cloned().map(move |output| (step, output)))
        .collect();
    assert_eq!(outputs, expected);
}

#[test]
fn the_first_announcement_leaves_in_the_call_that_asks_for_it() {
    let mut segment = Segment::new(Config::default(), UP);
    let desired = set(&["10.99.0.200", "fd99::200"]);

    let outputs = handle(&mut segment, Input::Announce(&desired), start());

    let mut expected = vec![
        Output::Announcing(ip("10.99.0.200")),
        join("ff02::1:ff00:200"),
        Output::Announcing(ip("fd99::200")),
    ];
    expected.extend(announcement(OURS, "10.99.0.200"));
    expected.extend(announcement(OURS, "fd99::200"));
    assert_eq!(outputs, expected);
}

#[test]
fn refresh_is_configurable() {
    let (now, refresh) = (start(), Duration::from_secs(5));
    let mut segment = Segment::new(Config { refresh }, UP);
    handle(&mut segment, Input::Announce(&set(&["fd99::200"])), now);
    let times: Vec<_> = run(&mut segment, now, ms(20_000))
        .into_iter()
        .map(|(at, _)| at)
        .collect();
    let expected = [20, 100, 500, 1_100, 2_200, 4_400, 9_400, 14_400, 19_400].map(ms);
    assert_eq!(times, expected);
}

#[test]
fn the_same_set_again_changes_nothing() {
    let now = start();
    let mut segment = announcing(&["10.99.0.200", "fd99::200"], now);
    let deadline = segment.deadline();
    let desired = set(&["10.99.0.200", "fd99::200"]);
    assert_eq!(
        handle(&mut segment, Input::Announce(&desired), now + ms(1)),
        []
    );
    assert_eq!(segment.deadline(), deadline);
}

#[test]
fn a_vip_no_longer_desired_falls_silent_at_once_and_the_others_go_on() {
    let now = start();
    let mut segment = announcing(
        &["10.99.0.200", "10.99.0.201", "fd99::200", "fd99::201"],
        now,
    );

    let desired = set(&["10.99.0.201", "fd99::201"]);
    let withdrawn = handle(&mut segment, Input::Announce(&desired), now + ms(5));
    let later = run(&mut segment, now, ms(20));

    let expected = [
        Output::Withdrawn(ip("10.99.0.200")),
        Output::Withdrawn(ip("fd99::200")),
        leave("ff02::1:ff00:200"),
    ];
    assert_eq!(withdrawn, expected);
    let rest = [
        announcement(OURS, "10.99.0.201"),
        announcement(OURS, "fd99::201"),
    ]
    .concat();
    assert_eq!(
        later,
        rest.into_iter()
            .map(|output| (ms(20), output))
            .collect::<Vec<_>>()
    );
    for question in [
        "arp_request",
        "arp_probe",
        "ns_multicast",
        "ns_unicast",
        "ns_dad",
    ] {
        let frame = golden(question);
        assert_eq!(
            handle(&mut segment, Input::Frame(&frame), now + ms(30)),
            [],
            "{question}"
        );
    }
    assert_eq!(segment.dropped(DropCause::OtherAddress), 5);
}

#[test]
fn without_vips_there_is_no_deadline() {
    let now = start();
    let mut segment = announcing(&["10.99.0.200", "fd99::200"], now);
    handle(&mut segment, Input::Announce(&BTreeSet::new()), now);
    assert_eq!(segment.deadline(), None);
}

#[test]
fn while_the_link_is_down_nothing_is_sent() {
    let now = start();
    let mut segment = announcing(&["10.99.0.200", "fd99::200"], now);

    let down = handle(&mut segment, Input::Link(DOWN), now + ms(10));

    let withdrawn = ["10.99.0.200", "fd99::200"].map(|vip| Output::Withdrawn(ip(vip)));
    assert_eq!(down, withdrawn);
    assert_eq!(segment.deadline(), None);
    for input in [Input::Timeout, Input::Reannounce, Input::Link(DOWN)] {
        assert_eq!(handle(&mut segment, input, now + ms(500)), []);
    }
    for question in ["arp_request", "ns_multicast"] {
        let frame = golden(question);
        assert_eq!(
            handle(&mut segment, Input::Frame(&frame), now + ms(500)),
            []
        );
    }
    assert_eq!(segment.dropped(DropCause::LinkDown), 2);
}

#[test]
fn when_the_link_returns_all_is_announced_again_from_the_start() {
    let now = start();
    let mut segment = announcing(&["10.99.0.200", "fd99::200"], now);
    run(&mut segment, now, ms(64_400));
    handle(&mut segment, Input::Link(DOWN), now + ms(70_000));

    let returned = now + ms(71_000);
    let up = handle(&mut segment, Input::Link(UP), returned);
    let later: Vec<_> = run(&mut segment, returned, ms(100))
        .into_iter()
        .map(|(at, _)| at)
        .collect();

    let mut expected = ["10.99.0.200", "fd99::200"]
        .map(|vip| Output::Announcing(ip(vip)))
        .to_vec();
    expected.extend(announcement(OURS, "10.99.0.200"));
    expected.extend(announcement(OURS, "fd99::200"));
    assert_eq!(up, expected);
    assert_eq!(later, [20, 20, 20, 100, 100, 100].map(ms));
}

#[test]
fn a_set_desired_while_the_link_is_down_is_announced_when_it_comes_up() {
    let now = start();
    let mut segment = Segment::new(Config::default(), DOWN);
    let desired = set(&["10.99.0.200", "fd99::200"]);

    let down = handle(&mut segment, Input::Announce(&desired), now);
    let fewer = handle(&mut segment, Input::Announce(&set(&["10.99.0.200"])), now);
    let up = handle(&mut segment, Input::Link(UP), now + ms(1));

    assert_eq!(down, [join("ff02::1:ff00:200")]);
    assert_eq!(fewer, [leave("ff02::1:ff00:200")]);
    let expected = [
        vec![Output::Announcing(ip("10.99.0.200"))],
        announcement(OURS, "10.99.0.200"),
    ];
    assert_eq!(up, expected.concat());
}

#[test]
fn with_a_new_mac_all_is_announced_again_from_it() {
    let now = start();
    let mut segment = announcing(&["10.99.0.200", "fd99::200"], now);
    let mac = Mac([0x02, 0, 0x5e, 0, 0, 0x0b]);

    let outputs = handle(
        &mut segment,
        Input::Link(Link { mac, up: true }),
        now + ms(50),
    );
    let question = golden("arp_request");
    let answer = handle(&mut segment, Input::Frame(&question), now + ms(60));

    let expected = [
        announcement(mac, "10.99.0.200"),
        announcement(mac, "fd99::200"),
    ]
    .concat();
    assert_eq!(outputs, expected);
    assert_eq!(segment.deadline(), Some(now + ms(70)));
    let asker = arp::parse(&question[14..]).unwrap();
    let reply = arp::reply(mac, Ipv4Addr::new(10, 99, 0, 200), &asker);
    assert_eq!(answer, [Output::Transmit(reply)]);
}

#[test]
fn an_unchanged_link_changes_nothing() {
    let now = start();
    let mut segment = announcing(&["10.99.0.200", "fd99::200"], now);
    assert_eq!(handle(&mut segment, Input::Link(UP), now + ms(1)), []);
    assert_eq!(segment.deadline(), Some(now + ms(20)));
}

#[test]
fn reannounce_starts_the_schedule_again() {
    let now = start();
    let mut segment = announcing(&["10.99.0.200", "fd99::200"], now);
    run(&mut segment, now, ms(64_400));
    let again = now + ms(65_000);

    let outputs = handle(&mut segment, Input::Reannounce, again);

    let expected = [
        announcement(OURS, "10.99.0.200"),
        announcement(OURS, "fd99::200"),
    ]
    .concat();
    assert_eq!(outputs, expected);
    assert_eq!(segment.deadline(), Some(again + ms(20)));
}

#[test]
fn vips_that_share_a_solicited_node_group_join_it_once_and_leave_it_last() {
    let now = start();
    let mut segment = announcing(&["fd99::1:0:200"], now);

    let second = set(&["fd99::1:0:200", "fd99::2:0:200"]);
    let joined = handle(&mut segment, Input::Announce(&second), now);
    let swapped = handle(&mut segment, Input::Announce(&set(&["fd99::3:0:200"])), now);
    let left = handle(&mut segment, Input::Announce(&BTreeSet::new()), now);

    let started = |vip| [vec![Output::Announcing(ip(vip))], announcement(OURS, vip)].concat();
    assert_eq!(joined, started("fd99::2:0:200"));
    let mut expected = vec![
        Output::Announcing(ip("fd99::3:0:200")),
        Output::Withdrawn(ip("fd99::1:0:200")),
        Output::Withdrawn(ip("fd99::2:0:200")),
    ];
    expected.extend(announcement(OURS, "fd99::3:0:200"));
    assert_eq!(swapped, expected);
    assert_eq!(
        left,
        [
            Output::Withdrawn(ip("fd99::3:0:200")),
            leave("ff02::1:ff00:200")
        ]
    );
}

#[test]
fn addresses_that_no_host_can_have_are_passed_over() {
    let mut segment = Segment::new(Config::default(), UP);
    let desired = set(&[
        "0.0.0.0",
        "127.0.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "ff02::1",
    ]);
    assert_eq!(handle(&mut segment, Input::Announce(&desired), start()), []);
    assert_eq!(segment.deadline(), None);
}

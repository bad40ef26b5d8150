//! Thousands of VIPs, storms, and a driver that does not poll.

use super::*;

/// As many VIPs of each family.
fn many(count: u32) -> BTreeSet<IpAddr> {
    let v4 = (0..count).map(|n| IpAddr::from(Ipv4Addr::from(0x0a63_0000 + 1 + n)));
    let v6 =
        (0..count).map(|n| IpAddr::from(Ipv6Addr::from((0xfd99_u128 << 112) + 1 + u128::from(n))));
    v4.chain(v6).collect()
}

fn frames(outputs: &[Output]) -> usize {
    outputs
        .iter()
        .filter(|output| matches!(output, Output::Transmit(_)))
        .count()
}

/// An ARP request for 10.99.0.200 from the n-th station.
fn arp_request_of(station: u16) -> Vec<u8> {
    let mut frame = golden("arp_request");
    let [high, low] = station.to_be_bytes();
    frame[6..12].copy_from_slice(&[2, 0, 0x5e, 1, high, low]);
    frame[22..28].copy_from_slice(&[2, 0, 0x5e, 1, high, low]);
    frame
}

/// A solicitation for fd99::200 from the n-th station, without options: only the Ethernet source
/// tells them apart.
fn solicitation_of(station: u16) -> Vec<u8> {
    let mut frame = golden("ns_unicast");
    let [high, low] = station.to_be_bytes();
    frame[6..12].copy_from_slice(&[2, 0, 0x5e, 1, high, low]);
    frame
}

#[test]
fn thousands_are_announced_in_sorted_order_at_a_bounded_rate() {
    let now = start();
    let mut segment = Segment::new(Config::default(), UP);
    let vips = many(1_000);
    let first = handle(&mut segment, Input::Announce(&vips), now);
    assert_eq!(frames(&first), 200, "one burst at once");

    let mut sent: Vec<_> = first
        .into_iter()
        .map(|output| (Duration::ZERO, output))
        .collect();
    sent.extend(run(&mut segment, now, Duration::from_secs(1)));
    sent.retain(|(_, output)| matches!(output, Output::Transmit(_)));

    let round: Vec<Output> = vips
        .iter()
        .flat_map(|vip| announcement(OURS, &vip.to_string()))
        .collect();
    let in_order: Vec<Output> = sent.iter().map(|(_, output)| output.clone()).collect();
    assert_eq!(
        in_order[..round.len()],
        round,
        "each has its first before any has its second"
    );
    for (earlier, (at, _)) in sent.iter().enumerate() {
        let allowed = 200 + at.as_micros() / 250;
        assert!(earlier as u128 <= allowed, "{earlier} frames before {at:?}");
    }
    let (first_round_done, _) = sent[round.len() - 1];
    assert_eq!(
        first_round_done,
        ms(700),
        "(3000 - 200) frames at 4000 a second"
    );
}

#[test]
fn a_vip_that_waits_for_its_announcement_is_answered_at_once() {
    let now = start();
    let mut segment = Segment::new(Config::default(), UP);
    let mut vips = many(190);
    vips.extend(set(&["10.99.0.200", "fd99::200"]));
    let announced = handle(&mut segment, Input::Announce(&vips), now);
    let waiting = announcement(OURS, "fd99::200");
    assert!(
        !announced.contains(&waiting[0]),
        "it is the pacing that this test is about"
    );

    for question in ["arp_request", "ns_multicast"] {
        let answer = handle(&mut segment, Input::Frame(&golden(question)), now);
        assert_eq!(frames(&answer), 1, "{question}");
        assert_eq!(answer.len(), 1, "{question}");
    }
}

/// 50,000 questions within a second, and an honest asker among them.
#[test]
fn a_storm_from_one_station_is_answered_within_its_share_and_keeps_nobody_waiting() {
    for question_of in [arp_request_of, solicitation_of] {
        let now = start();
        let mut segment = announcing(&["10.99.0.200", "fd99::200"], now);
        let (storm, honest) = (question_of(1), question_of(2));
        let capacity = segment.outbox.capacity();
        let (mut to_storm, mut to_honest) = (0, 0);
        for n in 0..50_000 {
            let at = now + Duration::from_micros(20) * n;
            segment.handle(Input::Frame(&storm), at);
            to_storm += answers_among(&drain(&mut segment));
            if n % 100 == 0 {
                segment.handle(Input::Frame(&honest), at);
                to_honest += answers_among(&drain(&mut segment));
            }
        }
        assert!((11_990..=12_000).contains(&to_storm), "{to_storm}");
        assert_eq!(to_honest, 500);
        assert_eq!(
            segment.dropped(DropCause::OverBudget),
            50_000 - to_storm as u64
        );
        assert_eq!(segment.outbox.capacity(), capacity);
    }
}

/// The announcements that fall due during a storm leave although the driver never gets to call
/// with `Timeout`.
#[test]
fn a_storm_does_not_hold_up_announcements() {
    let now = start();
    let mut segment = announcing(&["10.99.0.200", "fd99::200"], now);
    let storm = arp_request_of(1);
    let mut announced = Vec::new();
    for n in 0..50_000 {
        let at = now + Duration::from_micros(20) * n;
        let outputs = handle(&mut segment, Input::Frame(&storm), at);
        if outputs.contains(&announcement(OURS, "fd99::200")[0]) {
            announced.push(at - now);
        }
    }
    assert_eq!(announced, [20, 100, 500].map(ms));
}

/// Sources that change with each frame cannot be told from honest ones: all are answered, and
/// nothing is remembered about them.
#[test]
fn a_storm_from_many_stations_is_answered_without_growing() {
    let now = start();
    let mut segment = announcing(&["10.99.0.200", "fd99::200"], now);
    let capacity = segment.outbox.capacity();
    let mut answered = 0;
    for n in 0..25_000_u16 {
        let at = now + Duration::from_micros(40) * u32::from(n);
        for question in [arp_request_of(n), solicitation_of(n)] {
            segment.handle(Input::Frame(&question), at);
            answered += answers_among(&drain(&mut segment));
        }
    }
    assert_eq!(answered, 50_000);
    assert_eq!(segment.outbox.capacity(), capacity);
}

/// Answers are unicast; announcements are not.
fn answers_among(outputs: &[Output]) -> usize {
    let unicast = |output: &&Output| matches!(output, Output::Transmit(frame) if frame.as_bytes()[0] & 1 == 0);
    outputs.iter().filter(unicast).count()
}

#[test]
fn a_driver_that_does_not_poll_loses_answers_and_no_announcement() {
    let now = start();
    let mut segment = announcing(&["10.99.0.200", "fd99::200"], now);
    for n in 0..1_000 {
        segment.handle(Input::Frame(&arp_request_of(n)), now);
    }
    segment.handle(Input::Timeout, now + ms(20));

    assert_eq!(segment.dropped(DropCause::OutboxFull), 744);
    assert_eq!(frames(&drain(&mut segment)), 256);
    assert_eq!(segment.deadline(), Some(now + ms(20)), "still due");
    let late = handle(&mut segment, Input::Timeout, now + ms(21));
    let expected = [
        announcement(OURS, "10.99.0.200"),
        announcement(OURS, "fd99::200"),
    ]
    .concat();
    assert_eq!(late, expected);
}

//! Any script: whatever happens in whatever order, no end says more than it may, and once packets
//! flow both are Up.

use bfd::{Begin, Disable, Input, MIN_INTERVAL, Packet, State};
use proptest::prelude::*;

use crate::network::{Network, Side, config, ms};

#[derive(Debug, Clone)]
enum Step {
    Run(u64),
    Cut(bool),
    Loss(usize, u32),
    Delay(usize, u64, u64),
    Pause(usize, u64),
    Restart(usize, bool, bool),
    Disable(usize, bool),
    Start(usize),
    HoldOn(usize, u64),
    Awake(usize),
    Reconfigure(usize, u64, u8),
    Forge(usize, Vec<u8>),
}

fn step() -> impl Strategy<Value = Step> {
    let end = 0..2_usize;
    prop_oneof![
        6 => (0..3_000_u64).prop_map(Step::Run),
        1 => any::<bool>().prop_map(Step::Cut),
        1 => (end.clone(), 0..60_u32).prop_map(|(end, loss)| Step::Loss(end, loss)),
        1 => (end.clone(), 0..100_u64, 0..100_u64)
            .prop_map(|(end, delay, spread)| Step::Delay(end, delay, spread)),
        1 => (end.clone(), 0..5_000_u64).prop_map(|(end, time)| Step::Pause(end, time)),
        1 => (end.clone(), any::<bool>(), any::<bool>())
            .prop_map(|(end, adopts, renamed)| Step::Restart(end, adopts, renamed)),
        1 => (end.clone(), any::<bool>()).prop_map(|(end, path)| Step::Disable(end, path)),
        1 => end.clone().prop_map(Step::Start),
        1 => (end.clone(), 0..400_000_u64).prop_map(|(end, time)| Step::HoldOn(end, time)),
        2 => end.clone().prop_map(Step::Awake),
        2 => (end.clone(), 0..2_000_u64, 1..=u8::MAX)
            .prop_map(|(end, time, mult)| Step::Reconfigure(end, time, mult)),
        1 => (end, proptest::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(end, octets)| Step::Forge(end, octets)),
    ]
}

fn play(network: &mut Network, step: Step) {
    match step {
        Step::Run(time) => network.run(ms(time)),
        Step::Cut(cut) => network.cut(cut),
        Step::Loss(end, loss) => network.ways[end].loss = loss,
        Step::Delay(end, delay, spread) => {
            network.ways[end].delay = ms(delay);
            network.ways[end].spread = ms(spread);
        }
        Step::Pause(end, time) => network.pause(end, ms(time)),
        Step::Restart(end, adopts, renamed) => {
            check(&network.sides[end]);
            let begin = if adopts { Begin::Adopt } else { Begin::Anew };
            network.restart(end, begin, renamed);
        }
        Step::Disable(end, true) => network.handle(end, Input::Disable(Disable::PathDown)),
        Step::Disable(end, false) => network.handle(end, Input::Disable(Disable::Administrative)),
        Step::Start(end) => network.handle(end, Input::Start(Begin::Anew)),
        Step::HoldOn(end, time) => network.handle(end, Input::HoldOn(ms(time))),
        Step::Awake(end) => network.handle(end, Input::Awake),
        Step::Reconfigure(end, time, mult) => network.reconfigure(end, config(time, mult)),
        Step::Forge(end, octets) => network.handle(end, Input::Datagram(&octets)),
    }
}

/// RFC 5880 §6.8.7, read by an observer: what leaves of itself keeps three quarters of the interval,
/// which is that of the last two packets unless a change is still being asked for.
fn check(side: &Side) {
    let own: Vec<_> = side
        .sent
        .iter()
        .filter(|(_, packet)| !packet.is_final)
        .collect();
    for pair in own.windows(2) {
        let [(before, one), (after, two)] = *pair else {
            unreachable!("windows of two");
        };
        let told_again = one.state == two.state && one.diagnostic == two.diagnostic;
        let asking = one.poll || two.poll;
        let interval = if asking {
            MIN_INTERVAL
        } else {
            one.desired_min_tx.min(two.desired_min_tx)
        };
        if told_again
            && !side
                .changes
                .iter()
                .any(|(at, _, _)| (before..=after).contains(&at))
        {
            assert!(*after - *before >= interval * 3 / 4, "{pair:?}");
        }
    }
    let slow = |packet: &Packet| packet.state == State::Up || packet.desired_min_tx >= ms(1_000);
    assert!(side.sent.iter().all(|(_, packet)| slow(packet)));
    assert!(
        side.sent
            .iter()
            .all(|(_, packet)| !(packet.poll && packet.is_final))
    );
}

/// All is well again.
fn heal(network: &mut Network) {
    network.cut(false);
    for end in 0..2 {
        network.ways[end].spread = ms(0);
        network.pause(end, ms(0));
        network.reconfigure(end, config(50, 3));
        network.handle(end, Input::Start(Begin::Anew));
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_script_ends_with_both_up_and_no_end_ever_says_too_much(
        seed in any::<u64>(),
        script in proptest::collection::vec(step(), 0..40),
    ) {
        let mut network = Network::new([config(50, 3), config(20, 5)], seed);
        for end in 0..2 {
            network.handle(end, Input::Start(Begin::Adopt));
        }
        for step in script {
            play(&mut network, step);
        }
        heal(&mut network);
        network.run(ms(20_000));
        prop_assert!(network.is_up());
        let settled = network.sides[0].changes.len();
        network.run(ms(5_000));
        prop_assert_eq!(network.sides[0].changes.len(), settled);
        for side in &network.sides {
            check(side);
            let status = side.session.status();
            prop_assert_eq!(status.detection_time, Some(ms(150)));
            prop_assert!(!status.polling);
        }
    }
}

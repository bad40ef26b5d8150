//! What two ends do to each other.

use std::time::Duration;

use bfd::{Begin, Config, Diagnostic, Disable, Input, Role, State, Why};

use crate::network::{Network, config, ms};

const SEEDS: std::ops::Range<u64> = 0..20;

#[test]
fn two_active_ends_come_up_within_two_slow_intervals() {
    for seed in SEEDS {
        let mut network = Network::new([config(50, 3), config(50, 3)], seed);
        network.handle(0, Input::Start(Begin::Anew));
        network.run(ms(seed * 100));
        network.handle(1, Input::Start(Begin::Anew));
        let took = network.run_until(ms(2_000), Network::is_up);
        assert!(took.is_some(), "seed {seed}");
        // Their own rates they learn by the first poll sequence.
        network.run(ms(200));
        for end in 0..2 {
            let status = network.sides[end].session.status();
            assert_eq!(status.detection_time, Some(ms(150)));
            assert_eq!(status.remote_detection_time, Some(ms(150)));
        }
    }
}

/// RFC 5880 §6.1: one active end is enough.
#[test]
fn a_passive_end_comes_up_with_an_active_one_and_never_with_another_passive_one() {
    let passive = Config {
        role: Role::Passive,
        ..config(50, 3)
    };
    Network::up([passive, config(50, 3)], 1);
    let mut network = Network::new([passive, passive], 1);
    for end in 0..2 {
        network.handle(end, Input::Start(Begin::Anew));
    }
    network.run(ms(60_000));
    assert!(network.sides.iter().all(|side| side.sent.is_empty()));
}

/// RFC 5880 §6.8.2, §6.8.4: in each direction the slower of what one end wants and the other bears.
#[test]
fn each_direction_has_the_slower_rate_of_both_ends() {
    let first = Config {
        desired_min_tx: ms(20),
        required_min_rx: ms(300),
        ..config(20, 5)
    };
    let second = Config {
        desired_min_tx: ms(100),
        required_min_rx: ms(50),
        ..config(50, 3)
    };
    let network = Network::up([first, second], 1);
    let [first, second] = [0, 1].map(|end| network.sides[end].session.status());
    assert_eq!(first.transmit_interval, Some(ms(50)));
    assert_eq!(second.transmit_interval, Some(ms(300)));
    assert_eq!(first.detection_time, Some(ms(900)));
    assert_eq!(second.detection_time, Some(ms(250)));
    assert_eq!(first.remote_detection_time, second.detection_time);
    assert_eq!(second.remote_detection_time, first.detection_time);
}

#[test]
fn a_path_that_is_cut_is_noticed_by_both_within_the_detection_time() {
    for (millis, seed) in [10, 50, 300]
        .into_iter()
        .flat_map(|one| SEEDS.map(move |s| (one, s)))
    {
        let mut network = Network::up([config(millis, 3); 2], seed);
        network.cut(true);
        let cut = network.now;
        let down = |network: &Network| network.state(0) == State::Down;
        network.run_until(ms(10_000), down).unwrap();
        network.run(ms(millis * 3));
        for side in &network.sides {
            let (at, state, why) = *side.changes.last().unwrap();
            assert_eq!((state, why), (State::Down, Why::DetectionTimeExpired));
            let took = at - cut;
            assert!(took <= ms(3 * millis + 1), "{took:?}");
            assert!(took >= ms(2 * millis), "{took:?}");
        }
        network.cut(false);
        assert!(network.run_until(ms(4_000), Network::is_up).is_some());
    }
}

/// RFC 5880 §6.8.6: the end that still hears is told by the one that does not.
#[test]
fn a_path_that_fails_in_one_direction_is_noticed_by_both() {
    let mut network = Network::up([config(50, 3); 2], 3);
    network.ways[0].loss = 100;
    network.run(ms(200));
    let signaled = Why::NeighborSignaledDown(Diagnostic::ControlDetectionTimeExpired);
    assert_eq!(network.sides[0].changes.last().unwrap().2, signaled);
    let expired = Why::DetectionTimeExpired;
    assert_eq!(network.sides[1].changes.last().unwrap().2, expired);
    network.run(ms(10_000));
    assert!(!network.is_up(), "one direction is not enough");
}

#[test]
fn packets_that_are_delayed_and_overtake_each_other_end_nothing() {
    for seed in SEEDS {
        let mut network = Network::up([config(50, 3); 2], seed);
        for way in &mut network.ways {
            (way.delay, way.spread) = (ms(200), ms(60));
        }
        network.run(ms(10_000));
        let settled = network.sides[0].changes.len();
        network.run(ms(60_000));
        assert_eq!(network.sides[0].changes.len(), settled, "seed {seed}");
        assert!(network.is_up());
    }
}

#[test]
fn a_third_of_all_packets_lost_keeps_a_session_with_a_large_multiplier_up() {
    for seed in SEEDS {
        let mut network = Network::up([config(50, 20); 2], seed);
        for way in &mut network.ways {
            way.loss = 33;
        }
        let before = network.sides[1].changes.len();
        network.run(ms(60_000));
        assert_eq!(network.sides[1].changes.len(), before, "seed {seed}");
    }
}

/// RFC 5880 §6.8.3: whatever is changed on a live session, neither end goes down.
#[test]
fn a_profile_is_changed_on_a_live_session() {
    let profiles = [
        (10, 3),
        (1_000, 3),
        (50, 1),
        (300, 5),
        (10, 2),
        (60, 10),
        (20, 3),
    ];
    for seed in SEEDS {
        let mut network = Network::up([config(50, 3); 2], seed);
        for way in &mut network.ways {
            way.delay = ms(2);
        }
        let before = [0, 1].map(|end| network.sides[end].changes.len());
        for (turn, (millis, mult)) in profiles.into_iter().enumerate() {
            network.reconfigure(turn % 2, config(millis, mult));
            network.run(ms(seed * 37));
            network.reconfigure((turn + 1) % 2, config(millis, mult));
            network.run(ms(5_000));
            let status = network.sides[0].session.status();
            assert_eq!(status.transmit_interval, Some(ms(millis)));
            assert_eq!(status.detection_time, Some(ms(millis * u64::from(mult))));
            assert!(!status.polling);
        }
        let after = [0, 1].map(|end| network.sides[end].changes.len());
        assert_eq!(after, before, "seed {seed}");
    }
}

/// RFC 5882 §3.2, RFC 5880 §6.8.16.
#[test]
fn an_end_that_is_held_down_is_told_apart_from_a_failure() {
    let mut network = Network::up([config(50, 3); 2], 5);
    network.handle(0, Input::Disable(Disable::Administrative));
    network.run(ms(10_000));
    assert_eq!(network.state(0), State::AdminDown);
    let (_, state, why) = *network.sides[1].changes.last().unwrap();
    assert_eq!((state, why), (State::Down, Why::NeighborAdminDown));
    assert_eq!(network.sides[1].session.counters().failures, 0);
    network.handle(0, Input::Start(Begin::Anew));
    assert!(network.run_until(ms(3_000), Network::is_up).is_some());
}

#[test]
fn a_process_that_was_paused_recovers_and_makes_up_for_nothing() {
    for (pause, seed) in [100, 1_000, 10_000]
        .into_iter()
        .flat_map(|p| SEEDS.map(move |s| (p, s)))
    {
        let mut network = Network::up([config(50, 3); 2], seed);
        let before = network.sides[0].sent.len();
        network.pause(0, ms(pause));
        network.run(ms(pause - 1));
        assert_eq!(network.sides[0].sent.len(), before);
        network.run(ms(2));
        assert!(network.sides[0].sent.len() <= before + 4, "no burst");
        assert!(network.run_until(ms(4_000), Network::is_up).is_some());
        let expired = |why: &Why| *why == Why::DetectionTimeExpired;
        let ours = network.sides[0].changes.iter();
        assert_eq!(
            ours.filter(|(_, _, why)| expired(why)).count(),
            0,
            "it spoke in time"
        );
    }
}

#[test]
fn a_process_that_is_killed_and_started_anew_comes_up_again() {
    for (away, seed) in [10, 100, 3_000]
        .into_iter()
        .flat_map(|a| SEEDS.map(move |s| (a, s)))
    {
        let mut network = Network::up([config(50, 3); 2], seed);
        network.kill(0);
        network.run(ms(away));
        network.restart(0, Begin::Anew, seed % 2 == 0);
        network.run(ms(5));
        assert!(network.run_until(ms(4_000), Network::is_up).is_some());
        assert_eq!(network.sides[1].session.counters().failures, 1);
    }
}

fn hold_on(network: &mut Network, budget: Duration) {
    network.handle(0, Input::HoldOn(budget));
    let silent = |network: &Network| network.sides[0].silent.is_some();
    network.run_until(ms(5_000), silent).unwrap();
    network.run(ms(5));
    network.kill(0);
}

#[test]
fn a_planned_restart_within_the_budget_is_never_noticed() {
    for millis in [10, 50, 100, 300, 1_000] {
        for (away, seed) in [100, 3_000, 8_000]
            .into_iter()
            .flat_map(|a| SEEDS.map(move |s| (a, s)))
        {
            let mut network = Network::up([config(millis, 3); 2], seed);
            let before = network.sides[1].changes.len();
            hold_on(&mut network, ms(10_000));
            let silent = network.sides[0].silent.unwrap();
            assert!(silent.0 >= ms(10_000) && silent.1, "{silent:?}");
            network.run(ms(away));
            network.restart(0, Begin::Adopt, false);
            network.run(ms(9_000));
            assert_eq!(
                network.sides[1].changes.len(),
                before,
                "{millis} ms, seed {seed}"
            );
            let changes: Vec<Why> = network.sides[0].changes.iter().map(|one| one.2).collect();
            assert_eq!(changes, [Why::Adopted]);
            let status = network.sides[1].session.status();
            assert_eq!(status.detection_time, Some(ms(millis * 3)), "restored");
        }
    }
}

#[test]
fn a_process_that_does_not_return_is_given_up_when_the_budget_ends() {
    let mut network = Network::up([config(100, 3); 2], 7);
    hold_on(&mut network, ms(10_000));
    let down = |network: &Network| network.state(1) == State::Down;
    let took = network.run_until(ms(20_000), down).unwrap();
    assert!((ms(9_900)..=ms(10_010)).contains(&took), "{took:?}");
}

#[test]
fn a_return_after_the_budget_or_under_another_name_begins_anew_and_at_once() {
    for (away, renamed) in [(12_000, false), (1_000, true)] {
        let mut network = Network::up([config(100, 3); 2], 11);
        hold_on(&mut network, ms(10_000));
        network.run(ms(away));
        network.restart(0, Begin::Adopt, renamed);
        let up = |network: &Network| network.is_up() && network.sides[0].not_adopted == 1;
        assert!(network.run_until(ms(4_000), up).is_some(), "{away}");
        let settled = network.sides[1].changes.len();
        network.run(ms(60_000));
        assert_eq!(
            network.sides[1].changes.len(),
            settled,
            "nothing is left over"
        );
    }
}

#[test]
fn a_profile_that_was_changed_during_the_restart_is_taken_up() {
    for seed in SEEDS {
        for (before, after) in [(10, 300), (300, 10), (1_000, 50)] {
            let mut network = Network::up([config(before, 3), config(before, 3)], seed);
            let changes = network.sides[1].changes.len();
            hold_on(&mut network, ms(10_000));
            network.sides[0].config = config(after, 4);
            network.run(ms(2_000));
            network.restart(0, Begin::Adopt, false);
            network.run(ms(5_000));
            assert_eq!(
                network.sides[1].changes.len(),
                changes,
                "{before} to {after}"
            );
            assert_eq!(network.sides[0].changes.len(), 1);
        }
    }
}

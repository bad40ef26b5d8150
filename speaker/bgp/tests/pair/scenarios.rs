//! What two speakers go through.

use std::time::Duration;

use bgp::wire::{Error, Forwarding};
use bgp::{
    Config, Drain, Fault, GracefulRestart, Input, Mode, PeerAsn, RouteSet, Shutdown, State, Why,
};

use crate::far_side::Heard;
use crate::fixtures::{V4, V6, config, routes, s, v4, v6};
use crate::network::Network;

fn configs() -> [Config; 2] {
    [config(1), config(2)]
}

/// Both families at both ends, not the same.
fn desired() -> [RouteSet; 2] {
    [
        routes((0..300).map(v4).chain((0..300).map(v6)), 1),
        routes((1_000..1_200).map(v4).chain((1_000..1_200).map(v6)), 2),
    ]
}

fn converged(configs: [Config; 2], seed: u64) -> Network {
    let mut network = Network::new(configs, seed);
    network.start(desired());
    network.run_until(s(120), Network::converged);
    // What a collision has left is gone, too.
    network.run(s(1));
    network
}

fn ended_by(network: &Network, end: usize) -> Option<Error> {
    let error = network.sides[end].peer.status().last_error?;
    match error.fault {
        Fault::Sent(notification) | Fault::Received(notification) => notification.error(),
        Fault::NotConnected(_) | Fault::Closed { .. } => None,
    }
}

/// The last NOTIFICATION that came to that end and cost it its state.
fn told(network: &Network, end: usize) -> Option<Error> {
    let changes = network.sides[end].changes.iter().rev();
    changes
        .filter_map(|(_, _, why)| match why {
            Why::Failed(Fault::Received(notification)) => Some(notification.error()),
            _ => None,
        })
        .next()?
}

#[test]
fn two_speakers_tell_each_other_all_whoever_connects() {
    for modes in [
        [Mode::Dial, Mode::Passive],
        [Mode::Passive, Mode::Dial],
        [Mode::Both, Mode::Dial],
        [Mode::Both, Mode::Passive],
        [Mode::Both, Mode::Both],
    ] {
        let mut configs = configs();
        configs[0].mode = modes[0];
        configs[1].mode = modes[1];
        let mut network = converged(configs, 1);
        network.run(s(600));
        assert!(network.converged(), "{modes:?} stand");
        for end in 0..2 {
            let far = network.far(end);
            let ends = [Heard::EndOfRib(V4), Heard::EndOfRib(V6)];
            assert_eq!(ends.map(|end| far.count(&end)), [1, 1]);
            assert_eq!(network.sides[end].peer.status().established, 1);
        }
    }
}

#[test]
fn internal_speakers_do_as_well_as_external_ones() {
    let mut configs = configs();
    for config in &mut configs {
        config.local_asn = bgp::Asn(65_000);
        config.peer_asn = PeerAsn::Internal;
    }
    let network = converged(configs, 1);
    let held = network.far(0).routes.values().next().unwrap();
    assert_eq!(held.attributes.local_pref, Some(100));
    assert_eq!(held.attributes.as_path.as_ref().unwrap().segments, []);
}

/// RFC 4271 §6.8: however the two connections cross, one is left, and soon.
#[test]
fn speakers_that_dial_each_other_at_once_agree_on_one_connection() {
    agree_on_one_connection(&configs());
}

fn agree_on_one_connection(configs: &[Config; 2]) {
    for seed in 0..300 {
        let mut network = Network::new(configs.clone(), seed);
        network.delay = Duration::from_millis(1 + seed % 50);
        network.start(desired());
        network.run_until(s(60), Network::converged);
        let established = network.sides[0].peer.status().established;
        network.run(s(300));
        assert!(network.converged(), "seed {seed} stands");
        assert_eq!(network.sides[0].peer.status().established, established);
    }
}

#[test]
fn a_speaker_that_restarts_is_told_all_again() {
    let mut network = converged(configs(), 3);
    network.run(s(100));
    network.restart(1);
    assert_eq!(network.state(1), State::Connect);
    network.run_until(s(10), Network::converged);
}

#[test]
fn a_change_is_told_at_once_and_alone() {
    let mut network = converged(configs(), 4);
    let before = network.far(1).prefixes;
    let changed = network.sides[0].desired.with([(v4(7), None)]);
    network.desire(0, changed);
    network.run_until(s(1), Network::converged);
    assert_eq!(network.far(1).prefixes, before + 1);
}

/// RFC 4271 §6.5, at either end.
#[test]
fn silence_in_either_direction_ends_the_session_after_the_hold_time() {
    for silent in 0..2 {
        let mut network = converged(configs(), 5);
        network.cut[silent] = true;
        let begin = network.now;
        network.run_until(s(120), |network| {
            network.state(1 - silent) < State::OpenSent
        });
        let waited = network.now - begin;
        assert!(waited <= s(90) && waited >= s(60), "{waited:?}");
        let expired = Some(Error::HoldTimerExpired);
        assert_eq!(ended_by(&network, 1 - silent), expired);
        network.run_until(s(2), |network| network.state(silent) < State::OpenSent);
        assert_eq!(ended_by(&network, silent), expired, "the other end is told");
        network.cut = [false; 2];
        network.run_until(s(300), Network::converged);
    }
}

#[test]
fn a_cut_shorter_than_the_hold_time_is_not_noticed() {
    let mut network = converged(configs(), 6);
    network.cut = [true; 2];
    network.run(s(50));
    network.cut = [false; 2];
    network.run(s(300));
    assert!(network.converged());
    assert_eq!(network.sides[0].peer.status().established, 1);
}

#[test]
fn a_peer_that_stops_reading_costs_bounded_memory_and_catches_up() {
    let mut network = converged(configs(), 7);
    network.set_reading(1, false);
    for round in 0..60 {
        network.desire(0, routes((0..30_000).map(v4), round));
        network.run(s(1));
    }
    let most = network.sides[0].most_queued;
    assert!(most < 256 * 1024, "{most} octets waited");
    network.set_reading(1, true);
    let mut patient = network.sides[1].config.clone();
    patient.max_prefixes = 100_000;
    network.reconfigure(1, patient);
    network.run_until(s(600), Network::converged);
}

#[test]
fn a_peer_that_never_reads_again_is_given_up() {
    let mut network = converged(configs(), 8);
    network.set_reading(1, false);
    network.desire(0, routes((0..100_000).map(v4), 1));
    network.run_until(s(600), |network| network.state(0) < State::OpenSent);
}

/// RFC 4486 §4.
#[test]
fn a_flood_over_the_limit_ends_in_a_long_wait_and_both_ends_say_why() {
    let mut network = converged(configs(), 9);
    network.run(s(60));
    network.desire(1, routes((0..50_000).map(v6), 1));
    network.run_until(s(10), |network| network.state(0) == State::Idle);
    network.run(s(1));
    assert_eq!(ended_by(&network, 0), Some(Error::MaximumPrefixes));
    let told = network.sides[1]
        .changes
        .iter()
        .rev()
        .find_map(|(_, _, why)| match why {
            Why::Failed(Fault::Received(notification)) => notification.error(),
            _ => None,
        });
    assert_eq!(told, Some(Error::MaximumPrefixes));
    network.run(s(200));
    assert_eq!(network.state(0), State::Idle);
    network.desire(1, routes((0..100).map(v6), 1));
    network.run_until(s(300), Network::converged);
}

#[test]
fn garbage_ends_the_session_with_a_word_and_it_comes_back() {
    for (garbage, error) in [
        (vec![0; 40], Error::ConnectionNotSynchronized),
        (
            [&[0xff; 16][..], &[0, 18, 4]].concat(),
            Error::BadMessageLength,
        ),
        (
            [&[0xff; 16][..], &[0, 19, 9]].concat(),
            Error::BadMessageType,
        ),
        (
            [&[0xff; 16][..], &[0, 23, 2, 0xff, 0xff, 0, 0]].concat(),
            Error::MalformedAttributeList,
        ),
    ] {
        let mut network = converged(configs(), 10);
        network.forge(0, &garbage);
        assert_eq!(ended_by(&network, 0), Some(error));
        network.run_until(s(60), Network::converged);
        assert_eq!(told(&network, 1), Some(error), "the other end was told");
    }
}

#[test]
fn sessions_that_are_reset_every_second_are_made_ever_more_rarely() {
    let mut network = converged(configs(), 11);
    for _ in 0..3_600 {
        network.run(s(1));
        network.reset();
    }
    for side in &network.sides {
        assert!(side.dials < 120, "{} attempts in an hour", side.dials);
    }
    network.run_until(s(130), Network::converged);
}

#[test]
fn a_shutdown_is_told_and_lasts_until_the_start() {
    let mut network = converged(configs(), 12);
    let shutdown = Shutdown::Administrative("moving".to_owned());
    network.handle(0, bgp::Input::Stop(shutdown));
    network.run(s(300));
    assert_eq!(network.state(0), State::Idle);
    assert_ne!(network.state(1), State::Established);
    network.handle(0, bgp::Input::Start);
    network.run_until(s(130), Network::converged);
}

fn graceful() -> [Config; 2] {
    configs().map(|config| Config {
        graceful_restart: Some(GracefulRestart {
            restart_time: s(30),
            notification: false,
            forwarding: Forwarding::Preserved,
        }),
        ..config
    })
}

/// RFC 4724 §5: the old session would stand for the hold time else.
#[test]
fn a_peer_that_comes_back_before_its_old_session_is_missed_is_let_in_at_once() {
    let mut network = converged(graceful(), 13);
    network.run(s(100));
    let before = network.sides[0].peer.status().established;
    network.reboot(1);
    network.run_until(s(10), Network::converged);
    network.run(s(300));
    assert_eq!(network.sides[0].peer.status().established, before + 1);
}

/// Two that cross are no restart.
#[test]
fn speakers_with_graceful_restart_that_dial_each_other_agree_as_well() {
    agree_on_one_connection(&graceful());
}

#[test]
fn a_drain_empties_the_peer_and_lasts_until_its_end() {
    let mut network = converged(configs(), 14);
    let (wait, text) = (s(5), "moving".to_owned());
    network.handle(0, Input::Drain(Drain { wait, text }));
    network.run(s(4));
    assert!(network.converged(), "it is told, and goes on meanwhile");
    network.run_until(s(2), |network| network.state(0) == State::Idle);
    network.run(s(300));
    assert_eq!(network.state(0), State::Idle);
    assert_eq!(told(&network, 1), Some(Error::AdministrativeShutdown));
    network.handle(0, Input::Resume);
    network.run_until(s(130), Network::converged);
}

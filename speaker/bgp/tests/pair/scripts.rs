//! Any script: whatever happens in whatever order, the invariants hold on the way, and once all is
//! well again both ends hold what the other one desires.

use bgp::wire::Forwarding;
use bgp::{Config, Drain, GracefulRestart, Input, Mode, Path, Protection, Shutdown};
use proptest::prelude::*;

use crate::fixtures::{config, routes, s, v4, v6, with_med};
use crate::network::Network;

#[derive(Debug, Clone)]
enum Step {
    Run(u64),
    Change(usize, u32, Option<u32>),
    Replace(usize, u32),
    Cut(usize, bool),
    Read(usize, bool),
    Reset,
    Restart(usize),
    Stop(usize),
    Start(usize),
    Pause(usize),
    Drain(usize, u64),
    Resume(usize),
    Graceful(usize, bool, bool),
    Forge(usize, Vec<u8>),
    HoldTime(usize, u64),
    NextHop(usize, bool),
    Limit(usize, u32),
    Identity(usize, u32),
    Mode(usize, u8),
    Protect(usize, u8),
    Path(usize, u8),
}

fn step() -> impl Strategy<Value = Step> {
    let end = 0..2_usize;
    prop_oneof![
        4 => (0..200_u64).prop_map(Step::Run),
        4 => (end.clone(), 0..64_u32, proptest::option::of(0..3_u32))
            .prop_map(|(end, n, med)| Step::Change(end, n, med)),
        1 => (end.clone(), 0..3_000_u32).prop_map(|(end, count)| Step::Replace(end, count)),
        2 => (end.clone(), any::<bool>()).prop_map(|(end, cut)| Step::Cut(end, cut)),
        1 => (end.clone(), any::<bool>()).prop_map(|(end, reads)| Step::Read(end, reads)),
        1 => Just(Step::Reset),
        1 => end.clone().prop_map(Step::Restart),
        1 => end.clone().prop_map(Step::Stop),
        1 => end.clone().prop_map(Step::Start),
        1 => end.clone().prop_map(Step::Pause),
        2 => (end.clone(), 0..5_u64).prop_map(|(end, wait)| Step::Drain(end, wait)),
        2 => end.clone().prop_map(Step::Resume),
        2 => (end.clone(), any::<bool>(), any::<bool>())
            .prop_map(|(end, on, notification)| Step::Graceful(end, on, notification)),
        1 => (end.clone(), proptest::collection::vec(any::<u8>(), 0..60))
            .prop_map(|(end, bytes)| Step::Forge(end, bytes)),
        1 => (end.clone(), 0..120_u64).prop_map(|(end, time)| Step::HoldTime(end, time)),
        1 => (end.clone(), any::<bool>()).prop_map(|(end, there)| Step::NextHop(end, there)),
        1 => (end.clone(), 0..5_000_u32).prop_map(|(end, limit)| Step::Limit(end, limit)),
        1 => (end.clone(), 0..3_u32).prop_map(|(end, asn)| Step::Identity(end, asn)),
        1 => (end.clone(), 0..3_u8).prop_map(|(end, mode)| Step::Mode(end, mode)),
        1 => (end.clone(), 0..3_u8).prop_map(|(end, how)| Step::Protect(end, how)),
        2 => (end, 0..6_u8).prop_map(|(end, path)| Step::Path(end, path)),
    ]
}

fn play(network: &mut Network, step: Step) {
    let change = |network: &mut Network, end: usize, change: &dyn Fn(&mut Config)| {
        let mut config = network.sides[end].config.clone();
        change(&mut config);
        network.reconfigure(end, config);
    };
    match step {
        Step::Run(tenths) => network.run(s(tenths) / 10),
        Step::Change(end, n, med) => {
            let prefix = if n % 2 == 0 { v4(n) } else { v6(n) };
            let desired = network.sides[end]
                .desired
                .with([(prefix, med.map(with_med))]);
            network.desire(end, desired);
        }
        Step::Replace(end, count) => {
            let desired = routes((0..count).map(v4).chain((0..count / 2).map(v6)), count);
            network.desire(end, desired);
        }
        Step::Cut(end, cut) => network.cut[end] = cut,
        Step::Read(end, reads) => network.set_reading(end, reads),
        Step::Reset => network.reset(),
        Step::Restart(end) => network.restart(end),
        Step::Stop(end) => network.handle(end, Input::Stop(Shutdown::Deconfigured)),
        Step::Start(end) => network.handle(end, Input::Start),
        Step::Pause(end) => {
            let restarting = Shutdown::Restarting("restarts".to_owned());
            network.handle(end, Input::Stop(restarting));
        }
        Step::Drain(end, wait) => {
            let (wait, text) = (s(wait), "drained".to_owned());
            network.handle(end, Input::Drain(Drain { wait, text }));
        }
        Step::Resume(end) => network.handle(end, Input::Resume),
        Step::Graceful(end, on, notification) => change(network, end, &|config| {
            config.graceful_restart = on.then_some(GracefulRestart {
                restart_time: s(30),
                notification,
                forwarding: Forwarding::Preserved,
            });
        }),
        Step::Forge(end, bytes) => network.forge(end, &bytes),
        Step::HoldTime(end, time) => {
            change(network, end, &|config| config.hold_time = s(time));
        }
        Step::NextHop(end, there) => change(network, end, &|config| {
            config.next_hop_v6 = there.then_some("fd00::77".parse().unwrap());
        }),
        Step::Limit(end, limit) => change(network, end, &|config| config.max_prefixes = limit),
        Step::Identity(end, more) => change(network, end, &|config| {
            config.local_asn = bgp::Asn(64_000 + more + u32::try_from(end).unwrap() * 100);
        }),
        Step::Mode(end, mode) => change(network, end, &|config| {
            config.mode = match mode {
                0 => Mode::Dial,
                1 => Mode::Passive,
                _ => Mode::Both,
            };
        }),
        Step::Protect(end, how) => change(network, end, &|config| {
            config.protection = match how {
                0 => Protection::None,
                1 => Protection::Bfd,
                _ => Protection::StrictBfd,
            };
        }),
        Step::Path(end, path) => network.handle(
            end,
            match path {
                0 => Input::Path(Path::Off),
                1 => Input::Path(Path::Listening),
                2 => Input::Path(Path::Replacing),
                3 => Input::Path(Path::Down),
                4 => Input::Path(Path::Up),
                _ => Input::PathFailed,
            },
        ),
    }
}

/// All is well again: the settings are good, everything flows, both are started.
fn heal(network: &mut Network) {
    network.cut = [false; 2];
    for (end, speaker) in [1, 2].into_iter().enumerate() {
        network.set_reading(end, true);
        network.reconfigure(
            end,
            Config {
                max_prefixes: 100_000,
                ..config(speaker)
            },
        );
        network.handle(end, Input::Resume);
        network.handle(end, Input::Start);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_script_ends_with_what_is_desired_at_both_ends(
        seed in any::<u64>(),
        script in proptest::collection::vec(step(), 0..60),
    ) {
        let mut network = Network::new([config(1), config(2)], seed);
        network.start([routes([v4(1)], 1), routes([v6(1)], 1)]);
        for step in script {
            play(&mut network, step);
        }
        heal(&mut network);
        network.run_until(s(900), Network::converged);
        network.run(s(200));
        prop_assert!(network.converged());
        prop_assert!(network.sides.iter().all(|side| side.most_queued < 512 * 1024));
    }
}

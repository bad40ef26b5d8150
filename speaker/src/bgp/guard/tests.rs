//! From settings to wishes, and from statuses to inputs.

use std::collections::BTreeMap;
use std::num::NonZeroU8;

use bfd::Why;
use model::BfdProfileName;

use super::*;
use crate::bfd::Figures;
use crate::bgp::Secret;
use crate::bgp::tests::{desired, peer};

fn profile() -> BfdProfile {
    BfdProfile {
        name: BfdProfileName::new("fast"),
        receive_interval: Duration::from_millis(20),
        transmit_interval: Duration::from_millis(10),
        detect_multiplier: NonZeroU8::new(3).unwrap(),
        minimum_ttl: 250,
        passive: false,
    }
}

fn name() -> SessionName {
    peer().name.into()
}

fn wished(change: impl FnOnce(&mut Desired)) -> Option<Wish> {
    let mut settings = peer();
    settings.bfd = Some(profile());
    let mut desired = desired(settings, Secret::None);
    change(&mut desired);
    wish(&name(), &desired, &Transport::of(&desired).unwrap())
}

#[test]
fn a_profile_is_asked_for_as_it_is_written() {
    let wish = wished(|_| {}).unwrap();
    assert_eq!(wish.key.to_string(), "10.99.0.1");
    assert_eq!(
        wish.settings.config.required_min_rx,
        Duration::from_millis(20)
    );
    assert_eq!(
        wish.settings.config.desired_min_tx,
        Duration::from_millis(10)
    );
    assert_eq!(wish.settings.config.role, Role::Active);
    assert_eq!(wish.settings.absence, Duration::from_secs(10));
    let without = wished(|desired| desired.settings.graceful_restart.enabled = false);
    assert_eq!(without.unwrap().settings.absence, Duration::ZERO);
    assert_eq!(wished(|desired| desired.settings.bfd = None), None);
}

#[test]
fn one_hop_or_several_is_told_as_routers_tell_it() {
    type Change = fn(&mut Desired);
    let internal: Change = |desired| desired.settings.peer_asn = model::PeerAsn::Internal;
    let far_internal: Change = |desired| {
        desired.settings.peer_asn = model::PeerAsn::Internal;
        desired.on_link = false;
    };
    let far: Change = |desired| desired.settings.ebgp_multi_hop = true;
    let off_link: Change = |desired| desired.on_link = false;
    let several = bfd::Path::Multihop {
        minimum_hop_limit: 250,
    };
    for (change, path) in [
        ((|_| {}) as Change, bfd::Path::SingleHop),
        (off_link, bfd::Path::SingleHop),
        (internal, bfd::Path::SingleHop),
        (far_internal, several),
        (far, several),
    ] {
        let wish = wished(change).unwrap();
        assert_eq!(wish.settings.path, path);
        assert_eq!(wish.key.multihop, path == several);
    }
}

fn status(state: State, adoption: Adoption, failures: u64) -> Status {
    Status {
        figures: Figures {
            state,
            entered: None,
            why: Some(Why::DetectionTimeExpired),
            adoption,
            ups: 1,
            failures,
            detection_time: None,
            remote_detection_time: None,
            transmit_interval: None,
            remote: None,
        },
        since: Timestamp::UNIX_EPOCH,
        trouble: None,
    }
}

/// A guard whose wish is heard.
fn guard() -> (Guard, Key) {
    let mut guard = Guard::default();
    let wish = wished(|_| {}).unwrap();
    let key = wish.key.clone();
    guard.want(&name(), Some(wish), &watch::Sender::default());
    (guard, key)
}

fn told(guard: &mut Guard, key: &Key, status: Status) -> Vec<String> {
    let inputs = guard.take(&Statuses::from([(key.clone(), status)]));
    inputs.iter().map(|input| format!("{input:?}")).collect()
}

#[test]
fn failures_are_told_before_what_is_so_now_and_none_is_missed() {
    let (mut guard, key) = guard();
    let up = |failures| status(State::Up, Adoption::Settled, failures);
    assert_eq!(guard.path(), Path::Listening);
    assert_eq!(told(&mut guard, &key, up(0)), ["Path(Up)"]);
    assert_eq!(told(&mut guard, &key, up(0)), [""; 0]);
    let down = status(State::Down, Adoption::Settled, 1);
    assert_eq!(told(&mut guard, &key, down), ["PathFailed", "Path(Down)"]);
    // It came up and failed and came up again before anybody looked.
    assert_eq!(told(&mut guard, &key, up(2)), ["PathFailed", "Path(Up)"]);
}

#[test]
fn each_standing_is_put_in_the_machines_words() {
    for (state, adoption, path) in [
        (State::Up, Adoption::Settled, Path::Up),
        (State::AdminDown, Adoption::Settled, Path::Off),
        (State::Down, Adoption::Listening, Path::Listening),
        (State::Down, Adoption::Replacing, Path::Replacing),
        (State::Init, Adoption::Replacing, Path::Replacing),
        (State::Down, Adoption::Settled, Path::Down),
        (State::Init, Adoption::Settled, Path::Down),
    ] {
        let (mut guard, key) = guard();
        told(&mut guard, &key, status(state, adoption, 0));
        assert_eq!(guard.path(), path, "{state} {adoption:?}");
    }
}

#[test]
fn another_path_is_unknown_and_no_wish_is_forgotten() {
    let (mut guard, key) = guard();
    told(&mut guard, &key, status(State::Up, Adoption::Settled, 0));
    let wishes = watch::Sender::new(BTreeMap::new());
    let far = wished(|desired| desired.settings.ebgp_multi_hop = true);
    guard.want(&name(), far, &wishes);
    assert_eq!(guard.path(), Path::Listening);
    assert_eq!(wishes.borrow().len(), 1);
    assert!(guard.shown(None).is_some_and(|shown| !shown.is_up()));
    guard.want(&name(), None, &wishes);
    assert_eq!(wishes.borrow().len(), 0);
    assert_eq!(guard.shown(None), None);
}

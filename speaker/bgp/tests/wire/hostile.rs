//! Whatever is done to a valid message, there is a verdict, and it is sound.

use bgp::wire::{Framer, Message, Notification, Session, Treatment, decode};
use proptest::prelude::*;

use crate::corpus::{Case, corpus};
use crate::kit::{external, internal};

/// What became of a stream.
#[derive(Default, Debug)]
struct Verdicts {
    accepted: usize,
    treated: usize,
    refused: usize,
    unfinished: usize,
}

/// Reads a stream to its end or its error, and checks everything that comes out.
fn judge(octets: &[u8], session: &Session, verdicts: &mut Verdicts) {
    let mut framer = Framer::new();
    if session.extended_message {
        framer.set_extended();
    }
    framer.push(octets);
    let mut any = false;
    while let Some(frame) = framer.poll() {
        any = true;
        match frame.and_then(|frame| decode(&frame, Some(session))) {
            Ok(message) => {
                check(&message, session);
                if matches!(message, Message::Update(update) if update.verdict().is_some()) {
                    verdicts.treated += 1;
                } else {
                    verdicts.accepted += 1;
                }
            }
            Err(notification) => {
                check_notification(&notification);
                verdicts.refused += 1;
                return;
            }
        }
    }
    if !any {
        verdicts.unfinished += 1;
    }
}

fn check(message: &Message, session: &Session) {
    match message {
        Message::Update(update) => {
            let all = update.announced.iter().chain(&update.withdrawn);
            assert!(
                all.clone()
                    .all(|one| session.families.contains(one.family()))
            );
            let verdict = update.verdict();
            assert_ne!(verdict, Some(Treatment::Reset));
            let withdrawn = update
                .treatments
                .iter()
                .any(|(_, one)| *one == Treatment::Withdraw);
            assert!(
                !withdrawn || update.announced.is_empty(),
                "treated as withdrawn"
            );
            for (_, treatment) in &update.treatments {
                if let Treatment::Disable(void) = treatment {
                    assert!(all.clone().all(|one| Some(one.family()) != void.family()));
                }
            }
        }
        Message::Open(open) => {
            assert!(!matches!(open.hold_time, 1 | 2) && !open.asn.is_zero());
            let mut octets = Vec::new();
            message.emit(None, &mut octets);
            assert!(octets.len() <= 4096);
        }
        Message::Notification(notification) => check_notification(notification),
        Message::Keepalive | Message::RouteRefresh(_) => {}
    }
}

fn check_notification(notification: &Notification) {
    let mut octets = Vec::new();
    Message::Notification(notification.clone()).emit(None, &mut octets);
    assert!(octets.len() <= 4096, "what is echoed is bounded");
    assert!(!notification.to_string().contains('\n'));
    let _ = (
        notification.shutdown_text(),
        notification.hard_reset_reason(),
    );
}

#[test]
fn a_message_that_is_cut_is_waited_for() {
    for Case {
        name,
        session,
        octets,
    } in corpus()
    {
        let mut verdicts = Verdicts::default();
        for length in 0..octets.len() {
            judge(&octets[..length], &session, &mut verdicts);
        }
        assert_eq!(verdicts.unfinished, octets.len(), "{name}: {verdicts:?}");
    }
}

/// The same with a header that says so, so that the decoder meets the end in every field.
#[test]
fn a_message_that_ends_early_has_a_verdict() {
    let mut verdicts = Verdicts::default();
    for Case {
        session, octets, ..
    } in corpus()
    {
        for length in 19..octets.len() {
            let mut cut = octets[..length].to_vec();
            cut[16..18].copy_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
            judge(&cut, &session, &mut verdicts);
        }
    }
    assert_eq!(verdicts.unfinished, 0, "{verdicts:?}");
    assert!(verdicts.refused > 500, "{verdicts:?}");
}

/// An UPDATE whose attribute list ends early, the lengths around it put right.
#[test]
fn an_attribute_list_that_ends_early_has_a_verdict() {
    let mut verdicts = Verdicts::default();
    for Case {
        session, octets, ..
    } in corpus()
    {
        if octets[18] != 2 || octets[19..21] != [0, 0] {
            continue;
        }
        let length = usize::from(u16::from_be_bytes([octets[21], octets[22]]));
        for kept in 0..length {
            let (list, nlri) = (&octets[23..23 + kept], &octets[23 + length..]);
            let cut = crate::kit::update(&[], &[list], nlri);
            judge(&cut, &session, &mut verdicts);
        }
    }
    assert!(
        verdicts.refused > 50 && verdicts.treated > 100,
        "{verdicts:?}"
    );
}

/// All 255 other values of every octet of every message.
#[test]
fn a_message_with_one_octet_changed_has_a_verdict() {
    let mut verdicts = Verdicts::default();
    for Case {
        session,
        mut octets,
        ..
    } in corpus()
    {
        for at in 0..octets.len() {
            for change in 1..=255 {
                octets[at] ^= change;
                judge(&octets, &session, &mut verdicts);
                octets[at] ^= change;
            }
        }
    }
    let Verdicts {
        accepted,
        treated,
        refused,
        unfinished,
    } = verdicts;
    let least = accepted.min(treated).min(refused).min(unfinished);
    assert!(least > 1_000, "{verdicts:?}");
}

proptest! {
    #[test]
    fn any_octets_have_a_verdict(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut verdicts = Verdicts::default();
        judge(&octets, &external(), &mut verdicts);
        for kind in 1..=5 {
            let message = crate::kit::message(kind, &octets);
            judge(&message, &external(), &mut verdicts);
            judge(&message, &internal(), &mut verdicts);
            judge(&message, &Session::default(), &mut verdicts);
        }
    }

    #[test]
    fn any_attribute_has_a_verdict(
        flags: u8,
        kind in 0..40_u8,
        value in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let mut verdicts = Verdicts::default();
        let attribute = crate::kit::attribute(flags & 0xef, kind, &value);
        for session in [external(), internal(), Session::default()] {
            judge(&crate::kit::announcement(&[&attribute]), &session, &mut verdicts);
            judge(&crate::kit::update(&[], &[&attribute], &[]), &session, &mut verdicts);
        }
        prop_assert_eq!(verdicts.unfinished, 0);
    }
}

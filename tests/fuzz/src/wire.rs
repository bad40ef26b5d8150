//! What the fuzz targets of BGP share: sessions of every kind, and what must be true of whatever
//! is read.

use std::collections::BTreeSet;

use bgp::wire::{Framer, Message, Notification, Session, Treatment, Update, decode};
use bgp::{Asn, Family};

/// The longest message that every session allows.
const MAXIMUM: usize = 4096;

/// The first octet of an input says what was negotiated, one bit for each thing; zero is an
/// external neighbour with both families and AS numbers of four octets.
pub fn session(bits: u8) -> Session {
    let bit = |at: u8| bits >> at & 1 == 1;
    let families = [(Family::Ipv4Unicast, bit(5)), (Family::Ipv6Unicast, bit(6))];
    Session {
        local_asn: Asn(64_512),
        remote_asn: if bit(0) { Asn(64_512) } else { Asn(64_500) },
        ebgp: !bit(0),
        four_octet_as: !bit(1),
        extended_message: bit(2),
        extended_next_hop: bit(3),
        enhanced_route_refresh: bit(4),
        families: families.into_iter().filter(|(_, without)| !without).map(|(one, _)| one).collect(),
        ..Session::default()
    }
}

/// Reads a stream in pieces of this length, to its end or its first error.
pub fn read_stream(octets: &[u8], piece: usize, session: &Session) -> Vec<Result<Message, Notification>> {
    let mut framer = Framer::new();
    if session.extended_message {
        framer.set_extended();
    }
    let mut read = Vec::new();
    for octets in octets.chunks(piece.max(1)) {
        framer.push(octets);
        while let Some(frame) = framer.poll() {
            let message = frame.and_then(|frame| decode(&frame, Some(session)));
            let is_error = message.is_err();
            read.push(message);
            if is_error {
                return read;
            }
        }
    }
    read
}

/// What must be true of anything that was read.
pub fn check(read: &Result<Message, Notification>, session: &Session) {
    match read {
        Ok(Message::Update(update)) => check_update(update, session),
        Ok(Message::Notification(notification)) | Err(notification) => {
            check_notification(notification);
        }
        Ok(message @ (Message::Open(_) | Message::Keepalive | Message::RouteRefresh(_))) => {
            assert_reads_again(message, session);
        }
    }
}

/// What is written for a message reads as that message.
pub fn assert_reads_again(message: &Message, session: &Session) {
    let mut octets = Vec::new();
    message.emit(Some(session), &mut octets);
    assert_eq!(read_stream(&octets, MAXIMUM, session), [Ok(message.clone())]);
}

fn check_notification(notification: &Notification) {
    let mut octets = Vec::new();
    Message::Notification(notification.clone()).emit(None, &mut octets);
    assert!(octets.len() <= MAXIMUM, "what is echoed is bounded");
    let shown = notification.to_string();
    assert!(!shown.chars().any(char::is_control), "{shown:?}");
}

fn check_update(update: &Update, session: &Session) {
    let all = || update.announced.iter().chain(&update.withdrawn);
    assert!(all().all(|one| session.families.contains(one.family())));
    let treatments: BTreeSet<Treatment> = update.treatments.iter().map(|(_, one)| *one).collect();
    assert!(!treatments.contains(&Treatment::Reset));
    if treatments.contains(&Treatment::Withdraw) {
        assert!(update.announced.is_empty(), "treated as withdrawn");
    }
    for treatment in &treatments {
        if let Treatment::Disable(void) = treatment {
            assert!(all().all(|one| Some(one.family()) != void.family()));
        }
    }
    if is_plain(update) && session.four_octet_as {
        assert_reads_again(&Message::Update(update.clone()), session);
    }
}

/// Nothing was wrong with it, and its prefixes stood where we would write them. What AS4_PATH told
/// is written in another way.
fn is_plain(update: &Update) -> bool {
    let attributes = &update.attributes;
    let places = usize::from(attributes.next_hop.is_some()) + usize::from(attributes.mp_next_hop.is_some());
    let announces = !update.announced.is_empty();
    let says_something = announces || !update.withdrawn.is_empty() || update.end_of_rib.is_some();
    update.treatments.is_empty() && says_something && places == usize::from(announces)
}

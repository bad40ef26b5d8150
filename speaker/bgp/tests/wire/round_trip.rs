//! What is emitted reads as what was meant, for every message.

use bgp::wire::{Error, Framer, Message, Notification, Session, decode};
use proptest::prelude::*;

use crate::any;
use crate::kit::read;

#[track_caller]
fn assert_round_trip(message: &Message, session: &Session) {
    let mut octets = Vec::new();
    message.emit(Some(session), &mut octets);
    assert_eq!(
        read(&octets, session).as_ref(),
        Ok(message),
        "{octets:02x?}"
    );
}

proptest! {
    #[test]
    fn an_open_reads_as_it_was_written(open in any::open()) {
        assert_round_trip(&Message::Open(open), &Session::default());
    }

    #[test]
    fn an_update_reads_as_it_was_written(
        (session, update) in any::session().prop_flat_map(|session| {
            let update = any::update(&session);
            (Just(session), update)
        }),
    ) {
        assert_round_trip(&Message::Update(update), &session);
    }

    #[test]
    fn a_notification_reads_as_it_was_written(
        code: u8,
        subcode: u8,
        data in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut octets = vec![0xff; 16];
        octets.extend(u16::try_from(21 + data.len()).unwrap().to_be_bytes());
        octets.extend([3, code, subcode]);
        octets.extend(&data);
        let read = read(&octets, &Session::default()).unwrap();
        let Message::Notification(notification) = &read else { panic!("{read:?}") };
        prop_assert_eq!((notification.code(), notification.subcode()), (code, subcode));
        prop_assert_eq!(notification.data(), data);
        let mut again = Vec::new();
        read.emit(None, &mut again);
        prop_assert_eq!(again, octets);
    }

    #[test]
    fn a_shutdown_text_reads_as_it_was_written(text in "\\PC{0,120}") {
        let notification = Notification::new(Error::AdministrativeShutdown).with_text(&text);
        let mut octets = Vec::new();
        Message::Notification(notification).emit(None, &mut octets);
        let Ok(Message::Notification(read)) = read(&octets, &Session::default()) else {
            panic!("a NOTIFICATION")
        };
        let told = read.shutdown_text().unwrap().unwrap_or_default();
        prop_assert!(text.starts_with(told) && (told == text || told.len() > 250));
    }

    #[test]
    fn a_route_refresh_reads_as_it_was_written(refresh in any::route_refresh()) {
        let session = Session { enhanced_route_refresh: true, ..Session::default() };
        assert_round_trip(&Message::RouteRefresh(refresh), &session);
    }

    /// However the stream is cut, the same messages come out.
    #[test]
    fn a_stream_gives_the_same_messages_however_it_is_cut(
        open in any::open(),
        cuts in proptest::collection::vec(1..40_usize, 1..60),
    ) {
        let messages = [Message::Open(open), Message::Keepalive, Message::Keepalive];
        let mut octets = Vec::new();
        messages.iter().for_each(|message| message.emit(None, &mut octets));
        let mut framer = Framer::new();
        let mut read = Vec::new();
        let mut rest = octets.as_slice();
        for cut in cuts.iter().cycle() {
            let (piece, later) = rest.split_at(rest.len().min(*cut));
            framer.push(piece);
            while let Some(frame) = framer.poll() {
                read.push(decode(&frame.unwrap(), None).unwrap());
            }
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(read, messages);
    }
}

#[test]
fn a_keepalive_is_a_header() {
    let mut octets = Vec::new();
    Message::Keepalive.emit(None, &mut octets);
    assert_eq!(octets, [&[0xff; 16][..], &[0, 19, 4]].concat());
    assert_eq!(read(&octets, &Session::default()), Ok(Message::Keepalive));
}

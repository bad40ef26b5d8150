use super::*;

fn header(length: u16, kind: u8) -> Vec<u8> {
    [&MARKER[..], &length.to_be_bytes(), &[kind]].concat()
}

/// What the framer says to these octets, in one piece.
fn first(octets: &[u8]) -> Option<Result<Frame, Notification>> {
    let mut framer = Framer::new();
    framer.push(octets);
    framer.poll()
}

fn refused(octets: &[u8]) -> Notification {
    first(octets).expect("a verdict").expect_err("refused")
}

/// RFC 4271 §6.1.
#[test]
fn a_marker_that_is_not_all_ones_is_refused_at_its_first_wrong_octet() {
    for at in 0..16 {
        let mut octets = header(19, 4);
        octets[at] = 0x7f;
        let expected = Notification::new(Error::ConnectionNotSynchronized);
        assert_eq!(refused(&octets), expected, "octet {at}");
        assert_eq!(refused(&octets[..=at]), expected, "octet {at} and no more");
    }
}

/// RFC 4271 §6.1: data is the length field, and the body is not waited for.
#[test]
fn a_length_that_the_type_cannot_have_is_refused_by_the_header_alone() {
    let lengths = [
        (0, 4),
        (18, 4),
        (4097, 2),
        (65_535, 2),
        (28, 1),
        (4097, 1),
        (22, 2),
        (20, 3),
        (20, 4),
        (22, 5),
    ];
    for (length, kind) in lengths {
        let expected =
            Notification::new(Error::BadMessageLength).with_data(&u16::to_be_bytes(length));
        assert_eq!(
            refused(&header(length, kind)),
            expected,
            "{length} octets of type {kind}"
        );
    }
}

/// RFC 4271 §6.1: the shortest and the longest of each type are waited for.
#[test]
fn a_length_that_the_type_can_have_is_waited_for() {
    for (length, kind) in [
        (29, 1),
        (4096, 1),
        (23, 2),
        (4096, 2),
        (21, 3),
        (23, 5),
        (4096, 5),
    ] {
        assert_eq!(
            first(&header(length, kind)),
            None,
            "{length} octets of type {kind}"
        );
    }
    assert!(first(&header(19, 4)).is_some_and(|frame| frame.is_ok()));
}

/// RFC 4271 §6.1: data is the type field.
#[test]
fn a_type_that_there_is_not_is_refused() {
    for kind in [0, 6, 255] {
        let expected = Notification::new(Error::BadMessageType).with_data(&[kind]);
        assert_eq!(refused(&header(23, kind)), expected);
    }
}

/// RFC 8654 §4: extended messages, but neither OPEN nor KEEPALIVE.
#[test]
fn extended_messages_are_taken_once_they_were_advertised() {
    let mut framer = Framer::new();
    framer.set_extended();
    framer.push(&header(65_535, 2));
    assert_eq!(framer.poll(), None);
    framer.push(&vec![0; 65_535 - HEADER]);
    let frame = framer.poll().unwrap().unwrap();
    assert_eq!(
        (frame.kind, frame.body.len()),
        (MessageType::Update, 65_516)
    );

    for kind in [1, 4] {
        framer = Framer::new();
        framer.set_extended();
        framer.push(&header(4097, kind));
        let notification = framer.poll().unwrap().unwrap_err();
        assert_eq!(
            notification.error(),
            Some(Error::BadMessageLength),
            "type {kind}"
        );
    }
}

#[test]
fn after_an_error_nothing_more_is_read_or_kept() {
    let mut framer = Framer::new();
    framer.push(b"GET / HTTP/1.1\r\n");
    assert!(framer.poll().is_some_and(|verdict| verdict.is_err()));
    framer.push(&header(19, 4));
    assert_eq!(framer.poll(), None);
    assert!(framer.buffer.is_empty());
}

#[test]
fn several_messages_in_one_piece_come_out_one_by_one() {
    let refresh = [header(23, 5), vec![0, 1, 0, 1]].concat();
    let mut framer = Framer::new();
    framer.push(&[header(19, 4), refresh, header(19, 4), vec![0xff]].concat());
    let kinds: Vec<MessageType> = std::iter::from_fn(|| framer.poll())
        .map(|frame| frame.unwrap().kind)
        .collect();
    let expected = [
        MessageType::Keepalive,
        MessageType::RouteRefresh,
        MessageType::Keepalive,
    ];
    assert_eq!(kinds, expected);
    assert_eq!(framer.buffer.len(), 1);
}

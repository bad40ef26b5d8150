//! Messages put together by hand.

use bgp::wire::{Framer, Message, Notification, Session, Update, decode};
use bgp::{Asn, Families, Prefix};

/// OPEN.
pub(crate) const OPEN: u8 = 1;
/// UPDATE.
pub(crate) const UPDATE: u8 = 2;

/// ORIGIN IGP.
pub(crate) const ORIGIN: &[u8] = &[0x40, 1, 1, 0];
/// AS_PATH 64500, of four octets.
pub(crate) const AS_PATH: &[u8] = &[0x40, 2, 6, 2, 1, 0, 0, 0xfb, 0xf4];
/// NEXT_HOP 192.0.2.1.
pub(crate) const NEXT_HOP: &[u8] = &[0x40, 3, 4, 192, 0, 2, 1];
/// LOCAL_PREF 100.
pub(crate) const LOCAL_PREF: &[u8] = &[0x40, 5, 4, 0, 0, 0, 100];
/// MP_REACH_NLRI: 2001:db8:1::/48 by 2001:db8::1.
pub(crate) const REACH_V6: &[u8] = &[
    0x80, 14, 28, 0, 2, 1, 16, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 48, 0x20,
    1, 0xd, 0xb8, 0, 1,
];
/// MP_UNREACH_NLRI: 2001:db8:2::/48.
pub(crate) const UNREACH_V6: &[u8] = &[0x80, 15, 10, 0, 2, 1, 48, 0x20, 1, 0xd, 0xb8, 0, 2];
/// 198.51.100.0/24.
pub(crate) const NLRI: &[u8] = &[24, 198, 51, 100];

/// A message of this type around a body.
pub(crate) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(19 + body.len()).unwrap();
    [&[0xff; 16][..], &length.to_be_bytes(), &[kind], body].concat()
}

/// An UPDATE of these three fields.
pub(crate) fn update(withdrawn: &[u8], attributes: &[&[u8]], nlri: &[u8]) -> Vec<u8> {
    let field = |octets: &[u8]| {
        let length = u16::try_from(octets.len()).unwrap();
        [&length.to_be_bytes(), octets].concat()
    };
    let attributes = attributes.concat();
    message(
        UPDATE,
        &[&field(withdrawn), &field(&attributes), nlri].concat(),
    )
}

/// An UPDATE that announces 198.51.100.0/24 with its mandatory attributes and these.
pub(crate) fn announcement(more: &[&[u8]]) -> Vec<u8> {
    update(&[], &[&[ORIGIN, AS_PATH, NEXT_HOP], more].concat(), NLRI)
}

/// An attribute with a length of one octet.
pub(crate) fn attribute(flags: u8, kind: u8, value: &[u8]) -> Vec<u8> {
    [&[flags, kind, u8::try_from(value.len()).unwrap()], value].concat()
}

/// An OPEN of AS 64500 with these octets from the length of the optional parameters on.
pub(crate) fn open(parameters: &[u8]) -> Vec<u8> {
    message(
        OPEN,
        &[&[4, 0xfb, 0xf4, 0, 90, 10, 0, 0, 1], parameters].concat(),
    )
}

/// An OPEN with these capabilities in one parameter.
pub(crate) fn open_with(capabilities: &[u8]) -> Vec<u8> {
    let length = u8::try_from(capabilities.len()).unwrap();
    open(&[&[length + 2, 2, length], capabilities].concat())
}

/// Both families and four octets, with a neighbour in another AS.
pub(crate) fn external() -> Session {
    Session {
        local_asn: Asn(64_512),
        remote_asn: Asn(64_500),
        families: Families::BOTH,
        four_octet_as: true,
        ..Session::default()
    }
}

/// The same with a neighbour in our own AS.
pub(crate) fn internal() -> Session {
    Session {
        remote_asn: Asn(64_512),
        ebgp: false,
        ..external()
    }
}

/// Reads one message from a stream that holds nothing else.
pub(crate) fn read(octets: &[u8], session: &Session) -> Result<Message, Notification> {
    let mut framer = Framer::new();
    if session.extended_message {
        framer.set_extended();
    }
    framer.push(octets);
    let frame = framer.poll().expect("a whole message")?;
    assert_eq!(framer.poll(), None, "one message");
    decode(&frame, Some(session))
}

/// Reads an UPDATE.
pub(crate) fn read_update(octets: &[u8], session: &Session) -> Result<Update, Notification> {
    let Message::Update(update) = read(octets, session)? else {
        panic!("no UPDATE")
    };
    Ok(update)
}

/// The codes of a refusal.
#[track_caller]
pub(crate) fn codes<T: std::fmt::Debug>(refused: Result<T, Notification>) -> (u8, u8) {
    let notification = refused.expect_err("refused");
    (notification.code(), notification.subcode())
}

/// `10.0.0.0/8`.
pub(crate) fn prefix(text: &str) -> Prefix {
    let (address, length) = text.split_once('/').unwrap();
    Prefix::new(address.parse().unwrap(), length.parse().unwrap()).unwrap()
}

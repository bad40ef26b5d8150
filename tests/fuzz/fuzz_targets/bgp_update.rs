//! Any octets as the body of an UPDATE, and as its attribute list with the lengths around it put
//! right: no panic, and treatments that were applied.
#![no_main]

use bgp::wire::{Frame, MessageType, Session, decode};
use libfuzzer_sys::fuzz_target;
use seamark_fuzz::wire::{check, session};

/// 198.51.100.0/24.
const NLRI: &[u8] = &[24, 198, 51, 100];

fuzz_target!(|input: &[u8]| {
    let Some((bits, octets)) = input.split_first() else {
        return;
    };
    let session = session(*bits);
    if octets.len() > 4096 - 19 - 8 {
        return;
    }
    read(octets, &session);
    let length = u16::try_from(octets.len()).expect("checked above").to_be_bytes();
    for nlri in [&[][..], NLRI] {
        read(&[&[0, 0], &length[..], octets, nlri].concat(), &session);
    }
});

fn read(body: &[u8], session: &Session) {
    let kind = MessageType::Update;
    let body = body.to_vec().into();
    check(&decode(&Frame { kind, body }, Some(session)), session);
}

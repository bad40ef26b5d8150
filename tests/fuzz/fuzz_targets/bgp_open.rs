//! Any octets as the body of an OPEN: what is accepted reads the same when it is written again.
#![no_main]

use bgp::wire::{Frame, MessageType, Session, decode};
use libfuzzer_sys::fuzz_target;
use seamark_fuzz::wire::check;

fuzz_target!(|body: &[u8]| {
    if body.len() > 4096 - 19 {
        return;
    }
    let kind = MessageType::Open;
    let body = body.to_vec().into();
    let session = Session::default();
    check(&decode(&Frame { kind, body }, None), &session);
});

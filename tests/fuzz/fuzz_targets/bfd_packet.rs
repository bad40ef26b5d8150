//! Any octets as the payload of a datagram: a packet or a reason, and what is a packet reads the same
//! when it is written again.
#![no_main]

use bfd::Packet;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|payload: &[u8]| match Packet::decode(payload) {
    Ok(packet) => {
        let octets = packet.encode();
        assert_eq!(octets[..3], payload[..3]);
        assert_eq!(octets[4..], payload[4..24]);
        assert_eq!(Packet::decode(&octets), Ok(packet));
    }
    Err(reason) => assert!(!reason.label().is_empty()),
});

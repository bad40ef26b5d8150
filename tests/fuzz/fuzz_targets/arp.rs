//! Any octets as an ARP packet, and as a whole frame: no panic, and no answer but a true one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seamark_fuzz::{frames, with_station};

fuzz_target!(|packet: &[u8]| {
    let parsed = l2::arp::parse(packet);
    with_station(|station| {
        let answers = station.receive(&frames::arp(packet));
        assert!(answers <= 1, "one question, one answer");
        assert!(
            answers == 0 || parsed.is_ok(),
            "an answer to what cannot be parsed"
        );
        assert!(station.receive(packet) <= 1);
    });
});

//! Any octets as an IPv6 packet, with and without its checksum put right, and as a whole frame: no
//! panic, and no answer but a true one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seamark_fuzz::{frames, with_station};

fuzz_target!(|packet: &[u8]| {
    let mut summed = packet.to_vec();
    frames::put_checksum_right(&mut summed);
    with_station(|station| {
        for packet in [packet, &summed] {
            let parsed = l2::ndp::parse(packet);
            for frame in [frames::ipv6(packet), frames::ipv6_to_its_group(packet)] {
                let answers = station.receive(&frame);
                assert!(answers <= 1, "one question, one answer");
                assert!(
                    answers == 0 || parsed.is_ok(),
                    "an answer to what cannot be parsed"
                );
            }
        }
        assert!(station.receive(packet) <= 1);
    });
});

use super::*;
use crate::hex::golden;

/// The payload of the golden request, with octets replaced from an offset on.
fn request_with(offset: usize, octets: &[u8]) -> Vec<u8> {
    let mut payload = golden("arp_request").split_off(14);
    payload[offset..offset + octets.len()].copy_from_slice(octets);
    payload
}

#[test]
fn reads_a_request() {
    let expected = Arp {
        operation: Operation::Request,
        sender_hardware: Mac([2, 0, 0x5e, 0, 0, 0x63]),
        sender_protocol: Ipv4Addr::new(10, 99, 0, 99),
        target_protocol: Ipv4Addr::new(10, 99, 0, 200),
    };
    assert_eq!(parse(&request_with(0, &[])), Ok(expected));
}

#[test]
fn reads_a_reply() {
    let arp = parse(&request_with(6, &[0, 2])).unwrap();
    assert_eq!(arp.operation, Operation::Reply);
}

/// RFC 5227 §2.1.1.
#[test]
fn a_probe_has_the_unspecified_sender() {
    let arp = parse(&request_with(14, &[0, 0, 0, 0])).unwrap();
    assert_eq!(arp.sender_protocol, Ipv4Addr::UNSPECIFIED);
}

#[test]
fn padding_may_be_there_or_not() {
    let payload = request_with(0, &[]);
    assert_eq!(parse(&payload[..28]), parse(&payload));
}

#[test]
fn refuses_every_shorter_packet() {
    let payload = request_with(0, &[]);
    for len in 0..28 {
        assert_eq!(parse(&payload[..len]), Err(ParseArpError::Truncated(len)));
    }
}

#[test]
fn refuses_what_is_not_ethernet_and_ipv4() {
    for (offset, octets, error) in [
        (0, [0, 6], ParseArpError::HardwareType(6)),
        (0, [1, 1], ParseArpError::HardwareType(0x0101)),
        (2, [0x86, 0xdd], ParseArpError::ProtocolType(0x86dd)),
        (4, [0, 4], ParseArpError::HardwareLength(0)),
        (4, [8, 4], ParseArpError::HardwareLength(8)),
        (4, [255, 4], ParseArpError::HardwareLength(255)),
        (4, [6, 0], ParseArpError::ProtocolLength(0)),
        (4, [6, 16], ParseArpError::ProtocolLength(16)),
        (6, [0, 0], ParseArpError::Operation(0)),
        (6, [0, 3], ParseArpError::Operation(3)),
        (6, [1, 1], ParseArpError::Operation(0x0101)),
    ] {
        assert_eq!(parse(&request_with(offset, &octets)), Err(error));
    }
}

#[test]
fn refuses_senders_that_are_no_station() {
    for mac in [Mac([3, 0, 0x5e, 0, 0, 0x63]), Mac::BROADCAST, Mac::ZERO] {
        assert_eq!(
            parse(&request_with(8, &mac.0)),
            Err(ParseArpError::SenderHardware(mac))
        );
    }
}

#[test]
fn refuses_senders_that_are_no_host() {
    for address in [Ipv4Addr::new(224, 0, 0, 1), Ipv4Addr::BROADCAST] {
        let error = ParseArpError::SenderProtocol(address);
        assert_eq!(parse(&request_with(14, &address.octets())), Err(error));
    }
}

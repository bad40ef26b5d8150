use super::*;
use crate::hex::golden;

type Error = ParseSolicitationError;

/// An IPv6 packet that carries a golden solicitation, with parts replaced and its lengths and
/// checksum then put right.
struct Packet(Vec<u8>);

impl Packet {
    fn golden(name: &str) -> Self {
        Self(golden(name).split_off(14))
    }

    fn with(mut self, offset: usize, octets: &[u8]) -> Self {
        self.0[offset..offset + octets.len()].copy_from_slice(octets);
        self
    }

    fn source(self, source: &str) -> Self {
        self.with(8, &source.parse::<Ipv6Addr>().unwrap().octets())
    }

    fn destination(self, destination: &str) -> Self {
        self.with(24, &destination.parse::<Ipv6Addr>().unwrap().octets())
    }

    fn target(self, target: &str) -> Self {
        self.with(48, &target.parse::<Ipv6Addr>().unwrap().octets())
    }

    fn options(mut self, options: &[u8]) -> Self {
        self.0.truncate(64);
        self.0.extend_from_slice(options);
        self
    }

    fn parse(mut self) -> Result<Solicitation, Error> {
        let len = u16::try_from(self.0.len() - 40).unwrap();
        self = self.with(4, &len.to_be_bytes()).with(42, &[0, 0]);
        let ip = split_ip(&self.0).unwrap();
        let sum = checksum(ip.source, ip.destination, ip.rest);
        parse(&self.with(42, &sum.to_be_bytes()).0)
    }
}

fn multicast() -> Packet {
    Packet::golden("ns_multicast")
}

const ASKER: [u8; 6] = [2, 0, 0x5e, 0, 0, 0x63];

#[test]
fn reads_a_multicast_solicitation() {
    let expected = Solicitation {
        source: "fd99::63".parse().unwrap(),
        destination: "ff02::1:ff00:200".parse().unwrap(),
        target: "fd99::200".parse().unwrap(),
        source_link_layer: Some(Mac(ASKER)),
    };
    assert_eq!(parse(&multicast().0), Ok(expected));
}

#[test]
fn reads_a_unicast_solicitation_without_options() {
    let solicitation = parse(&Packet::golden("ns_unicast").0).unwrap();
    assert_eq!(solicitation.destination, solicitation.target);
    assert_eq!(solicitation.source_link_layer, None);
}

#[test]
fn reads_a_probe() {
    let solicitation = parse(&Packet::golden("ns_dad").0).unwrap();
    assert_eq!(solicitation.source, Ipv6Addr::UNSPECIFIED);
}

#[test]
fn padding_after_the_payload_is_ignored() {
    let mut padded = multicast().0;
    padded.extend_from_slice(&[0xff; 40]);
    assert_eq!(parse(&padded), parse(&multicast().0));
}

#[test]
fn refuses_a_cut_header_and_a_cut_payload() {
    let packet = multicast().0;
    for len in 0..40 {
        assert_eq!(parse(&packet[..len]), Err(Error::Truncated(len)));
    }
    for len in 40..72 {
        let error = Error::PayloadLength {
            claimed: 32,
            available: len - 40,
        };
        assert_eq!(parse(&packet[..len]), Err(error));
    }
}

#[test]
fn refuses_other_versions() {
    assert_eq!(multicast().with(0, &[0x45]).parse(), Err(Error::Version(4)));
}

/// Traffic class and flow label say nothing about the question.
#[test]
fn any_traffic_class_and_flow_label_will_do() {
    assert_eq!(
        multicast().with(0, &[0x6f, 0xff, 0xff, 0xff]).parse(),
        parse(&multicast().0)
    );
}

#[test]
fn other_packets_are_told_apart_from_broken_solicitations() {
    for (offset, octets) in [(6, [17_u8]), (6, [0]), (6, [44]), (40, [136]), (40, [134])] {
        assert_eq!(multicast().with(offset, &octets).parse(), Err(Error::Other));
    }
    let mut empty = multicast().with(4, &[0, 0]).0;
    empty.truncate(40);
    assert_eq!(parse(&empty), Err(Error::Other));
}

/// RFC 4861 §7.1.1, first rule: what a router has forwarded comes from afar.
#[test]
fn refuses_hop_limits_other_than_255() {
    for hop_limit in [254, 64, 1, 0] {
        assert_eq!(
            multicast().with(7, &[hop_limit]).parse(),
            Err(Error::HopLimit(hop_limit))
        );
    }
}

/// RFC 4861 §7.1.1, second rule.
#[test]
fn refuses_a_wrong_checksum() {
    for octet in 0..2 {
        let mut packet = multicast().0;
        packet[42 + octet] ^= 1;
        assert_eq!(parse(&packet), Err(Error::Checksum));
    }
}

/// RFC 4861 §7.1.1, third rule.
#[test]
fn refuses_codes_other_than_0() {
    assert_eq!(multicast().with(41, &[1]).parse(), Err(Error::Code(1)));
}

/// RFC 4861 §7.1.1, fourth rule.
#[test]
fn refuses_less_than_24_octets() {
    for len in 1..24 {
        let mut packet = multicast();
        packet.0.truncate(40 + len);
        let icmp_len = u16::try_from(len).unwrap().to_be_bytes();
        assert_eq!(
            parse(&packet.with(4, &icmp_len).0),
            Err(Error::TooShort(len))
        );
    }
}

/// RFC 4861 §7.1.1, fifth rule.
#[test]
fn refuses_a_multicast_target() {
    let target = "ff02::1:ff00:200";
    let error = Error::Target(target.parse().unwrap());
    assert_eq!(multicast().target(target).parse(), Err(error));
}

#[test]
fn refuses_a_multicast_source() {
    let error = Error::Source("ff02::1".parse().unwrap());
    assert_eq!(multicast().source("ff02::1").parse(), Err(error));
}

/// RFC 4861 §4.3.
#[test]
fn refuses_destinations_other_than_target_and_its_group() {
    for destination in [
        "ff02::1",
        "ff02::1:ff00:201",
        "fd99::201",
        "ff05::1:ff00:200",
    ] {
        let error = Error::Destination(destination.parse().unwrap());
        assert_eq!(multicast().destination(destination).parse(), Err(error));
    }
}

/// RFC 4861 §7.1.1, sixth rule: all options longer than zero.
#[test]
fn refuses_empty_and_overrunning_options() {
    let link_layer = [1, 1, 2, 0, 0x5e, 0, 0, 0x63];
    for (options, units) in [
        (&[1, 0, 2, 0, 0x5e, 0, 0, 0x63][..], 0),
        (&[14, 0][..], 0),
        (&[1, 2, 2, 0, 0x5e, 0, 0, 0x63][..], 2),
        (&[253, 255][..], 255),
        (&[1, 1, 2, 0, 0x5e, 0, 0][..], 1),
        (&[1][..], 0),
        (&[&link_layer[..], &[253, 0]].concat()[..], 0),
        (&[&link_layer[..], &[253, 1, 0]].concat()[..], 1),
    ] {
        assert_eq!(
            multicast().options(options).parse(),
            Err(Error::OptionLength(units))
        );
    }
}

/// RFC 4861 §4.6: receivers skip options that they do not know.
#[test]
fn skips_unknown_options_and_takes_the_first_link_layer_address() {
    let nonce = [14, 1, 1, 2, 3, 4, 5, 6];
    let long = [&[253, 2][..], &[0xff; 14]].concat();
    let first = [1, 1, 2, 0, 0x5e, 0, 0, 0x63];
    let second = [1, 1, 2, 0, 0x5e, 0, 0, 0x64];
    let options = [&nonce[..], &long, &first, &second].concat();
    let solicitation = multicast().options(&options).parse().unwrap();
    assert_eq!(solicitation.source_link_layer, Some(Mac(ASKER)));
}

#[test]
fn refuses_link_layer_addresses_that_are_no_stations() {
    for options in [
        &[1, 1, 3, 0, 0x5e, 0, 0, 0x63][..],
        &[1, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff][..],
        &[1, 1, 0, 0, 0, 0, 0, 0][..],
        &[1, 2, 2, 0, 0x5e, 0, 0, 0x63, 0, 0, 0, 0, 0, 0, 0, 0][..],
    ] {
        assert_eq!(
            multicast().options(options).parse(),
            Err(Error::SourceLinkLayer)
        );
    }
}

/// RFC 4861 §7.1.1, last two rules: from `::` only to the group, and without a link-layer address.
#[test]
fn refuses_probes_to_the_target_itself_or_with_a_link_layer_address() {
    let unicast = Packet::golden("ns_dad").destination("fd99::200");
    assert_eq!(
        unicast.parse(),
        Err(Error::Destination("fd99::200".parse().unwrap()))
    );
    assert_eq!(
        multicast().source("::").parse(),
        Err(Error::SourceLinkLayer)
    );
}

/// RFC 4443 §2.3, by the worked sum in RFC 1071 §3: odd octets count as if followed by zero.
#[test]
fn checksum_sums_sixteen_bit_words_and_folds_carries() {
    let none = Ipv6Addr::UNSPECIFIED;
    let folded = 0xddf2 + 8 + u16::from(ICMPV6);
    assert_eq!(
        checksum(none, none, &[0, 1, 0xf2, 3, 0xf4, 0xf5, 0xf6, 0xf7]),
        !folded
    );
    assert_eq!(
        checksum(none, none, &[0x12]),
        !(0x1200 + 1 + u16::from(ICMPV6))
    );
}

use super::*;
use crate::wire::Error;

const FIXED: [u8; 9] = [4, 0xfb, 0xf4, 0, 90, 10, 0, 0, 1];

/// An OPEN of AS 64500 with these octets behind its fixed part.
fn parse(parameters: &[u8]) -> Result<Open, Notification> {
    Open::parse(&[&FIXED, parameters].concat())
}

/// The error of an OPEN with these octets changed.
fn refused(at: usize, octets: &[u8]) -> Notification {
    let mut body = [&FIXED[..], &[0]].concat();
    body.splice(at..at + octets.len(), octets.iter().copied());
    Open::parse(&body).unwrap_err()
}

fn error<T: std::fmt::Debug>(refused: Result<T, Notification>) -> Option<Error> {
    refused.unwrap_err().error()
}

/// RFC 4271 §6.2: the data is the version that we speak.
#[test]
fn another_version_is_refused_with_ours() {
    for version in [0, 3, 5, 255] {
        let expected = Notification::new(Error::UnsupportedVersionNumber).with_data(&[0, 4]);
        assert_eq!(refused(0, &[version]), expected);
    }
}

/// RFC 4271 §6.2: not one second, nor two.
#[test]
fn a_hold_time_of_one_or_two_seconds_is_refused() {
    for hold_time in [1, 2] {
        assert_eq!(
            refused(3, &[0, hold_time]).error(),
            Some(Error::UnacceptableHoldTime)
        );
    }
    for hold_time in [0, 3] {
        let body = [4, 0xfb, 0xf4, 0, hold_time, 10, 0, 0, 1, 0];
        assert_eq!(Open::parse(&body).unwrap().hold_time, u16::from(hold_time));
    }
}

/// RFC 4271 §6.2, RFC 6286 §2.2.
#[test]
fn an_identifier_of_zero_is_refused() {
    assert_eq!(
        refused(5, &[0, 0, 0, 0]).error(),
        Some(Error::BadBgpIdentifier)
    );
    let multicast = Open::parse(&[4, 0xfb, 0xf4, 0, 90, 224, 0, 0, 1, 0]).unwrap();
    assert_eq!(
        multicast.router_id.to_string(),
        "224.0.0.1",
        "any number but zero"
    );
}

/// RFC 7607 §2, in either field.
#[test]
fn as_number_zero_is_refused() {
    assert_eq!(refused(1, &[0, 0]).error(), Some(Error::BadPeerAs));
    let zero = parse(&[8, 2, 6, 65, 4, 0, 0, 0, 0]);
    assert_eq!(error(zero), Some(Error::BadPeerAs));
}

/// RFC 4271 §6.2.
#[test]
fn an_optional_parameter_that_holds_no_capabilities_is_refused() {
    let authentication = parse(&[3, 1, 1, 0]);
    assert_eq!(
        error(authentication),
        Some(Error::UnsupportedOptionalParameter)
    );
}

/// RFC 4271 §6.2: Unspecific, for lengths that do not fit and capabilities that are malformed.
#[test]
fn parameters_that_cannot_be_read_are_malformed() {
    let malformed: [&[u8]; 16] = [
        &[],
        &[1],
        &[1, 2],
        &[2, 2],
        &[0, 2, 0],
        &[4, 2, 3, 2, 0],
        &[3, 2, 1, 2],
        &[4, 2, 2, 1, 4],
        &[7, 2, 5, 1, 3, 0, 1, 1],
        &[5, 2, 3, 2, 1, 0],
        &[5, 2, 3, 6, 1, 0],
        &[5, 2, 3, 70, 1, 0],
        &[4, 2, 2, 9, 0],
        &[7, 2, 5, 65, 3, 0, 0, 1],
        &[5, 2, 3, 64, 1, 0],
        &[9, 2, 7, 5, 5, 0, 1, 0, 1, 0],
    ];
    for parameters in malformed {
        assert_eq!(
            error(parse(parameters)),
            Some(Error::MalformedOpen),
            "{parameters:?}"
        );
    }
}

/// RFC 5492 §3, §4: unknown capabilities are ignored; several parameters and several of a kind are
/// fine.
#[test]
fn unknown_capabilities_and_several_parameters_are_fine() {
    let open = parse(&[12, 2, 2, 2, 0, 2, 6, 75, 0, 2, 0, 131, 0]).unwrap();
    let unknown = |code| Capability::Unknown {
        code,
        value: bytes::Bytes::new(),
    };
    let expected = [
        Capability::RouteRefresh,
        unknown(75),
        Capability::RouteRefresh,
        unknown(131),
    ];
    assert_eq!(open.capabilities, expected);
}

/// RFC 6793 §4.1: capability 65 has the real number.
#[test]
fn the_real_as_number_is_that_of_its_capability() {
    let asn = Asn(4_200_000_000).0.to_be_bytes();
    let open = parse(&[&[8, 2, 6, 65, 4], &asn[..]].concat()).unwrap();
    assert_eq!(open.asn, Asn(4_200_000_000));
    assert_eq!(parse(&[0]).unwrap().asn, Asn(64_500));
}

/// RFC 6793 §4.2.1, §9: AS_TRANS stands in the field of two octets.
#[test]
fn a_number_that_does_not_fit_is_written_as_as_trans() {
    let open = Open {
        asn: Asn(4_200_000_000),
        hold_time: 90,
        router_id: RouterId::from(Ipv4Addr::new(10, 0, 0, 1)).unwrap(),
        capabilities: Vec::new(),
    };
    let mut out = Vec::new();
    open.emit(&mut out);
    assert_eq!(out[HEADER..], [4, 0x5b, 0xa0, 0, 90, 10, 0, 0, 1, 0]);
}

const HEADER: usize = 19;

/// RFC 9072 §2: type 255 in the first place says it, whatever the length before says but zero.
#[test]
fn extended_parameters_are_read_by_their_type_and_not_by_their_length() {
    for length in [1, 4, 255] {
        let open = parse(&[length, 255, 0, 5, 2, 0, 2, 2, 0]).unwrap();
        assert_eq!(open.capabilities, [Capability::RouteRefresh]);
        assert_eq!(parse(&[length, 255, 0, 0]).unwrap().capabilities, []);
    }
}

/// RFC 9072 §2: each length has two octets, and none may lie.
#[test]
fn extended_parameters_with_lengths_that_do_not_fit_are_malformed() {
    let malformed: [&[u8]; 7] = [
        &[255, 255],
        &[255, 255, 0],
        &[255, 255, 0, 1],
        &[255, 255, 0, 0, 2],
        &[255, 255, 0, 1, 2],
        &[255, 255, 0, 2, 2, 0],
        &[255, 255, 0, 5, 2, 0, 3, 2, 0],
    ];
    for parameters in malformed {
        assert_eq!(
            error(parse(parameters)),
            Some(Error::MalformedOpen),
            "{parameters:?}"
        );
    }
}

/// RFC 9072 §2: in any other place type 255 is an optional parameter that nobody knows.
#[test]
fn type_255_behind_another_parameter_is_unsupported() {
    for parameters in [
        &[4, 2, 0, 255, 0][..],
        &[255, 255, 0, 6, 2, 0, 0, 255, 0, 0],
    ] {
        let refused = parse(parameters);
        assert_eq!(error(refused), Some(Error::UnsupportedOptionalParameter));
    }
}

/// RFC 9072 §2: written so above 255 octets, and not below.
#[test]
fn many_capabilities_are_written_with_extended_lengths() {
    let unknown = |length| Capability::Unknown {
        code: 200,
        value: vec![7; length].into(),
    };
    for (capabilities, first) in [
        (vec![unknown(251)], [255, 2]),
        (vec![unknown(252)], [255, 255]),
        (vec![unknown(255); 15], [255, 255]),
    ] {
        let open = Open {
            capabilities,
            ..parse(&[0]).unwrap()
        };
        let mut out = Vec::new();
        open.emit(&mut out);
        assert_eq!(out[HEADER + 9..HEADER + 11], first);
        assert_eq!(Open::parse(&out[HEADER..]), Ok(open));
    }
}

#[test]
fn capabilities_that_do_not_fit_into_a_message_are_left_out() {
    let open = Open {
        capabilities: vec![
            Capability::Unknown {
                code: 200,
                value: vec![7; 255].into(),
            };
            40
        ],
        ..parse(&[0]).unwrap()
    };
    let mut out = Vec::new();
    open.emit(&mut out);
    assert!(out.len() <= 4096);
    assert_eq!(Open::parse(&out[HEADER..]).unwrap().capabilities.len(), 15);
}

/// draft-walton-bgp-hostname: it is for people, so that one which cannot be read costs nothing.
#[test]
fn a_host_name_that_cannot_be_read_is_no_error() {
    let fqdn = parse(&[12, 2, 10, 73, 8, 3, b'a', b'b', b'c', 3, b'd', b'.', b'e']).unwrap();
    let (host, domain) = ("abc".to_owned(), "d.e".to_owned());
    assert_eq!(fqdn.capabilities, [Capability::Fqdn { host, domain }]);
    for value in [&[3, b'a'][..], &[1, 0xff, 0], &[1, b'a'], &[0, 0, 0]] {
        let length = u8::try_from(value.len()).unwrap();
        let parameters = [&[length + 4, 2, length + 2, 73, length], value].concat();
        let read = parse(&parameters).unwrap().capabilities;
        assert!(
            matches!(&read[..], [Capability::Unknown { code: 73, .. }]),
            "{value:?}"
        );
    }
}

/// RFC 9234 §4.2: several roles that differ are a mismatch.
#[test]
fn roles_that_contradict_each_other_are_a_mismatch() {
    let one = parse(&[8, 2, 6, 9, 1, 3, 9, 1, 3]).unwrap();
    assert_eq!(one.role(), Ok(Some(Role::Customer)));
    assert_eq!(parse(&[0]).unwrap().role(), Ok(None));
    let two = parse(&[8, 2, 6, 9, 1, 3, 9, 1, 4]).unwrap();
    assert_eq!(error(two.role()), Some(Error::RoleMismatch));
    let unknown = parse(&[5, 2, 3, 9, 1, 77]).unwrap();
    assert_eq!(error(unknown.role()), Some(Error::RoleMismatch));
}

use super::*;
use crate::Family;

fn received(code: u8, subcode: u8, data: &[u8]) -> Notification {
    Notification::parse(&[&[code, subcode], data].concat())
}

/// RFC 9003 §2.
#[test]
fn the_text_of_a_shutdown_or_reset_is_read() {
    for subcode in [2, 4] {
        let notification = received(6, subcode, b"\x05maint");
        assert_eq!(notification.shutdown_text(), Ok(Some("maint")));
    }
    assert_eq!(received(6, 2, &[]).shutdown_text(), Ok(None));
    assert_eq!(received(6, 2, &[0]).shutdown_text(), Ok(None));
    assert_eq!(received(6, 3, b"\x05maint").shutdown_text(), Ok(None));
}

/// RFC 9003 §2: 255 octets at most, and no character cut in two.
#[test]
fn a_text_that_is_too_long_is_cut_at_the_end_of_a_character() {
    let text = format!("{}ä", "x".repeat(254));
    let notification = Notification::new(Error::AdministrativeReset).with_text(&text);
    assert_eq!(notification.shutdown_text(), Ok(Some(&text[..254])));
}

/// RFC 9003 §4.
#[test]
fn a_text_that_cannot_be_read_is_told_and_does_no_harm() {
    let short = received(6, 2, b"\x09maint");
    let (claimed, available) = (9, 5);
    assert_eq!(
        short.shutdown_text(),
        Err(ShutdownTextError::Length { claimed, available })
    );
    let wild = received(6, 2, &[2, 0xc3, 0x28]);
    assert_eq!(wild.shutdown_text(), Err(ShutdownTextError::Encoding));
    assert_eq!(
        short.to_string(),
        "administrative shutdown (shutdown text claims 9 octets, 5 came)"
    );
}

#[test]
fn a_text_is_shown_without_its_control_characters() {
    let notification = received(6, 2, "\x0ca\nb\x1b[2J\u{202e}\"c".as_bytes());
    let shown = notification.to_string();
    assert!(!shown.contains(['\n', '\x1b', '\u{202e}']), "{shown}");
    assert!(
        shown.starts_with("administrative shutdown: \"a\\nb"),
        "{shown}"
    );
}

/// RFC 8538 §3.
#[test]
fn a_hard_reset_carries_its_reason() {
    let text = "leaving";
    let reason = Notification::new(Error::AdministrativeShutdown).with_text(text);
    let hard = reason.clone().into_hard_reset();
    assert_eq!((hard.code(), hard.subcode()), (6, 9));
    assert_eq!(hard.hard_reset_reason(), Some(reason));
    assert_eq!(
        hard.to_string(),
        "hard reset for administrative shutdown: \"leaving\""
    );
    assert_eq!(received(6, 9, &[6]).hard_reset_reason(), None);
    assert_eq!(
        received(6, 9, &[7, 7]).to_string(),
        "hard reset for error code 7 subcode 7"
    );
}

/// RFC 4486 §4.
#[test]
fn the_prefix_limit_names_family_and_bound() {
    let notification = Notification::maximum_prefixes(Family::Ipv6Unicast.into(), 10_000);
    assert_eq!((notification.code(), notification.subcode()), (6, 1));
    assert_eq!(notification.data(), [0, 2, 1, 0, 0, 0x27, 0x10]);
}

/// RFC 4271 §6.4: whatever it says, it is taken as it is.
#[test]
fn codes_without_a_name_are_kept_as_numbers() {
    let notification = received(99, 7, &[1, 2, 3]);
    assert_eq!(
        (notification.error(), notification.data()),
        (None, &[1, 2, 3][..])
    );
    assert_eq!(notification.to_string(), "error code 99 subcode 7");
}

#[test]
fn what_is_echoed_fits_into_one_message() {
    let notification = Notification::new(Error::AttributeLength).with_data(&vec![7; 70_000]);
    let mut out = Vec::new();
    notification.emit(&mut out);
    assert_eq!((out.len(), notification.data().len()), (4096, 4075));
    assert_eq!(out[16..21], [0x10, 0, 3, 3, 5]);
}

/// RFC 9687 §3, RFC 9384 §3, RFC 6608 §3, RFC 9234 §4.2: the numbers that later documents gave.
#[test]
fn later_errors_have_their_registered_numbers() {
    let codes = [
        (Error::SendHoldTimerExpired, (8, 0)),
        (Error::BfdDown, (6, 10)),
        (Error::UnexpectedInOpenConfirm, (5, 2)),
        (Error::RoleMismatch, (2, 11)),
    ];
    for (error, expected) in codes {
        let notification = Notification::new(error);
        assert_eq!((notification.code(), notification.subcode()), expected);
        assert_eq!(notification.error(), Some(error));
    }
}

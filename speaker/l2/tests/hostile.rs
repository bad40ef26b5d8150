//! Whatever is done to a valid question, the answer is right or there is none.

mod frames;

use crate::frames::{OURS, VIP_V4, VIP_V6, announcing, answers, golden, start};

const QUESTIONS: [&str; 5] = [
    "arp_request",
    "arp_probe",
    "ns_multicast",
    "ns_unicast",
    "ns_dad",
];

/// The octets that each question needs; the rest of an ARP frame is padding.
fn needed(frame: &[u8]) -> usize {
    if frame[12..14] == [0x08, 0x06] {
        42
    } else {
        frame.len()
    }
}

#[test]
fn truncated_questions_are_not_answered() {
    let now = start();
    let (mut segment, _) = announcing(now);
    for name in QUESTIONS {
        let frame = golden(name);
        for len in 0..needed(&frame) {
            let sent = answers(&mut segment, &frame[..len], now);
            assert_eq!(sent, [[0_u8; 0]; 0], "{name} cut to {len} octets");
        }
    }
}

/// All 255 other values of every octet of every question.
#[test]
fn a_question_with_one_octet_changed_gets_no_wrong_answer() {
    let now = start();
    let mut answered = 0_u32;
    for name in QUESTIONS {
        let (mut segment, _) = announcing(now);
        let mut frame = golden(name);
        for at in 0..frame.len() {
            for change in 1..=255 {
                frame[at] ^= change;
                let sent = answers(&mut segment, &frame, now);
                assert!(sent.len() <= 1, "{name}, octet {at} ^ {change:#04x}");
                if let [answer] = sent.as_slice() {
                    assert_true(answer, &frame);
                    answered += 1;
                }
                frame[at] ^= change;
            }
        }
    }
    assert!(
        answered > 1_000,
        "padding, target hardware and traffic class change nothing"
    );
}

/// Trailing octets are Ethernet's padding, however many.
#[test]
fn questions_in_oversized_frames_get_the_same_answer() {
    let now = start();
    let (mut segment, _) = announcing(now);
    for name in QUESTIONS {
        let mut frame = golden(name);
        let expected = answers(&mut segment, &frame, now);
        assert_eq!(expected.len(), 1, "{name}");
        frame.resize(9_000, 0xff);
        assert_eq!(answers(&mut segment, &frame, now), expected, "{name}");
    }
}

/// The answer says what is true, and goes to whoever `question` says asks. The fields are taken
/// by their offsets here, not by the decoder under test.
#[track_caller]
fn assert_true(answer: &[u8], question: &[u8]) {
    assert_eq!(answer[6..12], OURS.0);
    if question[12..14] == [0x08, 0x06] {
        assert_eq!(
            answer[..6],
            question[22..28],
            "to the sender's hardware address"
        );
        assert_eq!(answer[12..22], [0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 2]);
        assert_eq!(answer[22..28], OURS.0);
        assert_eq!(answer[28..32], VIP_V4.octets());
        assert_eq!(answer[28..32], question[38..42], "about the target");
        assert_eq!(answer[32..42], question[22..32], "to the sender");
        return;
    }
    let vip = VIP_V6.octets();
    assert_eq!(answer[22..38], vip);
    assert_eq!(answer[62..78], vip);
    assert_eq!(answer[62..78], question[62..78], "about the target");
    assert_eq!(
        answer[78..86],
        [[2, 1].as_slice(), OURS.0.as_slice()].concat()
    );
    let probe = question[22..38] == [0; 16];
    if !probe {
        assert_eq!(answer[38..54], question[22..38], "to the source");
        let asker = question.get(80..86).unwrap_or(&question[6..12]);
        assert_eq!(answer[..6], *asker);
    }
}

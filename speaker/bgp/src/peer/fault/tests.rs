use std::time::Instant;

use super::{CloseReason, ConnectError, Fault, LastError, Origin};
use crate::State;
use crate::wire::{Error, Notification};

fn words(fault: Fault) -> String {
    #[expect(clippy::disallowed_methods, reason = "a test has a moment of its own")]
    let at = Instant::now();
    LastError { at, fault }.to_string()
}

#[test]
fn an_error_says_who_what_and_what_to_do() {
    let ours = Fault::Sent(Notification::new(Error::BadPeerAs));
    assert_eq!(ours.origin(), Origin::Local);
    let text = words(ours);
    assert!(text.starts_with("we ended the session: "), "{text}");
    assert!(text.contains("correct one of them"), "{text}");

    let theirs = Fault::Received(Notification::new(Error::BadPeerAs));
    assert_eq!(theirs.origin(), Origin::Peer);
    let text = words(theirs);
    assert!(text.starts_with("the peer ended the session: "), "{text}");
    assert!(text.contains("compare myASN"), "{text}");

    let network = Fault::NotConnected(ConnectError::Refused);
    assert_eq!(network.origin(), Origin::Network);
    let text = words(network);
    assert!(
        text.starts_with("failed to connect: connection refused; "),
        "{text}"
    );
}

#[test]
fn the_text_of_a_shutdown_is_shown_and_what_to_do_follows() {
    let notification = Notification::new(Error::AdministrativeShutdown).with_text("rack 7 moves");
    let text = words(Fault::Received(notification));
    assert!(
        text.contains("\"rack 7 moves\"; the peer's operator"),
        "{text}"
    );
}

#[test]
fn a_connection_that_ends_without_a_word_names_the_state() {
    let reason = CloseReason::Reset;
    let state = State::OpenSent;
    let text = words(Fault::Closed { state, reason });
    assert!(
        text.starts_with("the peer reset the connection in OpenSent; "),
        "{text}"
    );
}

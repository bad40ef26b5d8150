//! What people are told of a session: a line of the log and an Event, in the same words.

use tracing::{info, warn};

use super::SessionName;

/// A change of a peer's session. A step on the way to one is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Routes are exchanged, and nothing protects the session, or nothing yet.
    Established,
    /// Routes are exchanged, and BFD is Up.
    EstablishedProtected,
    /// It was established before, and now BFD is Up.
    Protected,
    /// It is established, and BFD is not Up, or no longer, which says nothing of the path; and why.
    Unprotected(String),
    /// The peer is told to prefer other nodes, as this one leaves, and why.
    Draining(String),
    /// The peer was left in order, and why.
    Drained(String),
    /// It was established and is no more, and why.
    Ended(String),
    /// It does not come to be, for another reason than was said last.
    Failing(String),
    /// None can be tried, and why.
    Refused(String),
}

impl Change {
    /// One CamelCase word, for Events.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Established | Self::EstablishedProtected => "SessionEstablished",
            Self::Protected => "SessionProtected",
            Self::Unprotected(_) => "SessionUnprotected",
            Self::Draining(_) => "SessionDraining",
            Self::Drained(_) => "SessionDrained",
            Self::Ended(_) => "SessionEnded",
            Self::Failing(_) => "SessionFailing",
            Self::Refused(_) => "SessionRefused",
        }
    }

    /// The same in words.
    pub fn phrase(&self) -> &'static str {
        match self {
            Self::Established => "BGP session established",
            Self::EstablishedProtected => "BGP session established, protected by BFD",
            Self::Protected => "BGP session protected by BFD",
            Self::Unprotected(_) => "BGP session not protected by BFD",
            Self::Draining(_) => "BGP peer is led away from this node",
            Self::Drained(_) => "BGP session ended after its routes were withdrawn",
            Self::Ended(_) => "BGP session ended",
            Self::Failing(_) => "no BGP session yet, trying again",
            Self::Refused(_) => "no BGP session can be tried",
        }
    }

    /// Why it is so, where that is nothing to worry about.
    pub fn occasion(&self) -> Option<&str> {
        match self {
            Self::Draining(why) | Self::Drained(why) => Some(why),
            Self::Established
            | Self::EstablishedProtected
            | Self::Protected
            | Self::Unprotected(_)
            | Self::Ended(_)
            | Self::Failing(_)
            | Self::Refused(_) => None,
        }
    }

    /// What went wrong, and what to do about it.
    pub fn trouble(&self) -> Option<&str> {
        match self {
            Self::Established
            | Self::EstablishedProtected
            | Self::Protected
            | Self::Draining(_)
            | Self::Drained(_) => None,
            Self::Unprotected(why) | Self::Ended(why) | Self::Failing(why) | Self::Refused(why) => {
                Some(why)
            }
        }
    }

    pub(super) fn log(&self, peer: &SessionName) {
        match (self.trouble(), self.occasion()) {
            (Some(reason), _) => warn!(%peer, reason, "{}", self.phrase()),
            (None, Some(reason)) => info!(%peer, reason, "{}", self.phrase()),
            (None, None) => info!(%peer, "{}", self.phrase()),
        }
    }
}

/// Why the machine changed its state, and what to do about it where there is something to be said.
pub(super) fn cause(why: &bgp::Why) -> String {
    let advice = match why {
        bgp::Why::Failed(fault) => fault.advice(),
        bgp::Why::Started
        | bgp::Why::Stopped
        | bgp::Why::Reconfigured
        | bgp::Why::RetryDue
        | bgp::Why::PathUp
        | bgp::Why::Connected
        | bgp::Why::OpenReceived
        | bgp::Why::KeepaliveReceived
        | bgp::Why::Collision
        | bgp::Why::PeerRestarted
        | bgp::Why::Drained
        | bgp::Why::Resumed => None,
    };
    match advice {
        Some(advice) => format!("{why}; {advice}"),
        None => why.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_told_with_what_to_do_about_it() {
        let refused = bgp::Fault::NotConnected(bgp::ConnectError::Refused);
        let told = cause(&bgp::Why::Failed(refused.clone()));
        assert!(
            told.starts_with(&format!("{refused}; check that")),
            "{told}"
        );
        assert_eq!(cause(&bgp::Why::Stopped), "stopped");
    }

    #[test]
    fn a_session_that_stands_or_is_left_in_order_is_no_trouble() {
        assert_eq!(Change::Established.trouble(), None);
        let drained = Change::Drained("why".to_owned());
        assert_eq!((drained.trouble(), drained.occasion()), (None, Some("why")));
        let ended = Change::Ended("why".to_owned());
        assert_eq!(ended.trouble(), Some("why"));
    }
}

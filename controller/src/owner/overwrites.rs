//! Somebody else writes the status of our Services.
//!
//! The first time it is put right: a mistake, or the last act of a provider on its way out. If it
//! happens again soon, two controllers fight, and writing on would only make noise: we stop, say
//! so, and try once more after a while.

use std::net::IpAddr;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::jiff::{SignedDuration, Timestamp};

/// How long we keep out of a fight before the next try.
const TRUCE: SignedDuration = SignedDuration::from_mins(10);

/// The word for it in the condition.
pub(super) const REASON: &str = "StatusOverwritten";

/// What is known of others that write one Service's status.
#[derive(Debug, Default)]
pub(super) struct Overwrites {
    /// The addresses that the status was last seen to show as we want them.
    settled: Option<Vec<IpAddr>>,
    /// When somebody last changed that.
    last: Option<Timestamp>,
    /// Until when we keep out.
    truce: Option<Timestamp>,
}

/// What to do about a status that is not what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Response {
    /// Write it.
    Write,
    /// Leave the addresses alone until then, and say so.
    KeepOut(Timestamp),
}

impl Overwrites {
    /// What an earlier run of ours said about it still holds: a restart begins no new fight.
    pub(super) fn as_reported(condition: Option<&Condition>) -> Self {
        let ours = condition.filter(|condition| condition.reason == REASON);
        Self {
            truce: ours.map(|condition| condition.last_transition_time.0 + TRUCE),
            ..Self::default()
        }
    }

    /// The status shows these addresses as we want them.
    pub(super) fn settled(&mut self, addresses: &[IpAddr]) {
        if self.settled.as_deref() != Some(addresses) {
            self.settled = Some(addresses.to_vec());
        }
    }

    /// The status does not show these addresses, although it should.
    pub(super) fn respond(&mut self, wanted: &[IpAddr], now: Timestamp) -> Response {
        if let Some(until) = self.truce {
            if now < until {
                return Response::KeepOut(until);
            }
            self.truce = None;
            self.last = Some(now);
            return Response::Write;
        }
        if self.settled.as_deref() != Some(wanted) {
            return Response::Write;
        }
        self.settled = None;
        let again = self.last.is_some_and(|last| now < last + TRUCE);
        self.last = Some(now);
        if again {
            let until = now + TRUCE;
            self.truce = Some(until);
            return Response::KeepOut(until);
        }
        Response::Write
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minute)
    }

    fn vip() -> Vec<IpAddr> {
        vec!["10.0.0.1".parse().unwrap()]
    }

    #[test]
    fn the_first_overwrite_is_put_right_and_the_second_is_left() {
        let mut overwrites = Overwrites::default();
        assert_eq!(
            overwrites.respond(&vip(), at(0)),
            Response::Write,
            "nothing was shown yet"
        );
        overwrites.settled(&vip());
        assert_eq!(overwrites.respond(&vip(), at(1)), Response::Write);
        overwrites.settled(&vip());
        assert_eq!(overwrites.respond(&vip(), at(2)), Response::KeepOut(at(12)));
        assert_eq!(overwrites.respond(&vip(), at(3)), Response::KeepOut(at(12)));
        assert_eq!(
            overwrites.respond(&vip(), at(12)),
            Response::Write,
            "one more try"
        );
        overwrites.settled(&vip());
        assert_eq!(
            overwrites.respond(&vip(), at(13)),
            Response::KeepOut(at(23))
        );
    }

    #[test]
    fn overwrites_long_apart_are_each_put_right() {
        let mut overwrites = Overwrites::default();
        overwrites.settled(&vip());
        assert_eq!(overwrites.respond(&vip(), at(0)), Response::Write);
        overwrites.settled(&vip());
        assert_eq!(overwrites.respond(&vip(), at(11)), Response::Write);
    }

    #[test]
    fn a_change_of_our_own_is_no_overwrite() {
        let mut overwrites = Overwrites::default();
        overwrites.settled(&vip());
        let other = vec!["10.0.0.2".parse().unwrap()];
        assert_eq!(overwrites.respond(&other, at(0)), Response::Write);
    }
}

//! "Established" and "protected by BFD" told apart.

use std::time::Duration;

use tokio::time::Instant;

/// How long BFD may take to come up after BGP before that is told. FRR begins it one to three
/// seconds after BGP.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long BFD may be away without a failure before that is told: FRR begins it anew once BGP is
/// established.
const ABSENCE: Duration = Duration::from_secs(5);

/// What people know of a session's protection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Protection {
    /// There is nothing to be known: no session, or no BFD.
    #[default]
    Unasked,
    /// Nothing is said before then.
    Awaited(Instant),
    Protected,
    /// It is away, and nothing is said before then.
    Wavering(Instant),
    Unprotected,
}

/// What they are to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    Protected,
    /// BFD was Up.
    Lost,
    /// It has not come up in time.
    Missing,
}

impl Protection {
    /// Takes in how things stand: whether there is a session that BFD is asked for, and whether BFD
    /// is Up.
    pub(super) fn follow(&mut self, asked: bool, is_up: bool, now: Instant) -> Option<News> {
        let (next, news) = match (*self, is_up) {
            _ if !asked => (Self::Unasked, None),
            (Self::Protected | Self::Wavering(_), true) => (Self::Protected, None),
            (Self::Unasked | Self::Awaited(_) | Self::Unprotected, true) => {
                (Self::Protected, Some(News::Protected))
            }
            (Self::Unasked, false) => (Self::Awaited(now + PATIENCE), None),
            (Self::Awaited(until), false) if until <= now => {
                (Self::Unprotected, Some(News::Missing))
            }
            (Self::Protected, false) => (Self::Wavering(now + ABSENCE), None),
            (Self::Wavering(until), false) if until <= now => (Self::Unprotected, Some(News::Lost)),
            (Self::Awaited(_) | Self::Wavering(_) | Self::Unprotected, false) => (*self, None),
        };
        *self = next;
        news
    }

    pub(super) fn deadline(self) -> Option<Instant> {
        match self {
            Self::Awaited(until) | Self::Wavering(until) => Some(until),
            Self::Unasked | Self::Protected | Self::Unprotected => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_told_to_be_protected_once_and_unprotected_once() {
        let now = Instant::now();
        let mut protection = Protection::default();
        let mut follow = |asked, is_up, seconds| {
            protection.follow(asked, is_up, now + Duration::from_secs(seconds))
        };
        assert_eq!(follow(false, true, 0), None);
        assert_eq!(follow(true, false, 0), None);
        assert_eq!(follow(true, false, 9), None);
        assert_eq!(follow(true, false, 10), Some(News::Missing));
        assert_eq!(follow(true, false, 60), None);
        assert_eq!(follow(true, true, 61), Some(News::Protected));
        assert_eq!(follow(true, true, 62), None);
        assert_eq!(follow(true, false, 63), None);
        assert_eq!(follow(true, true, 65), None);
        assert_eq!(follow(true, false, 66), None);
        assert_eq!(follow(true, false, 71), Some(News::Lost));
        assert_eq!(follow(true, false, 99), None);
        assert_eq!(follow(false, false, 99), None);
        assert_eq!(follow(true, true, 100), Some(News::Protected));
    }
}

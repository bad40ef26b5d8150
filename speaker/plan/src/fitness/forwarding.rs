//! What may be said to a peer that has kept our routes of the forwarding on this node.
//!
//! ```text
//!   the node has just booted, or its proxy is dead   Lost         at once: kept routes lead nowhere
//!   the proxy has answered, anything at all          Preserved
//!   nobody has answered yet, or listens              Unanswered   for 5 s, then Preserved
//!   nobody is asked                                  Preserved
//! ```
//!
//! What a proxy has set up in the kernel outlives it, and most nodes whose proxy does not say how it
//! is forward all the same. So only what speaks against it makes forwarding lost; what is not known
//! does not.

use std::time::{Duration, Instant};

use super::{Answer, Fitness, History};

/// How long a first answer is waited for after the start: by far less than peers keep routes, and
/// longer than a proxy that is restarted along with the speaker needs.
const ASKING: Duration = Duration::from_secs(5);

/// Whether this node went on forwarding while no speaker ran on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Forwarding {
    /// It did, as far as is known.
    #[default]
    Preserved,
    /// It did not.
    Lost,
    /// Its service proxy is being asked; this lasts 5 s at most.
    Unanswered,
}

impl Forwarding {
    /// How long [`Self::Unanswered`] may last.
    pub const LIMIT: Duration = ASKING;
}

impl History {
    /// What may be said of the forwarding at this moment.
    pub fn forwarding(&self) -> Forwarding {
        match (self.fitness, self.asking) {
            (Fitness::Unverified | Fitness::Dead, _) => Forwarding::Lost,
            (Fitness::Unknown | Fitness::Healthy | Fitness::Late | Fitness::Settling, Some(_)) => {
                Forwarding::Unanswered
            }
            (Fitness::Unknown | Fitness::Healthy | Fitness::Late | Fitness::Settling, None) => {
                Forwarding::Preserved
            }
        }
    }

    /// A first answer is waited for from now on.
    pub(super) fn ask(&mut self, now: Instant) {
        self.asking = Some(now + ASKING);
    }

    /// Anybody who answers ends the wait, and so does its time.
    pub(super) fn hear(&mut self, answer: Answer, now: Instant) {
        let answered = match answer {
            Answer::Serving | Answer::Late | Answer::Starting | Answer::Foreign => true,
            Answer::Silent | Answer::Refused => false,
        };
        self.asking = self.asking.filter(|until| !answered && now < *until);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "a test's clock starts somewhere")]

    use super::super::Source;
    use super::*;

    const LATER: Option<Duration> = Some(Duration::from_secs(86_400));

    fn after(answers: &[(u64, Answer)]) -> Forwarding {
        let now = Instant::now();
        let mut history = History::start(LATER, now);
        assert_eq!(history.forwarding(), Forwarding::Unanswered);
        for (second, answer) in answers {
            let now = now + Duration::from_secs(*second);
            history.take(*answer, Source::Proxy, now);
        }
        history.forwarding()
    }

    #[test]
    fn any_answer_will_do_and_none_is_waited_for_longer_than_its_time() {
        use Answer::{Foreign, Late, Refused, Serving, Silent, Starting};
        use Forwarding::{Preserved, Unanswered};
        for answer in [Serving, Late, Starting, Foreign] {
            assert_eq!(after(&[(0, answer)]), Preserved, "{answer:?}");
            assert_eq!(after(&[(0, Refused), (1, answer)]), Preserved);
        }
        for answer in [Silent, Refused] {
            assert_eq!(after(&[(0, answer), (4, answer)]), Unanswered);
            assert_eq!(after(&[(0, answer), (5, answer)]), Preserved);
            assert_eq!(after(&[(0, Serving), (1, answer)]), Preserved);
        }
    }

    #[test]
    fn a_node_that_has_just_booted_has_lost_it_until_its_proxy_serves() {
        let now = Instant::now();
        let mut history = History::start(Some(Duration::from_secs(20)), now);
        assert_eq!(history.forwarding(), Forwarding::Lost);
        for second in 1..=3 {
            let now = now + Duration::from_secs(second);
            assert_eq!(history.forwarding(), Forwarding::Lost);
            history.take(Answer::Serving, Source::Proxy, now);
        }
        assert_eq!(history.forwarding(), Forwarding::Preserved);
    }

    #[test]
    fn a_proxy_that_was_dead_before_is_so_now() {
        let mut history = History::start(LATER, Instant::now());
        history.recall(Fitness::Dead);
        assert_eq!(history.forwarding(), Forwarding::Lost);
    }

    #[test]
    fn where_nobody_is_asked_nothing_is_waited_for() {
        assert_eq!(History::default().forwarding(), Forwarding::Preserved);
    }
}

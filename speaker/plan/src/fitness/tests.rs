use super::*;

use Answer::{Foreign, Late, Refused, Serving, Silent, Starting};

const SECOND: Duration = Duration::from_secs(1);

/// A history and the moment it is at.
struct Story {
    history: History,
    now: Instant,
}

impl Story {
    fn new(history: impl FnOnce(Instant) -> History) -> Self {
        let now = start();
        Self {
            history: history(now),
            now,
        }
    }

    /// A process that starts on a node that has been up for long.
    fn usual() -> Self {
        Self::new(|now| History::start(Some(Duration::from_secs(86400)), now))
    }

    /// A process that starts with its node.
    fn booting() -> Self {
        Self::new(|now| History::start(Some(Duration::from_secs(30)), now))
    }

    /// The same answer each second, the first one now, the last one after this many seconds.
    fn answers(mut self, answer: Answer, seconds: u32) -> Self {
        self.take(answer);
        for _ in 0..seconds {
            self.now += SECOND;
            self.take(answer);
        }
        self
    }

    fn take(&mut self, answer: Answer) -> Fitness {
        self.history.take(answer, Source::Proxy, self.now);
        self.history.fitness()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "an Instant has no other source; any one will do"
)]
fn start() -> Instant {
    Instant::now()
}

/// A story that has come to each state, with a proxy that has answered where that is possible.
fn at(fitness: Fitness) -> Story {
    let story = match fitness {
        Fitness::Unverified => Story::booting(),
        Fitness::Unknown => Story::usual(),
        Fitness::Healthy => Story::usual().answers(Serving, 0),
        Fitness::Late => Story::usual().answers(Late, 0),
        Fitness::Settling => Story::booting().answers(Serving, 2),
        Fitness::Dead => Story::usual().answers(Serving, 0).answers(Refused, 10),
    };
    assert_eq!(story.history.fitness(), fitness);
    story
}

#[test]
fn each_answer_in_each_state() {
    use Fitness::{Dead, Healthy, Settling, Unknown, Unverified};
    const LATE: Fitness = Fitness::Late;
    // One answer, one second later.
    let table = [
        (
            Serving,
            [Unverified, Healthy, Healthy, Healthy, Settling, Dead],
        ),
        (Late, [Unverified, LATE, LATE, LATE, Settling, Dead]),
        (Starting, [Unverified, LATE, LATE, LATE, Settling, Dead]),
        (
            Foreign,
            [Unknown, Unknown, Unknown, Unknown, Unknown, Unknown],
        ),
        (Silent, [Unverified, Unknown, LATE, LATE, Settling, Dead]),
        (Refused, [Unverified, Unknown, LATE, LATE, Settling, Dead]),
    ];
    assert_eq!(table.map(|(answer, _)| answer).len(), Answer::ALL.len());
    for (answer, expected) in table {
        for (from, to) in Fitness::ALL.into_iter().zip(expected) {
            let mut story = at(from);
            story.now += SECOND;
            assert_eq!(story.take(answer), to, "{answer:?} when {from:?}");
        }
    }
}

#[test]
fn each_answer_in_each_state_for_as_long_as_it_takes() {
    use Fitness::{Dead, Healthy, Settling, Unknown};
    const LATE: Fitness = Fitness::Late;
    // The same answer each second for an hour.
    let table = [
        (
            Serving,
            [Healthy, Healthy, Healthy, Healthy, Healthy, Healthy],
        ),
        (Late, [LATE, LATE, LATE, LATE, Settling, Dead]),
        (Starting, [LATE, LATE, LATE, LATE, Settling, Dead]),
        (
            Foreign,
            [Unknown, Unknown, Unknown, Unknown, Unknown, Unknown],
        ),
        (Silent, [Unknown, Unknown, LATE, LATE, Settling, Dead]),
        (Refused, [Unknown, Unknown, Dead, Dead, Dead, Dead]),
    ];
    for (answer, expected) in table {
        for (from, to) in Fitness::ALL.into_iter().zip(expected) {
            let mut story = at(from);
            story.now += SECOND;
            let story = story.answers(answer, 3600);
            assert_eq!(story.history.fitness(), to, "{answer:?} when {from:?}");
        }
    }
}

#[test]
fn a_first_answer_on_a_node_that_has_been_up_is_believed_at_once() {
    let mut story = Story::usual();
    assert_eq!(story.take(Serving), Fitness::Healthy);
}

#[test]
fn dead_is_whom_nobody_hears_of_for_ten_seconds_and_not_earlier() {
    let story = at(Fitness::Healthy).answers(Refused, 9);
    assert_eq!(story.history.fitness(), Fitness::Late);
    let mut story = story;
    story.now += SECOND;
    assert_eq!(story.take(Refused), Fitness::Dead);
}

#[test]
fn a_restart_within_ten_seconds_is_no_death() {
    for between in [Serving, Late, Starting, Silent] {
        let story = at(Fitness::Healthy).answers(Refused, 9).answers(between, 0);
        let story = story.answers(Refused, 9).answers(Serving, 0);
        assert_eq!(story.history.fitness(), Fitness::Healthy, "{between:?}");
    }
}

#[test]
fn a_proxy_that_comes_back_is_fit_only_after_ten_seconds_in_a_row() {
    for from in [Fitness::Settling, Fitness::Dead] {
        for doubt in [Late, Starting, Silent, Refused] {
            let mut story = at(from);
            story.now += SECOND;
            let story = story.answers(doubt, 0).answers(Serving, 9);
            let story = story.answers(doubt, 0).answers(Serving, 9);
            assert_eq!(story.history.fitness(), from, "{doubt:?}");
            let mut story = story;
            story.now += SECOND;
            assert_eq!(story.take(Serving), Fitness::Healthy, "{doubt:?}");
        }
    }
}

#[test]
fn after_a_boot_a_node_waits_for_sixty_seconds_at_most() {
    for answer in [Late, Starting, Silent, Refused] {
        let story = Story::booting().answers(answer, 59);
        assert_eq!(story.history.fitness(), Fitness::Unverified, "{answer:?}");
        let mut story = story;
        story.now += SECOND;
        assert!(story.take(answer).is_fit(), "{answer:?}");
    }
}

/// Seen with kube-proxy 1.35: its first round had not ended when a client came, who found no way.
#[test]
fn after_a_boot_the_first_round_of_the_proxy_is_waited_for() {
    let mut story = Story::booting().answers(Serving, 1);
    assert_eq!(story.history.fitness(), Fitness::Unverified);
    story.now += SECOND;
    assert_eq!(story.take(Serving), Fitness::Settling);
    // It begins anew if the proxy does.
    let story = Story::booting().answers(Serving, 1).answers(Refused, 0);
    let story = story.answers(Serving, 1);
    assert_eq!(story.history.fitness(), Fitness::Unverified);
}

#[test]
fn without_a_boot_nothing_waits() {
    for uptime in [None, Some(BOOT), Some(Duration::MAX)] {
        let story = Story::new(|now| History::start(uptime, now));
        assert!(story.history.fitness().is_fit(), "{uptime:?}");
    }
    let start = Story::new(|now| History::start(Some(BOOT - SECOND), now));
    assert_eq!(start.history.fitness(), Fitness::Unverified);
}

#[test]
fn the_port_of_a_service_may_vanish_without_a_meaning() {
    let mut story = Story::usual();
    story.history.take(Serving, Source::Service, story.now);
    assert_eq!(story.history.fitness(), Fitness::Healthy);
    let story = story.answers(Refused, 3600);
    assert_eq!(story.history.fitness(), Fitness::Unknown);
}

#[test]
fn the_port_of_a_service_verifies_a_node_that_has_booted() {
    let mut story = Story::booting();
    story.history.take(Serving, Source::Service, story.now);
    assert_eq!(story.history.fitness(), Fitness::Settling);
}

#[test]
fn what_speaks_against_a_node_outlives_the_process_and_not_the_boot() {
    for earlier in Fitness::ALL {
        for probed in [false, true] {
            let mut story = Story::usual();
            if probed {
                story.take(Serving);
            }
            let own = story.history.fitness();
            story.history.recall(earlier);
            let expected = match earlier {
                Fitness::Settling | Fitness::Dead => earlier,
                Fitness::Unverified | Fitness::Unknown | Fitness::Healthy | Fitness::Late => own,
            };
            assert_eq!(story.history.fitness(), expected, "{earlier:?}");
            let mut story = story.answers(Serving, 10);
            assert_eq!(story.take(Serving), Fitness::Healthy, "{earlier:?}");

            let mut booting = Story::booting();
            if probed {
                booting.take(Serving);
            }
            let own = booting.history.fitness();
            booting.history.recall(earlier);
            assert_eq!(booting.history.fitness(), own, "{earlier:?}");
        }
    }
}

#[test]
fn a_proxy_that_was_dead_before_the_process_started_stays_so_until_it_answers() {
    let mut story = Story::usual();
    story.history.recall(Fitness::Dead);
    let mut story = story.answers(Refused, 3600);
    assert_eq!(story.take(Refused), Fitness::Dead);
}

#[test]
fn only_what_addresses_wait_for_is_asked_often() {
    for fitness in Fitness::ALL {
        let expected = match fitness {
            Fitness::Unverified => IMPATIENT,
            Fitness::Unknown
            | Fitness::Healthy
            | Fitness::Late
            | Fitness::Settling
            | Fitness::Dead => PERIOD,
        };
        assert_eq!(at(fitness).history.period(), expected, "{fitness:?}");
    }
}

#[test]
fn words_are_read_back_and_others_tell_nothing() {
    for fitness in Fitness::ALL {
        assert_eq!(Fitness::of_reason(fitness.reason()), fitness);
    }
    assert_eq!(Fitness::of_reason("Levitating"), Fitness::Unknown);
}

//! When to write what: a converged system writes nothing.

use std::time::Duration;

use plan::Fitness;
use tokio::time::Instant;

use crate::standing::Standing;

/// The least time between two writes, unless trouble begins or ends, or others rank this node
/// otherwise for what it says.
const PACE: Duration = Duration::from_secs(30);

/// How long to wait after a write that failed, or for the watch to show what was created.
const RETRY: Duration = Duration::from_secs(5);

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Create the object.
    Create,
    /// Write its status.
    Apply,
    /// Nothing, until the standing changes or this moment comes.
    Wait(Option<Instant>),
}

/// What was written, and when.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    /// What the object's status says; `None` for an object that may say anything.
    written: Option<Standing>,
    last: Option<Instant>,
    create_after: Option<Instant>,
    apply_after: Option<Instant>,
}

impl Schedule {
    /// The next step, for what there is to say at this moment.
    pub(super) fn step(&mut self, standing: &Standing, now: Instant) -> Step {
        if standing.node_uid.is_none() {
            Step::Wait(None)
        } else if standing.exists {
            self.create_after = None;
            held(self.apply_after, now).unwrap_or_else(|| self.apply(standing, now))
        } else {
            // Whatever comes next under the name is another object, with an empty status.
            self.written = None;
            // Nodes with such an object are candidates at once, whatever is written into it later; and
            // of a speaker that is taken off the cluster nothing is to be left.
            if standing.fitness == Fitness::Unverified || standing.leaving {
                return Step::Wait(None);
            }
            held(self.create_after, now).unwrap_or(Step::Create)
        }
    }

    fn apply(&self, standing: &Standing, now: Instant) -> Step {
        let Some(written) = &self.written else {
            return Step::Apply;
        };
        if written == standing {
            return Step::Wait(None);
        }
        let urgent = standing.leaving
            || standing.restarting
            || written.troubles != standing.troubles
            || written.conflicts != standing.conflicts
            || !written.has_sessions_as(standing)
            || written.config_generation.is_none() != standing.config_generation.is_none()
            || ranks_otherwise(written.fitness, standing.fitness);
        if urgent {
            return Step::Apply;
        }
        held(self.last.map(|last| last + PACE), now).unwrap_or(Step::Apply)
    }

    /// It was tried to create the object.
    pub(super) fn created(&mut self, now: Instant) {
        self.create_after = Some(now + RETRY);
    }

    /// The status was written.
    pub(super) fn applied(&mut self, standing: Standing, now: Instant) {
        self.written = Some(standing);
        self.last = Some(now);
        self.apply_after = None;
    }

    /// The status could not be written.
    pub(super) fn failed(&mut self, now: Instant) {
        self.apply_after = Some(now + RETRY);
    }
}

/// Of proxies that are fit it is told in its turn whether they are late; the first answer is told
/// at once.
fn ranks_otherwise(written: Fitness, now: Fitness) -> bool {
    let both_fit = written.is_fit() && now.is_fit();
    written != now && !(both_fit && written != Fitness::Unknown)
}

fn held(until: Option<Instant>, now: Instant) -> Option<Step> {
    until
        .filter(|until| now < *until)
        .map(|until| Step::Wait(Some(until)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(exists: bool) -> Standing {
        Standing {
            node_uid: Some("a-uid".to_owned()),
            exists,
            config_generation: Some(1),
            ..Standing::default()
        }
    }

    /// A schedule that has just written `standing(true)`.
    fn written(now: Instant) -> Schedule {
        let mut schedule = Schedule::default();
        assert_eq!(schedule.step(&standing(true), now), Step::Apply);
        schedule.applied(standing(true), now);
        schedule
    }

    #[test]
    fn creates_once_and_writes_when_the_watch_shows_it() {
        let now = Instant::now();
        let mut schedule = Schedule::default();
        assert_eq!(schedule.step(&standing(false), now), Step::Create);
        schedule.created(now);
        assert_eq!(
            schedule.step(&standing(false), now),
            Step::Wait(Some(now + RETRY))
        );
        assert_eq!(schedule.step(&standing(true), now), Step::Apply);
    }

    #[test]
    fn whoever_is_ordered_to_leave_says_at_once_what_is_left_and_makes_no_new_object() {
        let now = Instant::now();
        let mut schedule = written(now);
        let mut leaving = Standing {
            leaving: true,
            announced_v4: 3,
            ..standing(true)
        };
        assert_eq!(schedule.step(&leaving, now), Step::Apply);
        schedule.applied(leaving.clone(), now);
        assert_eq!(schedule.step(&leaving, now), Step::Wait(None));
        leaving.announced_v4 = 0;
        assert_eq!(schedule.step(&leaving, now), Step::Apply);
        leaving.exists = false;
        assert_eq!(schedule.step(&leaving, now), Step::Wait(None));
    }

    #[test]
    fn tries_again_to_create_what_the_watch_does_not_show() {
        let now = Instant::now();
        let mut schedule = Schedule::default();
        schedule.created(now);
        assert_eq!(schedule.step(&standing(false), now + RETRY), Step::Create);
    }

    #[test]
    fn creates_again_at_once_what_was_deleted_and_writes_it_anew() {
        let now = Instant::now();
        let mut schedule = written(now);
        assert_eq!(schedule.step(&standing(false), now), Step::Create);
        schedule.created(now);
        assert_eq!(schedule.step(&standing(true), now), Step::Apply);
    }

    #[test]
    fn writes_nothing_while_nothing_changes() {
        let now = Instant::now();
        let mut schedule = written(now);
        assert_eq!(
            schedule.step(&standing(true), now + 100 * PACE),
            Step::Wait(None)
        );
    }

    #[test]
    fn counts_wait_for_their_turn_and_trouble_does_not() {
        let now = Instant::now();
        let mut schedule = written(now);
        let counted = Standing {
            announced_v4: 1,
            ..standing(true)
        };
        assert_eq!(schedule.step(&counted, now), Step::Wait(Some(now + PACE)));
        assert_eq!(schedule.step(&counted, now + PACE), Step::Apply);
        let troubled = Standing {
            troubles: vec!["eth0: down".to_owned()],
            ..standing(true)
        };
        assert_eq!(schedule.step(&troubled, now), Step::Apply);
        schedule.applied(troubled, now);
        assert_eq!(
            schedule.step(&standing(true), now),
            Step::Apply,
            "and when it ends"
        );
    }

    #[test]
    fn what_others_rank_by_does_not_wait() {
        let now = Instant::now();
        let of = |fitness| Standing {
            fitness,
            ..standing(true)
        };
        for (before, after, step) in [
            (Fitness::Unknown, Fitness::Healthy, Step::Apply),
            (Fitness::Healthy, Fitness::Dead, Step::Apply),
            (Fitness::Late, Fitness::Dead, Step::Apply),
            (Fitness::Dead, Fitness::Healthy, Step::Apply),
            (Fitness::Unverified, Fitness::Settling, Step::Apply),
            (Fitness::Settling, Fitness::Healthy, Step::Apply),
            (
                Fitness::Healthy,
                Fitness::Late,
                Step::Wait(Some(now + PACE)),
            ),
            (
                Fitness::Late,
                Fitness::Healthy,
                Step::Wait(Some(now + PACE)),
            ),
        ] {
            let mut schedule = Schedule::default();
            schedule.applied(of(before), now);
            assert_eq!(schedule.step(&of(after), now), step, "{before:?} {after:?}");
        }
    }

    #[test]
    fn a_node_that_has_just_booted_offers_itself_only_when_its_proxy_serves() {
        let now = Instant::now();
        let mut booting = Standing {
            fitness: Fitness::Unverified,
            ..standing(false)
        };
        let mut schedule = Schedule::default();
        assert_eq!(schedule.step(&booting, now), Step::Wait(None));
        booting.exists = true;
        assert_eq!(schedule.step(&booting, now), Step::Apply);
        booting.exists = false;
        booting.fitness = Fitness::Settling;
        assert_eq!(schedule.step(&booting, now), Step::Create);
    }

    #[test]
    fn a_write_that_failed_is_tried_again_after_a_while() {
        let now = Instant::now();
        let mut schedule = Schedule::default();
        schedule.failed(now);
        assert_eq!(
            schedule.step(&standing(true), now),
            Step::Wait(Some(now + RETRY))
        );
        assert_eq!(schedule.step(&standing(true), now + RETRY), Step::Apply);
    }

    #[test]
    fn without_the_node_object_there_is_nothing_to_own_it() {
        let now = Instant::now();
        let unknown = Standing {
            node_uid: None,
            ..standing(false)
        };
        assert_eq!(Schedule::default().step(&unknown, now), Step::Wait(None));
    }
}

//! One lease, its store, and replicas that would hold it, on one clock.

use super::*;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn terms(identity: &str) -> Terms {
    Terms {
        identity: identity.to_owned(),
        place: None,
        duration: secs(15),
        margin: secs(3),
        renew: secs(5),
        retry: secs(1),
    }
}

fn seen(version: u64, holder: Option<&str>) -> Seen {
    Seen {
        version: version.to_string(),
        holder: holder.map(ToOwned::to_owned),
        duration: secs(15),
        transitions: 0,
    }
}

/// Replicas and what the API server holds. A replica that is deaf reads and writes nothing.
struct World {
    now: Instant,
    store: Option<Seen>,
    version: u64,
    replicas: Vec<Replica>,
}

struct Replica {
    candidate: Candidate,
    deaf: bool,
    paused: bool,
    leads: bool,
}

impl World {
    fn new(count: usize) -> Self {
        let now = Instant::now();
        let replica = |number: usize| Replica {
            candidate: Candidate::new(terms(&format!("c{number}")), now),
            deaf: false,
            paused: false,
            leads: false,
        };
        let mut world = Self {
            now,
            store: None,
            version: 0,
            replicas: (0..count).map(replica).collect(),
        };
        world.show();
        world
    }

    /// The watch.
    fn show(&mut self) {
        for number in 0..self.replicas.len() {
            if !self.replicas[number].deaf && !self.replicas[number].paused {
                self.tell(number, Input::Seen(self.store.clone()));
            }
        }
    }

    fn tell(&mut self, number: usize, input: Input) {
        let replica = &mut self.replicas[number];
        replica.candidate.handle(input, self.now);
        while let Some(output) = self.replicas[number].candidate.poll() {
            match output {
                Output::Leads(leads) => self.replicas[number].leads = leads,
                Output::Write(write) => self.write(number, &write),
            }
        }
        let leads = self.replicas[number].leads;
        let until = self.replicas[number].candidate.held_until();
        assert_eq!(leads, until.is_some());
    }

    fn write(&mut self, number: usize, write: &Write) {
        if self.replicas[number].deaf {
            self.tell(number, Input::Failed);
            return;
        }
        if self.store.as_ref().map(|seen| &seen.version) != write.version.as_ref() {
            self.tell(number, Input::Refused);
            return;
        }
        self.version += 1;
        let stored = Seen {
            transitions: write.transitions,
            ..seen(self.version, write.holder.as_deref())
        };
        self.store = Some(stored.clone());
        if write.holder.is_some() {
            self.tell(number, Input::Written(stored));
        }
        self.show();
    }

    /// Time passes, in steps of a tenth of a second.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += Duration::from_millis(100);
            for number in 0..self.replicas.len() {
                let replica = &self.replicas[number];
                let due = replica
                    .candidate
                    .deadline()
                    .is_some_and(|at| at <= self.now);
                if due && !replica.paused {
                    self.tell(number, Input::Timeout);
                }
            }
            let acting = self.acting();
            assert!(acting.len() <= 1, "{acting:?} lead at once");
        }
    }

    /// Who may begin something that only who leads may do.
    fn acting(&self) -> Vec<usize> {
        let may = |number: &usize| {
            let until = self.replicas[*number].candidate.held_until();
            until.is_some_and(|until| self.now < until)
        };
        (0..self.replicas.len()).filter(may).collect()
    }
}

#[test]
fn the_first_to_look_leads_and_goes_on_leading() {
    let mut world = World::new(2);
    assert_eq!(world.acting(), [0]);
    world.pass(secs(120));
    assert_eq!(world.acting(), [0]);
    let store = world.store.clone().unwrap();
    assert_eq!(
        (store.holder.as_deref(), store.transitions),
        (Some("c0"), 0)
    );
    assert!(
        world.version <= 25,
        "a write in five seconds: {}",
        world.version
    );
}

#[test]
fn whoever_resigns_is_followed_at_once() {
    let mut world = World::new(2);
    world.tell(0, Input::Resign);
    assert_eq!(world.acting(), [1]);
    assert_eq!(world.store.as_ref().unwrap().transitions, 1);
    world.pass(secs(60));
    assert_eq!(world.acting(), [1], "it does not come back");
}

#[test]
fn whoever_dies_is_followed_when_the_lease_has_run_out() {
    let mut world = World::new(2);
    world.pass(secs(12));
    world.replicas[0].paused = true;
    world.pass(secs(11));
    assert!(!world.replicas[1].leads);
    world.pass(secs(5));
    assert_eq!(world.acting(), [1]);
}

#[test]
fn whoever_was_paused_past_its_lease_may_do_nothing_and_stands_by() {
    let mut world = World::new(2);
    world.replicas[0].paused = true;
    world.pass(secs(20));
    assert_eq!(world.acting(), [1]);
    world.replicas[0].paused = false;
    assert_eq!(world.acting(), [1], "before it has heard of anything");
    world.tell(0, Input::Timeout);
    assert!(!world.replicas[0].leads);
    world.pass(secs(60));
    assert_eq!(world.acting(), [1]);
}

#[test]
fn whoever_cannot_renew_stops_before_another_may_begin() {
    let mut world = World::new(2);
    world.replicas[0].deaf = true;
    world.pass(secs(12));
    assert!(
        world.acting().is_empty(),
        "it gave up three seconds before the end"
    );
    world.pass(secs(4));
    assert_eq!(world.acting(), [1]);
    world.replicas[0].deaf = false;
    world.show();
    world.pass(secs(60));
    assert_eq!(world.acting(), [1]);
}

#[test]
fn without_an_api_server_nobody_leads_and_with_it_somebody_does() {
    let mut world = World::new(2);
    for replica in &mut world.replicas {
        replica.deaf = true;
    }
    world.pass(secs(60));
    assert!(world.acting().is_empty());
    for replica in &mut world.replicas {
        replica.deaf = false;
    }
    world.show();
    world.pass(secs(2));
    assert_eq!(world.acting().len(), 1);
}

#[test]
fn a_lease_that_was_deleted_is_made_again() {
    let mut world = World::new(2);
    world.store = None;
    world.show();
    world.pass(secs(2));
    assert_eq!(world.acting().len(), 1);
}

#[test]
fn nothing_is_done_before_the_lease_was_read() {
    let now = Instant::now();
    let mut candidate = Candidate::new(terms("c0"), now);
    candidate.handle(Input::Timeout, now + secs(60));
    assert_eq!(candidate.poll(), None);
    assert_eq!(candidate.deadline(), None);
}

#[test]
fn another_machines_idea_of_the_time_is_not_asked() {
    let now = Instant::now();
    let mut candidate = Candidate::new(terms("c1"), now);
    let other = |version| Input::Seen(Some(seen(version, Some("c0"))));
    candidate.handle(other(1), now);
    // Every change counts from when it was read, however old it may be.
    for step in 1..10 {
        candidate.handle(other(1 + step), now + secs(10 * step));
        assert_eq!(candidate.poll(), None);
    }
    assert_eq!(candidate.deadline(), Some(now + secs(105)));
}

#[test]
fn the_time_that_a_lease_is_held_counts_from_when_its_write_was_sent() {
    let now = Instant::now();
    let mut candidate = Candidate::new(terms("c0"), now);
    candidate.handle(Input::Seen(None), now);
    assert!(matches!(candidate.poll(), Some(Output::Write(_))));
    candidate.handle(Input::Written(seen(1, Some("c0"))), now + secs(4));
    assert_eq!(candidate.held_until(), Some(now + secs(12)));
    assert_eq!(candidate.poll(), Some(Output::Leads(true)));
}

#[test]
fn an_answer_that_comes_too_late_gives_nothing() {
    let now = Instant::now();
    let mut candidate = Candidate::new(terms("c0"), now);
    candidate.handle(Input::Seen(None), now);
    let _ = candidate.poll();
    candidate.handle(Input::Written(seen(1, Some("c0"))), now + secs(13));
    assert_eq!(candidate.poll(), None);
    assert_eq!(candidate.held_until(), None);
    assert_eq!(
        candidate.deadline(),
        Some(now + secs(28)),
        "it waits as anybody would"
    );
}

#[test]
fn a_write_of_ours_whose_answer_was_lost_is_waited_out_like_anothers() {
    let now = Instant::now();
    let mut candidate = Candidate::new(terms("c0"), now);
    candidate.handle(Input::Seen(None), now);
    let _ = candidate.poll();
    candidate.handle(Input::Failed, now + secs(1));
    candidate.handle(Input::Seen(Some(seen(1, Some("c0")))), now + secs(1));
    assert_eq!(candidate.held_until(), None);
    assert_eq!(candidate.deadline(), Some(now + secs(16)));
}

#[test]
fn whoever_comes_back_in_its_place_takes_its_lease_at_once() {
    let now = Instant::now();
    let terms = Terms {
        place: Some("pod-1_".to_owned()),
        ..terms("pod-1_b")
    };
    let mut candidate = Candidate::new(terms, now);
    candidate.handle(Input::Seen(Some(seen(7, Some("pod-1_a")))), now);
    let Some(Output::Write(write)) = candidate.poll() else {
        panic!("it writes");
    };
    assert_eq!(write.version.as_deref(), Some("7"));
    // And does so once: another in the same place may be alive.
    candidate.handle(Input::Refused, now);
    candidate.handle(Input::Seen(Some(seen(8, Some("pod-1_a")))), now);
    assert_eq!(candidate.deadline(), Some(now + secs(15)));
}

#[test]
fn nobody_inherits_from_another_place() {
    let now = Instant::now();
    let terms = Terms {
        place: Some("pod-1_".to_owned()),
        ..terms("pod-1_b")
    };
    let mut candidate = Candidate::new(terms, now);
    candidate.handle(Input::Seen(Some(seen(7, Some("pod-11_a")))), now);
    assert_eq!(candidate.poll(), None);
}

use super::*;
use crate::segment::tests::start;

const OURS: &str = "fe80::11";

fn link() -> Link {
    Link {
        mac: Mac([2, 0, 0, 0, 0, 0x11]),
        address: Some(OURS.parse().unwrap()),
        up: true,
    }
}

fn address(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

/// A link on a clock of its own.
struct Rig {
    machine: Discovery,
    start: Instant,
    now: Instant,
}

impl Rig {
    fn new() -> Self {
        let now = start();
        Self {
            machine: Discovery::new(7),
            start: now,
            now,
        }
    }

    /// A link that is up, after what it says and asks at first.
    fn up() -> Self {
        let mut rig = Self::new();
        rig.input(Input::Link(link()));
        rig
    }

    fn input(&mut self, input: Input<'_>) -> Vec<Output> {
        self.machine.handle(input, self.now);
        self.drain()
    }

    fn drain(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.machine.poll()).collect()
    }

    fn hears(&mut self, source: &str) -> Vec<Output> {
        let message = router::advertisement(Mac([2, 0, 0, 0, 0, 1]));
        self.input(Input::Received {
            source: address(source),
            hop_limit: 255,
            message: message.as_bytes(),
        })
    }

    /// All that is done in this time, with how long after the start.
    fn during(&mut self, time: Duration) -> Vec<(Duration, Output)> {
        let end = self.now + time;
        let mut done = Vec::new();
        while let Some(deadline) = self.machine.deadline().filter(|at| *at <= end) {
            self.now = self.now.max(deadline);
            let outputs = self.input(Input::Timeout);
            assert!(!outputs.is_empty(), "a deadline without a cause");
            let at = self.now - self.start;
            done.extend(outputs.into_iter().map(|output| (at, output)));
        }
        self.now = end;
        done
    }
}

fn advertised(done: &[(Duration, Output)]) -> Vec<Duration> {
    let ours = Output::Transmit(router::advertisement(link().mac));
    let all = done.iter().filter(|(_, output)| *output == ours);
    all.map(|(at, _)| *at).collect()
}

fn solicited(done: &[(Duration, Output)]) -> Vec<Duration> {
    let ours = Output::Transmit(router::solicitation(link().mac));
    let all = done.iter().filter(|(_, output)| *output == ours);
    all.map(|(at, _)| *at).collect()
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_link_that_comes_up_is_asked_and_told_at_once() {
    let mut rig = Rig::new();
    let said = rig.input(Input::Link(link()));
    let mac = link().mac;
    let expected = [
        Output::Transmit(router::solicitation(mac)),
        Output::Transmit(router::advertisement(mac)),
    ];
    assert_eq!(said, expected);
    assert_eq!(rig.input(Input::Link(link())), []);
}

/// RFC 4861 §6.2.4: the first few come sooner than the others.
#[test]
fn advertisements_go_on_for_ever_and_solicitations_do_not() {
    let mut rig = Rig::up();
    let done = rig.during(seconds(60));
    assert_eq!(solicited(&done), [seconds(4), seconds(8)]);
    let told = advertised(&done);
    assert_eq!(told[..2], [seconds(3), seconds(6)]);
    assert!((7..=9).contains(&told.len()), "{told:?}");
    let waits = told[1..].windows(2).map(|pair| pair[1] - pair[0]);
    let mut waits = waits.peekable();
    assert!(waits.peek().is_some());
    assert!(waits.all(|wait| (seconds(7)..=seconds(10)).contains(&wait)));
}

#[test]
fn without_a_link_or_an_address_nothing_is_said_or_heard() {
    let without = [
        Link {
            up: false,
            ..link()
        },
        Link {
            address: None,
            ..link()
        },
    ];
    for link in without {
        let mut rig = Rig::new();
        assert_eq!(rig.input(Input::Link(link)), []);
        assert_eq!(rig.hears("fe80::1"), []);
        assert_eq!(rig.machine.deadline(), None);
    }
}

/// RFC 4861 §6.2.6: soon, and never two within three seconds.
#[test]
fn a_solicitation_is_answered_soon_but_not_as_often_as_it_comes() {
    let mut rig = Rig::up();
    rig.during(seconds(8));
    let asked = router::solicitation(Mac([2, 0, 0, 0, 0, 1]));
    for _ in 0..100 {
        rig.input(Input::Received {
            source: address("fe80::1"),
            hop_limit: 255,
            message: asked.as_bytes(),
        });
    }
    let told = advertised(&rig.during(seconds(3)));
    assert_eq!(told.len(), 1, "{told:?}");
    // The last one before that came after six seconds.
    assert!((seconds(9)..seconds(10)).contains(&told[0]), "{told:?}");
}

#[test]
fn the_first_router_that_is_heard_is_the_neighbour_and_is_asked_no_more() {
    let mut rig = Rig::up();
    let found = rig.hears("fe80::1");
    assert_eq!(found, [Output::Neighbor(address("fe80::1"))]);
    assert_eq!(rig.hears("fe80::1"), []);
    assert_eq!(solicited(&rig.during(seconds(60))), []);
}

#[test]
fn what_is_not_valid_and_what_we_say_ourselves_is_not_heard() {
    let mut rig = Rig::up();
    assert_eq!(rig.hears(OURS), []);
    assert_eq!(rig.hears("fd99::1"), []);
    let message = router::advertisement(link().mac);
    let from_afar = Input::Received {
        source: address("fe80::1"),
        hop_limit: 254,
        message: message.as_bytes(),
    };
    assert_eq!(rig.input(from_afar), []);
}

#[test]
fn a_router_that_changes_its_address_is_followed() {
    let mut rig = Rig::up();
    rig.hears("fe80::1");
    rig.during(seconds(100));
    let asked = Output::Transmit(router::solicitation(link().mac));
    assert_eq!(rig.hears("fe80::2"), [asked]);
    let done = rig.during(seconds(6));
    let followed = done
        .iter()
        .find(|(_, output)| *output == Output::Neighbor(address("fe80::2")));
    assert_eq!(followed.unwrap().0, seconds(105));
}

#[test]
fn of_two_routers_the_first_stays_as_long_as_it_answers() {
    let mut rig = Rig::up();
    rig.hears("fe80::1");
    rig.hears("fe80::2");
    rig.during(seconds(3));
    let contended = Output::Contended {
        kept: address("fe80::1"),
        other: address("fe80::2"),
    };
    assert_eq!(rig.hears("fe80::1"), [contended]);
    for _ in 0..100 {
        rig.during(seconds(1));
        rig.hears("fe80::2");
        rig.during(seconds(2));
        assert_eq!(rig.hears("fe80::1"), []);
    }
    // It goes, and the other one stays.
    rig.during(seconds(40));
    rig.hears("fe80::2");
    let done = rig.during(seconds(6));
    let neighbor = Output::Neighbor(address("fe80::2"));
    assert!(done.iter().any(|(_, output)| *output == neighbor));
}

#[test]
fn a_neighbour_is_kept_while_the_link_is_down_and_while_it_is_silent() {
    let mut rig = Rig::up();
    rig.hears("fe80::1");
    let down = Link {
        up: false,
        ..link()
    };
    assert_eq!(rig.input(Input::Link(down)), []);
    assert_eq!(rig.machine.deadline(), None);
    rig.during(seconds(600));
    assert_eq!(rig.input(Input::Link(link())).len(), 2);
    assert_eq!(rig.hears("fe80::1"), []);
}

#[test]
fn another_address_of_our_own_is_told_at_once() {
    let mut rig = Rig::up();
    rig.during(seconds(60));
    let other = Link {
        address: Some(address("fe80::12")),
        ..link()
    };
    assert_eq!(rig.input(Input::Link(other)).len(), 2);
}

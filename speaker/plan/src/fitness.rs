//! Whether a node's service proxy (kube-proxy, or what stands in for it) serves, as its answers to
//! probes show.
//!
//! ```text
//!  start soon after boot ─▶ Unverified ──2 s of───▶ Settling ──10 s of serving──▶ Healthy
//!                               │ 60 s    serving       │                         │    ▲
//!            any other start    ▼                       │            late, silent,│    │serving
//!                  └───────▶ Unknown ◀──another proxy───┤        refused for less│    │
//!                               │                       │                         ▼    │
//!                               └──serving─▶ Healthy,   └──refused for 10 s──┐    Late
//!                                  late ───▶ Late                            ▼      │
//!                                                Healthy ◀─10 s of serving─ Dead ◀──┘
//! ```
//!
//! Nothing but a refused connection ever makes a proxy `Dead`, and only one that has answered
//! before: what a proxy has set up in the kernel serves on while it is late, hung or restarted.
//! What no probe can tell is `Unknown`, which is as good as `Healthy`.

mod forwarding;

use std::fmt;
use std::time::{Duration, Instant};

pub use forwarding::Forwarding;

/// A start this soon after the node's boot is part of the boot: the proxy comes up at the same
/// time, and the kernel has none of its rules yet.
const BOOT: Duration = Duration::from_secs(300);

/// For how long after a start at boot a proxy that does not answer keeps the node from announcing.
const GATE: Duration = Duration::from_secs(60);

/// kube-proxy says that it serves as soon as it begins its first round, and ends that a moment later.
const FIRST_ROUND: Duration = Duration::from_secs(2);

/// For how long a proxy must serve before addresses move to its node because it does.
const SETTLING: Duration = Duration::from_secs(10);

/// How long nobody may listen before the proxy is dead: longer than a restart by kubelet or by the
/// update of a DaemonSet takes, as moving an address breaks connections and the rules serve on.
const GONE: Duration = Duration::from_secs(10);

/// Between two probes.
const PERIOD: Duration = Duration::from_secs(1);

/// The same while addresses wait for the first answer.
const IMPATIENT: Duration = Duration::from_millis(100);

/// What the answers to probes come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Fitness {
    /// The node has just booted and its proxy was not yet seen to serve: it announces nothing.
    /// This lasts 60 s at most.
    Unverified,
    /// There is nobody to ask, or no answer that tells: as good as healthy.
    #[default]
    Unknown,
    /// The proxy serves.
    Healthy,
    /// The proxy is behind, hung or just gone; what it has set up serves on, and so does the node.
    Late,
    /// The proxy serves, but since less than 10 s ago: nodes whose proxy is fit come before.
    Settling,
    /// Nobody has listened for 10 s where the proxy has answered before; or it answers again, but
    /// since less than 10 s ago. All other nodes come before.
    Dead,
}

/// What came of one probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Answer {
    /// The proxy says that it serves.
    Serving,
    /// The proxy says that it is behind.
    Late,
    /// The proxy runs, but has set up nothing yet.
    Starting,
    /// Something answers that is not known to tell what kube-proxy tells.
    Foreign,
    /// No answer, or none that can be read, within the time.
    Silent,
    /// Nobody listens.
    Refused,
}

/// Who was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// The proxy itself, at `/healthz`.
    Proxy,
    /// The proxy at the `healthCheckNodePort` of some Service, which comes and goes with it: that
    /// nobody listens there tells nothing.
    Service,
}

/// What a node has made known of its proxy, by its SpeakerStatus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Verdict {
    /// What it comes to.
    pub fitness: Fitness,
    /// While it is `Settling`: since when, in seconds of that node's clock since 1970; otherwise 0.
    pub since: i64,
}

/// All that matters of the answers so far. See the module's text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    fitness: Fitness,
    /// When `Unverified` ends; `None` unless the node has just booted.
    gate: Option<Instant>,
    /// Whether the proxy itself has answered: then somebody should listen.
    known: bool,
    /// Until when a first answer is waited for; `None` once there was one, or where none is asked for.
    asking: Option<Instant>,
    /// Since when each answer was [`Answer::Serving`].
    serving: Option<Instant>,
    /// Since when each answer was [`Answer::Refused`].
    refused: Option<Instant>,
}

impl Fitness {
    /// All of them, in the order of the variants.
    pub const ALL: [Self; 6] = [
        Self::Unverified,
        Self::Unknown,
        Self::Healthy,
        Self::Late,
        Self::Settling,
        Self::Dead,
    ];

    /// The reason as one CamelCase word, for status objects.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Unverified => "Unverified",
            Self::Unknown => "Unknown",
            Self::Healthy => "Healthy",
            Self::Late => "Late",
            Self::Settling => "Settling",
            Self::Dead => "Dead",
        }
    }

    /// What the word stands for. A word that is not known, as of a later version, tells nothing.
    pub fn of_reason(reason: &str) -> Self {
        let mut all = Self::ALL.into_iter();
        all.find(|fitness| fitness.reason() == reason)
            .unwrap_or_default()
    }

    /// Whether nothing speaks against the node: whatever is not known is no reason.
    pub fn is_fit(self) -> bool {
        match self {
            Self::Unknown | Self::Healthy | Self::Late => true,
            Self::Unverified | Self::Settling | Self::Dead => false,
        }
    }
}

impl fmt::Display for Fitness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unverified => {
                "the service proxy was not seen to serve yet since the node booted; \
                 nothing is announced here before it is, or for 60 s"
            }
            Self::Unknown => {
                "no answer tells whether the service proxy serves; it is taken to do so"
            }
            Self::Healthy => "the service proxy serves",
            Self::Late => {
                "the service proxy is behind, or does not answer; what it has set up serves on"
            }
            Self::Settling => {
                "the service proxy serves since less than 10 s ago; \
                 addresses that another node serves stay there until then"
            }
            Self::Dead => {
                "nobody listens on the health port of the service proxy, or only since less than \
                 10 s ago; see why it does not run"
            }
        })
    }
}

impl Answer {
    /// All of them, in the order of the variants.
    pub const ALL: [Self; 6] = [
        Self::Serving,
        Self::Late,
        Self::Starting,
        Self::Foreign,
        Self::Silent,
        Self::Refused,
    ];

    /// One word in snake case, for metrics.
    pub fn label(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Late => "late",
            Self::Starting => "starting",
            Self::Foreign => "foreign",
            Self::Silent => "silent",
            Self::Refused => "refused",
        }
    }
}

impl History {
    /// A process that starts when its node has been up for `uptime`; `None` if that is not known.
    pub fn start(uptime: Option<Duration>, now: Instant) -> Self {
        let mut history = Self::default();
        history.ask(now);
        if uptime.is_some_and(|uptime| uptime < BOOT) {
            history.fitness = Fitness::Unverified;
            history.gate = Some(now + GATE);
        }
        history
    }

    /// What an earlier process on this node has made known. It matters only if it speaks against
    /// the node, and not after a boot: then it is about an earlier proxy.
    pub fn recall(&mut self, earlier: Fitness) {
        if self.gate.is_some() {
            return;
        }
        match earlier {
            Fitness::Settling => self.fitness = Fitness::Settling,
            Fitness::Dead => {
                self.known = true;
                self.fitness = Fitness::Dead;
            }
            Fitness::Unverified | Fitness::Unknown | Fitness::Healthy | Fitness::Late => {}
        }
    }

    /// One probe more.
    pub fn take(&mut self, answer: Answer, source: Source, now: Instant) {
        self.hear(answer, now);
        self.serving = (answer == Answer::Serving).then(|| self.serving.unwrap_or(now));
        self.refused = (answer == Answer::Refused).then(|| self.refused.unwrap_or(now));
        self.fitness = match answer {
            Answer::Serving => self.serves(source, now),
            Answer::Late | Answer::Starting => self.lags(source, now),
            Answer::Foreign => {
                self.known = false;
                Fitness::Unknown
            }
            Answer::Silent => self.hangs(now),
            Answer::Refused => self.refuses(now),
        };
    }

    /// What all of it comes to.
    pub fn fitness(&self) -> Fitness {
        self.fitness
    }

    /// How long to wait before the next probe.
    pub fn period(&self) -> Duration {
        match self.fitness {
            Fitness::Unverified => IMPATIENT,
            Fitness::Unknown
            | Fitness::Healthy
            | Fitness::Late
            | Fitness::Settling
            | Fitness::Dead => PERIOD,
        }
    }

    fn serves(&mut self, source: Source, now: Instant) -> Fitness {
        self.known |= source == Source::Proxy;
        match self.fitness {
            Fitness::Unverified if self.has_rules(source, now) => Fitness::Settling,
            Fitness::Unverified => self.wait(now),
            Fitness::Unknown | Fitness::Healthy | Fitness::Late => Fitness::Healthy,
            Fitness::Settling | Fitness::Dead if lasts(self.serving, SETTLING, now) => {
                Fitness::Healthy
            }
            Fitness::Settling | Fitness::Dead => self.fitness,
        }
    }

    /// Whether a proxy that says after a boot that it serves has come to do so.
    fn has_rules(&self, source: Source, now: Instant) -> bool {
        match source {
            Source::Proxy => lasts(self.serving, FIRST_ROUND, now),
            // The port opens at the end of a round.
            Source::Service => true,
        }
    }

    /// It is alive and has not done what it should.
    fn lags(&mut self, source: Source, now: Instant) -> Fitness {
        self.known |= source == Source::Proxy;
        match self.fitness {
            Fitness::Unverified => self.wait(now),
            Fitness::Unknown | Fitness::Healthy | Fitness::Late => Fitness::Late,
            Fitness::Settling | Fitness::Dead => self.fitness,
        }
    }

    fn hangs(&self, now: Instant) -> Fitness {
        match self.fitness {
            Fitness::Unverified => self.wait(now),
            Fitness::Healthy | Fitness::Late => Fitness::Late,
            Fitness::Unknown | Fitness::Settling | Fitness::Dead => self.fitness,
        }
    }

    fn refuses(&self, now: Instant) -> Fitness {
        let gone = lasts(self.refused, GONE, now);
        match self.fitness {
            Fitness::Unverified => self.wait(now),
            Fitness::Unknown | Fitness::Dead => self.fitness,
            Fitness::Healthy | Fitness::Late | Fitness::Settling if !self.known => Fitness::Unknown,
            Fitness::Healthy | Fitness::Late | Fitness::Settling if gone => Fitness::Dead,
            Fitness::Healthy | Fitness::Late => Fitness::Late,
            Fitness::Settling => Fitness::Settling,
        }
    }

    fn wait(&self, now: Instant) -> Fitness {
        if self.gate.is_some_and(|end| now < end) {
            Fitness::Unverified
        } else if self.known {
            Fitness::Late
        } else {
            Fitness::Unknown
        }
    }
}

fn lasts(since: Option<Instant>, time: Duration, now: Instant) -> bool {
    since.is_some_and(|since| now.saturating_duration_since(since) >= time)
}

/// How a node stands among others; smaller comes before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Grade {
    Fit,
    /// Who began earlier is done earlier: so an address waits where it is.
    Settling(i64),
    Dead,
}

impl Verdict {
    pub(crate) fn grade(self) -> Grade {
        match self.fitness {
            Fitness::Unverified | Fitness::Unknown | Fitness::Healthy | Fitness::Late => Grade::Fit,
            Fitness::Settling => Grade::Settling(self.since),
            Fitness::Dead => Grade::Dead,
        }
    }
}

#[cfg(test)]
mod tests;

//! A client that never stops asking, in the background, and tells afterwards when nobody answered.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use socket2::SockRef;

use crate::address::POD_PORT;
use crate::eventually;
use crate::host::Host;
use crate::http;
use crate::probe::{Ear, is_readable_within};

/// How long one HTTP attempt may take; it ends earlier when it fails earlier.
const HTTP_TIME: Duration = Duration::from_secs(1);

/// For what has no promised time, on a busy machine.
const ANSWERED_TIME: Duration = Duration::from_secs(30);

/// How long the answers to the last datagrams are waited for, each.
const LINGER: Duration = Duration::from_millis(100);

/// For thousands of answers; the kernel gives as much of it as it is allowed to.
const BUFFER: usize = 4 << 20;

/// How to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// By ARP or neighbor discovery, whichever the address needs, on the interface `eth0`. Who
    /// answered is a MAC.
    Segment,
    /// By an HTTP request on a connection of its own to this port. Who answered is the body.
    Http(u16),
    /// By a datagram to this port, all from one socket. Who answered is the pod.
    Udp(u16),
}

/// A prober that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct Prober {
    stop: Arc<AtomicBool>,
    latest: Latest,
    worker: Option<JoinHandle<Result<Report>>>,
}

/// Who answered last, by datagram.
type Latest = Arc<Mutex<Option<String>>>;

/// What a prober saw.
#[derive(Debug, Clone)]
pub struct Report {
    /// When it began and ended.
    pub span: (Instant, Instant),
    /// Questions sent.
    pub sent: usize,
    /// Answers received, with who answered, in order.
    pub answers: Vec<(Instant, String)>,
}

/// A time without an answer, between two answers or at the ends of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// When the last answer before it came.
    pub from: Instant,
    /// How long it was.
    pub length: Duration,
    /// Who answered before it.
    pub before: Option<String>,
    /// Who answered after it.
    pub after: Option<String>,
}

impl Prober {
    /// Ask for an address from a host every `every`, from now on: it returns when it begins to ask.
    pub fn start(host: &Host, vip: IpAddr, ask: Ask, every: Duration) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let latest = Latest::default();
        let (host, told, heard) = (host.clone(), Arc::clone(&stop), Arc::clone(&latest));
        let ear = (ask == Ask::Segment)
            .then(|| Ear::open(&host, "eth0"))
            .transpose()?;
        let (begun, begins) = mpsc::channel();
        let worker = thread::Builder::new()
            .name(format!("prober {vip}"))
            .spawn(move || {
                host.within(|| {
                    begun.send(()).context("nobody wants an answer")?;
                    match (ask, &ear) {
                        (Ask::Http(port), _) => http_loop(SocketAddr::new(vip, port), every, &told),
                        (Ask::Udp(port), _) => {
                            udp_loop(SocketAddr::new(vip, port), every, &told, &heard)
                        }
                        (Ask::Segment, Some(ear)) => segment_loop(ear, vip, every, &told),
                        (Ask::Segment, None) => Err(anyhow!("no socket")),
                    }
                })
            })?;
        // If it could not begin, its end tells why.
        let _ = begins.recv();
        Ok(Self {
            stop,
            latest,
            worker: Some(worker),
        })
    }

    /// The usual client: HTTP to port 80, or to a pod's own port where `vip` is a pod.
    pub fn http(host: &Host, vip: IpAddr, every: Duration) -> Result<Self> {
        Self::start(host, vip, Ask::Http(80), every)
    }

    /// UDP to the port that pods serve.
    pub fn udp(host: &Host, vip: IpAddr, every: Duration) -> Result<Self> {
        Self::start(host, vip, Ask::Udp(POD_PORT), every)
    }

    /// ARP or neighbor discovery.
    pub fn segment(host: &Host, vip: IpAddr, every: Duration) -> Result<Self> {
        Self::start(host, vip, Ask::Segment, every)
    }

    /// Wait until an address answers datagrams, so that whatever a later prober misses is lost.
    pub fn wait_answered(host: &Host, vip: IpAddr) -> Result<()> {
        let prober = Self::udp(host, vip, LINGER)?;
        eventually(ANSWERED_TIME, &format!("{vip} answers"), || {
            prober.answering().context("nobody has").map(drop)
        })
    }

    /// Who answered last, of those that are asked by datagrams.
    pub fn answering(&self) -> Option<String> {
        let latest = self.latest.lock();
        latest.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stop, and hear what it saw.
    pub fn stop(mut self) -> Result<Report> {
        self.stop.store(true, Ordering::Relaxed);
        let worker = self.worker.take().context("it was stopped before")?;
        worker.join().map_err(|_| anyhow!("the prober panicked"))?
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(worker) = self.worker.take() {
            drop(worker.join());
        }
    }
}

impl Report {
    /// All times longer than `longer_than` in which nobody answered, those at the ends as well.
    pub fn gaps(&self, longer_than: Duration) -> Vec<Gap> {
        let (start, end) = self.span;
        let mut gaps = Vec::new();
        let mut last = (start, None);
        let answers = self
            .answers
            .iter()
            .map(|(at, who)| (*at, Some(who.clone())));
        for (at, who) in answers.chain([(end, None)]) {
            let length = at.saturating_duration_since(last.0);
            if length > longer_than {
                gaps.push(Gap {
                    from: last.0,
                    length,
                    before: last.1,
                    after: who.clone(),
                });
            }
            last = (at, who);
        }
        gaps
    }

    /// The longest time without an answer.
    pub fn longest_gap(&self) -> Duration {
        let gaps = self.gaps(Duration::ZERO);
        gaps.iter().map(|gap| gap.length).max().unwrap_or_default()
    }

    /// Everybody who answered.
    pub fn who(&self) -> BTreeSet<&str> {
        self.answers.iter().map(|(_, who)| who.as_str()).collect()
    }

    /// Who answered, each time another one did: one entry if it was one all the time.
    pub fn changes(&self) -> Vec<(Instant, &str)> {
        let mut changes: Vec<(Instant, &str)> = Vec::new();
        for (at, who) in &self.answers {
            if changes.last().is_none_or(|(_, last)| last != who) {
                changes.push((*at, who));
            }
        }
        changes
    }

    /// Questions that nobody answered. On a segment the last may be one: nobody waited for its
    /// answer.
    pub fn unanswered(&self) -> usize {
        self.sent.saturating_sub(self.answers.len())
    }

    /// An error unless somebody answered and no gap was longer than this.
    pub fn expect_no_gap(&self, longer_than: Duration) -> Result<()> {
        ensure!(
            !self.answers.is_empty(),
            "nobody answered any of {} questions",
            self.sent
        );
        let gaps = self.gaps(longer_than);
        ensure!(
            gaps.is_empty(),
            "{} gaps longer than {longer_than:?}: {gaps:?}",
            gaps.len()
        );
        Ok(())
    }
}

/// Collects what one prober sees.
struct Log {
    start: Instant,
    sent: usize,
    answers: Vec<(Instant, String)>,
}

impl Log {
    fn new() -> Self {
        Self {
            start: Instant::now(),
            sent: 0,
            answers: Vec::new(),
        }
    }

    /// A datagram came that begins with who answers.
    fn hear(&mut self, datagram: &[u8]) -> String {
        let answer = String::from_utf8_lossy(datagram);
        let who = answer.split(' ').next().unwrap_or_default();
        self.answers.push((Instant::now(), who.to_owned()));
        who.to_owned()
    }

    fn finish(self) -> Report {
        Report {
            span: (self.start, Instant::now()),
            sent: self.sent,
            answers: self.answers,
        }
    }
}

fn segment_loop(ear: &Ear, vip: IpAddr, every: Duration, stop: &AtomicBool) -> Result<Report> {
    let mut log = Log::new();
    while !stop.load(Ordering::Relaxed) {
        let next = Instant::now() + every;
        ear.ask(vip)?;
        log.sent += 1;
        while let Some((address, mac, at)) = ear.next_reply(next)? {
            if address == vip {
                log.answers.push((at, mac.to_string()));
            }
        }
    }
    Ok(log.finish())
}

fn http_loop(at: SocketAddr, every: Duration, stop: &AtomicBool) -> Result<Report> {
    let mut log = Log::new();
    while !stop.load(Ordering::Relaxed) {
        let next = Instant::now() + every;
        log.sent += 1;
        if let Ok(body) = http::fetch(None, at, "/", HTTP_TIME) {
            log.answers.push((Instant::now(), body));
        }
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    Ok(log.finish())
}

fn udp_loop(at: SocketAddr, every: Duration, stop: &AtomicBool, latest: &Latest) -> Result<Report> {
    let mut log = Log::new();
    let any = if at.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any)?;
    // What waits here while the machine is busy is late, not lost.
    SockRef::from(&socket).set_recv_buffer_size(BUFFER)?;
    let mut buffer = [0; 512];
    while !stop.load(Ordering::Relaxed) {
        let next = Instant::now() + every;
        // Unreachable is what some scenarios are about.
        drop(socket.send_to(format!("{}", log.sent).as_bytes(), at));
        log.sent += 1;
        loop {
            let left = next.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            if !is_readable_within(&socket, left)? {
                break;
            }
            if let Ok((length, _)) = socket.recv_from(&mut buffer) {
                let who = log.hear(buffer.get(..length).unwrap_or_default());
                *latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(who);
            }
        }
    }
    // The last questions are under way.
    while is_readable_within(&socket, LINGER)? {
        if let Ok((length, _)) = socket.recv_from(&mut buffer) {
            log.hear(buffer.get(..length).unwrap_or_default());
        }
    }
    Ok(log.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(answers: &[(u64, &str)], end: u64) -> Report {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        Report {
            span: (start, at(end)),
            sent: answers.len(),
            answers: answers
                .iter()
                .map(|(ms, who)| (at(*ms), (*who).to_owned()))
                .collect(),
        }
    }

    #[test]
    fn counts_the_silence_at_both_ends() {
        let report = report(&[(50, "a"), (60, "a")], 100);
        let lengths: Vec<u128> = report
            .gaps(Duration::from_millis(20))
            .iter()
            .map(|gap| gap.length.as_millis())
            .collect();
        assert_eq!(lengths, [50, 40]);
        assert_eq!(report.longest_gap(), Duration::from_millis(50));
    }

    #[test]
    fn tells_each_change_of_who_answers() {
        let report = report(&[(1, "a"), (2, "a"), (3, "b"), (4, "a")], 5);
        let who: Vec<&str> = report.changes().into_iter().map(|(_, who)| who).collect();
        assert_eq!(who, ["a", "b", "a"]);
    }

    #[test]
    fn silence_throughout_is_never_no_gap() {
        assert!(
            report(&[], 1)
                .expect_no_gap(Duration::from_secs(1))
                .is_err()
        );
    }
}

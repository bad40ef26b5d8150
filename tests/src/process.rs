//! A process in a namespace of the lab, with its own log file, ended with its guard.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;

use crate::eventually;
use crate::run::{Identity, Run, Stage};

/// How long a process may take to end after SIGTERM before that is an error.
const STOP_TIME: Duration = Duration::from_secs(10);

/// A running process. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    identity: Identity,
    log: PathBuf,
    run: Arc<Run>,
}

/// What of the machine a process sees besides its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Surroundings {
    /// A /sys that shows its own network.
    #[default]
    Own,
    /// The machine's /sys, with the cgroups in it.
    Machine,
    /// The same, with the mounts that the process of this number sees.
    MountsOf(u32),
}

/// What to start and where.
#[derive(Debug, Clone)]
pub(crate) struct Start<'a> {
    pub(crate) run: &'a Arc<Run>,
    pub(crate) host: &'a str,
    pub(crate) name: &'a str,
    pub(crate) stage: Stage,
    pub(crate) program: &'a Path,
    pub(crate) arguments: &'a [String],
    pub(crate) environment: &'a [(&'a str, &'a str)],
    pub(crate) surroundings: Surroundings,
}

impl Start<'_> {
    pub(crate) fn spawn(&self) -> Result<Process> {
        if self.run.is_ended() {
            bail!("the lab has ended");
        }
        let log = self.run.dir().join(format!("{}.log", self.name));
        let file = File::options().create(true).append(true).open(&log)?;
        let namespace = self.run.namespace(self.host);
        // All keep the process number.
        let mut command = match self.surroundings {
            Surroundings::Own => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", &namespace]);
                command
            }
            Surroundings::Machine => {
                let mut command = Command::new("nsenter");
                command.arg(format!("--net=/run/netns/{namespace}"));
                command
            }
            Surroundings::MountsOf(pid) => {
                let mut command = Command::new("nsenter");
                command.arg(format!("--net=/run/netns/{namespace}"));
                command.arg(format!("--mount=/proc/{pid}/ns/mnt"));
                command
            }
        };
        // A group of its own keeps Ctrl-C away from it, so that the run can end things in order.
        let child = command
            .arg(self.program)
            .args(self.arguments)
            .envs(self.environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {}", self.name))?;
        self.run.add_process(self.stage, child.id(), self.name)?;
        let identity = Identity::of(child.id())?;
        Ok(Process {
            name: self.name.to_owned(),
            child,
            identity,
            log,
            run: Arc::clone(self.run),
        })
    }
}

impl Process {
    /// Its process number.
    pub fn pid(&self) -> u32 {
        self.identity.pid
    }

    /// The name it was started with, which is also that of its log.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file with all it wrote to stdout and stderr.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The last lines of its log.
    pub fn log_tail(&self, lines: usize) -> String {
        tail(&self.log, lines)
    }

    /// It has not ended.
    pub fn is_running(&self) -> bool {
        self.identity.is_alive()
    }

    /// An error with the end of its log if it has ended.
    pub fn expect_running(&self) -> Result<()> {
        if !self.is_running() {
            bail!(
                "{} has ended; its last lines:\n{}",
                self.name,
                self.log_tail(15)
            );
        }
        Ok(())
    }

    /// Send any signal, such as SIGSTOP and SIGCONT for a pause.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.identity.signal(signal)
    }

    /// SIGTERM, and wait for its end: the orderly way.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        self.signal(Signal::SIGTERM)?;
        self.ended_within(STOP_TIME)
    }

    /// SIGTERM, and SIGKILL if it takes longer than this to end.
    pub(crate) fn stop_or_kill(&mut self, patience: Duration) -> Result<ExitStatus> {
        self.signal(Signal::SIGTERM)?;
        self.ended_within(patience).or_else(|_| self.kill())
    }

    /// SIGKILL, and wait for its end: the sudden way.
    pub fn kill(&mut self) -> Result<ExitStatus> {
        self.signal(Signal::SIGKILL)?;
        self.ended_within(STOP_TIME)
    }

    /// Resident memory in KiB.
    pub fn rss_kib(&self) -> Result<u64> {
        rss_kib(self.pid())
    }

    /// CPU time used so far, in ticks of 10 ms.
    pub fn cpu_ticks(&self) -> Result<u64> {
        cpu_ticks(self.pid())
    }

    fn ended_within(&mut self, time: Duration) -> Result<ExitStatus> {
        let what = format!("{} ends", self.name);
        let child = &mut self.child;
        eventually(time, &what, || {
            child.try_wait()?.context("it is still running")
        })
        .with_context(|| format!("its last lines:\n{}", self.log_tail(15)))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A run that has ended has seen to its processes, or has handed them over to `make down`.
        if !self.run.is_ended() {
            drop(self.kill());
        }
    }
}

/// The last lines of a file; nothing if it is not there.
pub(crate) fn tail(file: &Path, lines: usize) -> String {
    let text = fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let all: Vec<&str> = text.lines().collect();
    all.get(all.len().saturating_sub(lines)..)
        .unwrap_or_default()
        .join("\n")
}

/// Resident memory of a process in KiB.
pub fn rss_kib(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .context("no VmRSS")?;
    let number = line.trim().trim_end_matches(" kB");
    number
        .parse()
        .with_context(|| format!("reading VmRSS of {pid}"))
}

/// CPU time (user and system) that a process has used, in ticks of 10 ms.
pub fn cpu_ticks(pid: u32) -> Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, fields) = stat.rsplit_once(") ").context("odd stat line")?;
    // Fields 14 and 15 of the line; what follows the name starts at the third.
    fields
        .split(' ')
        .skip(11)
        .take(2)
        .map(|field| Ok(field.parse::<u64>()?))
        .sum()
}

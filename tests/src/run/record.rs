//! The record of a run: a file in the cache, written as things are made, from which anybody can end
//! them later. A process is known by its number and its start time, so that nobody else's process
//! is ever ended in its place.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::cgroup;
use crate::{eventually, shell};

/// How long a process may take to end by itself before it is killed.
const PATIENCE: Duration = Duration::from_secs(1);

/// Order of ending: all of one stage together, then the next. etcd goes last, or the API server
/// hangs for ten seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    Guest,
    ControllerManager,
    ApiServer,
    Etcd,
}

const STAGES: [Stage; 4] = [
    Stage::Guest,
    Stage::ControllerManager,
    Stage::ApiServer,
    Stage::Etcd,
];

/// What becomes of the folder with the logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Goes,
    Stays,
}

/// A process that cannot be mistaken for another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) pid: u32,
    started: u64,
}

impl Identity {
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let (_, started) = state(pid).with_context(|| format!("process {pid} is gone"))?;
        Ok(Self { pid, started })
    }

    /// Alive: there, the same one, and not a zombie.
    pub(crate) fn is_alive(self) -> bool {
        state(self.pid).is_some_and(|(state, started)| started == self.started && state != 'Z')
    }

    pub(crate) fn signal(self, signal: Signal) -> Result<()> {
        if self.is_alive() {
            kill(Pid::from_raw(i32::try_from(self.pid)?), signal)
                .with_context(|| format!("cannot send {signal} to process {}", self.pid))?;
        }
        Ok(())
    }
}

/// The state letter and start time (in ticks since boot) of a process.
fn state(pid: u32) -> Option<(char, u64)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything; what follows the last one is fields from the third.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(18)?.parse().ok()?))
}

#[derive(Debug)]
pub(crate) struct Record {
    file: File,
    path: PathBuf,
}

impl Record {
    pub(crate) fn create(path: &Path, dir: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("cannot make {}", path.display()))?;
        let mut record = Self {
            file,
            path: path.to_owned(),
        };
        let Identity { pid, started } = Identity::of(process::id())?;
        record.line(&format!("kit {pid} {started}"))?;
        record.line(&format!("dir {}", dir.display()))?;
        Ok(record)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn add_namespace(&mut self, name: &str) -> Result<()> {
        self.line(&format!("namespace {name}"))
    }

    pub(crate) fn add_process(&mut self, stage: Stage, pid: u32, name: &str) -> Result<()> {
        let Ok(Identity { pid, started }) = Identity::of(pid) else {
            return Ok(()); // It has ended already, and its log says why.
        };
        self.line(&format!("process {} {pid} {started} {name}", stage as u8))
    }

    pub(crate) fn add_cgroup(&mut self, name: &str) -> Result<()> {
        self.line(&format!("cgroup {name}"))
    }

    pub(crate) fn add_setting(&mut self, path: &str, value: &str) -> Result<()> {
        self.line(&format!("setting {path} {value}"))
    }

    pub(crate) fn keep(&mut self) -> Result<()> {
        self.line("kept")
    }

    fn line(&mut self, line: &str) -> Result<()> {
        writeln!(self.file, "{line}").with_context(|| format!("writing {}", self.path.display()))
    }
}

/// What a record says.
#[derive(Debug, Default)]
pub(crate) struct Found {
    kit: Option<Identity>,
    dir: Option<PathBuf>,
    namespaces: BTreeSet<String>,
    processes: Vec<(u8, Identity)>,
    cgroups: BTreeSet<String>,
    settings: Vec<(String, String)>,
    kept: bool,
}

impl Found {
    pub(crate) fn is_running(&self) -> bool {
        !self.kept && self.kit.is_some_and(Identity::is_alive)
    }

    pub(crate) fn is_kept(&self) -> bool {
        self.kept
    }
}

pub(crate) fn read(path: &Path) -> Result<Found> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let mut found = Found::default();
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["kit", pid, started] => {
                found.kit = Some(Identity {
                    pid: pid.parse()?,
                    started: started.parse()?,
                });
            }
            ["dir", dir] => found.dir = Some(PathBuf::from(dir)),
            ["namespace", name] => {
                found.namespaces.insert((*name).to_owned());
            }
            ["process", stage, pid, started, ..] => {
                let identity = Identity {
                    pid: pid.parse()?,
                    started: started.parse()?,
                };
                found.processes.push((stage.parse()?, identity));
            }
            ["cgroup", name] => {
                found.cgroups.insert((*name).to_owned());
            }
            ["setting", path, value] => {
                found
                    .settings
                    .push(((*path).to_owned(), (*value).to_owned()));
            }
            ["kept"] => found.kept = true,
            // A line cut short by the death of its writer.
            _ => {}
        }
    }
    Ok(found)
}

/// End everything that a record names, and the record with it.
pub(crate) fn end(path: &Path, fate: Fate) -> Result<()> {
    let found = read(path)?;
    for stage in STAGES {
        let members: Vec<Identity> = found
            .processes
            .iter()
            .filter(|(of, _)| *of == stage as u8)
            .map(|(_, identity)| *identity)
            .collect();
        end_processes(&members)?;
    }
    found
        .cgroups
        .iter()
        .try_for_each(|name| cgroup::end(name))?;
    for name in &found.namespaces {
        delete_namespace(name)?;
    }
    for (path, value) in &found.settings {
        fs::write(path, value).with_context(|| format!("putting {path} back"))?;
    }
    if let (Fate::Goes, Some(dir)) = (fate, &found.dir) {
        // Only ever a folder that looks like ours.
        ensure!(
            dir.to_string_lossy().contains("seamark-lab-"),
            "odd folder {}",
            dir.display()
        );
        remove_dir(dir)?;
    }
    fs::remove_file(path).with_context(|| format!("removing {}", path.display()))
}

/// End namespaces that are named after a run without a record, whose process is gone as well.
pub(crate) fn end_nameless(spared: &[String]) -> Result<Vec<String>> {
    let Ok(entries) = fs::read_dir("/run/netns") else {
        return Ok(Vec::new());
    };
    let mut ended = Vec::new();
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let Some((run, _)) = name
            .strip_prefix("smk")
            .and_then(|rest| rest.split_once('-'))
        else {
            continue;
        };
        let numbered = !run.is_empty() && run.bytes().all(|byte| byte.is_ascii_digit());
        if numbered
            && !spared.iter().any(|one| one == run)
            && !Path::new("/proc").join(run).exists()
        {
            delete_namespace(&name)?;
            ended.push(format!("ended namespace {name}, which a run had left"));
        }
    }
    Ok(ended)
}

fn end_processes(members: &[Identity]) -> Result<()> {
    let all_gone = || {
        let left = members.iter().filter(|member| member.is_alive()).count();
        ensure!(left == 0, "{left} processes are still there");
        Ok(())
    };
    for member in members {
        member.signal(Signal::SIGTERM)?;
        member.signal(Signal::SIGCONT)?;
    }
    if eventually(PATIENCE, "processes end after SIGTERM", all_gone).is_ok() {
        return Ok(());
    }
    for member in members {
        member.signal(Signal::SIGKILL)?;
    }
    eventually(PATIENCE, "processes end after SIGKILL", all_gone)
}

/// Whatever still runs in a namespace of ours was started by us.
fn delete_namespace(name: &str) -> Result<()> {
    if !Path::new("/run/netns").join(name).exists() {
        return Ok(());
    }
    let inside: Vec<Identity> = shell::run(&["ip", "netns", "pids", name])?
        .lines()
        .filter_map(|pid| Identity::of(pid.parse().ok()?).ok())
        .collect();
    end_processes(&inside)?;
    shell::run(&["ip", "netns", "del", name])?;
    Ok(())
}

fn remove_dir(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", dir.display()))
        }
        _ => Ok(()),
    }
}

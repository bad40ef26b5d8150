//! A run of the lab owns what it makes: processes, namespaces and a folder. Whatever way the run
//! takes out, they are ended; what a killed run left behind is ended by the next one.

mod cgroup;
mod record;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;

use anyhow::{Context, Result, bail, ensure};
use nix::sched::{CloneFlags, unshare};
use tokio::signal::unix::{SignalKind, signal};

use crate::{shell, tools};

use record::{Fate, Record};
pub(crate) use record::{Identity, Stage};

/// The runs of this process, for the thread that handles signals.
static RUNS: Mutex<Vec<Weak<Run>>> = Mutex::new(Vec::new());

/// Call this first in `main`, before any thread is started: ends what killed runs left behind, moves
/// the process into a network namespace of its own (so that every thread reaches the lab and
/// nothing else), and makes SIGINT and SIGTERM end the lab before they end the process.
pub fn enter() -> Result<()> {
    ensure!(
        nix::unistd::geteuid().is_root(),
        "the lab makes network namespaces and needs root; run it as root (sudo -E make …)"
    );
    for line in clear(Which::Dead)? {
        writeln!(io::stderr(), "lab: {line}")?;
    }
    ensure!(
        fs::read_dir("/proc/self/task")?.count() == 1,
        "lab::enter comes first in main: it moves one thread, and others are running"
    );
    unshare(CloneFlags::CLONE_NEWNET)
        .context("cannot make a network namespace; a container needs CAP_SYS_ADMIN for that")?;
    shell::run(&["ip", "link", "set", "lo", "up"])?;
    end_on_signals()
}

/// `make down`: end the runs that are kept up and what killed runs left behind, and tell what was
/// done. Runs whose process is alive are left to it.
pub fn down() -> Result<Vec<String>> {
    clear(Which::DeadAndKept)
}

/// Whether the logs of runs that are ended from outside are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Logs {
    Stay,
    AsWanted,
}

/// End all runs of this process, from whatever thread.
pub(crate) fn end_all(logs: Logs) {
    let runs = std::mem::take(&mut *RUNS.lock().unwrap_or_else(PoisonError::into_inner));
    for run in runs.iter().filter_map(Weak::upgrade) {
        if logs == Logs::Stay {
            run.keep_dir();
        }
        run.end();
    }
}

/// Kill whatever is in a cgroup of a run.
pub(crate) fn end_cgroup_members(name: &str) -> Result<()> {
    cgroup::kill_members(name)
}

/// One run of the lab in this process.
#[derive(Debug)]
pub struct Run {
    prefix: String,
    dir: PathBuf,
    record: Mutex<Record>,
    ended: AtomicBool,
    keep_dir: AtomicBool,
}

impl Run {
    pub(crate) fn start() -> Result<Arc<Self>> {
        let pid = process::id();
        let dir = std::env::temp_dir().join(format!("seamark-lab-{pid}"));
        if dir.exists() {
            fs::remove_dir_all(&dir)?;
        }
        fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let record = Record::create(&records()?.join(pid.to_string()), &dir)?;
        let run = Arc::new(Self {
            prefix: format!("smk{pid}"),
            dir,
            record: Mutex::new(record),
            ended: AtomicBool::new(false),
            keep_dir: AtomicBool::new(std::env::var_os("KEEP").is_some()),
        });
        RUNS.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::downgrade(&run));
        Ok(run)
    }

    /// The folder of this run: logs, captures, certificates.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The full name of a namespace of this run.
    pub fn namespace(&self, host: &str) -> String {
        format!("{}-{host}", self.prefix)
    }

    /// Leave the folder with logs and captures where it is when the run ends.
    pub fn keep_dir(&self) {
        self.keep_dir.store(true, Ordering::Relaxed);
    }

    pub(crate) fn add_namespace(&self, host: &str) -> Result<String> {
        let name = self.namespace(host);
        self.note(|record| record.add_namespace(&name))?;
        shell::run(&["ip", "netns", "add", &name])?;
        Ok(name)
    }

    pub(crate) fn delete_namespace(&self, host: &str) -> Result<()> {
        shell::run(&["ip", "netns", "del", &self.namespace(host)])?;
        Ok(())
    }

    pub(crate) fn add_process(&self, stage: Stage, pid: u32, name: &str) -> Result<()> {
        self.note(|record| record.add_process(stage, pid, name))
    }

    /// Make a cgroup that is ended with the run.
    pub(crate) fn add_cgroup(&self, name: &str) -> Result<()> {
        self.note(|record| record.add_cgroup(name))?;
        cgroup::make(name)
    }

    /// Put a setting of the machine back when the run ends, whatever is done to it meanwhile.
    pub(crate) fn keep_setting(&self, path: &str) -> Result<()> {
        let value = fs::read_to_string(path).with_context(|| format!("reading {path}"))?;
        self.note(|record| record.add_setting(path, value.trim()))
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// Hand everything over to `make down`.
    pub(crate) fn leak(&self) -> Result<()> {
        self.note(Record::keep)?;
        self.ended.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// End everything that the run made; the second call does nothing.
    pub(crate) fn end(&self) {
        // The record is held until all is done, so that nobody starts anything meanwhile.
        let record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        if self.ended.swap(true, Ordering::Relaxed) {
            return;
        }
        let fate = if self.keep_dir.load(Ordering::Relaxed) {
            Fate::Stays
        } else {
            Fate::Goes
        };
        if let Err(error) = record::end(record.path(), fate) {
            // Nobody is left to return it to; the next run tries again.
            drop(writeln!(
                io::stderr(),
                "lab: could not end everything: {error:#}"
            ));
        }
        if fate == Fate::Stays {
            drop(writeln!(
                io::stderr(),
                "lab: logs and captures are in {}",
                self.dir.display()
            ));
        }
    }

    fn note(&self, write: impl FnOnce(&mut Record) -> Result<()>) -> Result<()> {
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_ended() {
            bail!("the lab has ended");
        }
        write(&mut record)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.end();
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Dead,
    DeadAndKept,
}

fn records() -> Result<PathBuf> {
    let dir = tools::cache()?.join("runs");
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    Ok(dir)
}

fn clear(which: Which) -> Result<Vec<String>> {
    let mut done = Vec::new();
    let mut spared = Vec::new();
    for entry in fs::read_dir(records()?)? {
        let path = entry?.path();
        let found = record::read(&path)?;
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if found.is_running() {
            done.push(format!("run {name} is alive, it ends itself"));
            spared.push(name);
        } else if found.is_kept() && which == Which::Dead {
            spared.push(name);
        } else {
            record::end(&path, Fate::Goes)?;
            done.push(format!("ended what run {name} had left"));
        }
    }
    if which == Which::Dead {
        done.retain(|line| line.starts_with("ended"));
    }
    done.extend(record::end_nameless(&spared)?);
    Ok(done)
}

fn end_on_signals() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            let stopped: io::Result<i32> = runtime.block_on(async {
                let mut interrupt = signal(SignalKind::interrupt())?;
                let mut terminate = signal(SignalKind::terminate())?;
                Ok(tokio::select! { _ = interrupt.recv() => 130, _ = terminate.recv() => 143 })
            });
            end_all(Logs::AsWanted);
            process::exit(stopped.unwrap_or(1));
        })?;
    Ok(())
}

//! What all routers have in common: a folder, processes, and routes in a kernel.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::Signal;
use nix::unistd::User;

use crate::host::Host;
use crate::process::Process;
use crate::shell;

/// How long a router may take to say goodbye.
const FAREWELL: Duration = Duration::from_secs(3);

/// The names under which routing daemons leave routes in a kernel.
const ORIGINS: [&str; 3] = ["bgp", "bird", "zebra"];

/// The processes of one router, in the order in which they were started.
#[derive(Debug)]
pub(super) struct Instance {
    host: Host,
    dir: PathBuf,
    processes: Vec<Process>,
    /// Folders elsewhere that a killed process does not remove.
    crumbs: Vec<String>,
}

impl Instance {
    /// An empty folder for a router in a host.
    pub(super) fn new(host: &Host) -> Result<Self> {
        let dir = host.owner().dir().join(format!("router-{}", host.name()));
        if dir.exists() {
            fs::remove_dir_all(&dir)?;
        }
        fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        Ok(Self {
            host: host.clone(),
            dir,
            processes: Vec::new(),
            crumbs: Vec::new(),
        })
    }

    pub(super) fn host(&self) -> &Host {
        &self.host
    }

    /// A file in the router's folder.
    pub(super) fn path(&self, name: &str) -> String {
        self.dir.join(name).to_string_lossy().into_owned()
    }

    /// Write a file into the router's folder.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.dir.join(name);
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
    }

    /// Give the folder and what is in it to a user.
    pub(super) fn give_to(&self, user: &str) -> Result<()> {
        let found = User::from_name(user)?;
        let found = found.with_context(|| format!("no user {user}: `make setup` makes it"))?;
        let (user, group) = (Some(found.uid.as_raw()), Some(found.gid.as_raw()));
        for entry in fs::read_dir(&self.dir)? {
            chown(entry?.path(), user, group)?;
        }
        chown(&self.dir, user, group)?;
        Ok(())
    }

    /// Note a folder that a process makes elsewhere.
    pub(super) fn leaves(&mut self, folder: String) {
        self.crumbs.push(folder);
    }

    /// Start one of its processes and return its number; its log is `router-<host>-<program>.log`.
    pub(super) fn spawn(&mut self, command: &[&str]) -> Result<u32> {
        let program = command.first().context("an empty command")?;
        let program = Path::new(program).file_name().unwrap_or_default();
        let name = format!("router-{}-{}", self.host.name(), program.to_string_lossy());
        let process = self.host.spawn(&name, command)?;
        let number = process.pid();
        self.processes.push(process);
        Ok(number)
    }

    pub(super) fn expect_running(&self) -> Result<()> {
        self.processes.iter().try_for_each(Process::expect_running)
    }

    /// Round-robin scheduling for all threads of all its processes.
    pub(super) fn never_be_late(&self) -> Result<()> {
        self.processes.iter().try_for_each(|process| {
            let pid = process.pid().to_string();
            shell::run(&["chrt", "--all-tasks", "--rr", "--pid", "50", &pid]).map(drop)
        })
    }

    pub(super) fn signal(&self, signal: Signal) -> Result<()> {
        self.processes
            .iter()
            .try_for_each(|process| process.signal(signal))
    }

    /// SIGKILL all.
    pub(super) fn kill(&mut self) -> Result<()> {
        for process in self.processes.iter_mut().rev() {
            process.kill()?;
        }
        self.sweep();
        Ok(())
    }

    fn sweep(&mut self) {
        self.processes.clear();
        for folder in self.crumbs.drain(..) {
            // Those that ended in order have removed it.
            drop(fs::remove_dir_all(folder));
        }
    }

    /// End all in order, those that feed on others first, and take what they left in the kernel.
    fn end(&mut self) -> Result<()> {
        // One that was paused hears nothing.
        self.signal(Signal::SIGCONT)?;
        for process in self.processes.iter_mut().rev() {
            process.stop_or_kill(FAREWELL)?;
        }
        self.sweep();
        for family in ["-4", "-6"] {
            for origin in ORIGINS {
                let flush = ["ip", family, "route", "flush", "proto", origin];
                // Nothing to flush is an error to some versions.
                drop(self.host.output(&flush)?);
            }
        }
        // FRR's routes share next hop objects, which outlive them.
        let flush = ["ip", "nexthop", "flush", "proto", "zebra"];
        drop(self.host.output(&flush)?);
        Ok(())
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // The run ends what is left, and the next router in this host says what it finds.
        if !self.host.owner().is_ended() {
            drop(self.end());
        }
    }
}

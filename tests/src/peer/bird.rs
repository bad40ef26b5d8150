//! BIRD 2: one process, told what to do by `birdc`.

mod shown;
mod text;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;

use super::instance::Instance;
use super::{BfdSession, Config, GracefulRestart, Path, Program, Router, Session};
use crate::eventually;
use crate::host::Host;

const START_TIME: Duration = Duration::from_secs(20);

/// A router played by BIRD.
#[derive(Debug)]
pub struct Bird {
    instance: Instance,
    speaks_bfd: bool,
    graceful_restart: GracefulRestart,
    /// It ran before.
    has_run: bool,
}

impl Bird {
    /// Start BIRD in a host.
    pub fn start(host: &Host, config: &Config) -> Result<Self> {
        let instance = Instance::new(host)?;
        instance.write("bird.conf", &text::bird(config)?)?;
        let mut router = Self {
            instance,
            speaks_bfd: speaks_bfd(config),
            graceful_restart: config.graceful_restart,
            has_run: false,
        };
        router.spawn()?;
        Ok(router)
    }

    /// The `bird.conf` that says this.
    pub fn file(config: &Config) -> Result<String> {
        text::bird(config)
    }

    /// Do as this says instead, without ending sessions that stay as they are.
    pub fn configure(&mut self, config: &Config) -> Result<()> {
        self.speaks_bfd = speaks_bfd(config);
        self.instance.write("bird.conf", &text::bird(config)?)?;
        let said = self.show("configure")?;
        ensure!(said.contains("Reconfigur"), "it says {said}");
        Ok(())
    }

    /// What a birdc command shows.
    pub fn show(&self, command: &str) -> Result<String> {
        let socket = self.instance.path("bird.ctl");
        let mut all = vec!["birdc", "-s", &socket];
        all.extend(command.split(' '));
        self.instance.host().run(&all)
    }

    fn spawn(&mut self) -> Result<()> {
        let [conf, socket, pid] =
            ["bird.conf", "bird.ctl", "bird.pid"].map(|name| self.instance.path(name));
        let mut command = vec!["bird", "-f", "-c", &conf, "-s", &socket, "-P", &pid];
        if std::mem::replace(&mut self.has_run, true)
            && self.graceful_restart == GracefulRestart::Full
        {
            // It goes on with what the kernel holds of it.
            command.push("-R");
        }
        self.instance.spawn(&command)?;
        eventually(START_TIME, "BIRD answers", || {
            self.instance.expect_running()?;
            let said = self.show("show status")?;
            ensure!(said.contains("Daemon is up and running"), "it says {said}");
            Ok(())
        })
    }
}

fn speaks_bfd(config: &Config) -> bool {
    config.peers.iter().any(|peer| peer.bfd.is_some())
}

impl Router for Bird {
    fn program(&self) -> Program {
        Program::Bird
    }

    fn host(&self) -> &Host {
        self.instance.host()
    }

    fn sessions(&self) -> Result<BTreeMap<IpAddr, Session>> {
        shown::sessions(&self.show("show protocols all")?)
    }

    fn bfd_sessions(&self) -> Result<BTreeMap<IpAddr, BfdSession>> {
        if !self.speaks_bfd {
            return Ok(BTreeMap::new());
        }
        shown::bfd_sessions(&self.show("show bfd sessions")?)
    }

    fn routes(&self, is_v4: bool) -> Result<BTreeMap<String, Vec<Path>>> {
        let table = if is_v4 { "master4" } else { "master6" };
        let peers = shown::peers(&self.show("show protocols all")?);
        shown::routes(
            &self.show(&format!("show route table {table} all"))?,
            &peers,
        )
    }

    fn never_be_late(&self) -> Result<()> {
        self.instance.never_be_late()
    }

    fn pause(&self) -> Result<()> {
        self.instance.signal(Signal::SIGSTOP)
    }

    fn resume(&self) -> Result<()> {
        self.instance.signal(Signal::SIGCONT)
    }

    fn kill(&mut self) -> Result<()> {
        self.instance.kill()
    }

    fn start_again(&mut self) -> Result<()> {
        self.spawn()
    }
}

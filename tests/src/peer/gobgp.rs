//! GoBGP: one process, asked by `gobgp -j`.

mod shown;
mod text;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::Signal;
use serde_json::Value;

use super::config::Announced;
use super::instance::Instance;
use super::{BfdSession, Config, Path, Program, Router, Session};
use crate::eventually;
use crate::host::Host;

/// Where it takes orders, in its own host.
const API_PORT: &str = "50051";
const START_TIME: Duration = Duration::from_secs(20);

/// A router played by GoBGP.
#[derive(Debug)]
pub struct GoBgp {
    instance: Instance,
    config: Config,
}

impl GoBgp {
    /// Start gobgpd in a host.
    pub fn start(host: &Host, config: &Config) -> Result<Self> {
        let instance = Instance::new(host)?;
        instance.write("gobgpd.toml", &text::gobgpd(config)?)?;
        let mut router = Self {
            instance,
            config: config.clone(),
        };
        router.spawn()?;
        Ok(router)
    }

    fn spawn(&mut self) -> Result<()> {
        let conf = self.instance.path("gobgpd.toml");
        let api = format!("127.0.0.1:{API_PORT}");
        let mut command = vec!["gobgpd", "-f", &conf, "-l", "info", "--log-plain"];
        command.extend(["--api-hosts", &api, "--pprof-disable"]);
        self.instance.spawn(&command)?;
        eventually(START_TIME, "GoBGP answers", || {
            self.instance.expect_running()?;
            self.gobgp(&["global"]).map(drop)
        })?;
        self.config
            .announced
            .iter()
            .try_for_each(|announced| self.announce(announced))
    }

    /// It learns routes of its own by its command line only.
    fn announce(&self, announced: &Announced) -> Result<()> {
        let next_hop = announced.next_hop.to_string();
        let family = if announced.next_hop.is_ipv4() {
            "ipv4"
        } else {
            "ipv6"
        };
        let communities: Vec<String> = announced
            .communities
            .iter()
            .map(|(asn, value)| format!("{asn}:{value}"))
            .collect();
        let large: Vec<String> = announced
            .large_communities
            .iter()
            .map(|(global, local1, local2)| format!("{global}:{local1}:{local2}"))
            .collect();
        let (communities, large) = (communities.join(","), large.join(","));
        let mut words = vec!["global", "rib", "-a", family, "add", &announced.prefix];
        words.extend(["nexthop", &next_hop, "origin", "igp"]);
        if !communities.is_empty() {
            words.extend(["community", &communities]);
        }
        if !large.is_empty() {
            words.extend(["large-community", &large]);
        }
        self.gobgp(&words).map(drop)
    }

    fn gobgp(&self, words: &[&str]) -> Result<String> {
        let all = [&["gobgp", "-p", API_PORT], words].concat();
        self.instance.host().run(&all)
    }

    fn json(&self, words: &[&str]) -> Result<Value> {
        let said = self.gobgp(&[&["-j"], words].concat())?;
        serde_json::from_str(&said).with_context(|| format!("{words:?}: {said:?} is no JSON"))
    }
}

impl Router for GoBgp {
    fn program(&self) -> Program {
        Program::GoBgp
    }

    fn host(&self) -> &Host {
        self.instance.host()
    }

    fn sessions(&self) -> Result<BTreeMap<IpAddr, Session>> {
        shown::sessions(&self.json(&["neighbor"])?)
    }

    fn bfd_sessions(&self) -> Result<BTreeMap<IpAddr, BfdSession>> {
        Ok(BTreeMap::new())
    }

    fn routes(&self, is_v4: bool) -> Result<BTreeMap<String, Vec<Path>>> {
        let family = if is_v4 { "ipv4" } else { "ipv6" };
        shown::routes(&self.json(&["global", "rib", "-a", family])?)
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

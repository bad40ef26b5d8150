//! FRR: zebra, bgpd and, where a peer is watched, bfdd, without systemd and without anything outside the run's folder.

mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;

use super::instance::Instance;
use super::{BfdSession, Capability, Config, GracefulRestart, Path, Program, Router, Session};
use crate::eventually;
use crate::host::Host;

const FOLDER: &str = "/usr/lib/frr";
const USER: &str = "frr";
/// Where its daemons keep a folder while they run; one that is killed leaves it.
const SCRATCH: &str = "/var/tmp/frr";
const START_TIME: Duration = Duration::from_secs(20);

/// A router played by FRR.
#[derive(Debug)]
pub struct Frr {
    instance: Instance,
    config: Config,
}

impl Frr {
    /// Start zebra and bgpd in a host.
    pub fn start(host: &Host, config: &Config) -> Result<Self> {
        let instance = Instance::new(host)?;
        let mut router = Self {
            instance,
            config: config.clone(),
        };
        router.spawn()?;
        Ok(router)
    }

    /// The `bgpd.conf` that says this.
    pub fn file(config: &Config) -> Result<String> {
        text::bgpd(config)
    }

    /// The `bfdd.conf` that says this.
    pub fn bfd_file(config: &Config) -> Result<String> {
        text::bfdd(config)
    }

    /// What a command of vtysh shows of bgpd.
    pub fn show(&self, command: &str) -> Result<String> {
        self.vtysh(&[command])
    }

    /// Do as this says instead, without ending sessions that stay as they are.
    pub fn configure(&mut self, config: &Config) -> Result<()> {
        let change = text::change(&self.config, config)?;
        let lines: Vec<&str> = change.lines().collect();
        self.enter(&lines)?;
        if self.speaks_bfd() {
            let profiles = text::bfdd(config)?;
            let lines: Vec<&str> = profiles.lines().collect();
            self.enter_bfd(&lines)?;
        }
        self.config = config.clone();
        Ok(())
    }

    /// Lines of configuration, as a person enters them.
    pub fn enter(&self, lines: &[&str]) -> Result<()> {
        self.vtysh(&[&["configure terminal"], lines].concat())
            .map(drop)
    }

    /// What a command of vtysh shows of bfdd.
    pub fn show_bfd(&self, command: &str) -> Result<String> {
        vtysh(&self.instance, "bfdd", &[command])
    }

    /// Lines of bfdd's configuration, as a person enters them.
    pub fn enter_bfd(&self, lines: &[&str]) -> Result<()> {
        let all = [&["configure terminal"], lines].concat();
        vtysh(&self.instance, "bfdd", &all).map(drop)
    }

    /// Ask all peers to tell all again (RFC 2918).
    pub fn refresh(&self) -> Result<()> {
        let families = ["ipv4", "ipv6"];
        let ask = families.map(|family| format!("clear bgp {family} unicast * soft in"));
        self.vtysh(&ask.each_ref().map(String::as_str)).map(drop)
    }

    fn spawn(&mut self) -> Result<()> {
        let instance = &mut self.instance;
        instance.write("zebra.conf", "ip nht resolve-via-default\n")?;
        instance.write("bgpd.conf", &text::bgpd(&self.config)?)?;
        instance.write("bfdd.conf", &text::bfdd(&self.config)?)?;
        instance.write("vtysh.conf", "service integrated-vtysh-config\n")?;
        // Root is no member of the group to which the daemons give their sockets.
        instance.give_to(USER)?;
        // A big netlink buffer, as Debian's own units ask for. And an IPv6 route with other next
        // hops is replaced, where this version would delete it and add another: what comes between
        // the two has no way.
        let mut zebra = vec!["-s", "90000000", "--v6-rr-semantics"];
        if self.config.graceful_restart == GracefulRestart::Full {
            // For so many seconds it leaves what the zebra before had told the kernel.
            zebra.extend(["-K", "30"]);
        }
        self.start_daemon("zebra", &zebra)?;
        if self.speaks_bfd() {
            let control = self.instance.path("bfdd.sock");
            self.start_daemon("bfdd", &["--bfdctl", &control])?;
        }
        self.start_daemon("bgpd", &[])
    }

    fn speaks_bfd(&self) -> bool {
        self.config.peers.iter().any(|peer| peer.bfd.is_some())
    }

    /// Start one daemon, with its sockets in the router's folder, and wait for its answer.
    fn start_daemon(&mut self, daemon: &str, more: &[&str]) -> Result<()> {
        let instance = &mut self.instance;
        let path = |ending: &str| instance.path(&format!("{daemon}.{ending}"));
        let (program, conf, pid) = (format!("{FOLDER}/{daemon}"), path("conf"), path("pid"));
        let (dir, zebra) = (instance.path(""), instance.path("zserv.api"));
        let mut command: Vec<&str> = vec![&program, "-f", &conf, "-i", &pid, "-z", &zebra];
        command.extend(["--vty_socket", &dir, "-P", "0", "-u", USER, "-g", USER]);
        command.extend(["--log", "stdout", "--log-level", "informational"]);
        command.extend(more);
        let number = instance.spawn(&command)?;
        instance.leaves(format!("{SCRATCH}/{daemon}.{number}"));
        eventually(START_TIME, &format!("{daemon} answers"), || {
            self.instance.expect_running()?;
            vtysh(&self.instance, daemon, &["show version"]).map(drop)
        })
    }

    fn vtysh(&self, commands: &[&str]) -> Result<String> {
        vtysh(&self.instance, "bgpd", commands)
    }

    fn json(&self, command: &str) -> Result<Value> {
        let said = self.show(command)?;
        serde_json::from_str(&said).with_context(|| format!("{command}: {said:?} is no JSON"))
    }
}

impl Router for Frr {
    fn program(&self) -> Program {
        Program::Frr
    }

    fn host(&self) -> &Host {
        self.instance.host()
    }

    fn sessions(&self) -> Result<BTreeMap<IpAddr, Session>> {
        let all = self.json("show bgp neighbors json")?;
        let all = all.as_object().context("the neighbors are no object")?;
        let mut sessions = BTreeMap::new();
        for (name, neighbor) in all {
            // Those of an interface are named by that; and those of a range have no address before
            // they dial.
            let shown = neighbor["bgpNeighborAddr"].as_str().unwrap_or_default();
            if let Ok(address) = name.parse().or_else(|_| shown.parse()) {
                sessions.insert(address, session(neighbor));
            }
        }
        Ok(sessions)
    }

    fn bfd_sessions(&self) -> Result<BTreeMap<IpAddr, BfdSession>> {
        if !self.speaks_bfd() {
            return Ok(BTreeMap::new());
        }
        let said = self.show_bfd("show bfd peers json")?;
        let all: Value = serde_json::from_str(&said).context("bfdd shows no JSON")?;
        let all = all.as_array().context("the BFD peers are no list")?;
        let sessions = all.iter().filter_map(|shown| {
            let address = shown["peer"].as_str()?.parse().ok()?;
            Some((address, bfd_session(shown)))
        });
        Ok(sessions.collect())
    }

    fn routes(&self, is_v4: bool) -> Result<BTreeMap<String, Vec<Path>>> {
        let family = if is_v4 { "ipv4" } else { "ipv6" };
        let all = self.json(&format!("show bgp {family} unicast json detail"))?;
        let routes = all["routes"].as_object().context("no routes")?;
        let mut found = BTreeMap::new();
        for (prefix, route) in routes {
            found.insert(prefix.clone(), paths(route)?);
        }
        Ok(found)
    }

    fn paths(&self, prefix: &str) -> Result<Vec<Path>> {
        let family = if prefix.contains(':') { "ipv6" } else { "ipv4" };
        let route = self.json(&format!("show bgp {family} unicast {prefix} json"))?;
        paths(&route["paths"])
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

/// Run commands of vtysh in one daemon, one after the other.
fn vtysh(instance: &Instance, daemon: &str, commands: &[&str]) -> Result<String> {
    let dir = instance.path("");
    let mut all = vec!["vtysh", "--vty_socket", &dir, "--config_dir", &dir];
    all.extend(["-d", daemon]);
    for command in commands {
        all.extend(["-c", command]);
    }
    let said = instance.host().run(&all)?;
    let refused = said.lines().find(|line| line.starts_with('%'));
    ensure!(refused.is_none(), "{commands:?}: {said}");
    Ok(said)
}

fn session(neighbor: &Value) -> Session {
    let milliseconds = |field: &str| neighbor[field].as_u64().unwrap_or_default();
    let text = |field: &str| neighbor[field].as_str().map(str::to_owned);
    let number = |value: &Value| value.as_u64();
    Session {
        state: text("bgpState").unwrap_or_default(),
        remote_asn: number(&neighbor["remoteAs"])
            .and_then(|asn| u32::try_from(asn).ok())
            .unwrap_or_default(),
        hold_time: Duration::from_millis(milliseconds("bgpTimerHoldTimeMsecs")),
        capabilities: capabilities(&neighbor["neighborCapabilities"]),
        times_established: number(&neighbor["connectionsEstablished"]),
        updates_received: number(&neighbor["messageStats"]["updatesRecv"]),
        last_error: text("lastNotificationReason").or_else(|| text("lastResetDueTo")),
    }
}

/// FRR shows both sides' numbers, and not what it makes of them (RFC 5880 §6.8.4).
fn bfd_session(shown: &Value) -> BfdSession {
    let number = |field: &str| shown[field].as_u64().unwrap_or_default();
    let multiplier = number("remote-detect-multiplier");
    let expected = number("receive-interval").max(number("remote-transmit-interval"));
    let sent = number("transmit-interval").max(number("remote-receive-interval"));
    BfdSession {
        state: shown["status"].as_str().unwrap_or_default().to_owned(),
        interval: Duration::from_millis(sent),
        detection_time: Duration::from_millis(multiplier * expected),
    }
}

/// FRR says of each capability whether it was advertised, received or both.
fn capabilities(shown: &Value) -> BTreeSet<Capability> {
    let names = [
        ("4byteAs", Capability::FourOctetAs),
        ("routeRefresh", Capability::RouteRefresh),
        ("enhancedRouteRefresh", Capability::EnhancedRouteRefresh),
        ("extendedMessage", Capability::ExtendedMessage),
        ("extendedNexthop", Capability::ExtendedNextHop),
        ("gracefulRestart", Capability::GracefulRestart),
        ("gracefulRestartCapability", Capability::GracefulRestart),
    ];
    let is_received = |value: &Value| {
        value
            .as_str()
            .is_some_and(|text| text.to_lowercase().contains("received"))
    };
    let mut found: BTreeSet<Capability> = names
        .into_iter()
        .filter(|(name, _)| is_received(&shown[*name]))
        .map(|(_, capability)| capability)
        .collect();
    let families = [
        ("ipv4Unicast", Capability::Ipv4Unicast),
        ("ipv6Unicast", Capability::Ipv6Unicast),
    ];
    for (name, capability) in families {
        let said = &shown["multiprotocolExtensions"][name];
        let received = ["advertisedAndReceived", "received"];
        if received.iter().any(|field| said[*field] == true) {
            found.insert(capability);
        }
    }
    found
}

/// The paths in a list whose first entry may be about the prefix itself.
fn paths(list: &Value) -> Result<Vec<Path>> {
    let all = list.as_array().into_iter().flatten();
    all.filter(|one| one["nexthops"].is_array())
        .map(path)
        .collect()
}

fn path(shown: &Value) -> Result<Path> {
    let number = |field: &str| {
        let value = shown[field].as_u64()?;
        u32::try_from(value).ok()
    };
    let words = |field: &str| -> BTreeSet<String> {
        let list = &shown[field]["list"];
        let listed = list.as_array().into_iter().flatten();
        let mut words: BTreeSet<String> = listed
            .filter_map(|one| one.as_str().map(str::to_owned))
            .collect();
        if words.is_empty() {
            let text = shown[field]["string"].as_str().unwrap_or_default();
            words = text.split_whitespace().map(str::to_owned).collect();
        }
        words
    };
    let hops = shown["nexthops"].as_array().into_iter().flatten();
    let mut next_hops: Vec<(bool, IpAddr)> = Vec::new();
    for hop in hops {
        if let Some(address) = hop["ip"].as_str() {
            next_hops.push((hop["scope"] == "link-local", address.parse()?));
        }
    }
    next_hops.sort_by_key(|(is_link_local, _)| *is_link_local);
    let as_path = shown["aspath"]["string"].as_str().unwrap_or_default();
    Ok(Path {
        peer: shown["peer"]["peerId"]
            .as_str()
            .and_then(|text| text.parse().ok())
            .filter(|ip: &IpAddr| !ip.is_unspecified()),
        next_hops: next_hops.into_iter().map(|(_, ip)| ip).collect(),
        origin: shown["origin"].as_str().unwrap_or_default().to_uppercase(),
        as_path: as_path
            .split_whitespace()
            .filter_map(|asn| asn.parse().ok())
            .collect(),
        multi_exit_disc: number("metric").or_else(|| number("med")),
        local_pref: number("locPrf").or_else(|| number("localpref")),
        communities: words("community")
            .into_iter()
            .map(|one| spelled(&one))
            .collect(),
        large_communities: words("largeCommunity"),
        extended_communities: words("extendedCommunity")
            .into_iter()
            .map(|one| one.replace("RT:", "rt:").replace("SoO:", "ro:"))
            .collect(),
        is_chosen: shown["bestpath"]["overall"] == true || shown["multipath"] == true,
    })
}

/// Well-known communities by number, as the other programs show them.
fn spelled(community: &str) -> String {
    let number: u32 = match community {
        "gracefulShutdown" | "graceful-shutdown" => 0xffff_0000,
        "noExport" | "no-export" => 0xffff_ff01,
        "noAdvertise" | "no-advertise" => 0xffff_ff02,
        "localAs" | "local-AS" => 0xffff_ff03,
        "noPeer" | "no-peer" => 0xffff_ff04,
        "blackhole" => 0xffff_029a,
        _ => return community.to_owned(),
    };
    super::community(number)
}

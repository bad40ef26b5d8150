//! A host of the lab: a namespace in which commands, processes and closures run.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use anyhow::{Context, Result};
use nix::ifaddrs::getifaddrs;

use crate::frame::Mac;
use crate::network::{self, LAN};
use crate::process::{Process, Start, Surroundings};
use crate::run::{Run, Stage};
use crate::{namespace, shell};

/// A handle to a host; cheap to clone, usable from any thread.
#[derive(Debug, Clone)]
pub struct Host {
    name: String,
    run: Arc<Run>,
}

/// One interface as the kernel of its host shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its Ethernet address.
    pub mac: Mac,
    /// Its IPv4 addresses.
    pub v4: Vec<Ipv4Addr>,
    /// Its IPv6 addresses, link-local ones as well.
    pub v6: Vec<Ipv6Addr>,
}

impl Host {
    pub(crate) fn new(run: &Arc<Run>, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            run: Arc::clone(run),
        }
    }

    /// Its short name: `n1`, `cl`, `r1` …
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The full name of its namespace, for `ip netns exec`.
    pub fn namespace(&self) -> String {
        self.run.namespace(&self.name)
    }

    pub(crate) fn owner(&self) -> &Arc<Run> {
        &self.run
    }

    /// Run a command to its end and return its stdout; an exit code other than 0 is an error.
    pub fn run(&self, command: &[&str]) -> Result<String> {
        let namespace = self.namespace();
        shell::run(&[&["ip", "netns", "exec", &namespace], command].concat())
    }

    /// Run a command to its end, whatever its exit code.
    pub fn output(&self, command: &[&str]) -> Result<Output> {
        let namespace = self.namespace();
        shell::output(&[&["ip", "netns", "exec", &namespace], command].concat())
    }

    /// Start a process; what it writes goes to `<name>.log` in the folder of the run.
    pub fn spawn(&self, name: &str, command: &[&str]) -> Result<Process> {
        let (program, arguments) = command.split_first().context("an empty command")?;
        let arguments: Vec<String> = arguments.iter().map(|one| (*one).to_owned()).collect();
        Start {
            run: &self.run,
            host: &self.name,
            name,
            stage: Stage::Guest,
            program: Path::new(program),
            arguments: &arguments,
            environment: &[],
            surroundings: Surroundings::Own,
        }
        .spawn()
    }

    /// Run a closure in this host's namespace, on a thread of its own. Sockets it opens belong to
    /// the host, wherever they are used afterwards.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        namespace::within(&self.namespace(), work)
    }

    /// MAC and addresses of an interface.
    pub fn interface(&self, name: &str) -> Result<Interface> {
        self.within(|| {
            let (mut mac, mut v4, mut v6) = (None, Vec::new(), Vec::new());
            for found in getifaddrs()?.filter(|found| found.interface_name == name) {
                let Some(address) = found.address else {
                    continue;
                };
                if let Some(link) = address.as_link_addr() {
                    mac = link.addr().map(Mac);
                } else if let Some(inet) = address.as_sockaddr_in() {
                    v4.push(inet.ip());
                } else if let Some(inet) = address.as_sockaddr_in6() {
                    v6.push(inet.ip());
                }
            }
            let mac = mac.with_context(|| format!("{} has no interface {name}", self.name))?;
            Ok(Interface { mac, v4, v6 })
        })
    }

    /// All MAC addresses of this host.
    pub fn macs(&self) -> Result<Vec<Mac>> {
        self.within(|| {
            let links = getifaddrs()?.filter_map(|found| found.address?.as_link_addr()?.addr());
            Ok(links.map(Mac).filter(|mac| *mac != Mac([0; 6])).collect())
        })
    }

    /// Take an interface down as an administrator does. The kernel forgets its IPv6 addresses and
    /// its routes, as it does on any host.
    pub fn link_down(&self, interface: &str) -> Result<()> {
        self.batch(&format!("link set {interface} down\n"))
    }

    /// Take an interface up again. The kernel does not bring back what it forgot: for a node's eth0
    /// see [`crate::Lab::restore_node`].
    pub fn link_up(&self, interface: &str) -> Result<()> {
        self.batch(&format!("link set {interface} up\n"))
    }

    /// Pull the cable of eth0: the host sees its carrier go.
    pub fn unplug(&self) -> Result<()> {
        self.on_port("down")
    }

    /// Put the cable of eth0 back.
    pub fn plug(&self) -> Result<()> {
        self.on_port("up")
    }

    /// Let nothing through the bridge port of eth0 while the host keeps its carrier: silent death.
    pub fn isolate(&self) -> Result<()> {
        self.port_state("0")
    }

    /// Let all through again.
    pub fn rejoin(&self) -> Result<()> {
        self.port_state("3")
    }

    /// Add an interface on the second segment (10.95.0.0/24, fd95::/64) with these addresses
    /// (`10.95.0.11/24`).
    pub fn add_interface(&self, interface: &str, addresses: &[&str]) -> Result<()> {
        let (lan, port) = (
            self.run.namespace(LAN),
            format!("q-{}-{interface}", self.name),
        );
        let inside = self.namespace();
        shell::run(&[
            "ip", "link", "add", interface, "netns", &inside, "type", "veth", "peer", "name",
            &port, "netns", &lan,
        ])?;
        network::batch(&self.run, LAN, &format!("link set {port} master br1 up\n"))?;
        self.link_up(interface)?;
        addresses
            .iter()
            .try_for_each(|address| self.add_address(interface, address))
    }

    /// Lay a cable from an interface of this host to one of another; both are new, up, and have no
    /// addresses but their link-local ones.
    pub fn cable(&self, interface: &str, other: &Self, others: &str) -> Result<()> {
        let (here, there) = (self.namespace(), other.namespace());
        shell::run(&[
            "ip", "link", "add", interface, "netns", &here, "type", "veth", "peer", "name", others,
            "netns", &there,
        ])?;
        self.link_up(interface)?;
        other.link_up(others)
    }

    /// Remove an interface; its peer goes with it.
    pub fn remove_interface(&self, interface: &str) -> Result<()> {
        self.batch(&format!("link del {interface}\n"))
    }

    /// Add an address with its prefix length, in either family.
    pub fn add_address(&self, interface: &str, address: &str) -> Result<()> {
        let nodad = if address.contains(':') { " nodad" } else { "" };
        self.batch(&format!("addr add {address} dev {interface}{nodad}\n"))
    }

    /// Remove an address with its prefix length.
    pub fn remove_address(&self, interface: &str, address: &str) -> Result<()> {
        self.batch(&format!("addr del {address} dev {interface}\n"))
    }

    /// What the kernel has in its neighbour table for an address.
    pub fn neighbour(&self, address: IpAddr) -> Result<Option<Mac>> {
        let shown = self.run(&["ip", "neigh", "show", &address.to_string()])?;
        let mut words = shown
            .split_whitespace()
            .skip_while(|word| *word != "lladdr");
        words.nth(1).map(str::parse).transpose()
    }

    /// Forget all neighbours, so that the next packet asks anew.
    pub fn flush_neighbours(&self) -> Result<()> {
        self.run(&["ip", "neigh", "flush", "all"])?;
        Ok(())
    }

    fn batch(&self, lines: &str) -> Result<()> {
        network::batch(&self.run, &self.name, lines)
    }

    fn on_port(&self, state: &str) -> Result<()> {
        let port = network::port(&self.name);
        network::batch(&self.run, LAN, &format!("link set {port} {state}\n"))
    }

    fn port_state(&self, state: &str) -> Result<()> {
        let lan = Self::new(&self.run, LAN);
        lan.run(&[
            "bridge",
            "link",
            "set",
            "dev",
            &network::port(&self.name),
            "state",
            state,
        ])?;
        Ok(())
    }
}

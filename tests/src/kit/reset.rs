//! Between two scenarios everything is put back, and on failure everything is shown.

use std::fs;
use std::time::{Duration, SystemTime};

use anyhow::{Result, ensure};

use super::Lab;
use crate::kubelet::RealNode;
use crate::process::tail;
use crate::{eventually, network};

const CARRIER_TIME: Duration = Duration::from_secs(5);
const SHOWN_LINES: usize = 30;

impl Lab {
    /// Put everything back as it was after [`Lab::up`]: our processes stopped, Services and objects
    /// of ours deleted, nodes and pods as in the topology, API server reachable.
    pub fn reset(&mut self) -> Result<()> {
        ensure!(
            !self.topology.kubelets,
            "nodes with kubelet are made anew, with all that was installed"
        );
        self.seamark.clear();
        self.restore_api_server()?;
        self.start_api_server()?;
        self.cluster.purge()?;
        for number in 1..=self.topology.nodes {
            self.cluster.put_node(number)?;
            self.restore_node(&format!("n{number}"))?;
        }
        for router in self.routers() {
            router.rejoin()?;
        }
        self.restore_pods()?;
        if self.are_clients_behind {
            self.restart_clients()?;
        }
        self.restore_proxies()?;
        self.forget_flows()?;
        self.last_reset = SystemTime::now();
        self.client_host().flush_neighbours()
    }

    /// The next scenario gives the same addresses to other pods: a flow whose port was used before
    /// must not be sent where its predecessor went, nor to where a router has redirected it.
    fn forget_flows(&self) -> Result<()> {
        for node in self.nodes() {
            node.run(&["conntrack", "-F"])?;
        }
        for family in ["-4", "-6"] {
            let flush = ["ip", family, "route", "flush", "cache"];
            self.client_host().run(&flush)?;
        }
        Ok(())
    }

    /// Put the network of a node back: eth0 up and plugged, its addresses and routes, no other
    /// interfaces.
    pub fn restore_node(&self, node: &str) -> Result<()> {
        let host = self.node(node);
        host.plug()?;
        host.link_up("eth0")?;
        // The bridge takes orders for a port only once that has seen its carrier.
        eventually(CARRIER_TIME, "the bridge port forwards", || host.rejoin())?;
        let extra = host.run(&["ip", "-o", "link", "show", "type", "veth"])?;
        for name in extra.lines().filter_map(interface_name) {
            if name != "eth0" && !name.starts_with("pod") {
                host.remove_interface(name)?;
            }
        }
        let present = host.interface("eth0")?;
        let number = crate::topology::node_number(node)?;
        let [own4, own6] = crate::address::node(number);
        for ip in present.v4.iter().filter(|ip| **ip != own4) {
            host.remove_address("eth0", &format!("{ip}/24"))?;
        }
        for ip in present
            .v6
            .iter()
            .filter(|ip| !ip.is_unicast_link_local() && **ip != own6)
        {
            host.remove_address("eth0", &format!("{ip}/64"))?;
        }
        network::restore(&self.run, node, &self.topology)?;
        for pod in self.pods.values().filter(|pod| pod.node() != node) {
            self.route_to_pod(&host, pod)?;
        }
        Ok(())
    }

    /// All that helps to understand a failure: objects, and the last lines of each log.
    pub fn explain(&self) -> String {
        let mut parts = vec![format!("topology: {}", self.topology.describe())];
        let ours = self.cluster.our_kind_names().unwrap_or_default().join(",");
        for kinds in ["nodes,pods", "services", "endpointslices", &ours] {
            if kinds.is_empty() {
                continue;
            }
            let show = self.kubectl(&["get", kinds, "-A", "-o", "wide", "--request-timeout=5s"]);
            let show = show.unwrap_or_else(|error| format!("{error:#}\n"));
            parts.push(format!("--- {kinds}\n{show}"));
        }
        let kubelets = self.kubelets.values().flat_map(RealNode::processes);
        let others = self.plane.processes().chain(self.proxies.values());
        let others = others.chain(kubelets);
        let ended = others.filter(|process| !process.is_running());
        for process in self
            .seamark
            .values()
            .map(|instance| &instance.process)
            .chain(ended)
        {
            let state = if process.is_running() {
                "running"
            } else {
                "ended"
            };
            let tail = process.log_tail(SHOWN_LINES);
            parts.push(format!("--- {} ({state})\n{tail}", process.name()));
        }
        parts.extend(self.router_logs());
        parts.push(format!(
            "--- logs and captures: {}",
            self.run.dir().display()
        ));
        parts.join("\n")
    }

    /// The last lines of what routers wrote since the last reset; they have ended by now.
    fn router_logs(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.run.dir()) else {
            return Vec::new();
        };
        let mut parts = Vec::new();
        for path in entries.flatten().map(|entry| entry.path()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let changed = path.metadata().and_then(|data| data.modified());
            let is_fresh = changed.is_ok_and(|time| time >= self.last_reset);
            if name.starts_with("router-") && name.ends_with(".log") && is_fresh {
                parts.push(format!("--- {name}\n{}", tail(&path, SHOWN_LINES)));
            }
        }
        parts.sort_unstable();
        parts
    }

    fn restore_pods(&mut self) -> Result<()> {
        let names: Vec<String> = self.pods.keys().cloned().collect();
        for name in names {
            self.stop_pod(&name)?;
        }
        self.start_base_pods()
    }
}

/// The name in a line of `ip -o link`: `7: pod1@if6: <…`.
fn interface_name(line: &str) -> Option<&str> {
    line.split(": ").nth(1)?.split('@').next()
}

//! The lab as scenarios see it: one value that owns all of it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use kube::Client;

use crate::cluster::Cluster;
use crate::control_plane::ControlPlane;
use crate::eventually;
use crate::frame::Mac;
use crate::host::Host;
use crate::kubelet::RealNode;
use crate::network::{self, LAN};
use crate::pki::Pki;
use crate::pods::{self, Place, Pod};
use crate::process::Process;
use crate::run::Run;
use crate::seamark::{self, Instance, Part};
use crate::steps::step;
use crate::topology::{Topology, node_number};
use crate::wall_clock::WallClock;

mod proxies;
mod real;
mod reset;

/// How long the control plane may take.
const START_TIME: Duration = Duration::from_secs(90);
/// How long a small thing may take on a busy machine.
const SOON: Duration = Duration::from_secs(20);

/// A lab that is up. Dropping it takes everything down.
#[derive(Debug)]
pub struct Lab {
    topology: Topology,
    // Guards in the order in which they may be dropped; the run last.
    seamark: BTreeMap<Part, Instance>,
    proxies: BTreeMap<String, Process>,
    /// Nodes on which it is not as it was at the start.
    odd_proxies: BTreeSet<String>,
    /// kube-proxy or the controller manager may have lost the API server.
    are_clients_behind: bool,
    pods: BTreeMap<String, Pod>,
    pod_serial: u32,
    kubelets: BTreeMap<String, RealNode>,
    last_reset: SystemTime,
    cluster: Cluster,
    plane: ControlPlane,
    pki: Pki,
    run: Arc<Run>,
}

impl Lab {
    /// Bring a lab up: network, control plane, nodes, kube-proxy, pods. [`crate::enter`] comes first.
    pub fn up(topology: &Topology) -> Result<Self> {
        ensure!(
            (1..=9).contains(&topology.nodes),
            "a lab has one to nine nodes"
        );
        ensure!(
            (1..=4).contains(&topology.routers),
            "a lab has one to four routers"
        );
        let run = Run::start()?;
        let pki = Pki::make(run.dir())?;
        step("network", || network::up(&run, topology))?;
        let plane = step("etcd", || ControlPlane::start(&run, &pki, topology))?;
        let cluster = Cluster::new(&pki.path("admin.kubeconfig"), run.dir())?;
        let mut lab = Self {
            topology: topology.clone(),
            seamark: BTreeMap::new(),
            proxies: BTreeMap::new(),
            odd_proxies: BTreeSet::new(),
            are_clients_behind: false,
            pods: BTreeMap::new(),
            pod_serial: 0,
            kubelets: BTreeMap::new(),
            last_reset: SystemTime::now(),
            cluster,
            plane,
            pki,
            run,
        };
        if let Err(error) = lab.establish() {
            lab.run.keep_dir();
            let logs = lab.run.dir().display();
            return Err(error.context(format!("the lab does not come up; its logs are in {logs}")));
        }
        Ok(lab)
    }

    /// What this lab stands on.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// The run: its folder, and the full names of its namespaces.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// A node of the cluster: `n1`, `n2` …
    pub fn node(&self, name: &str) -> Host {
        Host::new(&self.run, name)
    }

    /// All nodes, in order.
    pub fn nodes(&self) -> Vec<Host> {
        self.topology
            .node_names()
            .iter()
            .map(|name| self.node(name))
            .collect()
    }

    /// All routers, in order.
    pub fn routers(&self) -> Vec<Host> {
        (1..=self.topology.routers)
            .map(|number| Host::new(&self.run, &format!("r{number}")))
            .collect()
    }

    /// The client: `eth0` on the segment, `eth1` behind the first router, `eth2` behind the second.
    pub fn client_host(&self) -> Host {
        Host::new(&self.run, "cl")
    }

    /// Any host by its short name: `r1`, `cp`, `ctl`, `lan` …
    pub fn host(&self, name: &str) -> Host {
        Host::new(&self.run, name)
    }

    /// The node to which a MAC address belongs, on whichever of its interfaces.
    pub fn node_of_mac(&self, mac: Mac) -> Result<Option<String>> {
        for node in self.nodes() {
            if node.macs()?.contains(&mac) {
                return Ok(Some(node.name().to_owned()));
            }
        }
        Ok(None)
    }

    /// The node that has an address on its `eth0`, link-local ones as well: what a next hop means.
    pub fn node_of_address(&self, address: IpAddr) -> Result<Option<String>> {
        for node in self.nodes() {
            let interface = node.interface("eth0")?;
            let has = match address {
                IpAddr::V4(address) => interface.v4.contains(&address),
                IpAddr::V6(address) => interface.v6.contains(&address),
            };
            if has {
                return Ok(Some(node.name().to_owned()));
            }
        }
        Ok(None)
    }

    /// The MAC of a node's `eth0`.
    pub fn mac(&self, node: &str) -> Result<Mac> {
        Ok(self.node(node).interface("eth0")?.mac)
    }

    /// Administrator's client. Use it by [`Self::block_on`].
    pub fn client(&self) -> Client {
        self.cluster.client()
    }

    /// A client that has nothing but a token.
    pub fn client_with_token(&self, token: &str) -> Result<Client> {
        let kubeconfig = self.pki.kubeconfig_with_token("somebody", token)?;
        self.cluster.client_of(&kubeconfig)
    }

    /// The administrator's kubeconfig, for clients of a caller's own.
    pub fn kubeconfig(&self) -> String {
        self.pki.path("admin.kubeconfig")
    }

    /// Run a future to its end on the lab's runtime.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.cluster.block_on(future)
    }

    /// The lab's tokio runtime, for tasks that go on in the background.
    pub fn runtime(&self) -> &tokio::runtime::Runtime {
        self.cluster.runtime()
    }

    /// Run kubectl as administrator and return what it writes.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        self.cluster.kubectl(arguments, "")
    }

    /// `kubectl apply` this YAML, server-side.
    pub fn apply(&self, yaml: &str) -> Result<()> {
        let arguments = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
        self.cluster.kubectl(&arguments, yaml).map(drop)
    }

    /// `kubectl create` this YAML; an error where the API server refuses it.
    pub fn create(&self, yaml: &str) -> Result<()> {
        self.cluster.kubectl(&["create", "-f", "-"], yaml).map(drop)
    }

    /// The command with which a person uses kubectl in this lab.
    pub fn kubectl_line(&self) -> String {
        self.cluster.kubectl_line(&self.run.namespace("cp"))
    }

    // --- Seamark's processes -------------------------------------------------------------------

    /// Start the controller and a speaker on every node.
    pub fn start_seamark(&mut self) -> Result<()> {
        self.start(&Part::Controller, &[])?;
        for node in self.topology.node_names() {
            self.start(&Part::Speaker(node), &[])?;
        }
        Ok(())
    }

    /// Start the controller with these arguments after the usual ones.
    pub fn start_controller(&mut self, arguments: &[&str]) -> Result<()> {
        self.start(&Part::Controller, arguments)
    }

    /// Start the speaker of a node with these arguments after the usual ones.
    pub fn start_speaker(&mut self, node: &str, arguments: &[&str]) -> Result<()> {
        self.start(&Part::speaker(node), arguments)
    }

    /// Start a process of ours; one that runs already is killed first.
    pub fn start(&mut self, part: &Part, arguments: &[&str]) -> Result<()> {
        self.seamark.remove(part);
        let arguments: Vec<String> = arguments.iter().map(|one| (*one).to_owned()).collect();
        let host = self.host(part.host());
        let instance = seamark::start(&self.cluster, &self.pki, part, &host, &arguments)?;
        self.seamark.insert(part.clone(), instance);
        Ok(())
    }

    /// Start the speaker of a node as if the node had just booted: its clock since boot shows this.
    pub fn start_speaker_at_boot(&mut self, node: &str, uptime: Duration) -> Result<()> {
        let part = Part::speaker(node);
        self.seamark.remove(&part);
        let host = self.host(part.host());
        let instance = seamark::start_at_boot(&self.cluster, &self.pki, &part, &host, uptime)?;
        self.seamark.insert(part, instance);
        Ok(())
    }

    /// Start the speaker of a node with a wall clock that can be told to jump.
    pub fn start_speaker_by_clock(&mut self, node: &str) -> Result<WallClock> {
        let part = Part::speaker(node);
        self.seamark.remove(&part);
        let host = self.host(part.host());
        let (instance, clock) = seamark::start_by_clock(&self.cluster, &self.pki, &part, &host)?;
        self.seamark.insert(part, instance);
        Ok(clock)
    }

    /// Start a part in the version before this one; one that runs is killed first.
    pub fn start_before(&mut self, part: &Part) -> Result<()> {
        self.seamark.remove(part);
        let host = self.host(part.host());
        let instance = seamark::start_before(&self.cluster, &self.pki, part, &host)?;
        self.seamark.insert(part.clone(), instance);
        Ok(())
    }

    /// SIGKILL a process of ours. It is known until it is started again.
    pub fn kill(&mut self, part: &Part) -> Result<()> {
        self.instance_mut(part)?.process.kill().map(drop)
    }

    /// SIGTERM a process of ours and wait for its end.
    pub fn stop(&mut self, part: &Part) -> Result<()> {
        self.end(part).map(drop)
    }

    /// The same, and with which status it ends.
    pub fn end(&mut self, part: &Part) -> Result<ExitStatus> {
        self.instance_mut(part)?.process.stop()
    }

    /// SIGKILL it if it runs, and start it with the same arguments.
    pub fn restart(&mut self, part: &Part) -> Result<()> {
        let arguments = self.instance_mut(part)?.arguments.clone();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        self.start(part, &arguments)
    }

    /// SIGKILL it if it runs, and start a binary in its place that is not the same, with the same
    /// arguments.
    pub fn replace(&mut self, part: &Part) -> Result<()> {
        let old = self.instance_mut(part)?;
        if old.process.is_running() {
            old.process.kill()?;
        }
        let arguments = old.arguments.clone();
        let host = self.host(part.host());
        let instance = seamark::start_changed(&self.cluster, &self.pki, part, &host, &arguments)?;
        self.seamark.insert(part.clone(), instance);
        Ok(())
    }

    /// The process of a part, for its number, memory, log and signals.
    pub fn process(&self, part: &Part) -> Result<&Process> {
        let instance = self.seamark.get(part);
        Ok(&instance
            .with_context(|| format!("{} was never started", part.name()))?
            .process)
    }

    /// The parts that were started, running or not.
    pub fn parts(&self) -> Vec<Part> {
        self.seamark.keys().cloned().collect()
    }

    /// Wait until a part says that it is ready.
    pub fn wait_ready(&self, part: &Part) -> Result<()> {
        let host = self.host(part.host());
        eventually(SOON, &format!("{} is ready", part.name()), || {
            self.process(part)?.expect_running()?;
            seamark::admin(&host, "/readyz").map(drop)
        })
    }

    /// The metrics page of a part.
    pub fn metrics(&self, part: &Part) -> Result<String> {
        seamark::admin(&self.host(part.host()), "/metrics")
    }

    /// Write a kubeconfig with a fresh token of a part, as its binary gets one, and return its path.
    pub fn kubeconfig_of(&self, part: &Part) -> Result<String> {
        seamark::credentials(&self.cluster, &self.pki, part)
    }

    /// Run `seamark-controller uninstall` to its end and return what it says.
    pub fn uninstall(&self, arguments: &[&str]) -> Result<String> {
        let host = self.host(Part::Controller.host());
        seamark::uninstall(&self.cluster, &self.pki, &host, arguments)
    }

    fn instance_mut(&mut self, part: &Part) -> Result<&mut Instance> {
        let instance = self.seamark.get_mut(part);
        instance.with_context(|| format!("{} was never started", part.name()))
    }

    // --- pods and nodes ------------------------------------------------------------------------

    /// Start a pod on a node: a server behind it, and a Pod object, Running and Ready.
    pub fn start_pod(&mut self, name: &str, node: &str, labels: &[(&str, &str)]) -> Result<()> {
        ensure!(!self.pods.contains_key(name), "pod {name} is there already");
        let taken: Vec<u8> = self
            .pods
            .values()
            .filter(|pod| pod.node() == node)
            .map(Pod::slot)
            .collect();
        let slot = (0..200)
            .find(|slot| !taken.contains(slot))
            .context("the node is full")?;
        self.pod_serial += 1;
        let host = self.node(node);
        let number = node_number(node)?;
        let place = Place {
            node: &host,
            number,
            slot,
            serial: self.pod_serial,
        };
        let pod = pods::start(&self.cluster, name, labels, place)?;
        for other in self.nodes().iter().filter(|other| other.name() != node) {
            self.route_to_pod(other, &pod)?;
        }
        self.pods.insert(name.to_owned(), pod);
        Ok(())
    }

    /// Stop a pod and delete its object at once.
    pub fn stop_pod(&mut self, name: &str) -> Result<()> {
        let pod = self
            .pods
            .remove(name)
            .with_context(|| format!("no pod {name}"))?;
        pods::stop(&self.cluster, pod)
    }

    /// Stop a pod and start it with the label `app` on another node.
    pub fn move_pod(&mut self, name: &str, node: &str, labels: &[(&str, &str)]) -> Result<()> {
        self.stop_pod(name)?;
        self.start_pod(name, node, labels)
    }

    /// A pod of the lab.
    pub fn pod(&self, name: &str) -> Result<&Pod> {
        self.pods
            .get(name)
            .with_context(|| format!("no pod {name}"))
    }

    /// Make a pod ready or not. A terminating pod that is ready is a serving one.
    pub fn set_ready(&self, pod: &str, ready: bool) -> Result<()> {
        pods::set_ready(&self.cluster, pod, ready)
    }

    /// Delete a pod the gentle way: its object stays with a deletion timestamp, its server serves,
    /// so that its endpoint is terminating and serving. [`Self::stop_pod`] ends it.
    pub fn terminate_pod(&self, name: &str) -> Result<()> {
        pods::terminate(&self.cluster, name)
    }

    /// Make a Node Ready or NotReady.
    pub fn set_node_ready(&self, node: &str, ready: bool) -> Result<()> {
        self.cluster.set_node_conditions(node, &[("Ready", ready)])
    }

    /// Set the conditions of a Node: these and no others.
    pub fn set_node_conditions(&self, node: &str, conditions: &[(&str, bool)]) -> Result<()> {
        self.cluster.set_node_conditions(node, conditions)
    }

    /// Set a label of a Node, or remove it.
    pub fn set_node_label(&self, node: &str, label: &str, value: Option<&str>) -> Result<()> {
        self.cluster.set_node_label(node, label, value)
    }

    // --- the API server ------------------------------------------------------------------------

    /// Drop every frame between the control plane and the nodes and the controller, both ways. The
    /// kit and kubectl still reach it. kube-proxy is cut off as well: see [`Self::restart_clients`].
    pub fn cut_api_server(&mut self) -> Result<()> {
        self.are_clients_behind = true;
        let mut ports: Vec<String> = self
            .topology
            .node_names()
            .iter()
            .map(|node| network::port(node))
            .collect();
        ports.push(network::port("ctl"));
        let (plane, others) = (network::port("cp"), ports.join(", "));
        self.host(LAN).run(&[
            "nft",
            &format!(
                "table bridge cut {{\nchain forward {{\ntype filter hook forward priority 0\n\
                 iifname \"{plane}\" oifname {{ {others} }} drop\n\
                 iifname {{ {others} }} oifname \"{plane}\" drop\n}}\n}}"
            ),
        ])?;
        Ok(())
    }

    /// Let the frames through again.
    pub fn restore_api_server(&self) -> Result<()> {
        self.host(LAN)
            .run(&["nft", "add table bridge cut; delete table bridge cut"])?;
        Ok(())
    }

    /// Stop the API server process in order.
    pub fn stop_api_server(&mut self) -> Result<()> {
        self.are_clients_behind = true;
        self.plane.stop_api_server()
    }

    /// Start the API server again and wait until it is ready.
    pub fn start_api_server(&mut self) -> Result<()> {
        if self.plane.is_stopped() {
            self.plane.spawn_api_server()?;
        }
        self.api_server_ready()
    }

    /// Start kube-proxy and the controller manager anew. After an API server that was away they take
    /// up to half a minute to look for it again; what was served stays served.
    pub fn restart_clients(&mut self) -> Result<()> {
        self.plane.start_manager()?;
        self.start_proxies()?;
        self.are_clients_behind = false;
        Ok(())
    }

    /// Leave the lab up when this process ends; `make down` ends it.
    pub fn leak(self) -> Result<()> {
        self.run.keep_dir();
        self.run.leak()?;
        // Guards see that the run is no longer theirs, and end nothing.
        drop(self);
        Ok(())
    }

    // --- bringing up ---------------------------------------------------------------------------

    fn establish(&mut self) -> Result<()> {
        step("API server", || self.api_server_ready())?;
        step("nodes, kube-proxy, pods", || self.furnish())?;
        if self.topology.seamark {
            step("kinds and roles", || seamark::install(&self.cluster))?;
        }
        step("controller manager", || self.manager_ready())
    }

    fn api_server_ready(&self) -> Result<()> {
        eventually(START_TIME, "the API server is ready", || {
            self.plane.expect_running()?;
            self.cluster.is_ready()
        })
    }

    fn furnish(&mut self) -> Result<()> {
        self.plane.start_manager()?;
        self.cluster.make_namespace(pods::NAMESPACE)?;
        if self.topology.kubelets {
            self.start_kubelets()?;
        } else {
            for number in 1..=self.topology.nodes {
                self.cluster.put_node(number)?;
            }
        }
        self.start_proxies()?;
        self.start_base_pods()
    }

    fn start_base_pods(&mut self) -> Result<()> {
        for pod in self.topology.pods.clone() {
            self.start_pod(&pod.name, &pod.node, &[("app", &pod.app)])?;
        }
        Ok(())
    }

    /// A node reaches the pods of another node by that node.
    fn route_to_pod(&self, from: &Host, pod: &Pod) -> Result<()> {
        let [gate4, gate6] = crate::address::node(node_number(pod.node())?);
        let [pod4, pod6] = pod.addresses();
        let lines =
            format!("route replace {pod4}/32 via {gate4}\nroute replace {pod6}/128 via {gate6}\n");
        network::batch(&self.run, from.name(), &lines)
    }

    fn manager_ready(&self) -> Result<()> {
        eventually(
            START_TIME,
            "the controller manager gives kube-system its account",
            || {
                for process in self.plane.processes() {
                    process.expect_running()?;
                }
                self.kubectl(&["-n", "kube-system", "get", "serviceaccount", "default"])
                    .map(drop)
            },
        )
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if !self.run.is_ended() {
            // A lab that is dropped by an error in `up`, or by a panic, is taken down as well; an
            // error has nowhere to go from here, and the run tells what it could not end.
            drop(step("taking the lab down", || {
                network::drop_own_leg();
                self.run.end();
                Ok(())
            }));
        }
    }
}

//! Nodes with containerd and kubelet, the images that they have, and Helm.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use k8s_openapi::api::core::v1::Node;
use kube::Api;
use release::image::Image;
use release::program::{PROGRAMS, Program};
use release::source::Source;
use serde_json::json;

use super::Lab;
use crate::kubelet::{RealNode, SANDBOX};
use crate::{address, eventually, network, pods, shell, tools};

/// A node is Ready about two seconds after its kubelet started.
const READY_TIME: Duration = Duration::from_secs(60);

/// What kubelet does to the machine, and is put back.
const SETTINGS: [&str; 6] = [
    "/proc/sys/vm/overcommit_memory",
    "/proc/sys/vm/panic_on_oom",
    "/proc/sys/kernel/panic",
    "/proc/sys/kernel/panic_on_oops",
    "/proc/sys/kernel/keys/root_maxkeys",
    "/proc/sys/kernel/keys/root_maxbytes",
];

/// The program of the pods of the lab, as an image: what pods say, and what holds their namespaces.
const POD: Program = Program {
    name: "lab-pod",
    description: "A small server that says who it is",
    user: "0:0",
    port: address::POD_PORT,
};

impl Lab {
    /// Run Helm as administrator and return what it writes.
    pub fn helm(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(tools::built("helm")?);
        command
            .args(arguments)
            .env("KUBECONFIG", self.kubeconfig())
            .env("HOME", self.run.dir());
        shell::feed(command, "")
    }

    /// The chart's folder.
    pub fn chart(&self) -> String {
        tools::root()
            .join("charts/seamark")
            .to_string_lossy()
            .into_owned()
    }

    /// Stop the kubelet of a node: its pods go on, and its Node is NotReady after twelve seconds.
    pub fn stop_kubelet(&mut self, node: &str) -> Result<()> {
        self.kubelet(node)?.stop_kubelet()
    }

    /// Start it again.
    pub fn start_kubelet(&mut self, node: &str) -> Result<()> {
        self.kubelet(node)?.start_kubelet()
    }

    /// Kill the kubelet of a node and every container on it, as a power cut would.
    pub fn kill_node(&mut self, node: &str) -> Result<()> {
        self.kubelet(node)?.kill_everything()
    }

    /// Import an image from an archive on all nodes.
    pub fn import(&mut self, archive: &Path) -> Result<()> {
        self.kubelets
            .values()
            .try_for_each(|node| node.import(archive))
    }

    /// Take an image from all nodes.
    pub fn remove_image(&mut self, reference: &str) -> Result<()> {
        self.kubelets
            .values()
            .try_for_each(|node| node.remove_image(reference))
    }

    /// Our images with another version than the workspace's, as archives: the same programs.
    pub fn images_of_version(&self, version: &str) -> Result<Vec<PathBuf>> {
        let source = Source {
            version: version.to_owned(),
            ..Source::read(tools::root())?
        };
        PROGRAMS
            .iter()
            .map(|program| self.pack(program, &source))
            .collect()
    }

    /// Have a node run a pod of the lab's, and wait until it is Ready: a server on port 8080 that says
    /// its name.
    pub fn run_pod(&self, name: &str, node: &str, labels: &[(&str, &str)]) -> Result<()> {
        let labels: BTreeMap<&str, &str> = labels.iter().copied().collect();
        let pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": { "name": name, "namespace": pods::NAMESPACE, "labels": labels },
            "spec": {
                "nodeName": node,
                "terminationGracePeriodSeconds": 1,
                "containers": [{
                    "name": "web",
                    "image": SANDBOX,
                    "imagePullPolicy": "Never",
                    "args": [name, address::POD_PORT.to_string()],
                    // Without it kubelet lets everything else go first on a busy machine.
                    "resources": { "requests": { "cpu": "250m" } },
                    "readinessProbe": {
                        "httpGet": { "path": "/", "port": address::POD_PORT },
                        "periodSeconds": 1,
                    },
                }],
            },
        });
        self.apply(&pod.to_string())?;
        let ready = format!("pod/{name}");
        self.kubectl(&["wait", "--for=condition=Ready", &ready, "--timeout=60s"])
            .map(drop)
    }

    /// Send a signal to the program of a pod, and return its process number. It is known by the name
    /// of its pod among its variables.
    pub fn signal_pod(&self, pod: &str, signal: &str) -> Result<u32> {
        let mark = format!("POD_NAME={pod}");
        for entry in std::fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            let variables = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            if variables
                .split(|octet| *octet == 0)
                .any(|one| one == mark.as_bytes())
            {
                self.signal(pid, signal)?;
                return Ok(pid);
            }
        }
        bail!("no process is that of pod {pod}")
    }

    /// Send a signal to a process of a container.
    pub fn signal(&self, pid: u32, signal: &str) -> Result<()> {
        shell::run(&["kill", "-s", signal, &pid.to_string()]).map(drop)
    }

    fn kubelet(&mut self, node: &str) -> Result<&mut RealNode> {
        let found = self.kubelets.get_mut(node);
        found.with_context(|| format!("{node} has no kubelet"))
    }

    /// Starts all nodes with all images, and waits until they are Ready.
    pub(super) fn start_kubelets(&mut self) -> Result<()> {
        SETTINGS
            .iter()
            .try_for_each(|path| self.run.keep_setting(path))?;
        self.plane.start_scheduler()?;
        network::route_to_nodes_of_pods(&self.run, &self.topology)?;
        let source = Source::read(tools::root())?;
        let pod = Source {
            version: SANDBOX.rsplit(':').next().unwrap_or_default().to_owned(),
            ..source.clone()
        };
        let mut images = vec![self.pack(&POD, &pod)?];
        for program in &PROGRAMS {
            images.push(self.pack(program, &source)?);
        }
        let (run, pki, images) = (&self.run, &self.pki, &images);
        let nodes: Vec<Result<RealNode>> = thread::scope(|scope| {
            let numbers = 1..=self.topology.nodes;
            let starts = numbers
                .map(|number| scope.spawn(move || RealNode::start(run, pki, number, images)));
            let starts: Vec<_> = starts.collect();
            let ended = starts.into_iter().map(thread::ScopedJoinHandle::join);
            ended
                .map(|node| node.map_err(|_| anyhow!("starting a node panicked"))?)
                .collect()
        });
        for node in nodes {
            let node = node?;
            self.kubelets.insert(node.name().to_owned(), node);
        }
        for (name, node) in &self.kubelets {
            self.ready_with(name, true, || node.expect_running())?;
            node.expect_apart()?;
        }
        Ok(())
    }

    /// Wait until a Node is Ready, or is not.
    pub fn wait_node_ready(&self, node: &str, ready: bool) -> Result<()> {
        self.ready_with(node, ready, || Ok(()))
    }

    fn ready_with(&self, node: &str, ready: bool, also: impl Fn() -> Result<()>) -> Result<()> {
        let api: Api<Node> = Api::all(self.client());
        let wanted = if ready { "True" } else { "Unknown" };
        eventually(READY_TIME, &format!("{node} has Ready {wanted}"), || {
            also()?;
            let found = self.block_on(api.get(node))?;
            let status = found.status.unwrap_or_default();
            let conditions = status.conditions.unwrap_or_default();
            let ready = conditions.iter().find(|one| one.type_ == "Ready");
            let is = ready.map(|one| one.status.as_str());
            ensure!(is == Some(wanted), "it is {is:?}");
            Ok(())
        })
    }

    /// An image of a static binary of ours, in the run's folder.
    fn pack(&self, program: &Program, source: &Source) -> Result<PathBuf> {
        let binary = tools::ours(program.name)?;
        let image = Image::pack(program, &binary, "amd64", source)?;
        let path = self
            .run
            .dir()
            .join(format!("{}-{}.tar", program.name, source.version));
        std::fs::write(&path, &image.archive)?;
        Ok(path)
    }
}

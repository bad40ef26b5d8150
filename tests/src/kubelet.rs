//! Nodes as clusters have them: containerd and kubelet in a namespace, which run whatever pods the
//! scheduler gives them, from images that are imported. The chart is tested on these.
//!
//! ```text
//! n1  containerd ◀─CRI─ kubelet ◀─▶ API server     /run/netns/smk…-n1, cgroup smk…-n1
//!        └─ shim ─ pod (CNI bridge cni0, 10.244.1.0/24, fd00:10:244:1::/64; or the node's network)
//! ```
//!
//! Both see the machine's own /sys, as cgroups are there, and share a mount namespace of the node's,
//! as they write to some folders whatever they are told. Everything goes below the run's folder and
//! their cgroup, and is removed with the run.

mod config;

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::host::Host;
use crate::pki::Pki;
use crate::process::{Process, Start, Surroundings};
use crate::run::{Run, Stage};
use crate::{address, eventually, shell, tools};

pub(crate) use config::SANDBOX;

/// How long containerd may take to listen.
const START_TIME: Duration = Duration::from_secs(30);

/// The namespace in which containerd keeps what kubelet asks for.
const IMAGES: &str = "k8s.io";

/// Where containerd, kubelet and network plug-ins write whatever they are told. Nodes that share these
/// end each other's kubelet, as one removes the socket that another is about to make.
const FIXED: [&str; 4] = [
    "/run/containerd",
    "/var/lib/cni",
    "/var/lib/kubelet",
    "/var/log/containers",
];
/// A socket that every kubelet makes.
const DEVICE_PLUGINS: &str = "/var/lib/kubelet/device-plugins/kubelet.sock";

/// A node with containerd and kubelet.
#[derive(Debug)]
pub(crate) struct RealNode {
    host: Host,
    number: u8,
    kubelet: Option<Process>,
    containerd: Process,
    pki: Pki,
}

impl RealNode {
    /// Start containerd, import images, start kubelet. The Node is not Ready when this returns.
    pub(crate) fn start(run: &Arc<Run>, pki: &Pki, number: u8, images: &[PathBuf]) -> Result<Self> {
        let name = format!("n{number}");
        let place = Place::new(run, &name);
        place.make()?;
        run.add_cgroup(&place.cgroup)?;
        fs::write(
            place.file("cni/10-lab.conflist"),
            config::cni(&place, number),
        )?;
        fs::write(place.file("containerd.toml"), config::containerd(&place))?;
        let addresses = address::node(number);
        fs::write(
            place.file("kubelet.yaml"),
            config::kubelet(&place, pki, &name),
        )?;
        pki.node(&name, &addresses)?;
        let containerd = Start {
            run,
            host: &name,
            name: &format!("containerd-{name}"),
            stage: Stage::Guest,
            program: "unshare".as_ref(),
            arguments: &["--mount", "sh", "-c", &place.script()].map(str::to_owned),
            environment: &[],
            surroundings: Surroundings::Machine,
        }
        .spawn()?;
        let mut node = Self {
            host: Host::new(run, &name),
            number,
            kubelet: None,
            containerd,
            pki: pki.clone(),
        };
        eventually(START_TIME, "containerd listens", || {
            node.containerd.expect_running()?;
            node.ctr(&["version"]).map(drop)
        })?;
        images.iter().try_for_each(|image| node.import(image))?;
        node.start_kubelet()?;
        Ok(node)
    }

    pub(crate) fn name(&self) -> &str {
        self.host.name()
    }

    /// Import an image from an archive.
    pub(crate) fn import(&self, archive: &std::path::Path) -> Result<()> {
        let archive = archive.to_string_lossy();
        self.ctr(&["images", "import", &archive])
            .map(drop)
            .with_context(|| format!("importing {archive}"))
    }

    /// Remove an image by its name with prefix and tag.
    pub(crate) fn remove_image(&self, reference: &str) -> Result<()> {
        self.ctr(&["images", "rm", reference]).map(drop)
    }

    /// Start kubelet; one that runs is killed first.
    pub(crate) fn start_kubelet(&mut self) -> Result<()> {
        self.kubelet = None;
        let place = self.place();
        let name = self.host.name();
        let [v4, v6] = address::node(self.number);
        let arguments = [
            format!("--config={}", place.path("kubelet.yaml")),
            format!(
                "--kubeconfig={}",
                self.pki.path(&format!("{name}.kubeconfig"))
            ),
            format!("--hostname-override={name}"),
            format!("--node-ip={v4},{v6}"),
            format!("--root-dir={}", place.path("kubelet")),
            format!("--cert-dir={}", place.path("kubelet/pki")),
        ];
        let kubelet = Start {
            run: self.host.owner(),
            host: name,
            name: &format!("kubelet-{name}"),
            stage: Stage::Guest,
            program: &tools::built("kubelet")?,
            arguments: &arguments,
            environment: &[],
            surroundings: Surroundings::MountsOf(self.containerd.pid()),
        };
        self.kubelet = Some(kubelet.spawn()?);
        Ok(())
    }

    /// Stop kubelet: pods go on, and nobody tells the API server anything of the node.
    pub(crate) fn stop_kubelet(&mut self) -> Result<()> {
        match &mut self.kubelet {
            Some(kubelet) => kubelet.stop().map(drop),
            None => Ok(()),
        }
    }

    /// Stop kubelet and kill every container: what a node's sudden reboot does to them.
    pub(crate) fn kill_everything(&mut self) -> Result<()> {
        self.kubelet = None;
        crate::run::end_cgroup_members(&self.place().cgroup)
    }

    /// An error, with what was said last, if one of its processes has ended.
    pub(crate) fn expect_running(&self) -> Result<()> {
        self.processes().try_for_each(Process::expect_running)
    }

    /// An error if it shares with other nodes what kubelet writes. It has to be Ready.
    pub(crate) fn expect_apart(&self) -> Result<()> {
        let socket = self.place().own(DEVICE_PLUGINS);
        ensure!(
            socket.exists(),
            "{} has no socket at {}",
            self.name(),
            socket.display()
        );
        Ok(())
    }

    /// Its processes, for failure reports.
    pub(crate) fn processes(&self) -> impl Iterator<Item = &Process> {
        std::iter::once(&self.containerd).chain(&self.kubelet)
    }

    fn place(&self) -> Place {
        Place::new(self.host.owner(), self.host.name())
    }

    fn ctr(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new("ctr");
        let socket = self.place().path("containerd.sock");
        command.args(["--address", &socket, "--namespace", IMAGES]);
        command.args(arguments);
        shell::feed(command, "")
    }
}

/// Where a node keeps what it has.
#[derive(Debug)]
struct Place {
    dir: PathBuf,
    cgroup: String,
}

impl Place {
    fn new(run: &Run, node: &str) -> Self {
        Self {
            dir: run.dir().join(node),
            cgroup: run.namespace(node),
        }
    }

    fn make(&self) -> Result<()> {
        for folder in ["root", "state", "kubelet", "cni", "logs"] {
            fs::create_dir_all(self.dir.join(folder))?;
        }
        for folder in FIXED {
            fs::create_dir_all(self.own(folder))?;
            // Something to mount it on.
            fs::create_dir_all(folder)?;
        }
        Ok(())
    }

    /// Starts containerd where the fixed folders are the node's own.
    fn script(&self) -> String {
        let mounts = FIXED.map(|folder| {
            let own = self.own(folder);
            format!("mount --bind {} {folder} && ", own.display())
        });
        let config = self.path("containerd.toml");
        format!("{}exec containerd --config {config}", mounts.concat())
    }

    /// What is at a fixed path on this node.
    fn own(&self, path: &str) -> PathBuf {
        self.dir.join("own").join(path.trim_start_matches('/'))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn path(&self, name: &str) -> String {
        self.file(name).to_string_lossy().into_owned()
    }
}

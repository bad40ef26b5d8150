//! etcd, kube-apiserver and kube-controller-manager in the namespace `cp`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::host::Host;
use crate::pki::Pki;
use crate::process::{Process, Start, Surroundings};
use crate::run::{Run, Stage};
use crate::topology::Topology;
use crate::{audit, eventually, http, tools};

const HOST: &str = "cp";
/// A cold two-core machine needs about ten seconds; the rest is patience with a busy one.
const START_TIME: Duration = Duration::from_secs(90);

/// The API server stops listening at once, and then waits for a minute for watches to end.
const DRAIN_TIME: Duration = Duration::from_secs(2);

/// The control plane of a lab.
#[derive(Debug)]
pub(crate) struct ControlPlane {
    run: Arc<Run>,
    pki: Pki,
    programs: Programs,
    etcd: Process,
    api_server: Option<Process>,
    manager: Option<Process>,
    scheduler: Option<Process>,
    audit: bool,
}

#[derive(Debug)]
struct Programs {
    api_server: PathBuf,
    manager: PathBuf,
    /// For nodes with kubelet only.
    scheduler: Option<PathBuf>,
}

impl ControlPlane {
    /// Start etcd and the API server, and wait for etcd only: the API server takes seconds in which
    /// other things can be made.
    pub(crate) fn start(run: &Arc<Run>, pki: &Pki, topology: &Topology) -> Result<Self> {
        let programs = Programs {
            api_server: tools::built("kube-apiserver")?,
            manager: tools::built("kube-controller-manager")?,
            scheduler: topology
                .kubelets
                .then(|| tools::built("kube-scheduler"))
                .transpose()?,
        };
        let etcd = start_etcd(run)?;
        let mut plane = Self {
            run: Arc::clone(run),
            pki: pki.clone(),
            programs,
            etcd,
            api_server: None,
            manager: None,
            scheduler: None,
            audit: topology.audit,
        };
        plane.wait_for_etcd()?;
        plane.spawn_api_server()?;
        Ok(plane)
    }

    /// Start the API server. It is not ready when this returns: see [`Self::expect_running`].
    pub(crate) fn spawn_api_server(&mut self) -> Result<()> {
        let file = |name: &str| self.pki.path(name);
        let mut arguments = vec![
            "--etcd-servers=http://127.0.0.1:2379".to_owned(),
            "--bind-address=::".to_owned(),
            "--advertise-address=10.99.0.2".to_owned(),
            "--secure-port=6443".to_owned(),
            format!("--tls-cert-file={}", file("apiserver.crt")),
            format!("--tls-private-key-file={}", file("apiserver.key")),
            format!("--client-ca-file={}", file("ca.crt")),
            format!("--token-auth-file={}", file("tokens.csv")),
            format!("--service-account-key-file={}", file("accounts.pub")),
            format!(
                "--service-account-signing-key-file={}",
                file("accounts.key")
            ),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            "--authorization-mode=Node,RBAC".to_owned(),
            "--service-cluster-ip-range=10.96.0.0/16,fd96::/108".to_owned(),
            // No DNS in the lab.
            "--kubelet-preferred-address-types=InternalIP".to_owned(),
            format!("--kubelet-client-certificate={}", file("apiserver.crt")),
            format!("--kubelet-client-key={}", file("apiserver.key")),
            "--allow-privileged=true".to_owned(),
            "--profiling=false".to_owned(),
        ];
        if self.audit {
            arguments.extend(audit::arguments(&self.run)?);
        }
        self.api_server = Some(self.spawn(
            "kube-apiserver",
            Stage::ApiServer,
            &self.programs.api_server,
            &arguments,
        )?);
        Ok(())
    }

    /// An error with the last lines of the log if etcd or the API server has ended.
    pub(crate) fn expect_running(&self) -> Result<()> {
        self.etcd.expect_running()?;
        self.api_server
            .as_ref()
            .context("the API server is stopped")?
            .expect_running()
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.api_server.is_none()
    }

    pub(crate) fn stop_api_server(&mut self) -> Result<()> {
        if let Some(mut process) = self.api_server.take() {
            process.stop_or_kill(DRAIN_TIME)?;
        }
        Ok(())
    }

    /// Start the controller manager, killing one that runs; for hand-made nodes without the node life
    /// cycle controller, which would call them NotReady, as nobody renews their leases.
    pub(crate) fn start_manager(&mut self) -> Result<()> {
        // Its port must be free.
        self.manager = None;
        let kubeconfig = self.pki.path("manager.kubeconfig");
        let controllers = if self.programs.scheduler.is_some() {
            // Twelve seconds after its kubelet fell silent a node is NotReady.
            ["--controllers=*", "--node-monitor-grace-period=12s"]
        } else {
            [
                "--controllers=*,-node-lifecycle-controller",
                "--profiling=false",
            ]
        };
        let mut arguments = vec![
            format!("--kubeconfig={kubeconfig}"),
            format!("--authentication-kubeconfig={kubeconfig}"),
            format!("--authorization-kubeconfig={kubeconfig}"),
            format!(
                "--service-account-private-key-file={}",
                self.pki.path("accounts.key")
            ),
            format!("--root-ca-file={}", self.pki.path("ca.crt")),
            "--use-service-account-credentials=true".to_owned(),
            "--leader-elect=false".to_owned(),
        ];
        arguments.extend(controllers.map(str::to_owned));
        self.manager = Some(self.spawn(
            "kube-controller-manager",
            Stage::ControllerManager,
            &self.programs.manager,
            &arguments,
        )?);
        Ok(())
    }

    /// Start the scheduler, where there is something to schedule.
    pub(crate) fn start_scheduler(&mut self) -> Result<()> {
        let Some(program) = &self.programs.scheduler else {
            return Ok(());
        };
        let kubeconfig = self.pki.path("scheduler.kubeconfig");
        let arguments = [
            format!("--kubeconfig={kubeconfig}"),
            format!("--authentication-kubeconfig={kubeconfig}"),
            format!("--authorization-kubeconfig={kubeconfig}"),
            "--leader-elect=false".to_owned(),
        ];
        let stage = Stage::ControllerManager;
        self.scheduler = Some(self.spawn("kube-scheduler", stage, program, &arguments)?);
        Ok(())
    }

    /// All its processes that run, for figures and failure reports.
    pub(crate) fn processes(&self) -> impl Iterator<Item = &Process> {
        [
            Some(&self.etcd),
            self.api_server.as_ref(),
            self.manager.as_ref(),
            self.scheduler.as_ref(),
        ]
        .into_iter()
        .flatten()
    }

    fn spawn(
        &self,
        name: &str,
        stage: Stage,
        program: &std::path::Path,
        arguments: &[String],
    ) -> Result<Process> {
        let run = &self.run;
        Start {
            run,
            host: HOST,
            name,
            stage,
            program,
            arguments,
            environment: &[],
            surroundings: Surroundings::Own,
        }
        .spawn()
    }

    fn wait_for_etcd(&self) -> Result<()> {
        let host = Host::new(&self.run, HOST);
        let address = SocketAddr::from(([127, 0, 0, 1], 2379));
        eventually(START_TIME, "etcd is healthy", || {
            self.etcd.expect_running()?;
            let health = http::get_path(&host, address, "/health", Duration::from_secs(1))?;
            ensure!(health.contains("true"), "it says {health}");
            Ok(())
        })
    }
}

fn start_etcd(run: &Arc<Run>) -> Result<Process> {
    let arguments = [
        format!("--data-dir={}", run.dir().join("etcd").display()),
        // Nothing here outlives the machine.
        "--unsafe-no-fsync".to_owned(),
        "--listen-client-urls=http://127.0.0.1:2379".to_owned(),
        "--advertise-client-urls=http://127.0.0.1:2379".to_owned(),
        "--listen-peer-urls=http://127.0.0.1:2380".to_owned(),
    ];
    let program = tools::built("etcd")?;
    Start {
        run,
        host: HOST,
        name: "etcd",
        stage: Stage::Etcd,
        program: &program,
        arguments: &arguments,
        environment: &[],
        surroundings: Surroundings::Own,
    }
    .spawn()
}

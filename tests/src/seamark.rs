//! Seamark's own processes: the real binaries, with the roles that ship, by tokens that are bound
//! to their (hand-made) pods.

use std::fs::{self, Permissions};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use kube::api::{Api, PostParams};
use serde_json::{Value, json};

use crate::cluster::{Cluster, NAMESPACE};
use crate::host::Host;
use crate::pki::Pki;
use crate::process::{Process, Start, Surroundings};
use crate::run::Stage;
use crate::wall_clock::WallClock;
use crate::{address, eventually, http, pods, tools};

/// Where each of our processes serves health and metrics, in its own host.
pub const ADMIN: &str = "127.0.0.1:7472";

/// One of our processes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The controller, on the host `ctl`.
    Controller,
    /// Another replica of it, on the host `cp`.
    OtherController,
    /// The speaker of a node.
    Speaker(String),
}

impl Part {
    /// The speaker of this node.
    pub fn speaker(node: &str) -> Self {
        Self::Speaker(node.to_owned())
    }

    /// The host it runs on.
    pub fn host(&self) -> &str {
        match self {
            Self::Controller => "ctl",
            Self::OtherController => "cp",
            Self::Speaker(node) => node,
        }
    }

    pub(crate) fn program(&self) -> &'static str {
        match self {
            Self::Controller | Self::OtherController => "seamark-controller",
            Self::Speaker(_) => "seamark-speaker",
        }
    }

    /// Name of its pod, its log and its credentials.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Controller => self.program().to_owned(),
            Self::OtherController => format!("{}-2", self.program()),
            Self::Speaker(node) => format!("{}-{node}", self.program()),
        }
    }

    /// The node that its pod says it is on.
    fn node(&self) -> &str {
        match self {
            Self::Controller | Self::OtherController => "n1",
            Self::Speaker(node) => node,
        }
    }
}

/// A process of ours, running or not, with what it takes to start it again.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) process: Process,
    pub(crate) arguments: Vec<String>,
}

/// Install our kinds and roles in the cluster.
pub(crate) fn install(cluster: &Cluster) -> Result<()> {
    cluster.make_namespace(NAMESPACE)?;
    for folder in ["crds/manifests", "charts/seamark/rbac"] {
        let folder = tools::root().join(folder);
        ensure!(
            has_files(&folder),
            "nothing to install in {}",
            folder.display()
        );
        let folder = folder.to_string_lossy();
        cluster.kubectl(
            &["apply", "--server-side", "--force-conflicts", "-f", &folder],
            "",
        )?;
    }
    let kinds = [
        "wait",
        "--for=condition=Established",
        "crd",
        "--all",
        "--timeout=30s",
    ];
    cluster.kubectl(&kinds, "")?;
    Ok(())
}

/// Start one of our binaries with these arguments after the usual ones.
pub(crate) fn start(
    cluster: &Cluster,
    pki: &Pki,
    part: &Part,
    host: &Host,
    arguments: &[String],
) -> Result<Instance> {
    let program = tools::ours(part.program())?;
    launch(cluster, pki, part, host, &program, &[], arguments)
}

/// Start a binary of ours that is another one than before, as after an upgrade.
pub(crate) fn start_changed(
    cluster: &Cluster,
    pki: &Pki,
    part: &Part,
    host: &Host,
    arguments: &[String],
) -> Result<Instance> {
    let copy = host.owner().dir().join(format!("{}-upgraded", part.name()));
    let mut octets = fs::read(tools::ours(part.program())?)?;
    // Behind what the loader looks at.
    octets.extend_from_slice(b"another version");
    fs::write(&copy, octets)?;
    fs::set_permissions(&copy, Permissions::from_mode(0o755))?;
    launch(cluster, pki, part, host, &copy, &[], arguments)
}

/// Start a binary of the version before.
pub(crate) fn start_before(
    cluster: &Cluster,
    pki: &Pki,
    part: &Part,
    host: &Host,
) -> Result<Instance> {
    let program = tools::before()?.join(part.program());
    launch(cluster, pki, part, host, &program, &[], &[])
}

/// Start a binary of ours as if its host had been up for this long, by a time namespace of its own.
pub(crate) fn start_at_boot(
    cluster: &Cluster,
    pki: &Pki,
    part: &Part,
    host: &Host,
    uptime: Duration,
) -> Result<Instance> {
    let shown = fs::read_to_string("/proc/uptime")?;
    let shown = shown.split('.').next().unwrap_or_default();
    let offset = i64::try_from(uptime.as_secs())? - shown.parse::<i64>()?;
    let program = tools::ours(part.program())?.to_string_lossy().into_owned();
    let wrapping = ["--time".to_owned(), format!("--boottime={offset}"), program];
    let program = Path::new("unshare");
    launch(cluster, pki, part, host, program, &wrapping, &[])
}

/// Start a binary of ours with a wall clock of its own, which is right until it is told to jump.
pub(crate) fn start_by_clock(
    cluster: &Cluster,
    pki: &Pki,
    part: &Part,
    host: &Host,
) -> Result<(Instance, WallClock)> {
    let file = host.owner().dir().join(format!("{}.clock", part.name()));
    let clock = WallClock::new(file)?;
    let program = tools::dynamic(part.program())?
        .to_string_lossy()
        .into_owned();
    let mut wrapping = clock.variables();
    wrapping.push(program);
    let program = Path::new("env");
    let instance = launch(cluster, pki, part, host, program, &wrapping, &[])?;
    Ok((instance, clock))
}

fn launch(
    cluster: &Cluster,
    pki: &Pki,
    part: &Part,
    host: &Host,
    program: &Path,
    wrapping: &[String],
    arguments: &[String],
) -> Result<Instance> {
    let kubeconfig = credentials(cluster, pki, part)?;
    let mut all = wrapping.to_vec();
    all.extend([
        "--kubeconfig".to_owned(),
        kubeconfig,
        "--log-format".to_owned(),
        "json".to_owned(),
        "--admin-address".to_owned(),
        ADMIN.to_owned(),
        "--namespace".to_owned(),
        NAMESPACE.to_owned(),
    ]);
    match part {
        // What a pod's variables say, which an older program does not look for.
        Part::Controller | Part::OtherController => {}
        Part::Speaker(node) => all.extend(["--node-name".to_owned(), node.clone()]),
    }
    all.extend_from_slice(arguments);
    let name = part.name();
    let environment = [("POD_NAME", name.as_str())];
    let process = Start {
        run: host.owner(),
        host: host.name(),
        name: &name,
        stage: Stage::Guest,
        program,
        arguments: &all,
        environment: &environment,
        surroundings: Surroundings::Own,
    }
    .spawn()?;
    Ok(Instance {
        process,
        arguments: arguments.to_vec(),
    })
}

/// Run `seamark-controller uninstall` to its end on the controller's host, with the rights that ship
/// for it, and return what it says.
pub(crate) fn uninstall(
    cluster: &Cluster,
    pki: &Pki,
    host: &Host,
    arguments: &[&str],
) -> Result<String> {
    let token = token(cluster, "seamark-uninstall", None)?;
    let kubeconfig = pki.kubeconfig_with_token("seamark-uninstall", &token)?;
    let program = tools::ours("seamark-controller")?
        .to_string_lossy()
        .into_owned();
    let mut command = vec![program.as_str(), "uninstall", "--kubeconfig", &kubeconfig];
    command.extend(["--namespace", NAMESPACE]);
    command.extend(arguments);
    let output = host.output(&command)?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{said}");
    Ok(said)
}

/// A page of its admin server: `/readyz`, `/healthz`, `/metrics`.
pub(crate) fn admin(host: &Host, path: &str) -> Result<String> {
    http::get_path(
        host,
        ADMIN.parse::<SocketAddr>()?,
        path,
        Duration::from_secs(2),
    )
}

/// A kubeconfig with a fresh token for the part's service account, bound to its pod.
pub(crate) fn credentials(cluster: &Cluster, pki: &Pki, part: &Part) -> Result<String> {
    let pod = put_pod(cluster, part)?;
    let bound = json!({
        "kind": "Pod",
        "apiVersion": "v1",
        "name": pod.metadata.name,
        "uid": pod.metadata.uid,
    });
    let token = token(cluster, part.program(), Some(&bound))?;
    pki.kubeconfig_with_token(&part.name(), &token)
}

/// A token of a service account, bound to an object where one is given.
fn token(cluster: &Cluster, account: &str, bound: Option<&Value>) -> Result<String> {
    let accounts: Api<ServiceAccount> = Api::namespaced(cluster.client(), NAMESPACE);
    let request: TokenRequest = serde_json::from_value(json!({
        "metadata": {},
        "spec": { "audiences": [], "expirationSeconds": 7200, "boundObjectRef": bound },
    }))?;
    let answer = cluster
        .block_on(accounts.create_token_request(account, &PostParams::default(), &request))
        .with_context(|| format!("asking for a token of {NAMESPACE}/{account}"))?;
    let status = answer.status.context("the token request has no status")?;
    Ok(status.token)
}

/// The part's Pod object, made if it is not there.
fn put_pod(cluster: &Cluster, part: &Part) -> Result<Pod> {
    let api: Api<Pod> = Api::namespaced(cluster.client(), NAMESPACE);
    let name = part.name();
    let find = || {
        let found = cluster.block_on(api.get_opt(&name))?;
        found.with_context(|| format!("no pod {NAMESPACE}/{name}"))
    };
    if let Ok(pod) = find() {
        return Ok(pod);
    }
    let pod = json!({
        "metadata": { "name": name, "labels": { "app.kubernetes.io/name": part.program() } },
        "spec": {
            "nodeName": part.node(),
            "hostNetwork": true,
            "serviceAccountName": part.program(),
            "containers": [{ "name": "main", "image": "lab/seamark" }],
            "tolerations": [{ "operator": "Exists" }],
        },
    });
    pods::create_running(cluster, NAMESPACE, pod, addresses(part)?)?;
    eventually(Duration::from_secs(5), "the pod can be read", find)
}

fn addresses(part: &Part) -> Result<[IpAddr; 2]> {
    match part {
        Part::Controller => Ok(["10.99.0.4".parse()?, "fd99::4".parse()?]),
        Part::OtherController => Ok(["10.99.0.2".parse()?, "fd99::2".parse()?]),
        Part::Speaker(node) => Ok(address::node(crate::topology::node_number(node)?)),
    }
}

fn has_files(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}

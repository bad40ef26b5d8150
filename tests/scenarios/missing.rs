//! What a process needs and has not: it says so and what to do, and goes on by itself once it is
//! there.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use lab::runner::Scenario;
use lab::seamark::ADMIN;
use lab::{Lab, Part, Process, eventually, tools};

use crate::processes::{PROGRAMS, admin, path};
use crate::vips::{SOON, create, expect_served, owner, pool, vips};

const LAN: [&str; 2] = ["10.99.0.200-10.99.0.250", "fd99::200-fd99::250"];
/// What is said of a bad token.
const REFUSED: [&str; 2] = ["does not accept our credentials", "renew the token"];

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "missing definitions are named with the remedy, and nothing is started anew for them",
            missing_definitions,
        ),
        Scenario::new(
            "missing permissions are named with the remedy, and nothing is started anew for them",
            missing_permissions,
        ),
        Scenario::new(
            "a speaker without NET_RAW says what to do, and leaves the work to others",
            missing_capability,
        ),
        Scenario::new(
            "a token that was refused or replaced is read again from its file",
            rotated_token,
        ),
    ]
}

fn missing_definitions(lab: &mut Lab) -> Result<()> {
    lab.kubectl(&["delete", "crd", "--all"])?;
    let healed = heals(
        lab,
        "the API server does not know",
        "kubectl apply -f crds/manifests",
    );
    install(lab)?;
    healed
}

fn missing_permissions(lab: &mut Lab) -> Result<()> {
    lab.kubectl(&[&["delete", "clusterrolebinding"], &PROGRAMS[..]].concat())?;
    let healed = heals(
        lab,
        "no permission to list services",
        "kubectl apply -f charts/seamark/rbac",
    );
    install(lab)?;
    healed
}

/// All processes say so, wait, and serve once everything is installed.
fn heals(lab: &mut Lab, trouble: &str, remedy: &str) -> Result<()> {
    lab.start_seamark()?;
    for part in lab.parts() {
        expect_said(lab.process(&part)?, &[trouble, remedy])?;
        let host = lab.host(part.host());
        ensure!(admin(&host, "/healthz")? == "ok", "{part:?} is not healthy");
        ensure!(admin(&host, "/readyz").is_err(), "{part:?} is ready");
    }
    install(lab)?;
    for part in lab.parts() {
        lab.wait_ready(&part)?;
    }
    pool(lab, &LAN)?;
    create(lab, "web")?;
    vips(lab, "web")?
        .into_iter()
        .try_for_each(|vip| expect_served(lab, vip))
}

/// The kinds and the roles, as a person installs them.
fn install(lab: &Lab) -> Result<()> {
    for folder in ["crds/manifests", "charts/seamark/rbac"] {
        let folder = tools::root().join(folder);
        let folder = folder.to_string_lossy();
        lab.kubectl(&["apply", "--server-side", "--force-conflicts", "-f", &folder])?;
    }
    lab.kubectl(&[
        "wait",
        "--for=condition=Established",
        "crd",
        "--all",
        "--timeout=30s",
    ])?;
    Ok(())
}

fn missing_capability(lab: &mut Lab) -> Result<()> {
    let (kubeconfig, program) = (
        lab.kubeconfig_of(&Part::speaker("n1"))?,
        path("seamark-speaker")?,
    );
    let host = lab.node("n1");
    let mut bare = host.spawn(
        "speaker-without-net-raw",
        &[
            "setpriv",
            "--bounding-set=-net_raw",
            "--inh-caps=-net_raw",
            &program,
            "--node-name=n1",
            "--log-format=json",
            "--admin-address",
            ADMIN,
            "--kubeconfig",
            &kubeconfig,
        ],
    )?;
    pool(lab, &LAN)?;
    for part in [Part::Controller, Part::speaker("n2"), Part::speaker("n3")] {
        lab.start(&part, &[])?;
        lab.wait_ready(&part)?;
    }
    expect_said(&bare, &["add NET_RAW", "trying again"])?;
    for name in ["one", "two", "three"] {
        create(lab, name)?;
        for vip in vips(lab, name)? {
            let node = owner(lab, vip)?;
            ensure!(node != "n1", "{node} answers for {vip}");
        }
    }
    let ready = admin(&host, "/readyz");
    ensure!(
        ready
            .as_ref()
            .is_err_and(|e| format!("{e:#}").contains("layer 2 sockets")),
        "{ready:?}"
    );
    ensure!(admin(&host, "/healthz")? == "ok", "it is not healthy");
    ensure!(
        lab.kubectl(&["get", "speakerstatus", "n1"]).is_err(),
        "it is a candidate"
    );
    ensure!(bare.stop()?.code() == Some(0), "it does not end in order");
    Ok(())
}

fn rotated_token(lab: &mut Lab) -> Result<()> {
    let kubeconfig = lab.kubeconfig_of(&Part::Controller)?;
    let token = Path::new(&kubeconfig).with_extension("token");
    let good = fs::read_to_string(&token)?;
    // Its signature is none.
    fs::write(&token, good.chars().rev().collect::<String>())?;
    let program = path("seamark-controller")?;
    let arguments = [
        "--log-format=json",
        "--admin-address",
        ADMIN,
        "--kubeconfig",
        &kubeconfig,
    ];
    let command = [&[program.as_str()], &arguments[..]].concat();
    let controller = lab
        .host("ctl")
        .spawn("controller-with-token-file", &command)?;
    expect_said(&controller, &REFUSED)?;

    fs::write(&token, good)?;
    pool(lab, &LAN)?;
    create(lab, "first")?;
    vips(lab, "first").context("after a token that was refused")?;

    // A token is bound to its pod, and another pod's is another; what the API server has taken for
    // good, it forgets when it ends.
    let pod = [
        "delete",
        "pod",
        "-n",
        "seamark-system",
        "seamark-controller",
    ];
    lab.kubectl(&[&pod[..], &["--grace-period=0", "--force"]].concat())?;
    let before = said(&controller, &REFUSED)?;
    lab.stop_api_server()?;
    lab.start_api_server()?;
    eventually(SOON, "the old token is refused", || {
        ensure!(said(&controller, &REFUSED)? > before, "it is not");
        Ok(())
    })?;
    lab.kubeconfig_of(&Part::Controller)?;
    create(lab, "second")?;
    vips(lab, "second").context("after the token was replaced")?;
    controller.expect_running()
}

/// It says all of these words in one line of its log, and runs.
fn expect_said(process: &Process, words: &[&str]) -> Result<()> {
    eventually(SOON, &format!("{} says {words:?}", process.name()), || {
        process.expect_running()?;
        ensure!(
            said(process, words)? > 0,
            "it says:\n{}",
            process.log_tail(10)
        );
        Ok(())
    })
}

/// How many lines of its log have all of these words.
fn said(process: &Process, words: &[&str]) -> Result<usize> {
    let log = fs::read_to_string(process.log())?;
    let lines = log.lines();
    Ok(lines
        .filter(|line| words.iter().all(|word| line.contains(word)))
        .count())
}

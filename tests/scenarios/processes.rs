//! Both binaries as the person sees them who runs them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, fs};

use anyhow::{Context, Result, ensure};
use lab::runner::Scenario;
use lab::seamark::ADMIN;
use lab::{Host, Lab, Part, Process, http, tools};

use crate::vips::{begin, create, expect_served, vips};

pub(crate) const PROGRAMS: [&str; 2] = ["seamark-controller", "seamark-speaker"];

/// What both have.
const FLAGS: [&str; 8] = [
    "--kubeconfig",
    "--context",
    "--namespace",
    "--log-format",
    "--log-level",
    "--admin-address",
    "--default-class",
    "--load-balancer-class",
];
/// What no variable stands for.
const BARE: [&&str; 2] = [&"--help", &"--version"];

/// An orderly end takes no longer.
const FAREWELL: Duration = Duration::from_secs(2);
const ONE_REQUEST: Duration = Duration::from_secs(2);

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "--help tells of each flag what it is for and which variable stands for it",
            helps,
        ),
        Scenario::new(
            "a wrong kubeconfig ends a process with one sentence that says what to do",
            wrong_kubeconfig,
        ),
        Scenario::new(
            "a process has one connection, tells its health, logs JSON and ends in order",
            orderly,
        ),
        Scenario::new(
            "neither binary names a folder of the machine that built it",
            names_no_folder,
        ),
    ]
}

fn helps(lab: &mut Lab) -> Result<()> {
    for program in PROGRAMS {
        let help = lab.host("ctl").run(&[&path(program)?, "--help"])?;
        let told = flags(&help);
        for flag in FLAGS {
            ensure!(
                told.contains_key(flag),
                "{program} tells nothing of {flag}:\n{help}"
            );
        }
        let mut variables = BTreeSet::new();
        for (flag, text) in told.iter().filter(|(flag, _)| !BARE.contains(flag)) {
            let (words, rest) = text.split_once("[env: ").unwrap_or((text, ""));
            ensure!(
                words.trim().len() > 10,
                "{program} does not say what {flag} is for"
            );
            let variable = rest.split(['=', ']']).next().unwrap_or_default();
            ensure!(
                variables.insert(variable) && !variable.is_empty(),
                "{flag}: {variable:?}"
            );
        }
    }
    Ok(())
}

/// Each flag, and what is written below it.
fn flags(help: &str) -> BTreeMap<&str, String> {
    let (mut flags, mut current) = (BTreeMap::<&str, String>::new(), None);
    for line in help.lines() {
        let words = line.split_whitespace();
        if let Some(flag) = words.clone().find(|word| word.starts_with("--"))
            && line.trim_start().starts_with('-')
        {
            current = Some(flag);
        } else if !line.starts_with(' ') && !line.is_empty() {
            current = None;
        } else if let Some(flag) = current {
            flags
                .entry(flag)
                .or_default()
                .extend(words.flat_map(|word| [word, " "]));
        }
    }
    flags
}

/// A path in a binary makes it another one on the next machine: what is published could not be
/// compared with what anybody builds.
fn names_no_folder(_: &mut Lab) -> Result<()> {
    let home = PathBuf::from(env::var_os("HOME").context("HOME is not set")?);
    let cargo = env::var_os("CARGO_HOME").map_or_else(|| home.join(".cargo"), PathBuf::from);
    let everywhere = [tools::root().canonicalize()?, cargo, home.join(".rustup")];
    for program in PROGRAMS {
        let binary = tools::ours(program)?;
        let octets = fs::read(&binary)?;
        let says = |text: &str| {
            let mut windows = octets.windows(text.len());
            windows.any(|window| window == text.as_bytes())
        };
        // Panics name a line of a crate. If these are gone, nothing is looked at below.
        ensure!(says("cargo/registry/"), "{program} names no crate's file");
        let built_in = binary.parent().context("a binary without a folder")?;
        for folder in everywhere.iter().map(PathBuf::as_path).chain([built_in]) {
            let text = folder.to_string_lossy();
            ensure!(!says(&text), "{program} names {text}");
        }
    }
    Ok(())
}

fn wrong_kubeconfig(lab: &mut Lab) -> Result<()> {
    let host = lab.host("ctl");
    for (program, part) in PROGRAMS.iter().zip([Part::Controller, Part::speaker("n1")]) {
        let (program, good) = (path(program)?, lab.kubeconfig_of(&part)?);
        for (arguments, named) in [
            (
                ["--kubeconfig", "/does/not/exist", "--log-level", "info"],
                "/does/not/exist",
            ),
            (
                ["--kubeconfig", "/dev/null", "--log-level", "info"],
                "/dev/null",
            ),
            (
                ["--kubeconfig", &good, "--context", "elsewhere"],
                "elsewhere",
            ),
        ] {
            let output = host.output(&[&[program.as_str()], &arguments[..]].concat())?;
            let said = String::from_utf8(output.stderr)?;
            let context = format!("{program} {arguments:?} said {said:?}");
            ensure!(
                output.status.code() == Some(1),
                "{}, and {context}",
                output.status
            );
            ensure!(
                output.stdout.is_empty() && said.lines().count() == 1,
                "{context}"
            );
            ensure!(said.contains(named) && said.contains("--"), "{context}");
        }
    }
    Ok(())
}

fn orderly(lab: &mut Lab) -> Result<()> {
    begin(lab)?;
    create(lab, "web")?;
    vips(lab, "web")?
        .into_iter()
        .try_for_each(|vip| expect_served(lab, vip))?;
    for part in lab.parts() {
        let host = lab.host(part.host());
        let connections = connections(&host, lab.process(&part)?)?;
        ensure!(connections.len() == 1, "{part:?} has {connections:#?}");
        ensure!(admin(&host, "/healthz")? == "ok", "{part:?} is not healthy");
        ensure!(admin(&host, "/readyz")? == "ready", "{part:?} is not ready");
        let metrics = lab.metrics(&part)?;
        let mut samples = metrics.lines().filter(|line| !line.starts_with('#'));
        let foreign = samples.find(|line| !line.starts_with("seamark_"));
        ensure!(foreign.is_none(), "{part:?} shows {foreign:?}");
        ensure!(metrics.contains("seamark_"), "{part:?} shows nothing");
    }
    for part in lab.parts() {
        let begun = Instant::now();
        let status = lab.end(&part)?;
        let took = begun.elapsed();
        ensure!(status.code() == Some(0), "{part:?} ended with {status}");
        ensure!(took <= FAREWELL, "{part:?} took {took:?} to end");
        expect_json(lab.process(&part)?.log())?;
    }
    Ok(())
}

pub(crate) fn path(program: &str) -> Result<String> {
    Ok(tools::ours(program)?.to_string_lossy().into_owned())
}

pub(crate) fn admin(host: &Host, path: &str) -> Result<String> {
    http::get_path(host, ADMIN.parse::<SocketAddr>()?, path, ONE_REQUEST)
}

/// Its TCP connections to the API server.
fn connections(host: &Host, process: &Process) -> Result<Vec<String>> {
    let all = host.run(&["ss", "-Htnp", "state", "established", "dport = :6443"])?;
    let own = format!("pid={},", process.pid());
    Ok(all
        .lines()
        .filter(|line| line.contains(&own))
        .map(ToOwned::to_owned)
        .collect())
}

/// Each line of a log is one JSON object with the fields by which logs are searched.
fn expect_json(log: &Path) -> Result<()> {
    for line in fs::read_to_string(log)?.lines() {
        let object: serde_json::Value =
            serde_json::from_str(line).with_context(|| format!("{line:?} is no JSON"))?;
        for field in ["timestamp", "level", "message"] {
            ensure!(object[field].is_string(), "{line:?} has no {field}");
        }
    }
    Ok(())
}

//! The kinds as the API server itself understands them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use lab::Lab;
use lab::runner::Scenario;

const EXPECT: &str = "# expect: ";

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "the API server refuses every object that breaks a rule of its kind, and says which",
            refuses_what_breaks_a_rule,
        ),
        Scenario::new(
            "the API server takes every object that its kind allows",
            takes_what_is_allowed,
        ),
        Scenario::new(
            "kubectl shows and explains every kind by its short name and category",
            shows_and_explains,
        ),
    ]
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../crds/tests")
        .join(name)
}

/// Files of a folder, by name, with their text.
fn files(name: &str) -> Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder(name))? {
        let entry = entry?;
        let text = fs::read_to_string(entry.path())?;
        files.push((entry.file_name().to_string_lossy().into_owned(), text));
    }
    ensure!(!files.is_empty(), "{name} holds no file");
    Ok(files)
}

/// `kubectl create` of a folder, without keeping anything. One process for all of them: it goes on
/// after an error, and names the file with each.
fn try_all(lab: &Lab, name: &str) -> Result<String> {
    let folder = folder(name).display().to_string();
    lab.kubectl(&["create", "--dry-run=server", "-f", &folder])
}

fn refuses_what_breaks_a_rule(lab: &mut Lab) -> Result<()> {
    let refused = try_all(lab, "reject")
        .err()
        .context("every one was taken")?;
    let refused = format!("{refused:#}");
    let errors: Vec<&str> = refused.split("error when creating ").skip(1).collect();
    let mut wrong = Vec::new();
    for (file, text) in files("reject")? {
        let first = text.lines().next().unwrap_or_default();
        let expected = first
            .strip_prefix(EXPECT)
            .with_context(|| format!("{file} does not say what to expect"))?;
        match errors
            .iter()
            .find(|error| error.contains(&format!("{file}\"")))
        {
            None => wrong.push(format!("{file} was taken")),
            Some(error) if !error.contains(expected) => {
                wrong.push(format!("{file} was refused for something else: {error}"));
            }
            Some(_) => {}
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

fn takes_what_is_allowed(lab: &mut Lab) -> Result<()> {
    let taken = try_all(lab, "accept")?;
    let count = files("accept")?.len();
    ensure!(taken.lines().count() == count, "of {count} files: {taken}");
    Ok(())
}

fn shows_and_explains(lab: &mut Lab) -> Result<()> {
    for (file, text) in files("accept")? {
        lab.apply(&text).with_context(|| file)?;
    }
    // Columns as people see them, and a value each that only a right path can show.
    let tables = [
        ("smpool", "AUTO ASSIGN", "ACCEPTED", "false"),
        ("smalloc", "HELD BY", "POOL", "shop/web"),
        ("sml2adv", "ACCEPTED", "AGE", "full"),
        ("smpeer", "ADDRESS", "MY ASN", "4200000000"),
        ("smbfd", "TRANSMIT INTERVAL", "PASSIVE MODE", "60000"),
        ("smbgpadv", "ACCEPTED", "AGE", "full"),
        ("smcommunity", "ACCEPTED", "AGE", "named"),
        ("smconfig", "GENERATION", "DEGRADED", "seamark"),
        ("smstatus", "CONFIG", "ANNOUNCED IPV4", "node-a"),
    ];
    let all = lab.kubectl(&["get", "seamark"])?;
    for (kind, column, other, value) in tables {
        let shown = lab.kubectl(&["get", kind])?;
        for wanted in [column, other, value] {
            ensure!(shown.contains(wanted), "no {wanted} in {shown}");
        }
        ensure!(all.contains(value), "the category shows no {kind}: {all}");
    }
    for field in [
        "ipaddresspool.spec.addresses",
        "ipaddresspool.spec.serviceAllocation.priority",
        "l2advertisement.spec.interfaces",
        "bgppeer.spec.passwordSecret.key",
        "bgppeer.spec.holdTime",
        "bgppeer.spec.listenRange",
        "bgppeer.spec.gracefulRestart.bfdBudget",
        "bgppeer.spec.gracefulShutdown.wait",
        "bfdprofile.spec.detectMultiplier",
        "bgpadvertisement.spec.communities",
        "community.spec.communities",
        "ipallocation.spec.holders",
        "speakerconfig.spec.pools",
        "speakerconfig.spec.bgpPeers.bfd.receiveInterval",
        "speakerstatus.status",
        "speakerstatus.status.sessions.bfd.detectionTime",
    ] {
        let text = lab.kubectl(&["explain", field])?;
        let words = text.split("DESCRIPTION:").nth(1).unwrap_or_default();
        ensure!(
            words.split_whitespace().count() > 5 && !words.trim_start().starts_with("<empty>"),
            "{field} is not explained: {text}"
        );
    }
    Ok(())
}

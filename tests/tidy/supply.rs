//! What we take in from others: no banned crate, no licence that binds.

use anyhow::Result;

use crate::licence;
use crate::metadata::{resolved, room};
use crate::problem::{Problem, expect_none};
use crate::tree;

/// Crates that must not come in, not even through another one, and why.
const BANNED: &[(&str, &str)] = &[
    ("openssl", "TLS is rustls with ring"),
    ("openssl-sys", "TLS is rustls with ring"),
    ("native-tls", "TLS is rustls with ring"),
    ("aws-lc-rs", "ring is the one C dependency"),
    ("aws-lc-sys", "ring is the one C dependency"),
    ("serde_yaml", "it is no longer maintained; use serde-saphyr"),
    (
        "serde_yml",
        "it is not maintained soundly; use serde-saphyr",
    ),
    (
        "pnet_datalink",
        "it listens to everything, promiscuously; use speaker/sys",
    ),
];

#[test]
fn no_banned_crate_is_in_the_lock_file() -> Result<()> {
    let lock = tree::read("Cargo.lock")?;
    let mut problems = Vec::new();
    for (number, line) in lock.lines() {
        let Some(name) = line.strip_prefix("name = ") else {
            continue;
        };
        let name = name.trim_matches('"');
        if let Some((_, reason)) = BANNED.iter().find(|(banned, _)| *banned == name) {
            let what =
                format!("{name} is banned: {reason}; `cargo tree -i {name}` shows who pulls it in");
            problems.push(Problem::at(&lock.path, number, what));
        }
    }
    expect_none(&problems);
    Ok(())
}

#[test]
fn every_dependency_has_a_permissive_licence() -> Result<()> {
    let mut problems = Vec::new();
    for package in resolved()?
        .packages
        .iter()
        .filter(|package| room(&package.name).is_none())
    {
        let licence = package.license.as_deref().unwrap_or("not named");
        let complaint = match licence::is_permissive(licence) {
            Ok(true) => continue,
            Ok(false) => format!("licence {licence}"),
            Err(error) => format!("licence {licence}: {error}"),
        };
        let what = format!(
            "{} {}: {complaint}; use another crate",
            package.name, package.version
        );
        problems.push(Problem::of("Cargo.lock", what));
    }
    expect_none(&problems);
    Ok(())
}

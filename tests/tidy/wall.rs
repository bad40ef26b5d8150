//! The purity wall: crates that decide know no clock, no task, no socket and no Kubernetes.

use anyhow::Result;
use cargo_metadata::DependencyKind;

use crate::metadata::{manifest, members, room};
use crate::problem::{Problem, expect_none};
use crate::{rust, tree};

/// Each pure room and its folder.
const PURE: &[(&str, &str)] = &[
    ("model", "crds/model"),
    ("ipam", "controller/ipam"),
    ("plan", "speaker/plan"),
    ("l2", "speaker/l2"),
    ("bgp", "speaker/bgp"),
    ("bfd", "speaker/bfd"),
];

/// What a pure crate may use besides other pure crates.
const ALLOWED: &[&str] = &["thiserror"];

/// What one pure crate may use besides, and the decision record that allows it.
const GRANTED: &[(&str, &str, &str)] = &[("bgp", "bytes", "docs/adr/0008-bgp-messages-by-hand.md")];

/// What each pure crate's clippy.toml disallows.
const DISALLOWED: &[&str] = &[
    "std::time::Instant::now",
    "std::time::SystemTime::now",
    "std::thread::sleep",
    "std::thread::spawn",
];

/// What must not stand in pure code, whether or not clippy looks: clocks, waiting, tasks, the
/// outside world.
const FORBIDDEN: &[&str] = &[
    "Instant::now",
    "SystemTime::now",
    "thread::sleep",
    "thread::spawn",
    "thread_local",
    "std::env",
    "std::fs",
    "std::process",
    "std::thread",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "Mutex",
    "RwLock",
];

#[test]
fn pure_crates_depend_on_pure_crates_only() -> Result<()> {
    let mut problems = Vec::new();
    for package in members()? {
        if !PURE
            .iter()
            .any(|(name, _)| room(&package.name) == Some(name))
        {
            continue;
        }
        for dependency in &package.dependencies {
            let ours = room(&dependency.name);
            let pure = PURE.iter().any(|(name, _)| ours == Some(name))
                || ALLOWED.contains(&dependency.name.as_str())
                || is_granted(room(&package.name), &dependency.name)
                || dependency.kind == DependencyKind::Development;
            if !pure {
                let what = format!(
                    "{} in a pure crate; move what needs it into a driver",
                    dependency.name
                );
                problems.push(Problem::of(&manifest(&package), what));
            }
        }
    }
    expect_none(&problems);
    Ok(())
}

/// Whether a decision record that is there allows this dependency.
fn is_granted(user: Option<&str>, used: &str) -> bool {
    GRANTED.iter().any(|(crate_name, dependency, record)| {
        user == Some(crate_name) && used == *dependency && tree::root().join(record).exists()
    })
}

/// Clippy reads the nearest clippy.toml only, so that each has to repeat the workspace's settings.
#[test]
fn the_clippy_file_of_a_pure_crate_repeats_the_settings_and_disallows_clocks() -> Result<()> {
    let workspace = tree::read("clippy.toml")?;
    let mut problems = Vec::new();
    for (_, folder) in PURE {
        let path = format!("{folder}/clippy.toml");
        let Ok(own) = tree::read(&path) else {
            problems.push(Problem::of(
                &path,
                "missing; copy it from another pure crate",
            ));
            continue;
        };
        let settings = workspace.text.lines().filter(|line| line.contains('='));
        for setting in settings.filter(|setting| !own.text.lines().any(|line| line == *setting)) {
            let what = format!("lacks the workspace's `{setting}`; repeat it");
            problems.push(Problem::of(&path, what));
        }
        let method = |name: &&&str| own.text.contains(&format!("path = \"{name}\""));
        for missing in DISALLOWED.iter().filter(|name| !method(name)) {
            let what = format!("does not disallow {missing}; add it with its reason");
            problems.push(Problem::of(&path, what));
        }
    }
    expect_none(&problems);
    Ok(())
}

#[test]
fn pure_code_reads_no_clock_starts_no_task_and_touches_nothing_outside() -> Result<()> {
    let mut problems = Vec::new();
    for file in rust::files()? {
        if !PURE
            .iter()
            .any(|(_, folder)| file.path.starts_with(&format!("{folder}/src/")))
        {
            continue;
        }
        for word in FORBIDDEN {
            for at in file
                .words(word)
                .into_iter()
                .filter(|at| !file.is_test_code(*at))
            {
                let what =
                    format!("{word} in a pure crate; take it as an argument from the driver");
                problems.push(Problem::at(&file.path, file.line(at), what));
            }
        }
    }
    expect_none(&problems);
    Ok(())
}

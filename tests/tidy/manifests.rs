//! One place for versions, lints and the edition: the workspace's manifest.

use anyhow::Result;

use crate::metadata::{manifest, members};
use crate::problem::{Problem, expect_none};
use crate::tree::{self, Source};

/// What every member says in `[package]`.
const INHERITED: &[&str] = &[
    "version.workspace = true",
    "edition.workspace = true",
    "rust-version.workspace = true",
    "license.workspace = true",
    "publish.workspace = true",
];

#[test]
fn every_crate_inherits_edition_lints_and_versions_from_the_workspace() -> Result<()> {
    let mut problems = Vec::new();
    for package in members()? {
        let source = tree::read(&manifest(&package))?;
        for line in INHERITED
            .iter()
            .filter(|line| !source.text.lines().any(|have| have == **line))
        {
            problems.push(Problem::of(&source.path, format!("lacks `{line}`; add it")));
        }
        if !source.text.contains("[lints]\nworkspace = true\n") {
            let what = "does not inherit the lints; add `[lints]` with `workspace = true`";
            problems.push(Problem::of(&source.path, what));
        }
        problems.extend(own_versions(&source));
    }
    expect_none(&problems);
    Ok(())
}

/// Dependencies that do not come from the workspace's table.
fn own_versions(source: &Source) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut inside = false;
    for (number, line) in source.lines() {
        if let Some(table) = line.strip_prefix('[') {
            inside = table.trim_end_matches(']').ends_with("dependencies");
            // [dependencies.name] would slip through below.
            if table.contains("dependencies.") {
                let what = "a table for one dependency; write it in one line";
                problems.push(Problem::at(&source.path, number, what));
            }
        } else if inside && line.contains('=') && !line.contains("workspace = true") {
            let what = "a version of its own; name it in [workspace.dependencies] and inherit it";
            problems.push(Problem::at(&source.path, number, what));
        }
    }
    problems
}

#[test]
fn a_version_in_a_member_is_found() {
    let text =
        "[package]\nversion = \"1\"\n[dev-dependencies]\na = { workspace = true }\nb = \"1\"\n";
    let source = Source {
        path: "x/Cargo.toml".to_owned(),
        text: text.to_owned(),
    };
    let found: Vec<String> = own_versions(&source)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("x/Cargo.toml:5:"), "{found:?}");
}

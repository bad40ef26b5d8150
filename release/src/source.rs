//! The checkout that a release is made from.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use cargo_metadata::MetadataCommand;
use jiff::Timestamp;

/// A checkout: its version, and which commit it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its top folder.
    pub root: PathBuf,
    /// The version of the workspace, the only place where it is written by hand.
    pub version: String,
    /// The commit, with `-dirty` if files differ from it; `unknown` outside of a repository.
    pub revision: String,
    /// When it was committed, in seconds since 1970.
    pub time: u64,
}

impl Source {
    /// The checkout with this top folder.
    pub fn read(root: &Path) -> Result<Self> {
        let metadata = MetadataCommand::new()
            .manifest_path(root.join("Cargo.toml"))
            .no_deps()
            .exec()?;
        let package = metadata
            .packages
            .iter()
            .find(|one| one.name == "seamark-release");
        let package = package.context("the workspace has no seamark-release")?;
        let git = |arguments: &[&str]| output(root, arguments);
        let (revision, time) = match git(&["log", "-1", "--format=%H %ct"]) {
            Ok(line) => {
                let (hash, time) = line.split_once(' ').context("an odd answer of git log")?;
                let dirty = !git(&["status", "--porcelain"])?.is_empty();
                let mark = if dirty { "-dirty" } else { "" };
                (format!("{hash}{mark}"), time.parse()?)
            }
            Err(_) => ("unknown".to_owned(), 0),
        };
        Ok(Self {
            root: root.to_owned(),
            version: package.version.to_string(),
            revision,
            time,
        })
    }
}

impl Source {
    /// When it was committed, as RFC 3339 has it.
    pub fn created(&self) -> String {
        let seconds = i64::try_from(self.time).unwrap_or_default();
        Timestamp::from_second(seconds)
            .unwrap_or_default()
            .to_string()
    }
}

fn output(root: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new("git")
        .arg("-C")
        .arg(root)
        .args(arguments)
        .output()?;
    ensure!(output.status.success(), "git {arguments:?} failed");
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// Runs a program of the lab's tools to its end and returns what it wrote.
pub fn run(program: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .with_context(|| format!("cannot run {}", program.display()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{} {}: {}",
        program.display(),
        arguments.join(" "),
        said.trim()
    );
    Ok(String::from_utf8(output.stdout)?)
}

//! The cgroups of a run: whatever a kubelet starts is in them, so that all of it can be found and
//! ended, by whoever comes later too.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;

use super::record::Identity;
use crate::eventually;

const ROOT: &str = "/sys/fs/cgroup";

/// Those of version 1 that kubelet and runc use.
const HIERARCHIES: [&str; 9] = [
    "blkio", "cpu", "cpuacct", "cpuset", "devices", "freezer", "memory", "pids", "systemd",
];

/// What kubelet needs of version 2.
const CONTROLLERS: &str = "+cpu +cpuset +io +memory +pids";

/// How long processes may take to be gone after SIGKILL, and an empty cgroup to be removable.
const PATIENCE: Duration = Duration::from_secs(10);

/// Makes a cgroup of that name in each hierarchy.
pub(super) fn make(name: &str) -> Result<()> {
    let root = Path::new(ROOT);
    if root.join("cgroup.controllers").exists() {
        let control = root.join("cgroup.subtree_control");
        fs::write(&control, CONTROLLERS)
            .with_context(|| format!("writing {}", control.display()))?;
        return create(&root.join(name));
    }
    for hierarchy in HIERARCHIES {
        let folder = root.join(hierarchy);
        ensure!(
            folder.exists(),
            "{} is not mounted, and kubelet needs it",
            folder.display()
        );
        create(&folder.join(name))?;
    }
    // A new one has no processors and no memory, and nothing can run in it.
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let of_all = fs::read_to_string(root.join("cpuset").join(file))?;
        fs::write(root.join("cpuset").join(name).join(file), of_all)?;
    }
    Ok(())
}

fn create(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))
}

/// Kills whatever is in it.
pub(super) fn kill_members(name: &str) -> Result<()> {
    eventually(PATIENCE, "what was in a cgroup is gone", || {
        let members = members(name)?;
        for member in &members {
            member.signal(Signal::SIGKILL)?;
        }
        ensure!(members.is_empty(), "{name} still has {}", members.len());
        Ok(())
    })
}

/// Kills whatever is in it, and removes it.
pub(super) fn end(name: &str) -> Result<()> {
    kill_members(name)?;
    for folder in folders(name) {
        eventually(PATIENCE, "an empty cgroup can be removed", || {
            remove(&folder).with_context(|| format!("removing {}", folder.display()))
        })?;
    }
    Ok(())
}

/// Where a cgroup of that name is.
fn folders(name: &str) -> Vec<PathBuf> {
    let root = Path::new(ROOT);
    let mut folders: Vec<PathBuf> = HIERARCHIES.map(|one| root.join(one).join(name)).into();
    folders.push(root.join(name));
    folders.push(root.join("unified").join(name));
    folders.retain(|folder| folder.is_dir());
    folders
}

fn members(name: &str) -> Result<Vec<Identity>> {
    let mut pids = BTreeSet::new();
    for folder in folders(name) {
        collect(&folder, &mut pids)?;
    }
    let alive = pids.into_iter().filter_map(|pid| Identity::of(pid).ok());
    Ok(alive.filter(|one| one.is_alive()).collect())
}

fn collect(folder: &Path, pids: &mut BTreeSet<u32>) -> Result<()> {
    // It may go at any moment.
    let listed = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    pids.extend(listed.lines().filter_map(|line| line.parse::<u32>().ok()));
    children(folder)?
        .iter()
        .try_for_each(|one| collect(one, pids))
}

/// From the leaves up; the kernel removes the files.
fn remove(folder: &Path) -> Result<()> {
    children(folder)?.iter().try_for_each(|one| remove(one))?;
    match fs::remove_dir(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

fn children(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

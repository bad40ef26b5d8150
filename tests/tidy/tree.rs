//! The files of the repository, read from the working tree.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Folders that are not ours: version control and what builds leave behind.
const SKIPPED: &[&str] = &[".git", "target", "node_modules"];

/// One text file, by its path from the root with `/` between the parts.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    /// Lines with their numbers as an editor counts them.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
    }
}

/// The repository's root: this package stands one level below it.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(Path::to_path_buf)
        .unwrap_or_default()
}

/// One file that has to be there.
pub(crate) fn read(path: &str) -> Result<Source> {
    let text = fs::read_to_string(root().join(path)).with_context(|| format!("no {path}"))?;
    Ok(Source {
        path: path.to_owned(),
        text,
    })
}

/// Every text file below `folder` (empty: all of them) whose name ends in one of `endings`, sorted.
pub(crate) fn sources(folder: &str, endings: &[&str]) -> Result<Vec<Source>> {
    let mut found = Vec::new();
    walk(&root().join(folder), endings, &mut found)?;
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn walk(folder: &Path, endings: &[&str], found: &mut Vec<Source>) -> Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    let entries = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if path.is_symlink() || SKIPPED.contains(&name) {
            continue;
        }
        if path.is_dir() {
            walk(&path, endings, found)?;
        } else if endings.iter().any(|ending| name.ends_with(ending)) {
            // A file that another process has just removed, or that is no text, is no source.
            let Ok(text) = fs::read_to_string(&path) else {
                continue;
            };
            let relative = path.strip_prefix(root())?.to_string_lossy().into_owned();
            found.push(Source {
                path: relative,
                text,
            });
        }
    }
    Ok(())
}

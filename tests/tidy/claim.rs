//! Cargo's target folder in CI is shared by checkouts. What one of them compiled there must not pass
//! for what stands in another.

use std::env;
use std::fs::{self, File, FileTimes};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Result, ensure};

use crate::tree;

#[test]
fn only_what_this_checkout_compiled_last_is_taken_for_fresh() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let shared = folder.path().join("shared");
    let (one, other) = (
        Checkout::new(folder.path(), "one")?,
        Checkout::new(folder.path(), "other")?,
    );
    ensure!(
        one.is_made_younger_by_claiming(&shared)?,
        "nothing is known"
    );
    ensure!(
        !one.is_made_younger_by_claiming(&shared)?,
        "it was the last"
    );
    ensure!(
        other.is_made_younger_by_claiming(&shared)?,
        "one was the last"
    );
    ensure!(
        one.is_made_younger_by_claiming(&shared)?,
        "other was the last"
    );
    one.git(&["commit", "--quiet", "--allow-empty", "--message", "next"])?;
    ensure!(
        one.is_made_younger_by_claiming(&shared)?,
        "another commit was the last"
    );
    fs::remove_dir_all(one.0.join(".git"))?;
    ensure!(one.is_made_younger_by_claiming(&shared)?, "it is no commit");
    ensure!(
        !one.is_made_younger_by_claiming(&shared)?,
        "it was the last"
    );
    fs::write(one.source(), "fn changed() {}")?;
    ensure!(
        one.is_made_younger_by_claiming(&shared)?,
        "it was different"
    );
    Ok(())
}

/// A repository with one source file and the script.
struct Checkout(PathBuf);

impl Checkout {
    fn new(above: &Path, name: &str) -> Result<Self> {
        let new = Self(above.join(name));
        let script = "tests/tools/claim.sh";
        fs::create_dir_all(new.0.join("tests/tools"))?;
        fs::copy(tree::root().join(script), new.0.join(script))?;
        fs::write(new.source(), "")?;
        new.git(&["init", "--quiet"])?;
        new.git(&["add", "."])?;
        new.git(&["commit", "--quiet", "--message", "first"])?;
        Ok(new)
    }

    fn source(&self) -> PathBuf {
        self.0.join("lib.rs")
    }

    /// Not the repository that a git hook names to what it runs.
    fn git(&self, arguments: &[&str]) -> Result<()> {
        let name = ["-c", "user.name=test", "-c", "user.email=test@example.com"];
        let mut git = Command::new("git");
        for (variable, _) in env::vars_os() {
            if variable.to_string_lossy().starts_with("GIT_") {
                git.env_remove(variable);
            }
        }
        git.arg("-C").arg(&self.0).args(name).args(arguments);
        ensure!(git.status()?.success(), "git {arguments:?} failed");
        Ok(())
    }

    /// Whether its source file, as old as can be, is young afterwards.
    fn is_made_younger_by_claiming(&self, shared: &Path) -> Result<bool> {
        let old = SystemTime::UNIX_EPOCH;
        let times = FileTimes::new().set_modified(old);
        File::options()
            .write(true)
            .open(self.source())?
            .set_times(times)?;
        let script = self.0.join("tests/tools/claim.sh");
        let status = Command::new(script).arg(shared).status()?;
        ensure!(status.success(), "the script failed");
        Ok(fs::metadata(self.source())?.modified()? > old)
    }
}

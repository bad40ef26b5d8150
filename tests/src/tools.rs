//! Where the programs of the lab are: those that `tests/tools/setup.sh` built, and our own.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::shell;

/// The top of the checkout.
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The lab's folder in the user's cache.
pub(crate) fn cache() -> Result<PathBuf> {
    let base = match env::var_os("XDG_CACHE_HOME") {
        Some(dir) => PathBuf::from(dir),
        None => PathBuf::from(env::var_os("HOME").context("HOME is not set")?).join(".cache"),
    };
    Ok(base.join("seamark/lab"))
}

/// A program that the set-up built (kube-apiserver, kube-proxy, kubectl, etcd …).
pub fn built(program: &str) -> Result<PathBuf> {
    let script = root().join("tests/tools/setup.sh");
    let folders = shell::run(&[&script.to_string_lossy(), "where"])?;
    folders
        .lines()
        .map(|folder| Path::new(folder).join(program))
        .find(|path| path.exists())
        .with_context(|| format!("{program} is not built yet; run `make setup`"))
}

/// The program that holds rendered objects against the schemas of Kubernetes' versions.
pub fn validator() -> Result<PathBuf> {
    let script = root().join("tests/tools/setup.sh");
    let folder = shell::run(&[&script.to_string_lossy(), "chart"])?;
    Ok(Path::new(folder.trim()).join("kubernetes-validate"))
}

/// The folder with the version before this one: both binaries, and its kinds in `crds`.
pub fn before() -> Result<PathBuf> {
    let script = root().join("tests/tools/before.sh");
    let folder = shell::run(&[&script.to_string_lossy(), "where"])?;
    let folder = PathBuf::from(folder.trim());
    anyhow::ensure!(
        folder.join("seamark-speaker").exists(),
        "the version before is not built; run `make before`"
    );
    Ok(folder)
}

/// One of our own binaries: from SEAMARK_BIN_DIR, or from beside the running one.
pub fn ours(program: &str) -> Result<PathBuf> {
    let mut folders: Vec<PathBuf> = Vec::new();
    if let Some(dir) = env::var_os("SEAMARK_BIN_DIR") {
        folders.push(PathBuf::from(dir));
    } else {
        // target/lab/demo has its neighbours in target/lab, target/lab/deps/lab-0123 one above.
        folders.extend(
            env::current_exe()?
                .ancestors()
                .skip(1)
                .take(2)
                .map(Path::to_owned),
        );
    }
    match folders
        .iter()
        .map(|folder| folder.join(program))
        .find(|path| path.exists())
    {
        Some(path) => Ok(path.canonicalize()?),
        None => bail!(
            "{program} is not in {folders:?}; build it (`make build`), or set SEAMARK_BIN_DIR to its folder"
        ),
    }
}

/// The same built for the loader, which can put other libraries before its own.
pub(crate) fn dynamic(program: &str) -> Result<PathBuf> {
    let folder = env::var_os("SEAMARK_DYNAMIC_DIR");
    let folder = folder.context("SEAMARK_DYNAMIC_DIR is not set; run the lab by `make lab`")?;
    let path = Path::new(&folder).join(program);
    path.canonicalize()
        .with_context(|| format!("{} is not built; run `make build`", path.display()))
}

//! What cargo knows about our crates and about everything they pull in.

use anyhow::{Context, Result};
use cargo_metadata::{CargoOpt, Metadata, MetadataCommand, Package};

use crate::tree::root;

/// The members of the workspace and what each asks for. Reads manifests only, so it needs no
/// registry and writes no lock file.
pub(crate) fn members() -> Result<Vec<Package>> {
    let metadata = MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .context("cargo metadata --no-deps")?;
    Ok(metadata.packages)
}

/// Everything that is compiled for this machine, resolved by the lock file as it stands.
pub(crate) fn resolved() -> Result<Metadata> {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .features(CargoOpt::AllFeatures)
        .other_options([
            "--locked".to_owned(),
            "--filter-platform".to_owned(),
            target,
        ])
        .exec()
        .context("cargo metadata --locked; is Cargo.lock committed together with Cargo.toml?")
}

/// The name that code uses for one of our packages: `ipam` for `seamark-ipam`.
pub(crate) fn room(package: &str) -> Option<&str> {
    package.strip_prefix("seamark-")
}

/// A member's manifest by its path from the root, as problems name it.
pub(crate) fn manifest(package: &Package) -> String {
    let path = package.manifest_path.as_std_path();
    path.strip_prefix(root())
        .unwrap_or(path)
        .display()
        .to_string()
}

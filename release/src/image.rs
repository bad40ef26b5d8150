//! An image of one program and nothing else, as an OCI archive: a tar file with the layout of the
//! image specification, which containerd, Podman and Docker import and registries take.
//!
//! ```text
//!   oci-layout
//!   index.json ──▶ manifest ──▶ config      who runs, what, labels
//!                          └──▶ layer       the one file, gzipped
//!   manifest.json              the same for older versions of Docker
//! ```

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use flate2::{Compression, GzBuilder};
use serde_json::{Value, json};

use crate::program::Program;
use crate::source::Source;
use crate::sums;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// What stands before the names of images that come from no registry.
pub const PREFIX: &str = "localhost";

/// The archive of an image, and what is worth knowing of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its name with prefix and tag, under which it is imported.
    pub reference: String,
    /// The digest of its manifest, by which a registry knows it.
    pub digest: String,
    /// Octets that a node fetches: config and layer.
    pub size: usize,
    /// The tar file.
    pub archive: Vec<u8>,
}

/// Octets under the name that follows from them.
struct Blob {
    digest: String,
    octets: Vec<u8>,
}

impl Blob {
    fn new(octets: Vec<u8>) -> Self {
        let digest = sums::sha256(&octets);
        Self { digest, octets }
    }

    fn json(value: &Value) -> Result<Self> {
        Ok(Self::new(serde_json::to_vec(value)?))
    }

    fn descriptor(&self, media_type: &str) -> Value {
        json!({
            "mediaType": media_type,
            "digest": format!("sha256:{}", self.digest),
            "size": self.octets.len(),
        })
    }

    fn path(&self) -> String {
        format!("blobs/sha256/{}", self.digest)
    }
}

impl Image {
    /// The image of a program whose static binary is at `binary`, built for `architecture` in the
    /// words of Go (`amd64`, `arm64`).
    pub fn pack(
        program: &Program,
        binary: &Path,
        architecture: &str,
        source: &Source,
    ) -> Result<Self> {
        let octets = std::fs::read(binary)
            .with_context(|| format!("cannot read {}; run `make image`", binary.display()))?;
        Self::of(program, &octets, architecture, source)
    }

    fn of(program: &Program, binary: &[u8], architecture: &str, source: &Source) -> Result<Self> {
        let reference = format!("{PREFIX}/{}:{}", program.name, source.version);
        let tar = tar(&[(program.name, binary, 0o755)], source.time)?;
        let unpacked = Blob::new(tar);
        let layer = Blob::new(gzip(&unpacked.octets)?);
        let config = Blob::json(&config(program, &unpacked.digest, architecture, source))?;
        let manifest = Blob::json(&json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config.descriptor(CONFIG),
            "layers": [layer.descriptor(LAYER)],
            "annotations": labels(program, source),
        }))?;
        let mut entry = manifest.descriptor(MANIFEST);
        entry["platform"] = json!({ "architecture": architecture, "os": "linux" });
        entry["annotations"] = json!({
            "io.containerd.image.name": reference,
            "org.opencontainers.image.ref.name": source.version,
        });
        let index = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [entry],
        });
        let docker = json!([{
            "Config": config.path(),
            "RepoTags": [reference],
            "Layers": [layer.path()],
        }]);
        let layout = serde_json::to_vec(&json!({ "imageLayoutVersion": "1.0.0" }))?;
        let (index, docker) = (serde_json::to_vec(&index)?, serde_json::to_vec(&docker)?);
        let (of_config, of_layer, of_manifest) = (config.path(), layer.path(), manifest.path());
        let mut files: Vec<(&str, &[u8], u32)> = vec![
            (&of_config, &config.octets, 0o644),
            (&of_layer, &layer.octets, 0o644),
            (&of_manifest, &manifest.octets, 0o644),
            ("index.json", &index, 0o644),
            ("manifest.json", &docker, 0o644),
            ("oci-layout", &layout, 0o644),
        ];
        files.sort_unstable_by_key(|(name, ..)| *name);
        Ok(Self {
            reference,
            digest: format!("sha256:{}", manifest.digest),
            size: config.octets.len() + layer.octets.len(),
            archive: self::tar(&files, source.time)?,
        })
    }
}

fn config(program: &Program, diff: &str, architecture: &str, source: &Source) -> Value {
    let created = source.created();
    json!({
        "created": created,
        "architecture": architecture,
        "os": "linux",
        "config": {
            "User": program.user,
            "Entrypoint": [format!("/{}", program.name)],
            "ExposedPorts": { (format!("{}/tcp", program.port)): {} },
            "Labels": labels(program, source),
        },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{diff}")] },
        "history": [{ "created": created, "created_by": "make image" }],
    })
}

/// <https://specs.opencontainers.org/image-spec/annotations/>
fn labels(program: &Program, source: &Source) -> Value {
    json!({
        "org.opencontainers.image.title": program.name,
        "org.opencontainers.image.description": program.description,
        "org.opencontainers.image.version": source.version,
        "org.opencontainers.image.revision": source.revision,
        "org.opencontainers.image.created": source.created(),
        "org.opencontainers.image.licenses": "Apache-2.0",
    })
}

/// Files in this order, owned by root, as old as the commit.
fn tar(files: &[(&str, &[u8], u32)], time: u64) -> Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, octets, mode) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(octets.len().try_into()?);
        header.set_mode(*mode);
        header.set_mtime(time);
        header.set_uid(0);
        header.set_gid(0);
        builder.append_data(&mut header, name, *octets)?;
    }
    Ok(builder.into_inner()?)
}

/// Without name and time, so that the same octets stay the same.
fn gzip(octets: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzBuilder::new()
        .mtime(0)
        .write(Vec::new(), Compression::best());
    encoder.write_all(octets)?;
    Ok(encoder.finish()?)
}

#[cfg(test)]
mod tests;

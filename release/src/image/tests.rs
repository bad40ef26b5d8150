//! What is in an archive, read as those read it who import it.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;

use flate2::read::GzDecoder;

use super::*;
use crate::program::PROGRAMS;

fn source() -> Source {
    Source {
        root: PathBuf::new(),
        version: "1.2.3".to_owned(),
        revision: "abc".to_owned(),
        time: 1_700_000_000,
    }
}

fn image() -> Image {
    Image::of(&PROGRAMS[0], b"an executable", "amd64", &source()).unwrap()
}

fn files(archive: &[u8]) -> BTreeMap<String, (Vec<u8>, u32, u64)> {
    let mut archive = tar::Archive::new(archive);
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut octets = Vec::new();
        entry.read_to_end(&mut octets).unwrap();
        let header = entry.header();
        let (mode, time) = (header.mode().unwrap(), header.mtime().unwrap());
        let name = entry.path().unwrap().to_string_lossy().into_owned();
        (name, (octets, mode, time))
    });
    entries.collect()
}

/// The blob that a descriptor points to, which has the digest and the size that it says.
fn follow(files: &BTreeMap<String, (Vec<u8>, u32, u64)>, descriptor: &Value) -> Vec<u8> {
    let digest = descriptor["digest"].as_str().unwrap();
    let name = digest.replace("sha256:", "blobs/sha256/");
    let (octets, ..) = files[&name].clone();
    assert_eq!(descriptor["size"].as_u64().unwrap(), octets.len() as u64);
    assert_eq!(digest, format!("sha256:{}", sums::sha256(&octets)));
    octets
}

#[test]
fn the_same_input_gives_the_same_octets() {
    assert_eq!(image(), image());
}

#[test]
fn the_index_leads_to_one_file_that_runs_as_nobody() {
    let image = image();
    let files = files(&image.archive);
    let index: Value = serde_json::from_slice(&files["index.json"].0).unwrap();
    let entry = &index["manifests"][0];
    assert_eq!(entry["digest"], image.digest.as_str());
    assert_eq!(
        entry["annotations"]["io.containerd.image.name"],
        "localhost/seamark-controller:1.2.3"
    );
    let manifest: Value = serde_json::from_slice(&follow(&files, entry)).unwrap();
    let config: Value = serde_json::from_slice(&follow(&files, &manifest["config"])).unwrap();
    assert_eq!(config["config"]["User"], "65532:65532");
    assert_eq!(config["config"]["Entrypoint"][0], "/seamark-controller");
    let labels = &config["config"]["Labels"];
    assert_eq!(labels["org.opencontainers.image.version"], "1.2.3");
    assert_eq!(labels["org.opencontainers.image.revision"], "abc");
    assert_eq!(labels["org.opencontainers.image.licenses"], "Apache-2.0");
    assert_eq!(config["created"], "2023-11-14T22:13:20Z");
    let mut layer = Vec::new();
    let packed = follow(&files, &manifest["layers"][0]);
    GzDecoder::new(packed.as_slice())
        .read_to_end(&mut layer)
        .unwrap();
    assert_eq!(
        config["rootfs"]["diff_ids"][0],
        format!("sha256:{}", sums::sha256(&layer))
    );
    let expected = (b"an executable".to_vec(), 0o755, 1_700_000_000);
    let only = BTreeMap::from([("seamark-controller".to_owned(), expected)]);
    assert_eq!(self::files(&layer), only);
}

#[test]
fn older_versions_of_docker_find_the_same() {
    let image = image();
    let files = files(&image.archive);
    let docker: Value = serde_json::from_slice(&files["manifest.json"].0).unwrap();
    assert_eq!(docker[0]["RepoTags"][0], image.reference.as_str());
    for path in [&docker[0]["Config"], &docker[0]["Layers"][0]] {
        assert!(files.contains_key(path.as_str().unwrap()));
    }
    assert!(
        files["oci-layout"]
            .0
            .starts_with(b"{\"imageLayoutVersion\"")
    );
}

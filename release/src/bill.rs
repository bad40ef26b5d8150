//! The bill of materials of a program, in CycloneDX: every crate that is linked into it, with its
//! version, licence and checksum.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use cargo_metadata::{CargoOpt, DependencyKind, Metadata, MetadataCommand, Package, PackageId};
use serde_json::{Value, json};

use crate::program::Program;
use crate::source::Source;

/// The bill of a program that is built for a target (`x86_64-unknown-linux-gnu`).
/// <https://cyclonedx.org/docs/1.6/json/>
pub fn of(program: &Program, target: &str, source: &Source) -> Result<String> {
    let metadata = MetadataCommand::new()
        .manifest_path(source.root.join("Cargo.toml"))
        .features(CargoOpt::SomeFeatures(Vec::new()))
        .other_options(vec![
            "--locked".to_owned(),
            "--filter-platform".to_owned(),
            target.to_owned(),
        ])
        .exec()?;
    let lock = std::fs::read_to_string(source.root.join("Cargo.lock"))?;
    let (own, linked) = linked(program, &metadata)?;
    let sums = checksums(&lock);
    let others = linked.keys().filter(|id| **id != own);
    let components: Vec<Value> = others
        .filter_map(|id| metadata.packages.iter().find(|package| package.id == *id))
        .map(|package| component(package, &sums))
        .collect();
    let dependencies: Vec<Value> = linked
        .iter()
        .map(|(id, on)| {
            let refs: Vec<String> = on.iter().map(|id| reference(&metadata, id)).collect();
            json!({ "ref": reference(&metadata, id), "dependsOn": refs })
        })
        .collect();
    let bill = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": source.created(),
            "component": {
                "type": "application",
                "bom-ref": reference(&metadata, &own),
                "name": program.name,
                "version": source.version,
                "description": program.description,
                "licenses": [{ "expression": "Apache-2.0" }],
                "properties": [{ "name": "git:commit", "value": source.revision }],
            },
        },
        "components": components,
        "dependencies": dependencies,
    });
    Ok(serde_json::to_string_pretty(&bill)? + "\n")
}

/// What the program's package is linked with, itself included, and each one's own dependencies.
/// Macros and build scripts are not in a binary.
fn linked(
    program: &Program,
    metadata: &Metadata,
) -> Result<(PackageId, BTreeMap<PackageId, BTreeSet<PackageId>>)> {
    let packages = metadata.workspace_packages();
    let own = packages.iter().find(|package| package.name == program.name);
    let own = own.with_context(|| format!("no package {}", program.name))?;
    let resolve = metadata.resolve.as_ref().context("nothing is resolved")?;
    let is_macro = |id: &PackageId| {
        let package = metadata.packages.iter().find(|package| package.id == *id);
        package.is_some_and(|one| one.targets.iter().any(|target| target.is_proc_macro()))
    };
    let mut linked = BTreeMap::new();
    let mut open = vec![own.id.clone()];
    while let Some(id) = open.pop() {
        if linked.contains_key(&id) {
            continue;
        }
        let node = resolve.nodes.iter().find(|node| node.id == id);
        let node = node.with_context(|| format!("{id} is not resolved"))?;
        let normal = node.deps.iter().filter(|dependency| {
            let mut kinds = dependency.dep_kinds.iter();
            kinds.any(|kind| kind.kind == DependencyKind::Normal) && !is_macro(&dependency.pkg)
        });
        let on: BTreeSet<PackageId> = normal.map(|dependency| dependency.pkg.clone()).collect();
        open.extend(on.iter().cloned());
        linked.insert(id, on);
    }
    Ok((own.id.clone(), linked))
}

fn reference(metadata: &Metadata, id: &PackageId) -> String {
    let package = metadata.packages.iter().find(|package| package.id == *id);
    package.map(purl).unwrap_or_default()
}

/// <https://github.com/package-url/purl-spec>
fn purl(package: &Package) -> String {
    format!("pkg:cargo/{}@{}", package.name, package.version)
}

fn component(package: &Package, sums: &BTreeMap<(String, String), String>) -> Value {
    let version = package.version.to_string();
    let mut component = json!({
        "type": "library",
        "bom-ref": purl(package),
        "name": package.name,
        "version": version,
        "purl": purl(package),
    });
    if let Some(licence) = &package.license {
        // Cargo once had a slash for what SPDX calls OR.
        let expression = licence.replace('/', " OR ");
        component["licenses"] = json!([{ "expression": expression }]);
    }
    if let Some(sum) = sums.get(&(package.name.to_string(), version)) {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": sum }]);
    }
    component
}

/// The checksums in Cargo.lock, by name and version.
fn checksums(lock: &str) -> BTreeMap<(String, String), String> {
    let value = |block: &str, key: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(key));
        line.map(|text| {
            text.trim()
                .trim_start_matches("= ")
                .trim_matches('"')
                .to_owned()
        })
    };
    let blocks = lock.split("[[package]]").skip(1);
    blocks
        .filter_map(|block| {
            let name = (value(block, "name")?, value(block, "version")?);
            Some((name, value(block, "checksum")?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::program::PROGRAMS;

    #[test]
    fn checksums_are_those_of_the_lock_file() {
        let lock = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"x\"\n\
                    checksum = \"00ff\"\n\n[[package]]\nname = \"ours\"\nversion = \"0.1.0\"\n";
        let sums = checksums(lock);
        let a = ("a".to_owned(), "1.0.0".to_owned());
        assert_eq!(sums.get(&a).map(String::as_str), Some("00ff"));
        assert_eq!(sums.len(), 1);
    }

    #[test]
    fn a_bill_has_what_is_linked_and_nothing_that_only_builds_or_tests() {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        let source = Source::read(root).unwrap();
        let bill = of(&PROGRAMS[1], "x86_64-unknown-linux-gnu", &source).unwrap();
        let bill: Value = serde_json::from_str(&bill).unwrap();
        let components = bill["components"].as_array().unwrap();
        let has = |name: &str| components.iter().any(|one| one["name"] == name);
        for linked in ["seamark-bgp", "tokio", "ring", "rustls"] {
            assert!(has(linked), "{linked}");
        }
        for other in [
            "seamark-speaker",
            "seamark-ipam",
            "proptest",
            "serde_derive",
            "cc",
        ] {
            assert!(!has(other), "{other}");
        }
        let hashed = |one: &&Value| one["hashes"].is_array();
        assert!(components.iter().filter(hashed).count() > 50);
        assert!(components.iter().all(|one| one["licenses"].is_array()));
    }
}

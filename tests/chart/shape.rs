//! What is rendered is what was reviewed, and what API servers know.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use insta::assert_snapshot;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinitionSpec;
use lab::tools;
use serde::Deserialize;
use serde_json::Value;
use similar::TextDiff;

use crate::rendered::{MATRIX, chart, find, folder, helm, objects, render, rendered};

/// Every minor version that we support; the validator has the schemas of each.
const KUBERNETES: [&str; 5] = ["1.33.0", "1.34.0", "1.35.0", "1.36.0", "1.37.0"];

#[test]
fn helm_has_nothing_to_say_against_it() -> Result<()> {
    for (name, values) in MATRIX {
        let mut arguments = vec!["lint".to_owned(), "--strict".to_owned(), chart()];
        for value in values {
            arguments.extend(["--set".to_owned(), (*value).to_owned()]);
        }
        let said = helm(&arguments).with_context(|| format!("with {name}"))?;
        ensure!(!said.contains("[WARNING]"), "{name}: {said}");
    }
    Ok(())
}

/// All of it with the defaults, and of other values what they change.
/// The kinds have a snapshot of their own: crds/manifests.
#[test]
fn what_is_rendered_is_what_was_reviewed() -> Result<()> {
    let render = |values: &[&str]| render(&[values, &["crds.install=false"]].concat());
    let defaults = render(&[])?;
    for (name, values) in MATRIX {
        let text = render(values)?;
        if values.is_empty() {
            assert_snapshot!(name, text);
            continue;
        }
        let changes = TextDiff::from_lines(&defaults, &text);
        assert_snapshot!(name, changes.unified_diff().header("defaults", name));
    }
    Ok(())
}

#[test]
fn every_supported_kubernetes_knows_every_field_of_what_is_rendered() -> Result<()> {
    let folder = tempfile::tempdir()?;
    for (name, values) in MATRIX {
        let file = folder.path().join(format!("{name}.yaml"));
        std::fs::write(&file, render(values)?)?;
        for version in KUBERNETES {
            validate(version, &file).with_context(|| format!("{name} for {version}"))?;
        }
    }
    Ok(())
}

fn validate(version: &str, file: &Path) -> Result<()> {
    let output = Command::new(tools::validator()?)
        .args(["--strict", "--quiet", "--kubernetes-version", version])
        .arg(file)
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    // Kinds of others have no schema there.
    let unknown = |line: &str| {
        line.contains("Couldn't find schema") && line.contains("monitoring.coreos.com")
    };
    let complaints: Vec<&str> = said.lines().filter(|line| !unknown(line)).collect();
    ensure!(output.status.success() && complaints.is_empty(), "{said}");
    Ok(())
}

#[test]
fn the_kinds_are_the_generated_ones_and_outlive_the_chart() -> Result<()> {
    let rendered = rendered(&[]);
    for manifest in crds::manifests()? {
        let [generated] = objects(&manifest.text)?
            .try_into()
            .ok()
            .context("one object")?;
        let name = generated["metadata"]["name"].as_str().unwrap_or_default();
        let shipped = find(&rendered, "CustomResourceDefinition", name)?;
        let spec = |of: &Value| CustomResourceDefinitionSpec::deserialize(&of["spec"]);
        ensure!(
            spec(shipped)? == spec(&generated)?,
            "{name} differs; run `make gen`"
        );
        let policy = &shipped["metadata"]["annotations"]["helm.sh/resource-policy"];
        ensure!(policy == "keep", "{name} has policy {policy}");
    }
    Ok(())
}

#[test]
fn alerts_and_monitors_speak_of_metrics_that_there_are() -> Result<()> {
    let alerts = std::fs::read_to_string(folder().join("files/alerts.yaml"))?;
    let metrics = std::fs::read_to_string(tools::root().join("docs/guide/metrics.md"))?;
    let words = alerts.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let named: Vec<&str> = words.filter(|word| word.starts_with("seamark_")).collect();
    ensure!(named.len() > 5, "{named:?}");
    for metric in named {
        ensure!(
            metrics.contains(&format!("`{metric}`")),
            "{metric} is no metric of ours"
        );
    }
    Ok(())
}

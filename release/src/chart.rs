//! The generated files of the chart, and what is published of it.

mod values;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::source::{Source, run};

pub use values::{Setting, settings};

/// The chart's folder below the top.
pub const FOLDER: &str = "charts/seamark";

const README: &str = include_str!("chart/readme.in");

/// A file that follows from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// Where it belongs, below the top.
    pub path: PathBuf,
    /// What it says.
    pub text: String,
}

/// Everything in the chart that follows from something else: its version from the workspace's, its
/// kinds from the generated definitions, its README from the comments in its values.
pub fn generated(source: &Source) -> Result<Vec<Generated>> {
    let folder = Path::new(FOLDER);
    let chart = read(source, &folder.join("Chart.yaml"))?;
    let values = read(source, &folder.join("values.yaml"))?;
    let mut files = vec![
        Generated {
            path: folder.join("Chart.yaml"),
            text: with_version(&chart, &source.version),
        },
        Generated {
            path: folder.join("README.md"),
            text: readme(&values)?,
        },
    ];
    let definitions = Path::new("crds/manifests");
    let mut names: Vec<_> = std::fs::read_dir(source.root.join(definitions))?
        .map(|entry| Ok(entry?.file_name()))
        .collect::<Result<_>>()?;
    names.sort_unstable();
    for name in names {
        files.push(Generated {
            text: read(source, &definitions.join(&name))?,
            path: folder.join("files/crds").join(&name),
        });
    }
    Ok(files)
}

fn read(source: &Source, path: &Path) -> Result<String> {
    let path = source.root.join(path);
    std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

fn with_version(chart: &str, version: &str) -> String {
    let line = |line: &str| match line.split_once(": ") {
        Some((key @ ("version" | "appVersion"), _)) => format!("{key}: {version}\n"),
        Some(_) | None => format!("{line}\n"),
    };
    chart.lines().map(line).collect()
}

fn readme(values: &str) -> Result<String> {
    let mut table = String::from("| value | default | meaning |\n| --- | --- | --- |\n");
    for setting in settings(values)? {
        let Setting {
            path,
            default,
            text,
        } = setting;
        table.push_str(&format!("| `{path}` | `{default}` | {text} |\n"));
    }
    Ok(README.replace("VALUES\n", &table))
}

/// One manifest with everything, for those who use no Helm: the namespace, then what the chart makes
/// of its defaults there.
pub fn flat(source: &Source, helm: &Path) -> Result<String> {
    let namespace = read(source, &Path::new(FOLDER).join("rbac/namespace.yaml"))?;
    let folder = source.root.join(FOLDER);
    let folder = folder.to_string_lossy();
    let rendered = run(
        helm,
        &[
            "template",
            "seamark",
            &folder,
            "--namespace=seamark-system",
            "--no-hooks",
        ],
    )?;
    let own: String = rendered
        .lines()
        .filter(|line| !line.starts_with("# Source: "))
        .map(|line| format!("{line}\n"))
        .collect();
    let own = own.replace(
        "app.kubernetes.io/managed-by: Helm",
        "app.kubernetes.io/managed-by: kubectl",
    );
    Ok(format!("{namespace}{own}"))
}

/// The packed chart, in `folder`; returns its name.
pub fn package(source: &Source, helm: &Path, folder: &Path) -> Result<String> {
    let chart = source.root.join(FOLDER);
    let (chart, folder) = (chart.to_string_lossy(), folder.to_string_lossy());
    run(helm, &["package", &chart, "--destination", &folder])?;
    Ok(format!("seamark-{}.tgz", source.version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generated_files_of_the_chart_are_fresh() {
        let source = Source::read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))).unwrap();
        for file in generated(&source).unwrap() {
            let path = source.root.join(&file.path);
            let there = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(
                there == file.text,
                "{} is not what it follows from; run `make gen`",
                file.path.display()
            );
        }
    }

    #[test]
    fn both_versions_of_a_chart_are_the_workspaces() {
        let chart = "apiVersion: v2\nname: x\n# a comment\nversion: 0\nappVersion: 0\n";
        let expected = "apiVersion: v2\nname: x\n# a comment\nversion: 1.2.3\nappVersion: 1.2.3\n";
        assert_eq!(with_version(chart, "1.2.3"), expected);
    }
}

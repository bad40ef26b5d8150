//! Links between our own pages: the file has to be there, and the heading in it.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use anyhow::Result;

use crate::problem::{Problem, expect_none};
use crate::tree;

mod page;

use page::{anchors, targets};

#[test]
fn every_link_in_the_docs_leads_somewhere() -> Result<()> {
    let pages = tree::sources("", &[".md"])?;
    let headings: BTreeMap<&str, Vec<String>> = pages
        .iter()
        .map(|page| (page.path.as_str(), anchors(&page.text)))
        .collect();
    let mut problems = Vec::new();
    for page in &pages {
        for (line, target) in targets(&page.text) {
            if let Some(fault) = fault(&page.path, &target, &headings) {
                let what = format!("link to {target}: {fault}; mend or remove it");
                problems.push(Problem::at(&page.path, line, what));
            }
        }
    }
    expect_none(&problems);
    Ok(())
}

/// What is wrong with a link, if anything. Links to other sites are not followed.
fn fault(from: &str, target: &str, headings: &BTreeMap<&str, Vec<String>>) -> Option<String> {
    if ["https://", "http://", "mailto:"]
        .iter()
        .any(|scheme| target.starts_with(scheme))
    {
        return None;
    }
    let (path, anchor) = target
        .split_once('#')
        .map_or((target, None), |(p, a)| (p, Some(a)));
    let to = if path.is_empty() {
        Some(from.to_owned())
    } else {
        resolve(from, path)
    };
    let Some(to) = to else {
        return Some("it leaves the repository".to_owned());
    };
    if !tree::root().join(&to).exists() {
        return Some(format!("there is no {to}"));
    }
    let anchor = anchor?;
    match headings.get(to.as_str()) {
        None => Some(format!("{to} is no page, so it has no headings")),
        Some(have) if have.iter().any(|heading| heading == anchor) => None,
        Some(_) => Some(format!("{to} has no heading #{anchor}")),
    }
}

/// A relative link as a path from the root.
fn resolve(from: &str, path: &str) -> Option<String> {
    let folder = Path::new(from).parent().unwrap_or(Path::new(""));
    let mut parts = PathBuf::new();
    for component in folder.join(path).components() {
        match component {
            Component::Normal(part) => parts.push(part),
            Component::ParentDir => {
                if !parts.pop() {
                    return None;
                }
            }
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(parts.to_string_lossy().into_owned())
}

#[test]
fn resolves_links_as_a_reader_would_and_refuses_to_leave() {
    assert_eq!(
        resolve("docs/guide/a.md", "../adr/b.md"),
        Some("docs/adr/b.md".to_owned())
    );
    assert_eq!(
        resolve("README.md", "docs/guide/"),
        Some("docs/guide".to_owned())
    );
    assert_eq!(resolve("README.md", "../elsewhere.md"), None);
    assert_eq!(resolve("README.md", "/etc/passwd"), None);
}

#[test]
fn a_missing_file_and_a_missing_heading_are_faults() {
    let headings = BTreeMap::from([("README.md", vec!["seamark".to_owned()])]);
    assert_eq!(fault("README.md", "#seamark", &headings), None);
    assert!(fault("README.md", "#nothing", &headings).is_some());
    assert!(fault("README.md", "nothing.md", &headings).is_some());
    assert!(fault("README.md", "Cargo.toml#l1", &headings).is_some());
    assert_eq!(
        fault("README.md", "https://kubernetes.io/#x", &headings),
        None
    );
}

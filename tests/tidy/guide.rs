//! The guide keeps up with the code: what a person reads in a condition, an Event, a status or a
//! metric is explained there.

use anyhow::{Context, Result};
use lab::peer::{Bird, Frr, guide};

use crate::problem::{Problem, expect_none};
use crate::rust::{self, Rust};
use crate::tree;

/// Enums whose `reason()` a person gets to read, by the file that has it.
const REASONS: &[&str] = &[
    "controller/ipam/src/decision.rs",
    "controller/ipam/src/refusal.rs",
    "controller/src/owner/configuration/kinds.rs",
    "crds/src/problem.rs",
    "crds/src/problem/bgp.rs",
    "speaker/l2/src/segment/drops.rs",
    "speaker/plan/src/fitness.rs",
    "speaker/plan/src/withheld.rs",
    "speaker/src/bgp/change.rs",
];

const GUIDE: &str = "docs/guide";
const METRICS: &str = "docs/guide/metrics.md";
const BGP: &str = "docs/guide/bgp.md";

#[test]
fn every_reason_that_a_person_can_read_is_explained_in_the_guide() -> Result<()> {
    let guide: String = tree::sources(GUIDE, &[".md"])?
        .into_iter()
        .map(|page| page.text)
        .collect();
    let mut problems = Vec::new();
    for path in REASONS {
        let file = Rust::new(tree::read(path)?);
        let functions = file.functions();
        let reason = functions.iter().find(|function| function.name == "reason");
        let reason = reason.with_context(|| format!("{path} has no fn reason"))?;
        let words = file.literals(reason.body.clone());
        assert!(!words.is_empty(), "{path}: fn reason names no reason");
        for word in words
            .iter()
            .filter(|word| !guide.contains(&format!("`{word}`")))
        {
            let what =
                format!("`{word}` is not in {GUIDE}; say there what it means and what to do");
            problems.push(Problem::at(path, reason.first, what));
        }
    }
    expect_none(&problems);
    Ok(())
}

#[test]
fn every_metric_has_its_row() -> Result<()> {
    let page = tree::read(METRICS)?;
    let mut problems = Vec::new();
    let mut found = 0;
    for file in rust::files()? {
        let ours = ["controller/", "speaker/", "runtime/"];
        if !ours.iter().any(|folder| file.path.starts_with(folder)) || file.is_test_file() {
            continue;
        }
        for (line, name) in metrics(&file) {
            found += 1;
            // The library adds the ending that belongs to the kind of metric.
            let row = ["", "_total", "_info"].map(|ending| format!("`seamark_{name}{ending}`"));
            if !row.iter().any(|row| page.text.contains(row)) {
                let what = format!("the metric {name} is not in {METRICS}; add its row");
                problems.push(Problem::at(&file.path, line, what));
            }
        }
    }
    assert!(
        found > 0,
        "no metric was found; has the way of registering them changed?"
    );
    expect_none(&problems);
    Ok(())
}

#[test]
fn the_example_of_the_page_on_bgp_is_what_the_lab_runs() -> Result<()> {
    let page = tree::read(BGP)?;
    let router = guide::router();
    let mut problems = Vec::new();
    for (language, text) in [
        ("yaml", guide::OBJECTS.to_owned()),
        ("text", Frr::file(&router)?),
        ("text", Bird::file(&router)?),
    ] {
        let block = format!("```{language}\n{text}```\n");
        if !page.text.contains(&block) {
            let what = format!("lacks what the lab runs; put this there:\n{block}");
            problems.push(Problem::of(BGP, what));
        }
    }
    expect_none(&problems);
    Ok(())
}

/// Names that are registered, with or without the prefix, and where.
fn metrics(file: &Rust) -> Vec<(usize, &str)> {
    let calls = file.code.match_indices(".register(").map(|(at, _)| at);
    let calls = calls.filter(|at| !file.is_test_code(*at));
    let named = calls.filter_map(|at| {
        let arguments = at + ".register(".len();
        let is_literal = file.code[arguments..].trim_start().starts_with('"');
        let name = *file.literals(arguments..file.code.len()).first()?;
        is_literal.then_some((file.line(at), name.strip_prefix("seamark_").unwrap_or(name)))
    });
    named.collect()
}

#[test]
fn finds_the_names_of_metrics_and_nothing_else_that_is_registered() {
    let text = "fn f() { a.register(\n  \"seamark_x\", \"Help\", m); b.register(registry); c.register(\"y\", \"Help\", n); }";
    let file = Rust::new(tree::Source {
        path: "a/src/b.rs".to_owned(),
        text: text.to_owned(),
    });
    assert_eq!(metrics(&file), [(1, "x"), (2, "y")]);
}

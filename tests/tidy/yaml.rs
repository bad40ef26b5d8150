//! YAML 1.1 reads some bare words as true or false, and Kubernetes' tools still do.

use anyhow::Result;

use crate::problem::{Problem, expect_none};
use crate::tree;

const BOOLEANS: &[&str] = &["y", "n", "yes", "no", "on", "off", "true", "false"];

#[test]
fn no_key_is_a_word_that_yaml_takes_for_a_boolean() -> Result<()> {
    let mut problems = Vec::new();
    for folder in ["charts", "crds"] {
        for file in tree::sources(folder, &[".yaml", ".yml"])? {
            for (number, line) in file.lines().filter(|(_, line)| is_boolean_key(line)) {
                let what = format!(
                    "the key in `{}` is a boolean; rename or quote it",
                    line.trim()
                );
                problems.push(Problem::at(&file.path, number, what));
            }
        }
    }
    expect_none(&problems);
    Ok(())
}

fn is_boolean_key(line: &str) -> bool {
    let line = line.trim_start().trim_start_matches("- ").trim_start();
    line.split_once(':').is_some_and(|(key, value)| {
        let ends_there = value.is_empty() || value.starts_with(' ');
        ends_there && BOOLEANS.contains(&key.trim_end().to_lowercase().as_str())
    })
}

#[test]
fn finds_boolean_keys_and_leaves_values_alone() {
    for bad in ["on:", "  - y: 1", "No: x", "\toff :"] {
        assert!(is_boolean_key(bad), "{bad}");
    }
    for good in [
        "only: 1",
        "\"on\": 1",
        "enabled: on",
        "- no",
        "x: y: z",
        "on:tap",
    ] {
        assert!(!is_boolean_key(good), "{good}");
    }
}

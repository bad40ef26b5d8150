//! Who may depend on whom: the list in ARCHITECTURE.md is the law, the manifests follow it.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use crate::metadata::{manifest, members, room};
use crate::problem::{Problem, expect_none};
use crate::tree;

const LAW: &str = "ARCHITECTURE.md";
/// The lab kit may link any room; nothing that ships links it.
const KIT: &str = "tests";

/// An arrow from a user to what it uses, and the line that draws it.
type Arrows = BTreeMap<(String, String), usize>;

/// The lines `a, b ← c, d` of the block fenced as `arrows`: c and d use a and b.
fn drawn(text: &str) -> Arrows {
    let mut arrows = Arrows::new();
    let lines = text
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line));
    let inside = lines
        .skip_while(|(_, line)| line.trim() != "```arrows")
        .skip(1)
        .take_while(|(_, line)| !line.starts_with("```"));
    for (number, line) in inside {
        let Some((used, users)) = line.split_once('←') else {
            continue;
        };
        // Two spaces end the list; what follows is for the reader.
        let users = users.trim().split("  ").next().unwrap_or_default();
        for user in users.split(',') {
            for used in used.split(',') {
                arrows.insert((user.trim().to_owned(), used.trim().to_owned()), number);
            }
        }
    }
    arrows
}

#[test]
fn the_crates_depend_on_each_other_as_architecture_draws_it() -> Result<()> {
    let law = drawn(&tree::read(LAW)?.text);
    let mut unused = law.clone();
    let mut problems = Vec::new();
    for package in members()? {
        let user = room(&package.name).context("a package is not named seamark-…")?;
        for used in package
            .dependencies
            .iter()
            .filter_map(|dependency| room(&dependency.name))
        {
            let arrow = (user.to_owned(), used.to_owned());
            unused.remove(&arrow);
            let allowed = law.contains_key(&arrow) || (user == KIT && used != KIT);
            if !allowed {
                let what = format!(
                    "{user} uses {used}, which {LAW} does not draw; remove the dependency, or write \
                     a decision record and draw the arrow"
                );
                problems.push(Problem::of(&manifest(&package), what));
            }
        }
    }
    for ((user, used), line) in unused {
        let what = format!("{user} does not use {used}; remove the arrow");
        problems.push(Problem::at(LAW, line, what));
    }
    expect_none(&problems);
    Ok(())
}

#[test]
fn reads_arrows_with_several_rooms_on_both_sides() {
    let text = "a ← b\n```arrows\nx, y ← u, v   both of them\n\nz ← u\n```\nc ← d\n";
    let pairs: Vec<_> = drawn(text)
        .into_iter()
        .map(|((a, b), line)| format!("{a}>{b}@{line}"))
        .collect();
    assert_eq!(pairs, ["u>x@3", "u>y@3", "u>z@5", "v>x@3", "v>y@3"]);
}

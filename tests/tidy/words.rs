//! Words that must not stand in the repository: unfinished work, silenced lints, places of one
//! machine, and waiting by the clock.

use anyhow::Result;

use crate::problem::{Problem, expect_none};
use crate::rust::{self, Rust};
use crate::tree::{self, Source};

const TEXT: &[&str] = &[
    ".rs", ".md", ".toml", ".yaml", ".yml", ".sh", ".mod", ".json", "Makefile", "run",
];

/// This file has to spell what it looks for.
const SELF: &str = "tests/tidy/words.rs";

/// Whole words that say something is left to do.
const UNFINISHED: &[&str] = &["TODO", "FIXME", "XXX", "HACK"];

/// Folders of a person's machine. The standard library knows where temporary files go.
const PLACES: &[&str] = &["/home/", "/root/", "/Users/", "/work/", "/tmp/"];

/// Code that gives up, or silences the compiler for ever, and what to write instead.
const GIVING_UP: &[(&str, &str)] = &[
    ("todo!", "write it"),
    ("unimplemented!", "write it, or leave the variant out"),
    ("#[ignore", "mend the test or delete it"),
    ("#[allow(", "use #[expect(…, reason = \"…\")]"),
    ("#![allow(", "use #![expect(…, reason = \"…\")]"),
];

/// Where tests may wait by the clock, and why.
const WAITS: &[(&str, &str)] = &[
    ("tests/src/eventually.rs", "the one way to wait"),
    ("tests/src/prober.rs", "a client asks at a steady pace"),
    (
        "tests/src/bin/bench/bgp/announce.rs",
        "samples at a steady pace",
    ),
    (
        "tests/src/bin/bench/bgp/router.rs",
        "samples at a steady pace",
    ),
    (
        "tests/src/bin/bench/bfd/ground.rs",
        "spans that a figure is about",
    ),
    (
        "tests/src/standstill.rs",
        "a witness measures how late it wakes up",
    ),
];

#[test]
fn nothing_says_that_work_is_left_and_no_path_belongs_to_one_machine() -> Result<()> {
    let mut problems = Vec::new();
    for file in tree::sources("", TEXT)?
        .iter()
        .filter(|file| file.path != SELF)
    {
        for (number, line) in file.lines() {
            for word in UNFINISHED.iter().filter(|word| has_word(line, word)) {
                let what = format!("{word}; do it now or say in the README what does not work");
                problems.push(Problem::at(&file.path, number, what));
            }
            for place in PLACES.iter().filter(|place| has_place(line, place)) {
                let what =
                    format!("{place} is a place of one machine; take it from the environment");
                problems.push(Problem::at(&file.path, number, what));
            }
        }
    }
    expect_none(&problems);
    Ok(())
}

#[test]
fn no_code_gives_up_and_no_lint_is_silenced_without_expecting_it() -> Result<()> {
    let mut problems = Vec::new();
    for file in rust::files()? {
        for (word, cure) in GIVING_UP {
            for (at, _) in file.code.match_indices(word) {
                let what = format!("{word}; {cure}");
                problems.push(Problem::at(&file.path, file.line(at), what));
            }
        }
    }
    expect_none(&problems);
    Ok(())
}

#[test]
fn no_test_sleeps() -> Result<()> {
    let mut problems = Vec::new();
    for file in rust::files()? {
        if WAITS.iter().any(|(path, _)| file.path == *path) {
            continue;
        }
        for at in sleeps(&file) {
            let what = "a sleep in a test; wait for what should hold, by `eventually`";
            problems.push(Problem::at(&file.path, file.line(at), what));
        }
    }
    expect_none(&problems);
    Ok(())
}

/// Calls of a function `sleep` in tests; everything below the folder `tests` of the root counts.
fn sleeps(file: &Rust) -> Vec<usize> {
    let is_kit = file.path.starts_with("tests/");
    let is_call = |at: &usize| file.code[at + "sleep".len()..].starts_with('(');
    let calls = file.words("sleep").into_iter().filter(is_call);
    calls
        .filter(|at| is_kit || file.is_test_code(*at))
        .collect()
}

fn has_word(line: &str, word: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(is_word) && !line[at + word.len()..].starts_with(is_word)
    })
}

/// A place begins a path: nothing that could be an earlier part of it stands before.
fn has_place(line: &str, place: &str) -> bool {
    let is_path = |c: char| c.is_alphanumeric() || "_-.$}~".contains(c);
    line.match_indices(place)
        .any(|(at, _)| !line[..at].ends_with(is_path))
}

#[test]
fn finds_places_of_a_machine_but_not_parts_of_longer_paths() {
    assert!(has_place("in \"/home/x\"", "/home/"));
    assert!(has_place("cp a:/tmp/b", "/tmp/"));
    assert!(!has_place("charts/work/x", "/work/"));
    assert!(!has_place("${CACHE}/tmp/x", "/tmp/"));
}

#[test]
fn finds_sleeps_in_tests_and_not_in_product_code_or_comments() {
    let text =
        "fn a() { sleep(x) }\n// sleep(\n#[cfg(test)]\nmod tests { fn b() { t::sleep(x) } }\n";
    let file = |path: &str| {
        Rust::new(Source {
            path: path.to_owned(),
            text: text.to_owned(),
        })
    };
    assert_eq!(sleeps(&file("runtime/src/a.rs")).len(), 1);
    assert_eq!(sleeps(&file("tests/src/a.rs")).len(), 2);
}

//! Where `unsafe` may stand, and how.

use anyhow::Result;

use crate::problem::{Problem, expect_none};
use crate::rust::{self, Rust};

/// The folders where the lint `unsafe_code` may be lifted.
const LIFTED: &[(&str, &str)] = &[
    ("speaker/sys/src/", "safe wrappers over Linux calls"),
    ("tests/src/", "the lab kit enters network namespaces"),
];

#[test]
fn unsafe_stands_only_where_linux_calls_are_wrapped() -> Result<()> {
    let mut problems = Vec::new();
    for file in rust::files()? {
        if LIFTED
            .iter()
            .any(|(folder, _)| file.path.starts_with(folder))
        {
            continue;
        }
        for word in ["unsafe", "unsafe_code"] {
            for at in file.words(word) {
                let what = format!("`{word}` outside its rooms; wrap the call in speaker/sys");
                problems.push(Problem::at(&file.path, file.line(at), what));
            }
        }
    }
    expect_none(&problems);
    Ok(())
}

#[test]
fn every_unsafe_block_says_above_it_why_it_is_sound() -> Result<()> {
    let mut problems = Vec::new();
    for file in rust::files()? {
        for at in file
            .words("unsafe")
            .into_iter()
            .filter(|at| !is_explained(&file, *at))
        {
            let what = "`unsafe` without a reason; write `// SAFETY: …` right above it";
            problems.push(Problem::at(&file.path, file.line(at), what));
        }
    }
    expect_none(&problems);
    Ok(())
}

/// A comment `SAFETY:` ends on the line above the statement that holds the word, or stands in the
/// same line. A statement may be broken over a few lines.
fn is_explained(file: &Rust, at: usize) -> bool {
    const STATEMENT: usize = 3;
    const COMMENT: usize = 6;
    let line = file.line(at);
    let above = line.saturating_sub(STATEMENT + COMMENT);
    file.text
        .lines()
        .take(line)
        .skip(above)
        .any(|line| line.contains("SAFETY:"))
}

//! How long files and functions may get. The cure is a noun of its own, not a `helpers.rs`.

use anyhow::Result;

use crate::problem::{Problem, expect_none};
use crate::rust;

const FILE: usize = 600;
const FUNCTION: usize = 100;

#[test]
fn no_file_is_longer_than_600_lines_its_tests_apart() -> Result<()> {
    let mut problems = Vec::new();
    for file in rust::files()?.iter().filter(|file| !file.is_test_file()) {
        let lines = file.product_lines();
        if lines > FILE {
            let what = format!("{lines} lines, {FILE} at most; find the noun that wants a file");
            problems.push(Problem::of(&file.path, what));
        }
    }
    expect_none(&problems);
    Ok(())
}

#[test]
fn no_function_is_longer_than_100_lines() -> Result<()> {
    let mut problems = Vec::new();
    for file in rust::files()? {
        for function in file.functions() {
            let lines = function.last - function.first + 1;
            if lines > FUNCTION && !file.is_test_code(function.body.start) {
                let name = &function.name;
                let what =
                    format!("fn {name} has {lines} lines, {FUNCTION} at most; take a step out");
                problems.push(Problem::at(&file.path, function.first, what));
            }
        }
    }
    expect_none(&problems);
    Ok(())
}

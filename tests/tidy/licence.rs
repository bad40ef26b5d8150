//! SPDX licence expressions, as far as cargo manifests use them.

use anyhow::{Result, bail};

/// Licences that ask for a notice at most.
const PERMISSIVE: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Whether the licences that an expression offers can be met by permissive ones alone. A slash is
/// the old spelling of OR.
pub(crate) fn is_permissive(expression: &str) -> Result<bool> {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let mut words: Vec<&str> = spaced.split_whitespace().rev().collect();
    let answer = any(&mut words)?;
    if let Some(rest) = words.pop() {
        bail!("`{rest}` was not expected");
    }
    Ok(answer)
}

/// `OR` binds less than `AND`. The words stand in reverse, the next one last.
fn any(words: &mut Vec<&str>) -> Result<bool> {
    let mut answer = all(words)?;
    while words.pop_if(|word| *word == "OR").is_some() {
        answer |= all(words)?;
    }
    Ok(answer)
}

fn all(words: &mut Vec<&str>) -> Result<bool> {
    let mut answer = one(words)?;
    while words.pop_if(|word| *word == "AND").is_some() {
        answer &= one(words)?;
    }
    Ok(answer)
}

fn one(words: &mut Vec<&str>) -> Result<bool> {
    let Some(word) = words.pop() else {
        bail!("it ends too early")
    };
    if word == "(" {
        let answer = any(words)?;
        return match words.pop() {
            Some(")") => Ok(answer),
            _ => bail!("a bracket stays open"),
        };
    }
    if words.pop_if(|word| *word == "WITH").is_some() {
        let exception = words.pop().unwrap_or_default();
        return Ok(PERMISSIVE.contains(&format!("{word} WITH {exception}").as_str()));
    }
    Ok(PERMISSIVE.contains(&word))
}

#[test]
fn one_permissive_choice_is_enough_but_every_duty_counts() {
    let permissive = |expression| is_permissive(expression).ok();
    assert_eq!(permissive("MIT OR GPL-3.0-only"), Some(true));
    assert_eq!(permissive("GPL-2.0/MIT"), Some(true));
    assert_eq!(permissive("MIT AND GPL-3.0-only"), Some(false));
    assert_eq!(
        permissive("(MIT OR Apache-2.0) AND Unicode-3.0"),
        Some(true)
    );
    assert_eq!(permissive("MIT OR Apache-2.0 AND GPL-3.0-only"), Some(true));
    assert_eq!(permissive("Apache-2.0 WITH LLVM-exception"), Some(true));
    assert_eq!(
        permissive("GPL-2.0 WITH Classpath-exception-2.0"),
        Some(false)
    );
}

#[test]
fn an_expression_that_cannot_be_read_is_an_error() {
    for broken in ["", "(MIT", "MIT OR", "MIT Apache-2.0", "MIT)"] {
        assert!(is_permissive(broken).is_err(), "{broken}");
    }
}

//! docs/rfc.md keeps up with the code: which section of which RFC is held by which file, and which
//! test shows it.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::problem::{Problem, expect_none};
use crate::rust::{self, Rust};
use crate::tree;

const PAGE: &str = "docs/rfc.md";
/// Rooms whose tests have to stand on the page if their comment names a section.
const ROOMS: &[&str] = &["speaker/bgp/", "speaker/bfd/"];

/// A row `| section | code | test's file | test |` below a heading `## RFC 4271`.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    line: usize,
    rfc: String,
    section: String,
    code: String,
    file: String,
    test: String,
}

/// A test, and what the comment above it says.
#[derive(Debug)]
struct Test {
    path: String,
    line: usize,
    name: String,
    comment: String,
}

#[test]
fn every_row_of_the_rfc_page_names_files_and_a_test_that_says_so() -> Result<()> {
    let page = tree::read(PAGE)?;
    let tests = tests()?;
    let mut problems = Vec::new();
    let rows = rows(&page.text);
    assert!(
        !rows.is_empty(),
        "{PAGE} has no rows; has its form changed?"
    );
    for row in &rows {
        for path in [&row.code, &row.file] {
            if !tree::root().join(path).is_file() {
                let what = format!("there is no {path}; mend the row");
                problems.push(Problem::at(PAGE, row.line, what));
            }
        }
        let test = tests
            .iter()
            .find(|test| test.path == row.file && test.name == row.test);
        let fault = match test {
            None => format!("{} has no test {}; mend the row", row.file, row.test),
            Some(test) if !names(&test.comment, &row.rfc, &row.section) => format!(
                "the comment of {} does not name {} §{}; mend one of them",
                row.test, row.rfc, row.section
            ),
            Some(_) => continue,
        };
        problems.push(Problem::at(PAGE, row.line, fault));
    }
    expect_none(&problems);
    Ok(())
}

#[test]
fn every_test_that_names_a_section_stands_on_the_rfc_page() -> Result<()> {
    let page = tree::read(PAGE)?;
    let rows = rows(&page.text);
    let listed: BTreeSet<(&str, &str)> = rows
        .iter()
        .map(|row| (row.file.as_str(), row.test.as_str()))
        .collect();
    let mut problems = Vec::new();
    for test in tests()? {
        let ours = ROOMS.iter().any(|room| test.path.starts_with(room));
        let named = test.comment.contains("RFC ") && test.comment.contains('§');
        if ours && named && !listed.contains(&(test.path.as_str(), test.name.as_str())) {
            let what = format!(
                "{} names a section and is not in {PAGE}; add its row",
                test.name
            );
            problems.push(Problem::at(&test.path, test.line, what));
        }
    }
    expect_none(&problems);
    Ok(())
}

fn rows(text: &str) -> Vec<Row> {
    let mut rfc = String::new();
    let mut rows = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if let Some(title) = line.strip_prefix("## ") {
            rfc = title.split(':').next().unwrap_or_default().to_owned();
        }
        let cells: Vec<&str> = line
            .split('|')
            .map(|cell| cell.trim().trim_matches('`'))
            .collect();
        let ["", section, code, file, test, ""] = *cells else {
            continue;
        };
        if section.starts_with(|first: char| first.is_ascii_digit()) {
            rows.push(Row {
                line: index + 1,
                rfc: rfc.clone(),
                section: section.to_owned(),
                code: code.to_owned(),
                file: file.to_owned(),
                test: test.to_owned(),
            });
        }
    }
    rows
}

/// Whether a comment names `RFC 4271` and `§6.3` after it, before it names another document.
fn names(comment: &str, rfc: &str, section: &str) -> bool {
    let section = format!("§{section}");
    let whole = |text: &str, at: usize, word: &str| {
        !text[at + word.len()..].starts_with(|next: char| next.is_alphanumeric())
            && !starts_subsection(&text[at + word.len()..])
    };
    comment.match_indices(rfc).any(|(at, _)| {
        let rest = &comment[at + rfc.len()..];
        let end = rest.find("RFC ").unwrap_or(rest.len());
        let own = &rest[..end];
        own.match_indices(&section)
            .any(|(at, _)| whole(own, at, &section))
    })
}

/// `.3` goes on with a section, a full stop ends a sentence.
fn starts_subsection(rest: &str) -> bool {
    let mut characters = rest.chars();
    characters.next() == Some('.') && characters.next().is_some_and(|next| next.is_ascii_digit())
}

fn tests() -> Result<Vec<Test>> {
    let files = rust::files()?;
    Ok(files.iter().flat_map(tests_of).collect())
}

/// All functions under a `#[test]`, with the comment above that attribute.
fn tests_of(file: &Rust) -> Vec<Test> {
    let lines: Vec<&str> = file.text.lines().map(str::trim).collect();
    let functions = file.functions().into_iter();
    let tests = functions.filter_map(|function| {
        let above = lines.get(..function.first.checked_sub(1)?)?;
        let attributes = above
            .iter()
            .rev()
            .take_while(|line| line.starts_with("#["))
            .count();
        let (above, attributes) = above.split_at_checked(above.len() - attributes)?;
        attributes.contains(&"#[test]").then_some(())?;
        let mut comment: Vec<&str> = above
            .iter()
            .rev()
            .map_while(|line| line.strip_prefix("///"))
            .map(str::trim)
            .collect();
        comment.reverse();
        Some(Test {
            path: file.path.clone(),
            line: function.first,
            name: function.name,
            comment: comment.join(" "),
        })
    });
    tests.collect()
}

#[test]
fn a_comment_names_a_section_of_its_own_document_only() {
    let comment = "RFC 4271 §6.3: no. RFC 7606 §3 h, §7.1, and RFC 4760 §7.";
    assert!(names(comment, "RFC 4271", "6.3") && names(comment, "RFC 7606", "3 h"));
    assert!(names(comment, "RFC 7606", "7.1") && names(comment, "RFC 4760", "7"));
    for (rfc, section) in [("RFC 4271", "6"), ("RFC 7606", "7"), ("RFC 4760", "7.1")] {
        assert!(!names(comment, rfc, section), "{rfc} §{section}");
    }
}

#[test]
fn finds_tests_with_the_comments_above_them() {
    let text = "/// RFC 1 §2: a\n/// and b.\n#[test]\nfn one() {}\n\n/// RFC 3 §4.\nfn two() {}\nproptest! {\n  /// c\n  #[test]\n  fn three(a in b()) {}\n}\n";
    let file = Rust::new(tree::Source {
        path: "x/tests/y.rs".to_owned(),
        text: text.to_owned(),
    });
    let found: Vec<(String, String)> = tests_of(&file)
        .into_iter()
        .map(|test| (test.name, test.comment))
        .collect();
    let expected = [("one", "RFC 1 §2: a and b."), ("three", "c")];
    assert_eq!(
        found,
        expected.map(|(name, comment)| (name.to_owned(), comment.to_owned()))
    );
}

#[test]
fn reads_rows_below_their_headings() {
    let text = "## RFC 7: x\n| § | held by | file | test |\n| --- | --- | --- | --- |\n| 3 h | `a.rs` | `b.rs` | `c` |\n";
    let [row] = rows(text).try_into().expect("one row");
    assert_eq!(
        (row.rfc.as_str(), row.section.as_str(), row.line),
        ("RFC 7", "3 h", 4)
    );
    assert_eq!(
        (row.code.as_str(), row.file.as_str(), row.test.as_str()),
        ("a.rs", "b.rs", "c")
    );
}

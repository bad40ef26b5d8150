//! The section of a version in CHANGELOG.md.

use anyhow::{Result, ensure};

/// What CHANGELOG.md says of a version: from its heading to the next one, without the heading.
pub fn section(changelog: &str, version: &str) -> Result<String> {
    let heading = format!("## [{version}]");
    let mut lines = changelog
        .lines()
        .skip_while(|line| !line.starts_with(&heading));
    ensure!(
        lines.next().is_some(),
        "CHANGELOG.md has no section {heading}: give what is under Unreleased this heading and the \
         date, and leave an empty Unreleased above it"
    );
    let own: Vec<&str> = lines.take_while(|line| !line.starts_with("## [")).collect();
    let text = own.join("\n").trim().to_owned();
    ensure!(
        !text.is_empty(),
        "the section {heading} of CHANGELOG.md is empty"
    );
    Ok(text + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2026-12-01\n\n### Added\n\n\
                        - One thing.\n\n## [0.1.0] - 2026-11-01\n\n- Another.\n";

    #[test]
    fn a_section_ends_where_the_next_begins() {
        assert_eq!(
            section(TEXT, "0.2.0").unwrap(),
            "### Added\n\n- One thing.\n"
        );
        assert_eq!(section(TEXT, "0.1.0").unwrap(), "- Another.\n");
    }

    #[test]
    fn one_that_is_missing_is_said_with_what_to_do() {
        let said = section(TEXT, "0.3.0").unwrap_err().to_string();
        assert!(said.contains("no section ## [0.3.0]: give"), "{said}");
    }
}

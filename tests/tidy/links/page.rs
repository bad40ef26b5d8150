//! The two things that links need of a Markdown page: its headings and its link targets.

use std::collections::BTreeMap;

/// The anchors of a page's headings, as GitHub makes them.
pub(super) fn anchors(text: &str) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut found = Vec::new();
    for (_, line) in prose(text) {
        let level = line.len() - line.trim_start_matches('#').len();
        let Some(title) = line[level..]
            .strip_prefix(' ')
            .filter(|_| (1..=6).contains(&level))
        else {
            continue;
        };
        let slug = slug(title);
        let count = seen.entry(slug.clone()).or_insert(0);
        found.push(if *count == 0 {
            slug
        } else {
            format!("{slug}-{count}")
        });
        *count += 1;
    }
    found
}

/// Small letters, digits, `-` and `_`; blanks become `-`; of a link only its text counts.
fn slug(title: &str) -> String {
    let mut plain = title.trim().to_owned();
    while let Some((open, close)) = plain
        .find("](")
        .and_then(|open| plain[open..].find(')').map(|step| (open, open + step)))
    {
        plain.replace_range(open..=close, "");
    }
    plain
        .chars()
        .filter_map(|c| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
            _ => None,
        })
        .flat_map(char::to_lowercase)
        .collect()
}

/// Where the links of a page lead, with their lines: `[text](target)` and `[name]: target`.
pub(super) fn targets(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        let line = without_code(line);
        if let Some((_, target)) = line
            .strip_prefix('[')
            .and_then(|rest| rest.split_once("]: "))
        {
            found.push((number, first_word(target)));
        }
        for (at, _) in line.match_indices("](") {
            let inside = &line[at + 2..];
            let end = inside.find(')').unwrap_or(inside.len());
            found.push((number, first_word(&inside[..end])));
        }
    }
    found
}

/// A target without its title and angle brackets.
fn first_word(target: &str) -> String {
    let word = target.split_whitespace().next().unwrap_or_default();
    word.trim_matches(['<', '>']).to_owned()
}

/// The lines outside fenced code.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fence: Option<&str> = None;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let start = line.trim_start();
        let mark = ["```", "~~~"]
            .into_iter()
            .find(|mark| start.starts_with(mark));
        match (fence, mark) {
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), Some(mark)) if open == mark => fence = None,
            (Some(_), _) => {}
            (None, None) => return Some((index + 1, line)),
        }
        None
    })
}

/// The line with what stands between backticks taken out.
fn without_code(line: &str) -> String {
    let parts: Vec<&str> = line.split('`').collect();
    // An odd backtick at the end opens nothing.
    let closed = if parts.len().is_multiple_of(2) {
        parts.len() - 1
    } else {
        parts.len()
    };
    let keep = |(index, _): &(usize, &&str)| index % 2 == 0 || *index >= closed;
    parts
        .iter()
        .enumerate()
        .filter(keep)
        .map(|(_, part)| *part)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_anchors_as_github_does() {
        let text = "# Seamark: layer 2\n## What `x_y` says (v1)\n```\n# code\n```\n## Twice\n### Twice\n#tag\n## [Link](a.md) it\n";
        let expected = [
            "seamark-layer-2",
            "what-x_y-says-v1",
            "twice",
            "twice-1",
            "link-it",
        ];
        assert_eq!(anchors(text), expected);
    }

    #[test]
    fn finds_links_outside_code_with_their_lines() {
        let text = "see [a](b.md) and ![c](<d.png> \"t\")\n`[no](x)` [e]\n\n~~~\n[no](y)\n~~~\n[e]: f.md#g\n";
        let expected = [(1, "b.md"), (1, "d.png"), (7, "f.md#g")];
        assert_eq!(
            targets(text),
            expected.map(|(line, target)| (line, target.to_owned()))
        );
    }

    #[test]
    fn a_lone_backtick_hides_nothing() {
        assert_eq!(targets("a ` b [c](d.md)"), [(1, "d.md".to_owned())]);
    }
}

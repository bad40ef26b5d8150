//! The commands in pages of the guide, as a person would type them: blocks of `console`, where a line
//! begins with a prompt that says on which machine, and what follows belongs to it until the next.
//!
//! | prompt | machine |
//! | --- | --- |
//! | `$` | one with kubectl and helm, in the checkout |
//! | `client$` | one on the segment |
//! | `node$` | a node |
//! | `r1$`, `r1#` | the router, and its vtysh |

use std::path::Path;

use anyhow::{Context, Result};

use crate::tools;

/// Where a command is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prompt {
    /// `$`
    Cluster,
    /// `client$`
    Client,
    /// `node$`
    Node,
    /// `r1$`
    Router,
    /// `r1#`
    Vtysh,
}

/// One command, perhaps of several lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typed {
    /// Where.
    pub prompt: Prompt,
    /// What.
    pub command: String,
    /// The line of the page that it begins on.
    pub line: usize,
}

/// The addresses of the pages, which are for documentation, and those of the lab.
const ADDRESSES: [(&str, &str); 2] = [("192.0.2.", "10.99.0."), ("2001:db8:0:1::", "fd99::")];

const PROMPTS: [(&str, Prompt); 5] = [
    ("$ ", Prompt::Cluster),
    ("client$ ", Prompt::Client),
    ("node$ ", Prompt::Node),
    ("r1$ ", Prompt::Router),
    ("r1# ", Prompt::Vtysh),
];

/// The commands of a page below docs/guide, with the lab's addresses.
pub fn commands(page: &str) -> Result<Vec<Typed>> {
    let path = tools::root().join("docs/guide").join(page);
    let path: &Path = &path;
    let mut text = std::fs::read_to_string(path).with_context(|| format!("no page {page}"))?;
    for (documented, ours) in ADDRESSES {
        text = text.replace(documented, ours);
    }
    Ok(typed(&text))
}

fn typed(text: &str) -> Vec<Typed> {
    let mut commands: Vec<Typed> = Vec::new();
    let mut inside = false;
    // Until the command ends: a line that ends with a backslash, or the word of a here-document.
    let mut goes_on = false;
    let mut word: Option<String> = None;
    for (number, line) in (1..).zip(text.lines()) {
        if line.starts_with("```") {
            inside = line == "```console";
            continue;
        }
        if !inside {
            continue;
        }
        if let (true, Some(last)) = (goes_on || word.is_some(), commands.last_mut()) {
            last.command.push('\n');
            last.command.push_str(line);
            if word.as_deref() == Some(line) {
                word = None;
            }
            goes_on = line.ends_with('\\');
            continue;
        }
        let begun = PROMPTS
            .iter()
            .find_map(|(text, prompt)| Some((line.strip_prefix(text)?, *prompt)));
        let Some((command, prompt)) = begun else {
            continue;
        };
        goes_on = command.ends_with('\\');
        let after = command
            .split_once("<<'")
            .and_then(|(_, rest)| rest.split_once('\''));
        word = after.map(|(word, _)| word.to_owned());
        commands.push(Typed {
            prompt,
            command: command.to_owned(),
            line: number,
        });
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_end_where_a_person_would_see_them_end() {
        let text = "```console\n$ one \\\n    two\noutput\nclient$ cat <<'END'\n$ text\nEND\n```\n\
                    ```sh\n$ not this\n```\n```console\nr1# show\n```\n";
        let found = typed(text);
        let shown: Vec<_> = found
            .iter()
            .map(|one| (one.prompt, one.command.as_str(), one.line))
            .collect();
        assert_eq!(
            shown,
            [
                (Prompt::Cluster, "one \\\n    two", 2),
                (Prompt::Client, "cat <<'END'\n$ text\nEND", 5),
                (Prompt::Vtysh, "show", 13),
            ]
        );
    }
}

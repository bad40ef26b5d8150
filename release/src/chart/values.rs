//! What the comments in values.yaml say: a line that begins with `# --`, and those after it, are the
//! text of the key below them.

use anyhow::{Context, Result};
use serde_json::Value;

/// One value that can be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its keys, joined by dots.
    pub path: String,
    /// What it is unless it is set, as JSON.
    pub default: String,
    /// What it means.
    pub text: String,
}

/// All values that have a text, in the order of the file.
pub fn settings(values: &str) -> Result<Vec<Setting>> {
    let parsed: Value = serde_saphyr::from_str(values).context("values.yaml is no YAML")?;
    let mut settings = Vec::new();
    let mut keys: Vec<(usize, &str)> = Vec::new();
    let mut text: Option<String> = None;
    for line in values.lines() {
        let trimmed = line.trim_start();
        if let Some(first) = trimmed.strip_prefix("# -- ") {
            text = Some(first.to_owned());
        } else if let (Some(text), Some(more)) = (&mut text, trimmed.strip_prefix("# ")) {
            text.push(' ');
            text.push_str(more);
        } else if let Some((key, _)) = trimmed.split_once(':')
            && !trimmed.starts_with('-')
            && !trimmed.starts_with('#')
        {
            let indent = line.len() - trimmed.len();
            keys.retain(|(known, _)| *known < indent);
            keys.push((indent, key));
            if let Some(text) = text.take() {
                let keys: Vec<&str> = keys.iter().map(|(_, key)| *key).collect();
                settings.push(setting(&keys, &text, &parsed)?);
            }
        }
    }
    Ok(settings)
}

fn setting(keys: &[&str], text: &str, parsed: &Value) -> Result<Setting> {
    let path = keys.join(".");
    let value = keys.iter().try_fold(parsed, |value, key| value.get(key));
    let value = value.with_context(|| format!("values.yaml has no {path}"))?;
    Ok(Setting {
        default: serde_json::to_string(value)?,
        text: text.replace('|', "\\|"),
        path,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_belongs_to_the_key_below_it() {
        let values = "# No text.\nimage:\n  # -- A name, or\n  # several | words.\n  name: \"x\"\n  \
                      tag: y\ncount:\n  # -- How many.\n  of:\n    - a: 1\n";
        let found = settings(values).unwrap();
        let expected = [
            ("image.name", "\"x\"", "A name, or several \\| words."),
            ("count.of", "[{\"a\":1}]", "How many."),
        ];
        let expected = expected.map(|(path, default, text)| Setting {
            path: path.to_owned(),
            default: default.to_owned(),
            text: text.to_owned(),
        });
        assert_eq!(found, expected);
    }
}

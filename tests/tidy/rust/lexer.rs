//! Just enough of Rust's lexical grammar to blank out comments and literals.

enum Token {
    Code,
    Comment,
    /// A string or a character.
    Literal,
}

/// The text with comments and the insides of literals replaced by spaces, byte for byte, so that
/// offsets and lines stay true.
pub(crate) fn split(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let (token, length) = next(rest);
        let (head, tail) = rest.split_at(length);
        match token {
            Token::Code => code.push_str(head),
            Token::Comment => head.chars().for_each(|c| blank(c, &mut code)),
            Token::Literal => literal(head, &mut code),
        }
        rest = tail;
    }
    code
}

fn blank(character: char, code: &mut String) {
    match character {
        '\n' => code.push('\n'),
        other => code.extend(std::iter::repeat_n(' ', other.len_utf8())),
    }
}

/// Keep the outer quotes of a string; blank the rest, a prefix such as `r#` and characters included.
fn literal(head: &str, code: &mut String) {
    let text = !head.ends_with('\'');
    let (open, close) = (
        head.find('"').filter(|_| text),
        head.rfind('"').filter(|_| text),
    );
    for (at, character) in head.char_indices() {
        match character {
            '"' if Some(at) == open || Some(at) == close => code.push('"'),
            other => blank(other, code),
        }
    }
}

/// The token at the head of `rest`, which is not empty, and its length in bytes.
fn next(rest: &str) -> (Token, usize) {
    if rest.starts_with("//") {
        return (Token::Comment, rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return (Token::Comment, block_comment(rest));
    }
    if rest.starts_with('"') {
        return (Token::Literal, string(rest));
    }
    if rest.starts_with('\'') {
        return character_or_lifetime(rest);
    }
    let word = rest
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(rest.len());
    if word > 0 {
        return prefixed(rest, word);
    }
    (Token::Code, rest.chars().next().map_or(1, char::len_utf8))
}

/// A word may be the prefix of a literal: `r"…"`, `br#"…"#`, `b"…"`, `c"…"`, `b'…'`.
fn prefixed(rest: &str, word: usize) -> (Token, usize) {
    let tail = &rest[word..];
    match &rest[..word] {
        "r" | "br" | "cr" => match raw_string(tail) {
            Some(length) => (Token::Literal, word + length),
            None => (Token::Code, word),
        },
        "b" | "c" if tail.starts_with('"') => (Token::Literal, word + string(tail)),
        "b" if tail.starts_with('\'') => {
            let (token, length) = character_or_lifetime(tail);
            (token, word + length)
        }
        _ => (Token::Code, word),
    }
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        let tail = &rest.as_bytes()[at..];
        if tail.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if tail.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

fn string(rest: &str) -> usize {
    let mut escaped = false;
    for (at, character) in rest.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// The length of `#…#"…"#…#`, or nothing if this is a raw identifier such as `r#type`.
fn raw_string(tail: &str) -> Option<usize> {
    let hashes = tail.len() - tail.trim_start_matches('#').len();
    let inside = tail[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", &tail[..hashes]);
    let length = inside.find(&end).map_or(inside.len(), |at| at + end.len());
    Some(hashes + 1 + length)
}

fn character_or_lifetime(rest: &str) -> (Token, usize) {
    let inside = &rest[1..];
    if inside.starts_with('\\') {
        // The escaped character may itself be a quote, so the search begins behind it.
        let length = rest.get(3..).and_then(|tail| tail.find('\''));
        return (Token::Literal, length.map_or(rest.len(), |at| at + 4));
    }
    let width = inside.chars().next().map_or(0, char::len_utf8);
    if inside[width..].starts_with('\'') {
        return (Token::Literal, width + 2);
    }
    (Token::Code, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_comments_and_keeps_every_offset() {
        let text = "a // é }\nb /* x /* y */ z */ c\n";
        let code = split(text);
        let words: Vec<&str> = code.split_whitespace().collect();
        assert_eq!(words, ["a", "b", "c"]);
        assert_eq!(code.find('\n'), text.find('\n'));
        assert_eq!(code.len(), text.len());
    }

    #[test]
    fn blanks_strings_of_every_kind() {
        let text = r####"x("a\"{", r#"b"{"#, br"{", b"{", c"{") y"####;
        let code = split(text);
        assert!(!code.contains('{') && code.ends_with(") y"), "{code}");
    }

    #[test]
    fn tells_lifetimes_and_loop_labels_from_characters() {
        let text = "fn f<'a>(x: &'a str) { 'l: loop { g('{', '\\'', '\\\\', b'}', 'é'); } }";
        let code = split(text);
        assert!(
            code.starts_with("fn f<'a>(x: &'a str) { 'l: loop { g("),
            "{code}"
        );
        assert_eq!(code.matches(['{', '}']).count(), 4, "{code}");
    }

    #[test]
    fn raw_identifiers_are_code() {
        assert_eq!(split("let r#type = br;"), "let r#type = br;");
    }
}

//! Rust sources with code, comments and literals told apart, as far as the rules need it.

use std::ops::Range;

use anyhow::Result;

use crate::tree::{self, Source};

mod lexer;

pub(crate) use lexer::split;

/// One Rust file and its two views, which have the same length and line breaks as the text.
pub(crate) struct Rust {
    pub(crate) path: String,
    pub(crate) text: String,
    /// The text with comments and literals blanked out.
    pub(crate) code: String,
    /// The byte ranges of items that only tests see.
    tests: Vec<Range<usize>>,
}

/// A function with a body: its name and its first and last line.
#[derive(Debug, PartialEq)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) body: Range<usize>,
    pub(crate) first: usize,
    pub(crate) last: usize,
}

/// Every Rust file of the repository.
pub(crate) fn files() -> Result<Vec<Rust>> {
    Ok(tree::sources("", &[".rs"])?
        .into_iter()
        .map(Rust::new)
        .collect())
}

impl Rust {
    pub(crate) fn new(source: Source) -> Self {
        let code = split(&source.text);
        let tests = test_items(&code);
        Self {
            path: source.path,
            text: source.text,
            code,
            tests,
        }
    }

    /// Whether the whole file is a test: a module `tests`, or below a crate's `tests` folder. The
    /// lab kit in the folder `tests` of the root is a program like any other.
    pub(crate) fn is_test_file(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }

    /// Whether the code at `offset` is compiled for tests only.
    pub(crate) fn is_test_code(&self, offset: usize) -> bool {
        self.is_test_file() || self.tests.iter().any(|item| item.contains(&offset))
    }

    /// How many lines the file has without the items that only tests see.
    pub(crate) fn product_lines(&self) -> usize {
        let tests = self
            .tests
            .iter()
            .map(|item| self.text[item.clone()].lines().count());
        self.text.lines().count() - tests.sum::<usize>()
    }

    /// Where `word` stands in the code as a whole word; `a::b` counts as one word.
    pub(crate) fn words(&self, word: &str) -> Vec<usize> {
        words(&self.code, word)
    }

    pub(crate) fn line(&self, offset: usize) -> usize {
        line(&self.text, offset)
    }

    pub(crate) fn functions(&self) -> Vec<Function> {
        functions(&self.code)
    }

    /// The string literals inside a range of the text, without their quotes.
    pub(crate) fn literals(&self, range: Range<usize>) -> Vec<&str> {
        let mut found = Vec::new();
        let mut at = range.start;
        while let Some(open) = self.text[at..range.end].find('"').map(|step| at + step) {
            // A quote in a comment has no counterpart in the code: the lexer keeps real quotes.
            if !self.code[open..].starts_with('"') {
                at = open + 1;
                continue;
            }
            let Some(length) = self.code[open + 1..range.end].find('"') else {
                break;
            };
            found.push(&self.text[open + 1..open + 1 + length]);
            at = open + length + 2;
        }
        found
    }
}

/// The line of a byte, as an editor counts it.
fn line(text: &str, offset: usize) -> usize {
    text[..offset].matches('\n').count() + 1
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn words(code: &str, word: &str) -> Vec<usize> {
    let whole =
        |at: usize| !code[..at].ends_with(is_word) && !code[at + word.len()..].starts_with(is_word);
    code.match_indices(word)
        .map(|(at, _)| at)
        .filter(|at| whole(*at))
        .collect()
}

fn functions(code: &str) -> Vec<Function> {
    let mut found = Vec::new();
    for at in words(code, "fn") {
        let name: String = code[at + 2..]
            .trim_start()
            .chars()
            .take_while(|c| is_word(*c))
            .collect();
        let is_pointer_type = name.is_empty();
        let Some(body) = block(code, at).filter(|_| !is_pointer_type) else {
            continue;
        };
        let (first, last) = (line(code, at), line(code, body.end - 1));
        found.push(Function {
            name,
            body,
            first,
            last,
        });
    }
    found
}

/// Items behind an attribute that names `test` in a `cfg`, from the attribute to their last brace.
fn test_items(code: &str) -> Vec<Range<usize>> {
    let starts = ["#[cfg(test)]", "#[cfg(all(test"];
    let mut found: Vec<Range<usize>> = Vec::new();
    for start in starts.iter().flat_map(|start| code.match_indices(start)) {
        let Some(body) = block(code, start.0) else {
            continue;
        };
        if !found.iter().any(|item| item.contains(&start.0)) {
            found.push(start.0..body.end);
        }
    }
    found
}

/// The braces that belong to the item which begins at `start`; none if it ends in a semicolon.
fn block(code: &str, start: usize) -> Option<Range<usize>> {
    let mut nesting = 0_usize;
    for (step, character) in code[start..].char_indices() {
        match character {
            '(' | '[' => nesting += 1,
            ')' | ']' => nesting = nesting.saturating_sub(1),
            ';' if nesting == 0 => return None,
            '{' if nesting == 0 => return closing(code, start + step),
            _ => {}
        }
    }
    None
}

fn closing(code: &str, open: usize) -> Option<Range<usize>> {
    let mut depth = 0_usize;
    for (step, character) in code[open..].char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 1 => return Some(open..open + step + 1),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rust(text: &str) -> Rust {
        Rust::new(Source {
            path: "a/src/lib.rs".to_owned(),
            text: text.to_owned(),
        })
    }

    fn spans(text: &str) -> Vec<(String, usize, usize)> {
        let functions = rust(text).functions();
        functions
            .into_iter()
            .map(|f| (f.name, f.first, f.last))
            .collect()
    }

    #[test]
    fn measures_a_function_by_its_braces_and_not_by_those_in_strings_and_comments() {
        let text = "fn a() {\n  let s = \"}\"; // }\n  let c = '}'; /* } */\n}\nfn b() {}\n";
        assert_eq!(
            spans(text),
            [("a".to_owned(), 1, 4), ("b".to_owned(), 5, 5)]
        );
    }

    #[test]
    fn counts_a_function_inside_another_and_one_with_a_long_signature() {
        let text = "pub(crate) fn outer<T>(\n  f: fn(u8) -> [u8; 2],\n) -> T\nwhere\n  T: X,\n{\n  fn inner() {\n  }\n}\n";
        assert_eq!(
            spans(text),
            [("outer".to_owned(), 1, 9), ("inner".to_owned(), 7, 8)]
        );
    }

    #[test]
    fn skips_declarations_without_a_body_and_function_types() {
        assert_eq!(
            spans("trait T { fn a(&self) -> [u8; 4]; }\ntype F = fn(u8);\n"),
            []
        );
    }

    #[test]
    fn tells_test_items_from_product_code() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n";
        let rust = rust(text);
        let seen: Vec<bool> = rust
            .words("fn")
            .into_iter()
            .map(|at| rust.is_test_code(at))
            .collect();
        assert_eq!(seen, [false, true, false]);
        assert_eq!(rust.product_lines(), 2);
    }

    #[test]
    fn a_test_module_in_a_file_of_its_own_hides_nothing_behind_it() {
        let rust = rust("#[cfg(test)]\nmod tests;\n\nfn a() {\n}\n");
        assert!(!rust.is_test_code(rust.words("fn")[0]));
    }

    #[test]
    fn finds_whole_words_only() {
        let rust = rust("unsafe_code; not_unsafe; unsafe {} // unsafe\n");
        assert_eq!(rust.words("unsafe"), [25]);
    }

    #[test]
    fn reads_the_literals_of_a_function_but_not_its_comments() {
        let rust =
            rust("fn reason() { // \"no\n match x { A => \"PoolExhausted\", B => \"NoPool\" } }");
        let body = rust.functions()[0].body.clone();
        assert_eq!(rust.literals(body), ["PoolExhausted", "NoPool"]);
    }
}

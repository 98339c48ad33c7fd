//! The crate's own sources, as the house rules read them: without comments, strings and tests, as words and signs.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// The root of the crate.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a file of the crate.
pub(crate) fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// One source file.
pub(crate) struct Source {
    /// Relative to `src/`, with `/`.
    pub(crate) path: String,
    /// As it is.
    pub(crate) text: String,
}

impl Source {
    pub(crate) fn made_up(path: &str, text: &str) -> Source {
        Source { path: path.to_owned(), text: text.to_owned() }
    }

    /// Its module, such as `[services, file_system, filing]`; nothing for `lib.rs` and `main.rs`.
    pub(crate) fn module(&self) -> Vec<String> {
        let stem = self.path.trim_end_matches(".rs").trim_end_matches("/mod");
        match stem {
            "lib" | "main" => Vec::new(),
            stem => stem.split('/').map(str::to_owned).collect(),
        }
    }

    /// The code: words and signs, without what only tests are built with.
    pub(crate) fn tokens(&self) -> Vec<Token> {
        without_tests(tokens(&blanked(&self.text)))
    }
}

/// Every source file of the crate, in the order of the paths.
pub(crate) fn all() -> Vec<Source> {
    let (src, mut found) = (root().join("src"), Vec::new());
    walk(&src, &mut |path| {
        let relative = path.strip_prefix(&src).expect("below src").to_str().expect("UTF-8").replace('\\', "/");
        found.push(Source { path: relative, text: std::fs::read_to_string(path).expect("readable") });
    });
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(found.len() > 10, "the sources are where they are expected");
    found
}

fn walk(folder: &Path, found: &mut impl FnMut(&Path)) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found(&path);
        }
    }
}

/// The text with every comment, string and character blanked out; lines stay where they are.
pub(crate) fn blanked(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = match (chars[at], chars.get(at + 1).copied().unwrap_or(' ')) {
            ('/', '/') => line_end(&chars, at),
            ('/', '*') => comment_end(&chars, at),
            ('"', _) => string_end(&chars, at),
            ('r', '"' | '#') if !in_word(&chars, at) && raw_end(&chars, at).is_some() => {
                raw_end(&chars, at).unwrap_or(at + 1)
            }
            ('\'', _) => character_end(&chars, at),
            _ => at,
        };
        if end == at {
            out.push(chars[at]);
            at += 1;
        } else {
            out.extend(chars[at..end].iter().map(|it| if *it == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    out
}

/// `b` and `c` before a raw string belong to it; other letters make the `r` a part of a word.
fn in_word(chars: &[char], at: usize) -> bool {
    let before = |back: usize| at.checked_sub(back).map(|it| chars[it]).filter(|it| it.is_alphanumeric() || *it == '_');
    match before(1) {
        Some('b' | 'c') => before(2).is_some(),
        other => other.is_some(),
    }
}

fn line_end(chars: &[char], at: usize) -> usize {
    chars[at..].iter().position(|it| *it == '\n').map_or(chars.len(), |length| at + length)
}

fn comment_end(chars: &[char], mut at: usize) -> usize {
    let mut depth = 0;
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) if depth == 1 => return at + 2,
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    at
}

fn string_end(chars: &[char], mut at: usize) -> usize {
    at += 1;
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

/// The end of a raw string that begins with `r` here; nothing if it is a raw identifier (`r#type`).
fn raw_end(chars: &[char], at: usize) -> Option<usize> {
    let hashes = chars[at + 1..].iter().take_while(|it| **it == '#').count();
    let open = at + 1 + hashes;
    if chars.get(open) != Some(&'"') {
        return None;
    }
    let closes = |it: usize| {
        chars[it] == '"' && chars[it + 1..].iter().take_while(|it| **it == '#').take(hashes).count() == hashes
    };
    Some((open + 1..chars.len()).find(|it| closes(*it)).map_or(chars.len(), |it| it + 1 + hashes))
}

/// The end of a character; a lifetime (`'a`) loses only its tick and first letter's meaning, so that it is no word.
fn character_end(chars: &[char], at: usize) -> usize {
    match (chars.get(at + 1), chars.get(at + 2)) {
        (Some('\\'), _) => chars[at + 3..].iter().position(|it| *it == '\'').map_or(chars.len(), |it| at + 4 + it),
        (Some(_), Some('\'')) => at + 3,
        _ => at + 1 + chars[at + 1..].iter().take_while(|it| it.is_alphanumeric() || **it == '_').count(),
    }
}

/// A word or a sign (`::` is one sign), and its line, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
}

impl Token {
    pub(crate) fn is_word(&self) -> bool {
        self.text.starts_with(|it: char| it.is_alphabetic() || it == '_')
    }
}

/// Words and signs of blanked text.
pub(crate) fn tokens(blanked: &str) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    for (line, text) in (1..).zip(blanked.lines()) {
        let mut chars = text.chars().peekable();
        while let Some(first) = chars.next() {
            let mut text = String::from(first);
            if first.is_alphanumeric() || first == '_' {
                while let Some(next) = chars.next_if(|it| it.is_alphanumeric() || *it == '_') {
                    text.push(next);
                }
            } else if first.is_whitespace() {
                continue;
            } else {
                // The signs of two letters that the rules look for: `::`, `==`, `!=`, `=>`.
                let second = |it: &char| matches!((first, *it), (':', ':') | ('=', '=' | '>') | ('!', '='));
                text.extend(chars.next_if(second));
            }
            tokens.push(Token { text, line });
        }
    }
    tokens
}

/// The texts of the tokens from `at` on, to compare with a pattern.
pub(crate) fn reads(tokens: &[Token], at: usize, pattern: &[&str]) -> bool {
    tokens.get(at..at + pattern.len()).is_some_and(|found| found.iter().zip(pattern).all(|(a, b)| a.text == *b))
}

/// Drops every item behind `#[cfg(test)]`.
fn without_tests(tokens: Vec<Token>) -> Vec<Token> {
    let (mut kept, mut at) = (Vec::with_capacity(tokens.len()), 0);
    while at < tokens.len() {
        if reads(&tokens, at, &["#", "[", "cfg", "(", "test", ")", "]"]) {
            at = item_end(&tokens, at + 7);
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

/// Behind the item that begins here: its `;` or its closing brace, whichever comes first outside brackets.
pub(crate) fn item_end(tokens: &[Token], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while let Some(token) = tokens.get(at) {
        at += 1;
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            "}" if depth == 1 => return at,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            ";" if depth == 0 => return at,
            _ => {}
        }
    }
    at
}

/// A path as the code writes it, with groups spread out and `super` resolved: `[crate, rpc, Error]`, `[std, fs]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Written {
    pub(crate) segments: Vec<String>,
    pub(crate) line: usize,
}

/// Every path of a source that has more than one segment.
pub(crate) fn paths(source: &Source) -> BTreeSet<Written> {
    let tokens = source.tokens();
    let (mut found, mut module, mut inline, mut depth) = (BTreeSet::new(), source.module(), Vec::new(), 0_usize);
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            "{" => {
                depth += 1;
                if at >= 2 && tokens[at - 2].text == "mod" {
                    module.push(tokens[at - 1].text.clone());
                    inline.push(depth);
                }
            }
            "}" => {
                if inline.last() == Some(&depth) {
                    inline.pop();
                    module.pop();
                }
                depth = depth.saturating_sub(1);
            }
            _ => {}
        }
        let begins = token.is_word() && (at == 0 || tokens[at - 1].text != "::");
        if begins && reads(&tokens, at + 1, &["::"]) {
            let (mut spread, line) = (Vec::new(), token.line);
            at = tree(&tokens, at, &mut Vec::new(), &mut spread);
            found.extend(spread.into_iter().map(|segments| Written { segments: whole(segments, &module), line }));
        } else {
            at += 1;
        }
    }
    found
}

/// Spreads the use tree that begins here; returns where it ends.
fn tree(tokens: &[Token], mut at: usize, prefix: &mut Vec<String>, found: &mut Vec<Vec<String>>) -> usize {
    let own = prefix.len();
    loop {
        match tokens.get(at).map(|token| token.text.as_str()) {
            Some("{") => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token.text != "}") {
                    let end = tree(tokens, at, prefix, found);
                    // Behind a comma, and always on.
                    at = if end == at || reads(tokens, end, &[","]) { end + 1 } else { end };
                }
                prefix.truncate(own);
                return at + 1;
            }
            Some("self") if prefix.len() > own || own > 0 => at += 1,
            Some("*") => {
                prefix.push("*".to_owned());
                at += 1;
            }
            Some(_) if tokens[at].is_word() => {
                prefix.push(tokens[at].text.clone());
                at += 1;
            }
            // Not a tree after all (`Vec::<u8>`): what came before is the path.
            _ => {
                found.push(prefix.clone());
                prefix.truncate(own);
                return at;
            }
        }
        if reads(tokens, at, &["::"]) {
            at += 1;
            continue;
        }
        found.push(prefix.clone());
        prefix.truncate(own);
        if reads(tokens, at, &["as"]) {
            at += 2;
        }
        return at;
    }
}

/// The path from the root of the crate, where it begins with `self` or `super`.
fn whole(segments: Vec<String>, module: &[String]) -> Vec<String> {
    let up = segments.iter().take_while(|it| *it == "super").count();
    let own = segments.first().is_some_and(|it| it == "self");
    if up == 0 && !own {
        return segments;
    }
    let base = module.iter().take(module.len().saturating_sub(up)).cloned();
    let rest = segments.iter().skip(up.max(usize::from(own))).cloned();
    std::iter::once("crate".to_owned()).chain(base).chain(rest).collect()
}

#[test]
fn comments_strings_and_characters_are_no_code() {
    let text = "a /* b /* c */ d */ \"e // \\\" f\" 'g' '\\'' '\\u{1F600}' b\"h\" r#\"i \" j\"# br##\"k\"# l\"## 'm: for<'n> r#type // o\np";
    let words: Vec<String> = tokens(&blanked(text)).into_iter().filter(Token::is_word).map(|it| it.text).collect();
    assert_eq!(
        words,
        ["a", "b", "b", "for", "r", "type", "p"],
        "the letters before a string are left, what is in it is not"
    );
    assert_eq!(tokens(&blanked(text)).last().map(|it| it.line), Some(2));
}

#[test]
fn paths_are_spread_resolved_and_without_tests() {
    let text = "
        use crate::{domain::{self, jd::{Code, Level as L}}, rpc::*};
        use super::{item::Verdict, Settings};
        mod inner { use super::super::sweep::graph; fn f() { super::g(); } }
        fn f(x: self::T) { crate::fault!(\"crate::strings::no\"); Vec::<crate::life::Ready>::new() }
        #[cfg(test)]
        mod tests { use crate::node::Node; }
        #[cfg(test)]
        use crate::cli;
        use std::{fs, time::{Duration, Instant}}; // crate::comments::no
    ";
    let found = paths(&Source::made_up("agents/file_system/decide.rs", text));
    let found: BTreeSet<String> = found.into_iter().map(|it| it.segments.join("::")).collect();
    let expected = [
        "Vec",
        "crate::agents::file_system::Settings",
        "crate::agents::file_system::decide::T",
        "crate::agents::file_system::decide::g",
        "crate::agents::file_system::item::Verdict",
        "crate::agents::file_system::sweep::graph",
        "crate::domain",
        "crate::domain::jd::Code",
        "crate::domain::jd::Level",
        "crate::fault",
        "crate::life::Ready",
        "crate::rpc::*",
        "std::fs",
        "std::time::Duration",
        "std::time::Instant",
    ];
    assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

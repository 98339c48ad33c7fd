//! Makes the text of a document harmless in a note: it shows what it says, but nothing in it runs, embeds, links into
//! the vault or tags.
//!
//! The rule is simple on purpose: code is what is fenced at the beginning of a line or between backticks on one line;
//! everything else is escaped, and whatever could be read either way loses its backticks. What plugins look for in the
//! raw text (`<%` of Templater, `%%`, `obsidian://`) is parted by a space, also in code, for an escape would not stop
//! them; code for Dataview and its like loses its language. HTML is shown, not rendered; images are not fetched. The
//! words stay as they are, and the original is kept beside the note.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the text of a document is to be read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TextFormat {
    /// Headings, lists, tables and links are kept.
    Markdown,
    /// Words in lines; nothing is markup.
    #[default]
    Plain,
    /// Source code or data, shown in a fence; with a language such as `json`.
    Code(String),
}

/// Languages of fences that no plugin runs.
const LANGUAGES: &[&str] = &[
    "asm",
    "bash",
    "bat",
    "c",
    "clojure",
    "cpp",
    "cs",
    "csharp",
    "css",
    "csv",
    "dart",
    "diff",
    "dockerfile",
    "elixir",
    "erlang",
    "fortran",
    "go",
    "graphql",
    "groovy",
    "haskell",
    "hcl",
    "html",
    "http",
    "ini",
    "java",
    "javascript",
    "js",
    "json",
    "jsonc",
    "jsx",
    "julia",
    "kotlin",
    "kt",
    "latex",
    "lisp",
    "lua",
    "make",
    "makefile",
    "markdown",
    "matlab",
    "md",
    "nginx",
    "nix",
    "objc",
    "ocaml",
    "pascal",
    "perl",
    "php",
    "plaintext",
    "powershell",
    "properties",
    "proto",
    "ps1",
    "py",
    "python",
    "r",
    "rb",
    "rs",
    "ruby",
    "rust",
    "scala",
    "scss",
    "sh",
    "shell",
    "sql",
    "swift",
    "tcl",
    "tex",
    "text",
    "toml",
    "ts",
    "tsv",
    "tsx",
    "txt",
    "typescript",
    "vim",
    "xml",
    "yaml",
    "yml",
    "zig",
    "zsh",
];

/// In a longer line, backticks make no code.
const CODE_LINE_BYTES_MAX: usize = 16 * 1024;

/// What a link in a document may lead to.
const SCHEMES: &[&str] = &["http://", "https://", "mailto:", "tel:", "#"];

/// Raw text that acts wherever it stands, and what is written instead.
const PARTED: &[(&str, &str)] = &[("<%", "< %"), ("%%", "% %"), ("obsidian://", "obsidian: //")];

/// Text that is safe in the body of a note: line feeds only, no control characters, one line feed at its end (none if
/// it is empty).
#[must_use]
pub fn defuse(text: &str, format: &TextFormat) -> String {
    let text = part(&plain_lines(text));
    let text = text.trim_matches('\n');
    if text.trim().is_empty() {
        return String::new();
    }
    match format {
        TextFormat::Code(language) => fenced(text, language),
        TextFormat::Plain => text.lines().map(|line| plain_line(line) + "\n").collect(),
        TextFormat::Markdown => markdown(text),
    }
}

/// Any line end becomes `\n`, a page feed too; other control characters go.
fn plain_lines(text: &str) -> String {
    text.replace("\r\n", "\n")
        .chars()
        .map(|c| if matches!(c, '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}') { '\n' } else { c })
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
        .collect()
}

/// Parts what acts in raw text, in any case, until nothing of it is left.
fn part(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let found = PARTED.iter().find(|(live, _)| starts_with_any_case(rest, live));
        if let Some((_, parted)) = found {
            out.push_str(parted);
            // The last character may begin the next one (`%%%`), so it is looked at again: it is one byte in each of
            // them.
            out.pop();
        }
        let taken = found.map_or(c.len_utf8(), |(live, _)| live.len() - 1);
        if found.is_none() {
            out.push(c);
        }
        rest = rest.get(taken..).unwrap_or_default();
    }
    out
}

fn starts_with_any_case(text: &str, ascii: &str) -> bool {
    text.as_bytes().get(..ascii.len()).is_some_and(|start| start.eq_ignore_ascii_case(ascii.as_bytes()))
}

fn fenced(text: &str, language: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}{}\n{text}\n{fence}\n", inert(language))
}

fn inert(language: &str) -> String {
    let word = language.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
    if LANGUAGES.contains(&word.as_str()) { word } else { String::new() }
}

fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 16);
    let mut open: Option<&str> = None;
    for line in text.lines() {
        // A closing fence may be indented; it is written at the beginning of its line, where it closes without doubt.
        match (open, fence(if open.is_some() { line.trim_start() } else { line })) {
            (Some(opened), Some((closing, ""))) if closing.starts_with(opened) => {
                out.push_str(closing);
                open = None;
            }
            (Some(_), _) => out.push_str(line),
            (None, Some((opening, info))) if !(opening.starts_with('`') && info.contains('`')) => {
                out.push_str(opening);
                out.push_str(&inert(info));
                open = Some(opening);
            }
            (None, _) => out.push_str(&inline(line, false)),
        }
        out.push('\n');
    }
    if let Some(fence) = open {
        out.push_str(fence);
        out.push('\n');
    }
    out
}

/// The fence at the very beginning of a line, and what follows it. Indented fences are not taken as such: what they
/// belong to, and where they end, depends on lists and quotes around them.
fn fence(line: &str) -> Option<(&str, &str)> {
    let mark = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let info = line.trim_start_matches(mark);
    let run = line.len() - info.len();
    (run >= 3).then(|| (line.get(..run).unwrap_or_default(), info.trim()))
}

fn plain_line(line: &str) -> String {
    let line = line.trim();
    // Lines that would underline the one above, or rule; headings and quotes.
    let rules = line.len() > 1 && line.chars().all(|c| matches!(c, '-' | '=' | ' '));
    let marks = line.starts_with('>') || line.trim_start_matches('#').starts_with([' ', '\t']) && line.starts_with('#');
    let text = inline(line, true);
    if (rules || marks) && !text.starts_with('\\') { format!("\\{text}") } else { text }
}

/// One line outside of fences; `plain` takes nothing in it as markup.
fn inline(line: &str, plain: bool) -> String {
    let mut out = String::with_capacity(line.len() + 8);
    let mut before = ' ';
    let mut in_footnote = false;
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        let next = after.chars().next().unwrap_or(' ');
        let mut taken = c.len_utf8();
        in_footnote = if c == '[' { next == '^' } else { in_footnote };
        match c {
            '\\' if plain => out.push_str("\\\\"),
            '\\' if next.is_ascii_punctuation() => {
                out.extend([c, next]);
                taken += 1;
            }
            '`' if plain => out.push_str("\\`"),
            '`' => {
                let (span, bytes) = code_span(rest);
                out.push_str(&span);
                taken = bytes;
            }
            '<' if next.is_alphabetic() || matches!(next, '/' | '!' | '?') => out.push_str("&lt;"),
            '$' => out.push_str("\\$"),
            '!' if next == '[' => {
                out.push_str("!\\[");
                taken += 1;
            }
            '[' if plain || next == '[' => out.push_str("\\["),
            ']' if next == '(' && !leads_outside(after) => {
                out.push_str("]\\(");
                taken += 1;
            }
            ']' if next == ':' && !in_footnote => {
                out.push_str("]\\:");
                taken += 1;
            }
            '#' if is_tag_place(before) && !next.is_whitespace() && next != '#' => out.push_str("\\#"),
            '~' if after.starts_with(if plain { "~" } else { "~~" }) => out.push_str("\\~"),
            '=' if plain && next == '=' => out.push_str("\\="),
            '*' if plain && !next.is_whitespace() => out.push_str("\\*"),
            '_' if plain && !(before.is_alphanumeric() && next.is_alphanumeric()) => out.push_str("\\_"),
            _ => out.push(c),
        }
        before = c;
        rest = rest.get(taken..).unwrap_or_default();
    }
    out
}

/// A code span and its length in bytes, if it closes on this line and nothing would run it; else apostrophes for its
/// backticks, and what is in it as text. A cell of a table ends at `|` even within backticks, so a span with one is
/// none.
fn code_span(text: &str) -> (String, usize) {
    let content = text.trim_start_matches('`');
    let ticks = text.len() - content.len();
    let quotes = "'".repeat(ticks);
    // Three or more could be a fence. Looking for the end again and again is quadratic, and nobody writes code spans in
    // lines that long.
    let end = if ticks > 2 || text.len() > CODE_LINE_BYTES_MAX { None } else { closing_run(content, ticks) };
    let Some(inside) = end.and_then(|end| content.get(..end)) else { return (quotes, ticks) };
    let bytes = inside.len() + 2 * ticks;
    let runs = ["=", "$="].iter().any(|prefix| inside.trim_start().starts_with(prefix));
    if runs || inside.contains('|') {
        // Its inside is looked at by itself, without other spans: those would be another nesting for each.
        return (format!("{quotes}{}{quotes}", inline(&inside.replace('`', "'"), false)), bytes);
    }
    (text.get(..bytes).unwrap_or_default().to_owned(), bytes)
}

/// Where the first run of exactly `ticks` backticks begins.
fn closing_run(content: &str, ticks: usize) -> Option<usize> {
    let mut at = 0;
    loop {
        let rest = content.get(at..)?;
        let before = rest.find('`')?;
        let run = rest.get(before..)?.bytes().take_while(|byte| *byte == b'`').count();
        if run == ticks {
            return Some(at + before);
        }
        at += before + run;
    }
}

/// Whether a link destination, beginning at its `(`, is one of `SCHEMES`.
fn leads_outside(text: &str) -> bool {
    let destination = text.strip_prefix('(').unwrap_or(text).trim_start();
    SCHEMES.iter().any(|scheme| starts_with_any_case(destination, scheme))
}

/// Obsidian reads a tag after white space or punctuation, not within a word or an address.
fn is_tag_place(before: char) -> bool {
    !(before.is_alphanumeric() || "/=&?._-%+".contains(before))
}

//! Writes Markdown: blocks with one blank line between them, never more than the limit.

/// The longest start of `text` of at most `max` bytes that ends on a character.
pub(super) fn cut(text: &str, max: usize) -> &str {
    let mut end = max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// Runs of white space become one space; the ends are trimmed.
pub(super) fn squeeze(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// A Markdown text under construction, with a limit in bytes.
#[derive(Debug)]
pub(super) struct Markdown {
    text: String,
    max: usize,
    truncated: bool,
    after_item: bool,
}

impl Markdown {
    pub(super) fn new(max: usize) -> Self {
        Self { text: String::new(), max, truncated: false, after_item: false }
    }

    /// True when nothing more goes in: stop reading.
    pub(super) fn full(&self) -> bool {
        self.truncated
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Adds text as it is.
    pub(super) fn raw(&mut self, text: &str) {
        let kept = cut(text, self.max.saturating_sub(self.text.len()));
        self.text.push_str(kept);
        self.truncated |= kept.len() < text.len();
    }

    /// Starts a block: one blank line after what came before.
    fn block(&mut self) {
        while self.text.ends_with([' ', '\n', '\t']) {
            self.text.pop();
        }
        if !self.text.is_empty() {
            self.raw("\n\n");
        }
        self.after_item = false;
    }

    /// A paragraph that may hold line breaks and Markdown of its own; an empty one is nothing.
    pub(super) fn paragraph(&mut self, text: &str) {
        let text = text.trim_matches(['\n', ' ', '\t', '\r']);
        if !text.is_empty() {
            self.block();
            self.raw(text);
        }
    }

    /// A heading of level 1 to 6.
    pub(super) fn heading(&mut self, level: usize, text: &str) {
        let text = squeeze(text);
        if !text.is_empty() {
            self.block();
            self.raw(&"#".repeat(level.clamp(1, 6)));
            self.raw(" ");
            self.raw(&text);
        }
    }

    /// A list item; items in a row stand on lines in a row. `depth` counts from 0.
    pub(super) fn item(&mut self, depth: usize, marker: &str, text: &str) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        if self.after_item {
            self.raw("\n");
        } else {
            self.block();
        }
        let indent = "  ".repeat(depth.min(12));
        self.raw(&format!("{indent}{marker} {}", text.replace('\n', &format!("\n{indent}  "))));
        self.after_item = true;
    }

    /// A fenced block of code.
    pub(super) fn code(&mut self, text: &str) {
        if text.trim().is_empty() {
            return;
        }
        self.block();
        let fence = if text.contains("```") { "~~~~" } else { "```" };
        self.raw(&format!("{fence}\n{}\n{fence}", text.trim_matches('\n')));
    }

    /// A table; the first row is its head. Empty rows and empty columns at the end fall away.
    pub(super) fn table(&mut self, rows: &[Vec<String>]) {
        let filled =
            |row: &Vec<String>| row.iter().rposition(|cell| !cell.trim().is_empty()).map_or(0, |last| last + 1);
        let width = rows.iter().map(filled).max().unwrap_or(0);
        if width == 0 {
            return;
        }
        self.block();
        let mut first = true;
        for row in rows.iter().filter(|row| filled(row) > 0) {
            if self.full() {
                return;
            }
            let mut line = String::from("|");
            for index in 0..width {
                let cell = row.get(index).map(String::as_str).unwrap_or_default();
                line.push(' ');
                line.push_str(&squeeze(cell).replace('|', "\\|"));
                line.push_str(" |");
            }
            if !first {
                self.raw("\n");
            }
            self.raw(&line);
            if first {
                self.raw("\n|");
                self.raw(&" --- |".repeat(width));
                first = false;
            }
        }
    }

    /// The text and whether it was cut.
    pub(super) fn finish(mut self) -> (String, bool) {
        let end = self.text.trim_end().len();
        self.text.truncate(end);
        (self.text, self.truncated)
    }
}

/// Text of a document as Markdown that shows the same characters: what would start a heading, a list, a quote,
/// a rule, a wikilink or a tag of HTML gets a backslash; all else stays as it was written.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut line_start = true;
    let mut chars = text.chars().peekable();
    while let Some(character) = chars.next() {
        let next = chars.peek().copied();
        let special = match character {
            '#' => line_start && matches!(next, Some('#' | ' ')),
            '>' => line_start,
            '-' | '+' => line_start && matches!(next, Some(' ')),
            '*' => next.is_some_and(|next| !next.is_whitespace() || line_start),
            '`' => true,
            '[' => next == Some('['),
            '<' => next.is_some_and(|next| next.is_ascii_alphabetic() || next == '/' || next == '!'),
            _ => false,
        };
        if special {
            out.push('\\');
        }
        out.push(character);
        line_start = character == '\n' || (line_start && character == ' ');
    }
    out
}

//! The walk over a page that writes its Markdown.

use super::super::markdown::{Markdown, escape};
use super::dom::{Dom, Id};

/// Deeper than this the words are kept and their form is not, so that nesting cannot overflow the stack.
const DEPTH_MAX: usize = 150;

/// Elements nobody sees.
const UNSEEN: &[&str] = &[
    "script", "style", "template", "noscript", "svg", "iframe", "object", "head", "datalist", "canvas", "audio",
    "video",
];

/// Elements that stand on lines of their own.
const BLOCKS: &[&str] = &[
    "p",
    "div",
    "section",
    "article",
    "main",
    "aside",
    "header",
    "footer",
    "nav",
    "address",
    "figure",
    "figcaption",
    "details",
    "summary",
    "dl",
    "dt",
    "dd",
    "form",
    "fieldset",
    "legend",
    "center",
    "tr",
    "td",
    "th",
    "caption",
    "body",
    "html",
    "table",
    "tbody",
    "thead",
    "tfoot",
    "option",
    "hgroup",
    "search",
    "label",
    "textarea",
];

/// The Markdown of a page, at most `max` bytes, and whether it was cut.
pub(super) fn markdown(dom: &Dom, max: usize) -> (String, bool) {
    let mut walk = Walk { dom, out: Markdown::new(max), line: String::new(), lists: Vec::new(), marker: None, flat: 0 };
    walk.node(0, 0);
    walk.flush();
    walk.out.finish()
}

struct Walk<'a> {
    dom: &'a Dom,
    out: Markdown,
    /// The inline text of the block under construction.
    line: String,
    /// The open lists: the number of the next item where they are numbered.
    lists: Vec<Option<usize>>,
    /// The marker that the next block of a list item takes.
    marker: Option<String>,
    /// Above zero blocks are but words: inside headings and table cells.
    flat: usize,
}

impl Walk<'_> {
    fn node(&mut self, id: Id, depth: usize) {
        if self.out.full() {
            return;
        }
        if let Some(text) = self.dom.own_text(id) {
            return self.words(text);
        }
        let name = self.dom.name(id).to_owned();
        if UNSEEN.contains(&name.as_str()) || self.hidden(id) {
            return;
        }
        if depth > DEPTH_MAX {
            let text = self.dom.text(id);
            return self.words(&text);
        }
        match name.as_str() {
            "br" => self.line.push('\n'),
            "hr" => {
                self.flush();
                self.out.paragraph("---");
            }
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => self.heading(id, &name, depth),
            "ul" | "ol" | "menu" => self.list(id, &name, depth),
            "li" => self.item(id, depth),
            "pre" if self.flat == 0 => {
                self.flush();
                self.out.code(&self.dom.text(id));
            }
            "blockquote" if self.flat == 0 => self.quote(id, depth),
            "table" if self.flat == 0 && self.is_data(id) => self.table(id, depth),
            "a" => self.link(id, depth),
            "img" => self.image(id),
            "b" | "strong" => self.wrapped(id, "**", depth),
            "i" | "em" | "cite" => self.wrapped(id, "*", depth),
            "del" | "s" | "strike" => self.wrapped(id, "~~", depth),
            "code" | "kbd" | "samp" | "tt" => {
                let text = self.dom.text(id);
                let text = text.trim();
                if !text.is_empty() && !text.contains('`') {
                    self.line.push_str(&format!("`{text}`"));
                } else {
                    self.words(text);
                }
            }
            block if BLOCKS.contains(&block) => {
                self.flush();
                self.children(id, depth);
                self.flush();
            }
            _ => self.children(id, depth),
        }
    }

    fn children(&mut self, id: Id, depth: usize) {
        for child in self.dom.children(id).to_vec() {
            self.node(child, depth + 1);
        }
    }

    /// `hidden` and `display:none`, but for a whole page that is hidden until its scripts have run.
    fn hidden(&self, id: Id) -> bool {
        let style = self.dom.attr(id, "style").unwrap_or_default().replace(' ', "").to_lowercase();
        let none = style.contains("display:none") || self.dom.attr(id, "hidden").is_some();
        none && !matches!(self.dom.name(id), "body" | "html")
    }

    fn words(&mut self, text: &str) {
        let mut squeezed = String::with_capacity(text.len());
        for character in text.chars() {
            // A no-break space is a space to a reader.
            let after_space =
                if squeezed.is_empty() { self.line.ends_with([' ', '\n']) } else { squeezed.ends_with(' ') };
            if !character.is_whitespace() {
                squeezed.push(character);
            } else if !after_space {
                squeezed.push(' ');
            }
        }
        if self.line.is_empty() {
            squeezed = squeezed.trim_start().to_owned();
        }
        self.line.push_str(&escape(&squeezed));
    }

    /// Ends the block under construction.
    fn flush(&mut self) {
        if self.flat > 0 {
            if !self.line.ends_with([' ', '\n']) && !self.line.is_empty() {
                self.line.push(' ');
            }
            return;
        }
        let line = std::mem::take(&mut self.line);
        let text = line.lines().map(str::trim).collect::<Vec<_>>().join("\n");
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        match (self.marker.take(), self.lists.len().checked_sub(1)) {
            (Some(marker), Some(depth)) => self.out.item(depth, &marker, text),
            (None, Some(depth)) => {
                let indent = "  ".repeat(depth + 1);
                self.out.raw(&format!("\n\n{indent}{}", text.replace('\n', &format!("\n{indent}"))));
            }
            _ => self.out.paragraph(text),
        }
    }

    /// The words of an element on one line.
    fn flat(&mut self, id: Id, depth: usize) -> String {
        let outer = std::mem::take(&mut self.line);
        self.flat += 1;
        self.children(id, depth);
        self.flat -= 1;
        std::mem::replace(&mut self.line, outer)
    }

    fn heading(&mut self, id: Id, name: &str, depth: usize) {
        self.flush();
        let level = name.chars().nth(1).and_then(|digit| digit.to_digit(10)).unwrap_or(1) as usize;
        let text = self.flat(id, depth);
        if self.flat > 0 || self.marker.is_some() {
            self.line.push_str(&text);
            self.flush();
        } else {
            self.out.heading(level, &text);
        }
    }

    fn list(&mut self, id: Id, name: &str, depth: usize) {
        self.flush();
        self.marker = None;
        let first = self.dom.attr(id, "start").and_then(|start| start.parse().ok()).unwrap_or(1);
        self.lists.push((name == "ol").then_some(first));
        self.children(id, depth);
        self.flush();
        self.lists.pop();
        self.marker = None;
    }

    fn item(&mut self, id: Id, depth: usize) {
        self.flush();
        let loose = self.lists.is_empty();
        if loose {
            self.lists.push(None);
        }
        self.marker = Some(match self.lists.last_mut() {
            Some(Some(number)) => {
                *number += 1;
                format!("{}.", *number - 1)
            }
            _ => "-".to_owned(),
        });
        self.children(id, depth);
        self.flush();
        self.marker = None;
        if loose {
            self.lists.pop();
        }
    }

    fn quote(&mut self, id: Id, depth: usize) {
        self.flush();
        let outer = std::mem::replace(&mut self.out, Markdown::new(usize::MAX));
        let lists = std::mem::take(&mut self.lists);
        self.children(id, depth);
        self.flush();
        self.lists = lists;
        let (inner, _) = std::mem::replace(&mut self.out, outer).finish();
        let quoted: Vec<String> = inner.lines().map(|line| format!("> {line}").trim_end().to_owned()).collect();
        self.out.paragraph(&quoted.join("\n"));
    }

    /// Whether a table holds data: more than one column and row, and no table inside. Else it is page layout.
    fn is_data(&self, id: Id) -> bool {
        let rows = self.rows(id);
        let columns = rows.iter().map(|row| row.len()).max().unwrap_or(0);
        let mut stack = self.dom.children(id).to_vec();
        while let Some(node) = stack.pop() {
            if matches!(self.dom.name(node), "table" | "h1" | "h2" | "ul" | "ol" | "pre") {
                return false;
            }
            stack.extend(self.dom.children(node));
        }
        rows.len() > 1 && columns > 1
    }

    fn rows(&self, table: Id) -> Vec<Vec<Id>> {
        let mut rows = Vec::new();
        for part in self.dom.children(table) {
            let lines = match self.dom.name(*part) {
                "tr" => std::slice::from_ref(part),
                "thead" | "tbody" | "tfoot" => self.dom.children(*part),
                _ => &[],
            };
            for line in lines.iter().filter(|line| self.dom.name(**line) == "tr") {
                let cells = self.dom.children(*line).iter().copied();
                rows.push(cells.filter(|cell| matches!(self.dom.name(*cell), "td" | "th")).collect());
            }
        }
        rows
    }

    fn table(&mut self, id: Id, depth: usize) {
        self.flush();
        let captions: Vec<Id> =
            self.dom.children(id).iter().copied().filter(|c| self.dom.name(*c) == "caption").collect();
        for caption in captions {
            let text = self.flat(caption, depth);
            self.out.paragraph(&text);
        }
        let mut table = Vec::new();
        for cells in self.rows(id) {
            let mut row = Vec::new();
            for cell in cells {
                row.push(self.flat(cell, depth));
                let span = self.dom.attr(cell, "colspan").and_then(|span| span.parse::<usize>().ok()).unwrap_or(1);
                row.extend((1..span.min(50)).map(|_| String::new()));
            }
            table.push(row);
        }
        self.out.table(&table);
    }

    fn link(&mut self, id: Id, depth: usize) {
        let address = self.dom.attr(id, "href").unwrap_or_default().trim().to_owned();
        let followed = !address.is_empty() && !address.starts_with(['#']) && address.len() < 2000;
        let scheme = address.split(':').next().unwrap_or_default().to_lowercase();
        let holds_blocks = self.dom.children(id).iter().any(|child| BLOCKS.contains(&self.dom.name(*child)));
        if !followed || matches!(scheme.as_str(), "javascript" | "data") || holds_blocks {
            return self.children(id, depth);
        }
        let text = self.flat(id, depth);
        self.space(&text);
        let shown = text.trim();
        if shown.is_empty() {
            return;
        }
        let address = address.replace(' ', "%20").replace('(', "%28").replace(')', "%29");
        self.line.push_str(&format!("[{shown}]({address})"));
        if text.ends_with(' ') {
            self.line.push(' ');
        }
    }

    fn image(&mut self, id: Id) {
        let alt = super::markdown::squeeze(self.dom.attr(id, "alt").unwrap_or_default());
        let source = self.dom.attr(id, "src").unwrap_or_default();
        if alt.is_empty() {
            return;
        }
        if source.is_empty() || source.starts_with("data:") || source.len() > 2000 {
            self.words(&alt);
        } else {
            self.line.push_str(&format!("![{}]({})", alt.replace(['[', ']'], ""), source.replace(' ', "%20")));
        }
    }

    /// Emphasis; the marks hug the words as Markdown wants it.
    fn wrapped(&mut self, id: Id, mark: &str, depth: usize) {
        let inner = self.dom.children(id).iter().any(|child| BLOCKS.contains(&self.dom.name(*child)));
        if inner || self.line.ends_with('*') {
            return self.children(id, depth);
        }
        let text = self.flat(id, depth);
        self.space(&text);
        let shown = text.trim();
        if shown.is_empty() {
            return;
        }
        if shown.contains(mark) || shown.contains('\n') {
            self.line.push_str(shown);
        } else {
            self.line.push_str(&format!("{mark}{shown}{mark}"));
        }
        if text.ends_with([' ', '\n']) {
            self.line.push(' ');
        }
    }

    /// The space before a word that began with one.
    fn space(&mut self, text: &str) {
        if text.starts_with([' ', '\n']) && !self.line.is_empty() && !self.line.ends_with([' ', '\n']) {
            self.line.push(' ');
        }
    }
}

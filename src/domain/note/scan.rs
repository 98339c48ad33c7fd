//! Finds the front matter block of a Markdown file and the places of its properties, without understanding their
//! values.

/// A byte order mark, which Obsidian and emm both skip.
const BOM: char = '\u{feff}';
/// The line that opens and closes a block.
const FENCE: &str = "---";

/// The block between the fences; all numbers are byte offsets into the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    /// After the opening fence.
    pub(super) start: usize,
    /// Before the closing fence.
    pub(super) end: usize,
    /// After the closing fence.
    pub(super) body: usize,
}

/// One property: from its key to the next one's.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Its name as written, without quotes.
    pub(super) name: String,
    /// Where its key begins.
    pub(super) start: usize,
    /// After the colon.
    pub(super) value: usize,
    /// Where the next property or the closing fence begins.
    pub(super) end: usize,
}

/// Where the text begins after a byte order mark.
pub(super) fn text_start(text: &str) -> usize {
    if text.starts_with(BOM) { BOM.len_utf8() } else { 0 }
}

/// The front matter, if the file begins with one that is closed.
pub(super) fn block(text: &str) -> Option<Block> {
    let mut at = text_start(text);
    let mut start = None;
    for line in text.get(at..)?.split_inclusive('\n') {
        let is_fence = line.trim_end() == FENCE;
        match start {
            None if !is_fence || !line.ends_with('\n') => return None,
            None => start = Some(at + line.len()),
            Some(start) if is_fence => return Some(Block { start, end: at, body: at + line.len() }),
            Some(_) => {}
        }
        at += line.len();
    }
    None
}

/// The properties of a block in their order. Nothing, if a line is neither a property nor belongs to one, as in flow
/// style, JSON, complex keys or prose between two thematic breaks.
pub(super) fn entries(text: &str, block: Block) -> Option<Vec<Entry>> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut at = block.start;
    for line in text.get(block.start..block.end)?.split_inclusive('\n') {
        let start = at;
        at += line.len();
        if is_blank(line) {
            continue;
        }
        let belongs = line.starts_with([' ', '\t']) || line.trim_end() == "-" || line.starts_with("- ");
        if belongs {
            // Something indented before the first key is no mapping that emm would touch.
            entries.last()?;
            continue;
        }
        let (name, value) = key(line.trim_end())?;
        if let Some(last) = entries.last_mut() {
            last.end = start;
        }
        entries.push(Entry { name, start, value: start + value, end: block.end });
    }
    Some(entries)
}

/// Whether a line holds nothing but white space or a comment.
pub(super) fn is_blank(line: &str) -> bool {
    let line = line.trim_start();
    line.is_empty() || line.starts_with('#')
}

/// The name before a colon, and the offset after it.
fn key(line: &str) -> Option<(String, usize)> {
    let (name, after) = match line.chars().next()? {
        quote @ ('"' | '\'') => {
            let inner = line.get(1..)?;
            let end = inner.find(quote)?;
            let name = inner.get(..end)?;
            // Escapes in keys are too rare to be read.
            if name.contains('\\') {
                return None;
            }
            let spaces = inner.get(end + 1..)?.find(':')?;
            if !inner.get(end + 1..end + 1 + spaces)?.trim().is_empty() {
                return None;
            }
            (name, end + 2 + spaces)
        }
        '{' | '}' | '[' | ']' | ',' | '&' | '*' | '!' | '|' | '>' | '%' | '@' | '`' | '?' => return None,
        _ => {
            let colon = line.match_indices(':').map(|(at, _)| at).find(|at| ends_key(line, *at))?;
            (line.get(..colon)?.trim_end(), colon)
        }
    };
    ends_key(line, after).then(|| (name.to_owned(), after + 1))
}

/// A colon ends a key before white space or the end of the line.
fn ends_key(line: &str, colon: usize) -> bool {
    line.get(colon + 1..).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
}

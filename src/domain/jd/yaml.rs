//! A small YAML tree in which every node knows its place, so that lint can name lines and repairs can patch the owner's
//! text.
//!
//! One parser reads for all purposes (granit-parser, the one inside serde-saphyr): scalars stay exact text, duplicate
//! keys stay visible, quoting and flow style are known. Anchors and aliases are refused, and size, depth and nodes have
//! limits.

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, StructureStyle};

use super::finding::{Finding, Rule};

/// A full house (10,000 ids with a few words each) is about two megabytes.
pub(super) const TEXT_BYTES_MAX: usize = 4 << 20;
const NODES_MAX: usize = 400_000;
/// Our deepest field is `areas / area / categories / category / ids / id / keywords / word`.
const DEPTH_MAX: usize = 32;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) value: Value,
    /// From 1.
    pub(super) line: usize,
    /// From 1, in characters.
    pub(super) column: usize,
    /// Byte offsets in the text. The end is exact for scalars and flow collections only.
    pub(super) start: usize,
    pub(super) end: usize,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    Text { text: String, style: ScalarStyle },
    List { items: Vec<Node>, flow: bool },
    Map { entries: Vec<(Node, Node)>, flow: bool },
}

impl Node {
    /// The exact text of a scalar.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Whether it is a scalar without quotes, which other readers may take for a number.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self.value, Value::Text { style: ScalarStyle::Plain, .. })
    }

    /// Whether nothing stands here: `key:`, `key: ~`, `key: null`.
    pub(super) fn is_null(&self) -> bool {
        self.is_plain() && matches!(self.text(), Some("" | "~" | "null" | "Null" | "NULL"))
    }

    /// The end of the last scalar or flow collection inside, as a byte offset.
    pub(super) fn content_end(&self) -> usize {
        match &self.value {
            Value::Map { entries, flow: false } => {
                entries.last().map_or(self.end, |(key, value)| value.content_end().max(key.end))
            }
            Value::List { items, flow: false } => items.last().map_or(self.end, Node::content_end),
            _ => self.end,
        }
    }
}

/// Reads one document. `Ok(None)` is an empty one.
pub(super) fn parse(text: &str) -> Result<Option<Node>, Finding> {
    if text.len() > TEXT_BYTES_MAX {
        let message = format!("the file has {} bytes; a structure may have {TEXT_BYTES_MAX}", text.len());
        return Err(Finding::new(Rule::TooLarge, 1, message));
    }
    let mut options = granit_parser::options! { flow_nesting_limit: DEPTH_MAX, block_nesting_limit: DEPTH_MAX };
    options.set_emit_comments(false);
    let mut reader = Reader { events: Parser::new_from_str_with_options(text, options), nodes: 0 };
    let mut root = None;
    let mut documents = 0;
    while let Some(next) = reader.events.next() {
        let (event, span) = next.map_err(syntax)?;
        match event {
            Event::DocumentStart(..) => {
                documents += 1;
                if documents > 1 {
                    let message = "a second YAML document begins here; keep one document in jd.yaml";
                    return Err(Finding::new(Rule::Documents, line_of(&span), message));
                }
            }
            Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            other => root = Some(reader.node(other, &span, 0)?),
        }
    }
    Ok(root)
}

struct Reader<'text> {
    events: Parser<'text, granit_parser::StrInput<'text>>,
    nodes: usize,
}

impl Reader<'_> {
    fn node(&mut self, event: Event<'_>, span: &Span, depth: usize) -> Result<Node, Finding> {
        self.nodes += 1;
        if self.nodes > NODES_MAX || depth > 2 * DEPTH_MAX {
            return Err(Finding::new(Rule::TooLarge, line_of(span), "more entries than a structure can have"));
        }
        let range = span.byte_range().unwrap_or_default();
        let mut end = range.end;
        let value = match event {
            Event::Scalar(_, _, anchor, _) | Event::SequenceStart(_, anchor, _) | Event::MappingStart(_, anchor, _)
                if anchor != 0 =>
            {
                return Err(anchored(span));
            }
            Event::Scalar(text, style, ..) => Value::Text { text: text.into_owned(), style },
            Event::SequenceStart(style, ..) => {
                let mut items = Vec::new();
                while let Some(item) = self.child(depth, &mut end)? {
                    items.push(item);
                }
                Value::List { items, flow: style == StructureStyle::Flow }
            }
            Event::MappingStart(style, ..) => {
                let mut entries = Vec::new();
                while let Some(key) = self.child(depth, &mut end)? {
                    let Some(value) = self.child(depth, &mut end)? else { break };
                    entries.push((key, value));
                }
                Value::Map { entries, flow: style == StructureStyle::Flow }
            }
            _ => return Err(anchored(span)),
        };
        Ok(Node { value, line: line_of(span), column: span.start.col() + 1, start: range.start, end })
    }

    /// The next node of a collection, or `None` (and where the collection ends).
    fn child(&mut self, depth: usize, end: &mut usize) -> Result<Option<Node>, Finding> {
        let Some(next) = self.events.next() else { return Ok(None) };
        let (event, span) = next.map_err(syntax)?;
        if matches!(event, Event::SequenceEnd | Event::MappingEnd) {
            *end = span.byte_range().map_or(*end, |range| range.end);
            return Ok(None);
        }
        self.node(event, &span, depth + 1).map(Some)
    }
}

fn line_of(span: &Span) -> usize {
    span.start.line().max(1)
}

fn anchored(span: &Span) -> Finding {
    let message =
        "anchors (&) and aliases (*) are not read in jd.yaml; write the text out, or quote it if it begins so";
    Finding::new(Rule::Anchor, line_of(span), message)
}

fn syntax(error: ScanError) -> Finding {
    let mut finding = Finding::new(Rule::Syntax, error.marker().line().max(1), format!("not YAML: {}", error.info()));
    finding.column = Some(error.marker().col() + 1);
    finding
}

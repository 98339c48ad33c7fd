//! XML as a compact tree: names without their prefixes, forgiving of broken ends, bounded in size and depth.

use super::{Extracted, Limits, markdown, text};
use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};
use std::collections::BTreeMap;
use std::ops::Range;

/// Elements deeper than this are dropped, so that a walk over the tree cannot overflow the stack.
const DEPTH_MAX: usize = 160;
/// More nodes than this are not read: some 400 MB of tree.
const NODES_MAX: usize = 8 << 20;

/// A parsed document.
#[derive(Debug, Default)]
pub(super) struct Xml {
    nodes: Vec<Node>,
    attributes: Vec<(u32, Range<usize>)>,
    text: String,
    names: Vec<String>,
    /// Whether the document ended before its root did, or was too big.
    pub(super) broken: bool,
}

#[derive(Debug)]
struct Node {
    /// Index into `names`, or `None` for text.
    name: Option<u32>,
    text: Range<usize>,
    attributes: Range<usize>,
    first: Option<u32>,
    last: Option<u32>,
    next: Option<u32>,
}

/// An element or a piece of text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element<'a> {
    xml: &'a Xml,
    node: &'a Node,
}

impl Xml {
    /// Parses what is well-formed enough; whatever follows the first hopeless error is left out.
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let source = text::decode_as(bytes, declared_encoding(bytes).as_deref());
        let mut builder = Builder::default();
        builder.open(None, 0..0);
        let mut reader = Reader::from_str(&source);
        let config = reader.config_mut();
        config.check_end_names = false;
        config.allow_unmatched_ends = true;
        config.allow_dangling_amp = true;
        loop {
            match reader.read_event() {
                Ok(Event::Start(start)) => builder.start(&start),
                Ok(Event::Empty(start)) => {
                    builder.start(&start);
                    builder.close();
                }
                Ok(Event::End(_)) => builder.close(),
                Ok(Event::Text(piece)) => builder.text(&piece),
                Ok(Event::CData(piece)) => builder.text(&piece),
                Ok(Event::GeneralRef(entity)) => builder.text(&resolve(&entity)),
                Ok(Event::Eof) => break,
                Ok(_) => {}
                Err(_) => {
                    builder.xml.broken = true;
                    break;
                }
            }
            if builder.xml.nodes.len() > NODES_MAX {
                builder.xml.broken = true;
                break;
            }
        }
        builder.xml.broken |= builder.open.len() > 1;
        builder.xml
    }

    /// The nameless node above the root element.
    pub(super) fn root(&self) -> Option<Element<'_>> {
        self.nodes.first().map(|node| Element { xml: self, node })
    }

    /// The first element of that name anywhere.
    pub(super) fn find<'a>(&'a self, name: &'a str) -> Option<Element<'a>> {
        self.all(name).next()
    }

    /// All elements of that name, in document order.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Element<'a>> {
        let wanted = self.names.iter().position(|known| known == name).map(|index| index as u32);
        let nodes = self.nodes.iter().filter(move |node| node.name.is_some() && node.name == wanted);
        nodes.map(|node| Element { xml: self, node })
    }
}

impl<'a> Element<'a> {
    /// The name without its prefix; empty for text.
    pub(super) fn name(self) -> &'a str {
        let name = self.node.name.and_then(|index| self.xml.names.get(index as usize));
        name.map(String::as_str).unwrap_or_default()
    }

    /// The text, if this is a piece of text.
    pub(super) fn own_text(self) -> Option<&'a str> {
        if self.node.name.is_some() { None } else { self.xml.text.get(self.node.text.clone()) }
    }

    /// An attribute by its name without prefix.
    pub(super) fn attr(self, name: &str) -> Option<&'a str> {
        let wanted = self.xml.names.iter().position(|known| known == name)? as u32;
        let attributes = self.xml.attributes.get(self.node.attributes.clone())?;
        let (_, value) = attributes.iter().find(|(known, _)| *known == wanted)?;
        self.xml.text.get(value.clone())
    }

    /// All attributes of that name without prefix: `r:id` and `id` are two.
    pub(super) fn attrs(self, name: &str) -> impl Iterator<Item = &'a str> {
        let wanted = self.xml.names.iter().position(|known| known == name).map(|index| index as u32);
        let attributes = self.xml.attributes.get(self.node.attributes.clone()).unwrap_or_default();
        let fitting = attributes.iter().filter(move |(known, _)| Some(*known) == wanted);
        fitting.filter_map(|(_, value)| self.xml.text.get(value.clone()))
    }

    /// The direct children, text among them.
    pub(super) fn children(self) -> impl Iterator<Item = Element<'a>> {
        let node_at = move |index: Option<u32>| index.and_then(|index| self.xml.nodes.get(index as usize));
        std::iter::successors(node_at(self.node.first), move |node| node_at(node.next))
            .map(move |node| Element { xml: self.xml, node })
    }

    /// The first direct child of that name.
    pub(super) fn child(self, name: &str) -> Option<Element<'a>> {
        self.children().find(|child| child.name() == name)
    }

    /// The element at the end of a path of names.
    pub(super) fn path(self, names: &[&str]) -> Option<Element<'a>> {
        names.iter().try_fold(self, |element, name| element.child(name))
    }

    /// The first element of that name below.
    pub(super) fn find(self, name: &str) -> Option<Element<'a>> {
        self.children().find_map(|child| if child.name() == name { Some(child) } else { child.find(name) })
    }

    /// All elements of that name below; one inside another of the name is not looked for.
    pub(super) fn collect(self, name: &str) -> Vec<Element<'a>> {
        let mut out = Vec::new();
        self.collect_into(name, &mut out);
        out
    }

    fn collect_into(self, name: &str, out: &mut Vec<Element<'a>>) {
        for child in self.children() {
            if child.name() == name {
                out.push(child);
            } else {
                child.collect_into(name, out);
            }
        }
    }

    /// All text below, joined as it stands.
    pub(super) fn text(self) -> String {
        let mut out = String::new();
        self.text_into(&mut out);
        out
    }

    fn text_into(self, out: &mut String) {
        out.push_str(self.own_text().unwrap_or_default());
        for child in self.children() {
            child.text_into(out);
        }
    }
}

#[derive(Default)]
struct Builder {
    xml: Xml,
    open: Vec<u32>,
    dropped: usize,
    known: BTreeMap<String, u32>,
}

impl Builder {
    fn name(&mut self, local: &str) -> u32 {
        if let Some(index) = self.known.get(local) {
            return *index;
        }
        let index = self.xml.names.len() as u32;
        self.xml.names.push(local.to_owned());
        self.known.insert(local.to_owned(), index);
        index
    }

    fn start(&mut self, start: &BytesStart<'_>) {
        if self.open.len() >= DEPTH_MAX {
            self.dropped += 1;
            return;
        }
        let from = self.xml.attributes.len();
        for attribute in start.attributes().with_checks(false).flatten() {
            let name = self.name(attribute.key.local_name().as_ref());
            let at = self.xml.text.len();
            let value = quick_xml::escape::unescape(&attribute.value).unwrap_or_else(|_| attribute.value.clone());
            self.xml.text.push_str(&value);
            self.xml.attributes.push((name, at..self.xml.text.len()));
        }
        let attributes = from..self.xml.attributes.len();
        let name = self.name(start.local_name().as_ref());
        self.open(Some(name), attributes);
    }

    fn open(&mut self, name: Option<u32>, attributes: Range<usize>) {
        let index = self.append(name, 0..0, attributes);
        self.open.push(index);
    }

    fn close(&mut self) {
        if self.dropped > 0 {
            self.dropped -= 1;
        } else if self.open.len() > 1 {
            self.open.pop();
        }
    }

    fn text(&mut self, piece: &str) {
        if piece.is_empty() || self.dropped > 0 {
            return;
        }
        let at = self.xml.text.len();
        self.xml.text.push_str(piece);
        self.append(None, at..self.xml.text.len(), 0..0);
    }

    fn append(&mut self, name: Option<u32>, text: Range<usize>, attributes: Range<usize>) -> u32 {
        let index = self.xml.nodes.len() as u32;
        self.xml.nodes.push(Node { name, text, attributes, first: None, last: None, next: None });
        let Some(parent) = self.open.last().map(|parent| *parent as usize) else { return index };
        let before = self.xml.nodes[parent].last.replace(index);
        match before {
            Some(before) => self.xml.nodes[before as usize].next = Some(index),
            None => self.xml.nodes[parent].first = Some(index),
        }
        index
    }
}

/// The character that `&name;` or `&#number;` stands for; an unknown one stays as it was written.
fn resolve(entity: &BytesRef<'_>) -> String {
    if let Ok(Some(character)) = entity.resolve_char_ref() {
        return character.to_string();
    }
    let name: &str = entity;
    match quick_xml::escape::resolve_predefined_entity(name) {
        Some(known) => known.to_owned(),
        None if name == "nbsp" => "\u{a0}".to_owned(),
        None => format!("&{name};"),
    }
}

/// The encoding in `<?xml encoding="...">`, where the bytes are ASCII enough to see it.
fn declared_encoding(bytes: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(bytes.get(..bytes.len().min(200))?).into_owned();
    let (_, rest) = head.split_once("encoding=")?;
    let quote = rest.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    rest.split(quote).nth(1).map(str::to_owned)
}

/// Reads any XML: its text, one paragraph an element that holds text; embedded HTML (as in feeds and Evernote) too.
pub(super) fn read(bytes: &[u8], limits: &Limits, found: &mut Extracted) {
    let xml = Xml::parse(bytes);
    // Of a file whose start only was read the end is missing anyway.
    if xml.broken && !found.truncated {
        found.warnings.push("the XML is not well-formed or too big; what follows the fault was left out".to_owned());
    }
    found.title = xml.find("title").map(Element::text);
    found.author = ["author", "creator"].iter().filter_map(|name| xml.find(name)).map(Element::text).collect();
    found.created = xml.find("created").and_then(|date| super::date::normal(&date.text()));
    found.language =
        xml.root().and_then(|root| root.children().find_map(|child| child.attr("lang"))).map(str::to_owned);
    let mut out = markdown::Markdown::new(limits.text_bytes_max);
    if xml.find("en-export").is_some() {
        evernote(&xml, &mut out, found);
    } else if let Some(root) = xml.root() {
        blocks(root, &mut out);
    }
    let (text, cut) = out.finish();
    found.text = text;
    found.truncated |= cut;
}

/// An Evernote export: each note a heading and its content, without the attachments in base 64.
fn evernote(xml: &Xml, out: &mut markdown::Markdown, found: &mut Extracted) {
    for note in xml.all("note") {
        let text = |name: &str| note.child(name).map(Element::text);
        out.heading(1, &markdown::escape(&text("title").unwrap_or_default()));
        out.paragraph(&super::html::to_markdown(&text("content").unwrap_or_default(), usize::MAX));
        found.keywords.extend(note.children().filter(|child| child.name() == "tag").map(Element::text));
    }
    found.author = xml.find("author").map(Element::text).into_iter().collect();
    found.source = xml.find("source-url").map(Element::text);
    found.facts.insert("notes".to_owned(), xml.all("note").count().to_string());
}

fn blocks(element: Element<'_>, out: &mut markdown::Markdown) {
    if out.full() {
        return;
    }
    let mixed = element.children().any(|child| child.own_text().is_some_and(|text| !text.trim().is_empty()));
    if !mixed {
        for child in element.children() {
            blocks(child, out);
        }
        return;
    }
    let text = element.text();
    // Feeds and notes carry HTML as text.
    if text.trim_start().starts_with('<') || (text.contains("</") && text.contains('>')) {
        out.paragraph(&super::html::to_markdown(&text, usize::MAX));
    } else {
        out.paragraph(&markdown::escape(text.trim()));
    }
}

//! The tree that html5ever builds: nodes in one vector, so that neither parsing nor dropping can overflow the stack.

use super::super::markdown::cut;
use html5ever::interface::{ElemName, ElementFlags, NodeOrText, QuirksMode, TreeSink};
use html5ever::tendril::{StrTendril, TendrilSink};
use html5ever::{Attribute, LocalName, Namespace, QualName, parse_document};
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// A page nested deeper than this was not made for people.
const NESTING_MAX: u32 = 3000;

/// A node's place in the tree.
pub(super) type Id = usize;

#[derive(Debug)]
struct Node {
    parent: Option<Id>,
    children: Vec<Id>,
    depth: u32,
    name: QualName,
    attributes: Vec<(String, String)>,
    text: Option<String>,
}

impl Node {
    fn nameless(text: Option<String>) -> Self {
        let name = QualName::new(None, Namespace::default(), LocalName::default());
        Self { parent: None, children: Vec::new(), depth: 0, name, attributes: Vec::new(), text }
    }
}

/// A parsed page. Node 0 is the document.
#[derive(Debug)]
pub(super) struct Dom {
    nodes: Vec<Node>,
    /// Whether the rest of the page was left out.
    pub(super) cut_off: bool,
}

impl Dom {
    /// Parses as browsers do: there is no HTML that fails. What follows beyond [`NESTING_MAX`] is left out, for the
    /// algorithm of browsers takes time by the square of the depth.
    pub(super) fn parse(source: &str) -> Self {
        let deepest = Rc::new(Cell::new(0));
        let sink = Sink { nodes: RefCell::new(vec![Node::nameless(None)]), deepest: Rc::clone(&deepest) };
        let mut parser = parse_document(sink, html5ever::ParseOpts::default());
        let mut rest = source;
        while !rest.is_empty() && deepest.get() < NESTING_MAX {
            let piece = cut(rest, 8192);
            parser.process(StrTendril::from_slice(piece));
            rest = rest.get(piece.len()..).unwrap_or_default();
        }
        let cut_off = !rest.is_empty();
        Self { cut_off, ..parser.finish() }
    }

    /// The name of an element, lower-cased; empty for anything else.
    pub(super) fn name(&self, id: Id) -> &str {
        self.nodes.get(id).map_or("", |node| &node.name.local)
    }

    pub(super) fn children(&self, id: Id) -> &[Id] {
        self.nodes.get(id).map_or(&[], |node| &node.children)
    }

    /// The text, if this is a piece of text.
    pub(super) fn own_text(&self, id: Id) -> Option<&str> {
        self.nodes.get(id)?.text.as_deref()
    }

    pub(super) fn attr(&self, id: Id, name: &str) -> Option<&str> {
        let found = self.nodes.get(id)?.attributes.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// All elements of that name in document order of creation.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Id> + 'a {
        (0..self.nodes.len()).filter(move |id| self.name(*id) == name)
    }

    /// All text below, without recursion.
    pub(super) fn text(&self, id: Id) -> String {
        let mut out = String::new();
        let mut stack = vec![id];
        while let Some(id) = stack.pop() {
            out.push_str(self.own_text(id).unwrap_or_default());
            stack.extend(self.children(id).iter().rev());
        }
        out
    }
}

struct Sink {
    nodes: RefCell<Vec<Node>>,
    deepest: Rc<Cell<u32>>,
}

impl Sink {
    fn add(&self, node: Node) -> Id {
        let mut nodes = self.nodes.borrow_mut();
        nodes.push(node);
        nodes.len() - 1
    }

    fn detach(&self, id: Id) {
        let mut nodes = self.nodes.borrow_mut();
        if let Some(parent) = nodes[id].parent.take() {
            // The child that moves is nearly always the last one.
            if let Some(at) = nodes[parent].children.iter().rposition(|child| *child == id) {
                nodes[parent].children.remove(at);
            }
        }
    }

    /// Puts a child under `parent` at `at`; text beside text is joined.
    fn insert(&self, parent: Id, at: usize, child: NodeOrText<Id>) {
        let child = match child {
            NodeOrText::AppendNode(id) => {
                self.detach(id);
                id
            }
            NodeOrText::AppendText(text) => {
                let mut nodes = self.nodes.borrow_mut();
                let before = at.checked_sub(1).and_then(|before| nodes[parent].children.get(before).copied());
                if let Some(joined) = before.and_then(|before| nodes[before].text.as_mut()) {
                    joined.push_str(&text);
                    return;
                }
                drop(nodes);
                self.add(Node::nameless(Some(text.to_string())))
            }
        };
        let mut nodes = self.nodes.borrow_mut();
        let at = at.min(nodes[parent].children.len());
        nodes[parent].children.insert(at, child);
        nodes[child].parent = Some(parent);
        let depth = nodes[parent].depth + 1;
        nodes[child].depth = depth;
        self.deepest.set(self.deepest.get().max(depth));
    }
}

fn plain(attributes: Vec<Attribute>) -> Vec<(String, String)> {
    attributes.into_iter().map(|attribute| (attribute.name.local.to_string(), attribute.value.to_string())).collect()
}

/// The name of an element: a copy, so that no borrow of the tree outlives the call (names are interned and cheap).
#[derive(Debug)]
struct Name(QualName);

impl ElemName for Name {
    fn ns(&self) -> &Namespace {
        &self.0.ns
    }
    fn local_name(&self) -> &LocalName {
        &self.0.local
    }
}

impl TreeSink for Sink {
    type Handle = Id;
    type Output = Dom;
    type ElemName<'a> = Name;

    fn finish(self) -> Dom {
        Dom { nodes: self.nodes.into_inner(), cut_off: false }
    }
    fn parse_error(&self, _: Cow<'static, str>) {}
    fn get_document(&self) -> Id {
        0
    }
    fn elem_name(&self, target: &Id) -> Name {
        Name(self.nodes.borrow()[*target].name.clone())
    }
    fn create_element(&self, name: QualName, attributes: Vec<Attribute>, _: ElementFlags) -> Id {
        self.add(Node { name, attributes: plain(attributes), ..Node::nameless(None) })
    }
    fn create_comment(&self, _: StrTendril) -> Id {
        self.add(Node::nameless(None))
    }
    fn create_pi(&self, _: StrTendril, _: StrTendril) -> Id {
        self.add(Node::nameless(None))
    }
    fn append(&self, parent: &Id, child: NodeOrText<Id>) {
        let end = self.nodes.borrow()[*parent].children.len();
        self.insert(*parent, end, child);
    }
    fn append_based_on_parent_node(&self, element: &Id, previous: &Id, child: NodeOrText<Id>) {
        let has_parent = self.nodes.borrow()[*element].parent.is_some();
        if has_parent { self.append_before_sibling(element, child) } else { self.append(previous, child) }
    }
    fn append_doctype_to_document(&self, _: StrTendril, _: StrTendril, _: StrTendril) {}
    fn get_template_contents(&self, target: &Id) -> Id {
        *target
    }
    fn same_node(&self, left: &Id, right: &Id) -> bool {
        left == right
    }
    fn set_quirks_mode(&self, _: QuirksMode) {}
    fn append_before_sibling(&self, sibling: &Id, child: NodeOrText<Id>) {
        if let NodeOrText::AppendNode(id) = &child {
            self.detach(*id);
        }
        let nodes = self.nodes.borrow();
        let Some(parent) = nodes[*sibling].parent else { return };
        let at = nodes[parent].children.iter().rposition(|child| child == sibling).unwrap_or(0);
        drop(nodes);
        self.insert(parent, at, child);
    }
    fn add_attrs_if_missing(&self, target: &Id, attributes: Vec<Attribute>) {
        let mut nodes = self.nodes.borrow_mut();
        for (name, value) in plain(attributes) {
            if !nodes[*target].attributes.iter().any(|(known, _)| *known == name) {
                nodes[*target].attributes.push((name, value));
            }
        }
    }
    fn remove_from_parent(&self, target: &Id) {
        self.detach(*target);
    }
    fn reparent_children(&self, node: &Id, new_parent: &Id) {
        let mut nodes = self.nodes.borrow_mut();
        let children = std::mem::take(&mut nodes[*node].children);
        for child in &children {
            nodes[*child].parent = Some(*new_parent);
        }
        nodes[*new_parent].children.extend(children);
    }
}

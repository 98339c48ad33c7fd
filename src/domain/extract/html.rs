//! HTML to Markdown: everything that a reader of the page sees, with its title, authors, dates and address.

mod dom;
mod walk;

use super::{Extracted, Limits, date, markdown, text};
use dom::Dom;

/// Reads a web page.
pub(super) fn read(bytes: &[u8], limits: &Limits, found: &mut Extracted) {
    let head = String::from_utf8_lossy(bytes.get(..bytes.len().min(2048)).unwrap_or_default()).to_lowercase();
    let label = head.split_once("charset=").map(|(_, rest)| rest.trim_start_matches(['"', '\'', ' ']));
    let label = label.and_then(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '-' && c != '_').next());
    let source = text::decode_as(bytes, label);
    let dom = Dom::parse(&source);
    metadata(&dom, found);
    if dom.cut_off {
        found.truncated = true;
        found.warnings.push("not read to the end: its elements are nested too deeply".to_owned());
    }
    let (text, cut) = walk::markdown(&dom, limits.text_bytes_max);
    if found.title.is_none() {
        found.title = text.lines().find_map(|line| line.strip_prefix("# ")).map(str::to_owned);
    }
    found.text = text;
    found.truncated |= cut;
}

/// The Markdown of a piece of HTML, of at most `max` bytes.
pub(super) fn to_markdown(source: &str, max: usize) -> String {
    walk::markdown(&Dom::parse(source), max).0
}

/// The words of `<meta>` that say a field, best first.
const AUTHOR: &[&str] =
    &["author", "article:author", "dc.creator", "dcterms.creator", "parsely-author", "citation_author"];
const PUBLISHED: &[&str] = &[
    "article:published_time",
    "datepublished",
    "dc.date.issued",
    "dcterms.issued",
    "date",
    "dc.date",
    "dcterms.date",
    "parsely-pub-date",
    "citation_publication_date",
    "pubdate",
];
const CREATED: &[&str] = &["dcterms.created", "dc.date.created", "datecreated"];
const ADDRESS: &[&str] = &["og:url", "al:web:url"];
const KEYWORDS: &[&str] = &["keywords", "news_keywords", "article:tag", "parsely-tags"];
const DESCRIPTION: &[&str] = &["description", "og:description", "dc.description", "twitter:description"];

fn metadata(dom: &Dom, found: &mut Extracted) {
    let mut meta: Vec<(String, String)> = Vec::new();
    for node in dom.all("meta") {
        let key = ["property", "name", "itemprop"].iter().find_map(|attr| dom.attr(node, attr));
        if let Some((key, value)) = key.zip(dom.attr(node, "content")) {
            meta.push((key.trim().to_lowercase(), markdown::squeeze(value)));
        }
    }
    let all = |names: &'static [&str]| {
        names.iter().flat_map(|name| meta.iter().filter(move |(key, value)| key == name && !value.is_empty()))
    };
    let first = |names| all(names).next().map(|(_, value)| value.clone());
    let title = dom.all("title").next().map(|node| markdown::squeeze(&dom.text(node)));
    found.title = title.filter(|title| !title.is_empty()).or_else(|| first(&["og:title", "dc.title", "twitter:title"]));
    found.author = all(AUTHOR).map(|(_, value)| value.clone()).filter(|author| !author.contains("://")).collect();
    found.published = first(PUBLISHED)
        .and_then(|written| date::normal(&written))
        .or_else(|| dom.all("time").find_map(|node| dom.attr(node, "datetime")).and_then(date::normal));
    found.created = first(CREATED).and_then(|written| date::normal(&written));
    let canonical = dom.all("link").find(|node| dom.attr(*node, "rel") == Some("canonical"));
    found.source = canonical.and_then(|node| dom.attr(node, "href")).map(str::to_owned).or_else(|| first(ADDRESS));
    found.source = found.source.take().filter(|address| address.starts_with("http"));
    found.language = dom.all("html").next().and_then(|node| dom.attr(node, "lang")).map(str::to_owned);
    let keywords = all(KEYWORDS).flat_map(|(_, value)| value.split([',', ';']).map(str::to_owned).collect::<Vec<_>>());
    found.keywords = keywords.collect();
    if let Some(description) = first(DESCRIPTION) {
        found.facts.insert("description".to_owned(), description);
    }
    if let Some(site) = first(&["og:site_name"]) {
        found.facts.insert("site".to_owned(), site);
    }
}

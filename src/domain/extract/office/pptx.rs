//! PPTX: slides in their order, titles as headings, lists, tables, charts, comments and speaker's notes.

use super::super::markdown::{self, Markdown};
use super::super::package::Package;
use super::super::xml::Element;
use super::super::{ExtractError, Extracted, Kind, Limits};
use std::collections::BTreeMap;

use super::{Relations, alternative, charts, emphasise, join_marks, math};

/// Reads a presentation.
pub(in super::super) fn read(bytes: &[u8], limits: &Limits, found: &mut Extracted) -> Result<(), ExtractError> {
    let mut package = Package::open(Kind::Pptx, bytes, limits)?;
    super::core_properties(&mut package, found);
    let main = super::main_part(&mut package, "ppt/presentation.xml");
    let relations = super::relations(&mut package, &main);
    let presentation = package.xml(&main).ok_or_else(|| ExtractError::damaged(Kind::Pptx, "it has no presentation"))?;
    let mut out = Markdown::new(limits.text_bytes_max);
    let mut count = 0;
    let mut first_title = None;
    for slide in presentation.all("sldId") {
        count += 1;
        let Some(relation) = slide.attr("id").and_then(|id| relations.get(id)).or_else(|| related(slide, &relations))
        else {
            continue;
        };
        let Some(xml) = package.xml(&relation.target).filter(|_| !out.full()) else { continue };
        let own = super::relations(&mut package, &relation.target);
        let mut walk = Slide { package: &mut package, relations: &own, out: &mut out, title: None };
        if let Some(tree) = xml.find("spTree") {
            walk.shapes(tree);
        }
        walk.extras();
        first_title = first_title.or_else(|| walk.title.take());
    }
    found.pages = Some(count);
    found.title = found.title.take().filter(|title| title != "PowerPoint Presentation").or(first_title);
    super::note_limits(&package, found);
    let (text, cut) = out.finish();
    found.text = text;
    found.truncated |= cut;
    Ok(())
}

/// `r:id` and `id` are both called `id` without their prefixes; the relationship's is the one that is known.
fn related<'a>(slide: Element<'_>, relations: &'a Relations) -> Option<&'a super::Relation> {
    slide.attrs("id").find_map(|id| relations.get(id))
}

struct Slide<'a, 'p> {
    package: &'a mut Package<'p>,
    relations: &'a Relations,
    out: &'a mut Markdown,
    title: Option<String>,
}

impl Slide<'_, '_> {
    fn shapes(&mut self, parent: Element<'_>) {
        for child in parent.children() {
            match child.name() {
                "sp" | "cxnSp" => self.shape(child),
                "grpSp" => self.shapes(child),
                "AlternateContent" => {
                    if let Some(version) = alternative(child) {
                        self.shapes(version);
                    }
                }
                "graphicFrame" => self.frame(child),
                _ => {}
            }
        }
    }

    fn shape(&mut self, shape: Element<'_>) {
        let Some(body) = shape.child("txBody") else { return };
        let placeholder = shape.path(&["nvSpPr", "nvPr", "ph"]);
        let kind = placeholder.map(|placeholder| placeholder.attr("type").unwrap_or("body"));
        // Slide numbers, dates and footers are the frame, not the picture.
        if matches!(kind, Some("sldNum" | "dt" | "ftr" | "hdr")) {
            return;
        }
        if matches!(kind, Some("title" | "ctrTitle")) {
            let text = body.children().filter(|child| child.name() == "p").map(|p| inline(p).replace('*', ""));
            let title = markdown::squeeze(&text.collect::<Vec<_>>().join(" "));
            self.out.heading(1, &title);
            self.title.get_or_insert(title);
            return;
        }
        let listed = matches!(kind, Some("body" | "obj"));
        for paragraph in body.children().filter(|child| child.name() == "p") {
            self.paragraph(paragraph, listed);
        }
    }

    fn paragraph(&mut self, paragraph: Element<'_>, listed: bool) {
        let text = join_marks(&inline(paragraph));
        let properties = paragraph.child("pPr");
        let has = |name: &str| properties.is_some_and(|properties| properties.child(name).is_some());
        let level = properties.and_then(|p| p.attr("lvl")).and_then(|level| level.parse().ok()).unwrap_or(0);
        if has("buAutoNum") {
            self.out.item(level, "1.", &text);
        } else if has("buChar") || has("buBlip") || (listed && !has("buNone")) {
            self.out.item(level, "-", &text);
        } else {
            self.out.paragraph(&text);
        }
    }

    fn frame(&mut self, frame: Element<'_>) {
        if let Some(table) = frame.find("tbl") {
            let cell = |cell: Element<'_>| {
                let merged = matches!(cell.attr("hMerge").or(cell.attr("vMerge")), Some("1" | "true"));
                if merged {
                    String::new()
                } else {
                    cell.collect("p").into_iter().map(inline).collect::<Vec<_>>().join(" ")
                }
            };
            let row = |row: Element<'_>| row.collect("tc").into_iter().map(cell).collect();
            let rows: Vec<Vec<String>> = table.collect("tr").into_iter().map(row).collect();
            self.out.table(&rows);
        }
        let target = |element: Option<Element<'_>>, attribute: &str| {
            element
                .and_then(|e| e.attr(attribute))
                .and_then(|id| self.relations.get(id))
                .map(|relation| relation.target.clone())
        };
        let chart = target(frame.find("chart"), "id");
        let diagram = target(frame.find("relIds"), "dm");
        if let Some(xml) = chart.and_then(|part| self.package.xml(&part)) {
            charts::chart(&xml, self.out);
        }
        if let Some(xml) = diagram.and_then(|part| self.package.xml(&part)) {
            charts::diagram(&xml, self.out);
        }
    }

    /// The people who comment, by their ids.
    fn authors(&mut self) -> BTreeMap<String, String> {
        let mut out = BTreeMap::new();
        for part in ["ppt/commentAuthors.xml", "ppt/authors.xml"] {
            let Some(xml) = self.package.xml(part) else { continue };
            for author in xml.all("cmAuthor").chain(xml.all("author")) {
                out.extend(
                    author.attr("id").zip(author.attr("name")).map(|(id, name)| (id.to_owned(), name.to_owned())),
                );
            }
        }
        out
    }

    /// Comments and speaker's notes.
    fn extras(&mut self) {
        for relation in self.relations.values() {
            match relation.kind.as_str() {
                "comments" => {
                    let Some(xml) = self.package.xml(&relation.target) else { continue };
                    let authors = self.authors();
                    for comment in xml.all("cm") {
                        let text: Vec<String> = match comment.child("text") {
                            Some(text) => vec![text.text()],
                            None => comment.collect("t").into_iter().map(Element::text).collect(),
                        };
                        let author = comment.attr("authorId").and_then(|id| authors.get(id)).map_or("", String::as_str);
                        let at = comment.attr("dt").or(comment.attr("created")).unwrap_or_default();
                        self.out.paragraph(&markdown::escape(&format!("{author} ({at}): {}", text.join(" "))));
                    }
                }
                "notesSlide" => {
                    let Some(xml) = self.package.xml(&relation.target) else { continue };
                    for shape in xml.all("sp") {
                        let kind =
                            shape.path(&["nvSpPr", "nvPr", "ph"]).and_then(|placeholder| placeholder.attr("type"));
                        if kind == Some("body") {
                            let text: Vec<String> = shape.collect("p").into_iter().map(inline).collect();
                            let text = text.join("\n");
                            let quoted: Vec<String> = text.trim().lines().map(|line| format!("> {line}")).collect();
                            self.out.paragraph(&quoted.join("\n"));
                        }
                    }
                }
                _ => {}
            }
        }
    }
}

/// The text of a paragraph's runs.
fn inline(paragraph: Element<'_>) -> String {
    let mut out = String::new();
    for child in paragraph.children() {
        match child.name() {
            "r" | "fld" => {
                let text = markdown::escape(&child.child("t").map(Element::text).unwrap_or_default());
                let on = |name: &str| {
                    let value = child.child("rPr").and_then(|properties| properties.attr(name));
                    matches!(value, Some("1" | "true"))
                };
                out.push_str(&emphasise(&text, on("b"), on("i")));
            }
            "br" => out.push('\n'),
            "m" | "oMath" => out.push_str(&format!(" ${}$ ", math::latex(child))),
            "AlternateContent" => {
                if let Some(version) = alternative(child) {
                    out.push_str(&inline(version));
                }
            }
            _ => {}
        }
    }
    out
}

//! Charts and diagrams inside office documents: their titles, categories and values as a table.

use super::super::markdown::{self, Markdown};
use super::super::xml::{Element, Xml};

/// Writes a chart: its title, then a row a category and a column a series.
pub(super) fn chart(xml: &Xml, out: &mut Markdown) {
    if let Some(title) = xml.find("title") {
        let text: Vec<String> = title.collect("t").into_iter().map(Element::text).collect();
        out.paragraph(&markdown::escape(&text.concat()));
    }
    let mut rows: Vec<Vec<String>> = vec![vec![String::new()]];
    for (index, series) in xml.all("ser").take(100).enumerate() {
        let name = series.child("tx").map(points).unwrap_or_default();
        let categories = series.child("cat").or_else(|| series.child("xVal")).map(points).unwrap_or_default();
        let values = series.child("val").or_else(|| series.child("yVal")).map(points).unwrap_or_default();
        if let Some(head) = rows.first_mut() {
            head.push(name.join(" "));
        }
        for (at, value) in values.into_iter().enumerate().take(2000) {
            while rows.len() <= at + 1 {
                rows.push(vec![categories.get(at).cloned().unwrap_or_default()]);
            }
            let row = &mut rows[at + 1];
            row.resize(index + 1, String::new());
            row.push(value);
        }
    }
    out.table(&rows);
}

/// The cached points of a reference.
fn points(element: Element<'_>) -> Vec<String> {
    element.collect("v").into_iter().map(|value| super::numbers::general(&value.text())).collect()
}

/// Writes the texts of a SmartArt diagram as a list.
pub(super) fn diagram(xml: &Xml, out: &mut Markdown) {
    for point in xml.all("pt") {
        let text: Vec<String> = point.collect("t").into_iter().map(Element::text).collect();
        out.item(0, "-", &markdown::escape(&text.concat()));
    }
}

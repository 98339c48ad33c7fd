//! A structure as lines for a terminal.

use super::model::Structure;
use super::zeros::Receives;

/// The structure as a tree, one place a line, each line ended. Inboxes and places that receive nothing are marked.
pub fn tree(structure: &Structure) -> String {
    let mut lines = String::new();
    for area in &structure.areas {
        lines.push_str(&format!("{} {}\n", area.code, area.name));
        for (at, category) in area.categories.iter().enumerate() {
            let (branch, stem) = if at + 1 == area.categories.len() { ("└─", "   ") } else { ("├─", "│  ") };
            let closed = if super::zeros::is_management(area, category) { "  (holds nothing)" } else { "" };
            lines.push_str(&format!("{branch} {} {}{closed}\n", category.code, category.name));
            for (at, id) in category.ids.iter().enumerate() {
                let branch = if at + 1 == category.ids.len() { "└─" } else { "├─" };
                let mark = match (super::model::Place { area, category: Some(category), id: Some(id) }).receives() {
                    Receives::Content => "",
                    Receives::Inbox => "  (inbox)",
                    Receives::Nothing => "  (holds nothing)",
                };
                lines.push_str(&format!("{stem}{branch} {} {}{mark}\n", id.code, id.title));
            }
        }
    }
    lines
}

//! A small line diff: what `undo` shows when it refuses because the owner has edited since.

use similar::TextDiff;

use super::name::is_hidden;

/// Past this many bytes on either side the texts are only said to differ: a diff costs time with the product of their
/// differences.
const DIFF_BYTES_MAX: usize = 512 * 1024;
/// So many lines are shown at most.
const DIFF_LINES_MAX: usize = 200;
/// Unchanged lines around a change.
const CONTEXT_LINES: usize = 3;

/// The changes from `old` to `new` in the unified format, under their `labels`; empty if they are equal. At most 200
/// lines; control and bidirectional characters are shown as `\u{..}`, for this goes to a terminal.
#[must_use]
pub fn unified_diff(old: &str, new: &str, labels: (&str, &str)) -> String {
    if old == new {
        return String::new();
    }
    if old.len().max(new.len()) > DIFF_BYTES_MAX {
        return visible(&format!(
            "--- {}\n+++ {}\n(they differ: {} and {} bytes, too long to compare)\n",
            labels.0,
            labels.1,
            old.len(),
            new.len()
        ));
    }
    let diff = TextDiff::from_lines(old, new);
    let text = diff.unified_diff().context_radius(CONTEXT_LINES).header(labels.0, labels.1).to_string();
    let count = text.lines().count();
    let mut out: String = text.lines().take(DIFF_LINES_MAX).flat_map(|line| [visible(line), "\n".to_owned()]).collect();
    if count > DIFF_LINES_MAX {
        out.push_str(&format!("({} more lines)\n", count - DIFF_LINES_MAX));
    }
    out
}

fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) && !matches!(c, '\n' | '\t') { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    out
}

//! How an item looks in a terminal: 80 columns are enough, and any script keeps its width.

use console::{Style, measure_text_width, truncate_str};
use unicode_segmentation::UnicodeSegmentation;

use super::super::screen::{Screen, percent, safe};
use crate::{contracts::file_system_agent::Review, domain::jd::Structure};

/// Columns used at most: longer lines are hard to read.
const WIDTH_MAX: usize = 100;
const EXCERPT_LINES: usize = 5;
/// The keys, as they are shown under each item.
pub(super) const KEYS: &str = "1-3 file there   o other place   n new id   s skip   u undo   q quit   ? help";
/// What `?` shows.
pub(super) const HELP: &str = "
  1 2 3   file it under that candidate (no Enter needed)
  o       another place: type words or digits, Tab completes, arrows choose
  n       a new id: choose its category the same way, then write a title
  s       skip: it stays in the inbox, and is not asked about again
  u       take the last answer back
  q       stop; what was answered is done, the rest waits
";

/// The width to draw for.
pub(super) fn width(columns: u16) -> usize {
    usize::from(columns).clamp(20, WIDTH_MAX) - 1
}

/// An item with its candidates, line by line.
pub(super) fn item(
    screen: &Screen,
    review: &Review,
    structure: &Structure,
    at: (usize, usize),
    width: usize,
) -> String {
    let (bold, dim) = (screen.style(Style::new().bold()), screen.style(Style::new().dim()));
    let cyan = screen.style(Style::new().cyan());
    let count = format!("{} of {}", at.0, at.1);
    let place = fit(&safe(&review.item.place), width.saturating_sub(measure_text_width(&count) + 2));
    let gap = width.saturating_sub(measure_text_width(&count) + measure_text_width(&place));
    let mut lines = vec![
        dim.apply_to("\u{2500}".repeat(width)).to_string(),
        format!("{}{}{}", dim.apply_to(&count), " ".repeat(gap), dim.apply_to(&place)),
        bold.apply_to(fit(&safe(&review.title), width)).to_string(),
        String::new(),
    ];
    let excerpt = wrap(&safe(&review.excerpt), width - 4);
    let more = excerpt.len() > EXCERPT_LINES;
    for (at, line) in excerpt.into_iter().take(EXCERPT_LINES).enumerate() {
        let end = if more && at + 1 == EXCERPT_LINES { " \u{2026}" } else { "" };
        lines.push(format!("  {line}{end}"));
    }
    if review.excerpt.is_empty() {
        lines.push(format!("  {}", dim.apply_to(format!("(no text; {} bytes)", review.item.bytes))));
    }
    lines.push(String::new());
    lines.extend(wrap(&safe(&review.reason), width).into_iter().map(|line| dim.apply_to(line).to_string()));
    lines.push(String::new());
    for (at, candidate) in review.candidates.iter().enumerate() {
        let title = structure.find(&candidate.code).map_or("", |place| place.title());
        let head = format!("{} {}", candidate.code, safe(title));
        let words: Vec<String> = candidate.words.iter().map(|it| safe(&it.word)).collect();
        let likely = percent(candidate.probability);
        lines.push(format!(
            "  {}  {:>5}  {}",
            cyan.apply_to(at + 1),
            likely,
            bold.apply_to(fit(&head, width.saturating_sub(14)))
        ));
        if !words.is_empty() {
            lines.push(format!("            {}", dim.apply_to(fit(&words.join(", "), width.saturating_sub(14)))));
        }
    }
    lines.push(String::new());
    lines.push(dim.apply_to(fit(KEYS, width)).to_string());
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// Cut to a width, with an ellipsis where something is missing.
pub(super) fn fit(text: &str, width: usize) -> String {
    truncate_str(text, width, "\u{2026}").into_owned()
}

/// Lines of at most `width` columns, broken between words, or inside those that are longer than a line.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let (mut lines, mut line, mut used) = (Vec::new(), String::new(), 0);
    for piece in text.split_word_bounds() {
        let columns = measure_text_width(piece);
        if used + columns > width && !line.trim().is_empty() {
            lines.push(std::mem::take(&mut line).trim_end().to_owned());
            used = 0;
        }
        if columns > width {
            for grapheme in piece.graphemes(true) {
                let columns = measure_text_width(grapheme);
                if used + columns > width {
                    lines.push(std::mem::take(&mut line));
                    used = 0;
                }
                line.push_str(grapheme);
                used += columns;
            }
        } else if !(line.is_empty() && piece.trim().is_empty()) {
            line.push_str(piece);
            used += columns;
        }
    }
    if !line.trim().is_empty() {
        lines.push(line.trim_end().to_owned());
    }
    lines
}

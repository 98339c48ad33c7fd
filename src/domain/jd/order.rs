//! Numeric order: the finding, and the sorting of a map's text where that is safe.
//!
//! Sorting moves text and must lose nothing. It is safe where every comment inside the map plainly belongs to one
//! entry: at the end of an entry's line or indented deeper than the codes. A comment line between the entries may head
//! a whole group, so then a person has to sort.

use super::code;
use super::fields::at;
use super::finding::{Edit, Finding, Rule};
use super::yaml::{Node, Value};

/// Sorts areas, categories and ids alike.
fn rank(code: &str) -> Option<(u16, u16)> {
    code::id_numbers(code)
        .or_else(|| code::category_number(code).or_else(|| code::area_number(code)).map(|number| (number, 0)))
}

/// The finding for a map whose codes are not in ascending order. `codes` are those of the entries, `None` where one has
/// none.
pub(super) fn check(text: &str, owner: &str, map: &Node, codes: &[Option<String>]) -> Option<Finding> {
    let Value::Map { entries, flow } = &map.value else { return None };
    let ranks: Vec<Option<(u16, u16)>> = codes.iter().map(|code| code.as_deref().and_then(rank)).collect();
    let mut highest = None;
    let late = ranks.iter().position(|&own| {
        let late = own.is_some() && own < highest;
        highest = highest.max(own);
        late
    })?;
    let code = codes.get(late)?.as_deref().unwrap_or_default();
    let finding = at(Rule::Order, &entries.get(late)?.0, format!("{owner}: {code} stands after a higher number"));
    let mut order: Vec<usize> = (0..entries.len()).collect();
    order.sort_by_key(|&index| ranks.get(index).copied());
    // An entry without a code has no place to go to.
    let sortable = ranks.iter().all(Option::is_some);
    let sorted = if *flow { slots_sorted(text, entries, &order) } else { lines_sorted(text, entries, &order) };
    Some(match sorted.filter(|_| sortable) {
        Some(edit) => finding.fixed_by("sort by number", vec![edit]),
        None => {
            let why = "; sort by hand, for comments or the layout here do not show what belongs together";
            Finding { message: finding.message + why, ..finding }
        }
    })
}

/// Entries in block style: whole lines move.
fn lines_sorted(text: &str, entries: &[(Node, Node)], order: &[usize]) -> Option<Edit> {
    let starts: Vec<usize> = entries.iter().map(|(key, _)| line_start(text, key.start)).collect();
    let column = entries.first()?.0.column;
    let comment_above =
        text.get(..*starts.first()?)?.lines().last().is_some_and(|line| line.trim_start().starts_with('#'));
    if !entries.iter().all(|(key, _)| starts_line(text, key.start)) || (comment_above && order.first() != Some(&0)) {
        return None;
    }
    let end = with_comments(text, line_end(text, entries.last()?.1.content_end().max(entries.last()?.0.end)), column);
    let mut segments = Vec::new();
    for (index, &start) in starts.iter().enumerate() {
        let segment = text.get(start..starts.get(index + 1).copied().unwrap_or(end))?;
        if segment.lines().skip(1).any(|line| comment_depth(line).is_some_and(|depth| depth < column)) {
            return None;
        }
        segments.push(if segment.ends_with('\n') { segment.to_owned() } else { format!("{segment}\n") });
    }
    let range = *starts.first()?..end;
    let mut replacement: String = order.iter().filter_map(|&index| segments.get(index)).map(String::as_str).collect();
    if !text.get(range.clone())?.ends_with('\n') {
        replacement.pop();
    }
    Some(Edit { range, text: replacement })
}

/// How deep a comment line is indented; `None` for other lines.
fn comment_depth(line: &str) -> Option<usize> {
    let rest = line.trim_start();
    rest.starts_with('#').then(|| line.len() - rest.len())
}

/// The end of the last entry's text, moved over the comment lines below it that are indented as its part.
fn with_comments(text: &str, end: usize, column: usize) -> usize {
    let below = text.get(end..).unwrap_or_default().split_inclusive('\n');
    let own = below.take_while(|line| comment_depth(line).is_some_and(|depth| depth >= column));
    end + own.map(str::len).sum::<usize>()
}

/// Entries in flow style: their texts change places, what stands between them stays.
fn slots_sorted(text: &str, entries: &[(Node, Node)], order: &[usize]) -> Option<Edit> {
    let slot = |(key, value): &(Node, Node)| key.start..value.end.max(key.end);
    let (start, end) = (entries.first()?.0.start, slot(entries.last()?).end);
    let mut replacement = String::new();
    let mut position = start;
    for (place, &source) in entries.iter().zip(order) {
        let between = text.get(position..slot(place).start)?;
        if between.contains('#') {
            return None;
        }
        replacement.push_str(between);
        replacement.push_str(text.get(slot(entries.get(source)?))?);
        position = slot(place).end;
    }
    Some(Edit { range: start..end, text: replacement })
}

/// Whether only spaces stand before the byte offset on its line.
pub(super) fn starts_line(text: &str, offset: usize) -> bool {
    text.get(line_start(text, offset)..offset).is_some_and(|before| before.bytes().all(|byte| byte == b' '))
}

/// The byte offset at which the line begins.
pub(super) fn line_start(text: &str, offset: usize) -> usize {
    text.get(..offset).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1)
}

/// The byte offset after the line's end.
pub(super) fn line_end(text: &str, offset: usize) -> usize {
    // A block scalar's end is at the start of the line after it.
    if offset > 0 && text.get(..offset).is_some_and(|before| before.ends_with('\n')) {
        return offset;
    }
    text.get(offset..).and_then(|rest| rest.find('\n')).map_or(text.len(), |at| offset + at + 1)
}

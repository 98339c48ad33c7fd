//! From glyphs on a page to words and lines: gaps make spaces, base lines make lines, right-to-left runs are turned.

use super::super::markdown;
use std::collections::BTreeMap;
use unicode_normalization::UnicodeNormalization;

/// A gap of this much of the size inside one run of glyphs is a space.
const GAP_IN_RUN: f64 = 0.1;
/// A gap of this much of the size between two runs is a space.
const GAP_BETWEEN: f64 = 0.03;
/// A gap wider than this is another column.
const GAP_COLUMN: f64 = 2.0;

/// Two of a letter closer than this much of the size are one.
const SAME: f64 = 0.1;

/// Text, angle and cell of the grid in which shown letters are found again.
type Key = (Box<str>, i32, i64, i64);

/// One shown character code: its text and where its base line starts and ends, in page units.
#[derive(Debug, Clone)]
pub(super) struct Glyph {
    pub(super) text: String,
    pub(super) from: (f64, f64),
    pub(super) to: (f64, f64),
    /// Where the line runs.
    pub(super) direction: (f64, f64),
    pub(super) size: f64,
}

/// The text of a page and what looks like its title.
#[derive(Debug, Default)]
pub(super) struct PageText {
    pub(super) text: String,
    pub(super) title: Option<String>,
}

/// Glyphs in a row, drawn one after the other without a gap.
#[derive(Debug)]
struct Fragment {
    /// Text, start and end along the line of each glyph.
    glyphs: Vec<(String, f64, f64)>,
    angle: i32,
    start: f64,
    end: f64,
    base: f64,
    size: f64,
}

#[derive(Debug)]
struct Line {
    fragments: Vec<Fragment>,
    angle: i32,
    start: f64,
    end: f64,
    base: f64,
    size: f64,
}

/// Lays out one page.
pub(super) fn page(glyphs: Vec<Glyph>) -> PageText {
    let lines = lines(fragments(glyphs));
    let mut written: Vec<(String, &Line)> = Vec::new();
    for line in &lines {
        let text = line_text(line);
        if !text.trim().is_empty() {
            written.push((text, line));
        }
    }
    let title = title(&written);
    PageText { text: join(&written), title }
}

/// Cuts the stream of glyphs where a space was shown, where a gap is, and where the line changes.
fn fragments(glyphs: Vec<Glyph>) -> Vec<Fragment> {
    let mut done: Vec<Fragment> = Vec::new();
    let mut current: Option<Fragment> = None;
    let mut seen: BTreeMap<Key, Vec<(f64, f64)>> = BTreeMap::new();
    for glyph in glyphs {
        let length = libm::hypot(glyph.direction.0, glyph.direction.1);
        let (cos, sin) =
            if length > 0.0 { (glyph.direction.0 / length, glyph.direction.1 / length) } else { (1.0, 0.0) };
        let along = |point: (f64, f64)| point.0 * cos + point.1 * sin;
        let (a, b) = (along(glyph.from), along(glyph.to));
        let (start, end) = (a.min(b), a.max(b));
        let base = glyph.from.1 * cos - glyph.from.0 * sin;
        let angle = libm::round(libm::atan2(sin, cos).to_degrees()) as i32;
        let blank = glyph.text.chars().all(|c| c.is_whitespace() || c.is_control());
        if blank {
            done.extend(current.take());
            continue;
        }
        // The same letter in the same place is a shadow or a poor man's bold.
        let cell = |value: f64| libm::floor(value / (glyph.size * 0.2)) as i64;
        let around = [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1)];
        let twice = around.iter().any(|(da, db)| {
            let key = (glyph.text.as_str().into(), angle, cell(start) + da, cell(base) + db);
            let shown: &[(f64, f64)] = seen.get(&key).map_or(&[], Vec::as_slice);
            shown.iter().any(|at| (at.0 - start).abs() < SAME * glyph.size && (at.1 - base).abs() < SAME * glyph.size)
        });
        if twice {
            continue;
        }
        let key: Key = (glyph.text.as_str().into(), angle, cell(start), cell(base));
        seen.entry(key).or_default().push((start, base));
        let fits = current.as_ref().is_some_and(|run: &Fragment| {
            let gap = start - run.end;
            run.angle == angle
                && (run.base - base).abs() <= 0.05 * run.size.max(1.0)
                && (run.size - glyph.size).abs() < 0.01 * run.size
                && gap <= GAP_IN_RUN * run.size
                && gap >= -GAP_IN_RUN * run.size
        });
        if !fits {
            done.extend(current.take());
        }
        match &mut current {
            Some(run) => {
                run.end = run.end.max(end);
                run.glyphs.push((glyph.text, start, end));
            }
            None => {
                let glyphs = vec![(glyph.text, start, end)];
                current = Some(Fragment { glyphs, angle, start, end, base, size: glyph.size });
            }
        }
    }
    done.extend(current);
    done
}

/// Puts each fragment into the line it touches; lines stay in the order in which they were begun.
fn lines(fragments: Vec<Fragment>) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    // Lines by angle and base line in whole units, so that the search stays short.
    let mut places: BTreeMap<(i32, i64), Vec<usize>> = BTreeMap::new();
    for fragment in fragments {
        let reach = (fragment.size * 0.5).min(50.0);
        let (low, high) = ((fragment.base - reach) as i64 - 1, (fragment.base + reach) as i64 + 1);
        let near = places.range((fragment.angle, low)..=(fragment.angle, high)).flat_map(|(_, all)| all);
        let distance = |line: &Line| (fragment.start - line.end).max(line.start - fragment.end);
        let best = near
            .filter(|index| {
                let line = &lines[**index];
                let size = line.size.max(fragment.size);
                let apart = (line.base - fragment.base).abs();
                let gap = distance(line);
                // A raised or lowered mark touches its word; what stands on another base line and overlaps is another line.
                apart < 0.5 * size
                    && gap < GAP_COLUMN * size
                    && (apart < 0.1 * size || (gap > -0.3 * size && gap < 0.3 * size))
            })
            .min_by(|a, b| {
                let score = |index: &usize| {
                    (lines[*index].base - fragment.base).abs() * 4.0 + distance(&lines[*index]).max(0.0)
                };
                score(a).total_cmp(&score(b)).then(b.cmp(a))
            })
            .copied();
        if let Some(index) = best {
            let line = &mut lines[index];
            line.start = line.start.min(fragment.start);
            line.end = line.end.max(fragment.end);
            line.fragments.push(fragment);
        } else {
            places.entry((fragment.angle, fragment.base as i64)).or_default().push(lines.len());
            lines.push(Line {
                angle: fragment.angle,
                start: fragment.start,
                end: fragment.end,
                base: fragment.base,
                size: fragment.size,
                fragments: vec![fragment],
            });
        }
    }
    lines
}

/// A line's words in reading order, with spaces where the gaps are.
fn line_text(line: &Line) -> String {
    let mut order: Vec<&Fragment> = line.fragments.iter().collect();
    order.sort_by(|a, b| a.start.total_cmp(&b.start));
    // Letter-spaced text: every fragment is one glyph, and all gaps are alike.
    let gaps: Vec<f64> = order.windows(2).map(|pair| pair[1].start - pair[0].end).collect();
    let single = order.iter().all(|fragment| fragment.glyphs.len() == 1);
    let least = gaps.iter().copied().fold(f64::MAX, f64::min);
    let threshold = |size: f64| match single && least > 0.0 && gaps.len() > 1 {
        true => (1.3 * least).min(0.4 * size).max(GAP_BETWEEN * size),
        false => GAP_BETWEEN * size,
    };
    let mut units: Vec<String> = Vec::new();
    let mut end = f64::MIN;
    for fragment in order {
        if !units.is_empty() && fragment.start - end >= threshold(fragment.size.min(line.size)) {
            units.push(" ".to_owned());
        }
        end = end.max(fragment.end);
        units.extend(fragment.glyphs.iter().map(|(text, ..)| text.clone()));
    }
    let ordered = logical(units);
    compose(&ordered)
}

/// Presentation forms and ligatures become letters; soft hyphens inside a line and controls go.
fn compose(text: &str) -> String {
    let special = |c: char| matches!(c, '\u{fb00}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}');
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if special(character) {
            out.extend(std::iter::once(character).nfkc());
        } else if character == '\u{a0}' {
            out.push(' ');
        } else if !character.is_control() && character != '\u{feff}' {
            out.push(character);
        }
    }
    out.nfc().collect()
}

fn is_right_to_left(text: &str) -> bool {
    text.chars().any(|c| {
        matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}') && !c.is_numeric()
    })
}

/// From the order of the eye, left to right, to the order of reading, where some of the text runs right to left.
fn logical(mut units: Vec<String>) -> String {
    let right = units.iter().filter(|unit| is_right_to_left(unit)).count();
    if right == 0 {
        return units.concat();
    }
    let left = units.iter().filter(|unit| unit.chars().any(char::is_alphabetic) && !is_right_to_left(unit)).count();
    let base_right = right >= left;
    if base_right {
        units.reverse();
    }
    // Runs against the base direction, with the neutral signs between their ends, are turned on their own.
    let against = |unit: &str| match base_right {
        true => unit.chars().any(char::is_alphanumeric) && !is_right_to_left(unit),
        false => is_right_to_left(unit),
    };
    let with = |unit: &str| match base_right {
        true => is_right_to_left(unit),
        false => unit.chars().any(char::is_alphanumeric) && !is_right_to_left(unit),
    };
    let mut at = 0;
    while at < units.len() {
        if !against(&units[at]) {
            at += 1;
            continue;
        }
        let mut last = at;
        let mut look = at;
        while look < units.len() && !with(&units[look]) {
            if against(&units[look]) {
                last = look;
            }
            look += 1;
        }
        units[at..=last].reverse();
        at = last + 1;
    }
    units.concat()
}

/// Writes lines: one base line is one line, a wide step down is a paragraph, a word cut at the end is made whole.
fn join(written: &[(String, &Line)]) -> String {
    let mut out = String::new();
    let mut before: Option<&Line> = None;
    for (text, line) in written {
        let text = markdown::squeeze(text);
        if let Some(last) = before {
            let down = last.base - line.base;
            let size = last.size.max(line.size);
            let same = last.angle == line.angle;
            let cut_word = out.ends_with(['-', '\u{ad}']) && out.chars().nth_back(1).is_some_and(char::is_alphabetic);
            if same && down.abs() < 0.3 * size {
                out.push_str("  ");
            } else if cut_word && text.starts_with(char::is_alphabetic) {
                if text.starts_with(char::is_lowercase) || out.ends_with('\u{ad}') {
                    out.pop();
                }
            } else if same && down > 0.0 && down < 1.7 * size {
                out.push('\n');
            } else {
                out.push_str("\n\n");
            }
        }
        out.push_str(&text);
        before = Some(line);
    }
    let lines: Vec<String> = out.lines().map(markdown::escape).collect();
    lines.join("\n")
}

/// The first of the biggest lines, if it stands out: at least a fifth bigger than the median line.
fn title(written: &[(String, &Line)]) -> Option<String> {
    let mut sizes: Vec<f64> = written.iter().map(|(_, line)| line.size).collect();
    sizes.sort_by(f64::total_cmp);
    let (median, biggest) = (sizes.get(sizes.len() / 2)?, sizes.last()?);
    if *biggest < median * 1.2 {
        return None;
    }
    let mut big = written
        .iter()
        .skip_while(|(_, line)| line.size < biggest * 0.95)
        .take_while(|(_, line)| line.size >= biggest * 0.95);
    let first = big.next()?;
    let mut title = first.0.clone();
    for (text, line) in big.take(2) {
        if (line.base - first.1.base).abs() < biggest * 4.0 {
            title.push(' ');
            title.push_str(text);
        }
    }
    let letters = title.chars().filter(|c| c.is_alphabetic()).count();
    (letters >= 3 && title.chars().count() <= 200).then(|| markdown::squeeze(&title))
}

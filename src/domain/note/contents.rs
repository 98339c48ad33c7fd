//! What the note of a folder that is one thing says: what it is, how much of it there is, and what lies in it.

use super::properties::one_line;

/// Paths that a note lists; the rest is counted.
const LISTED_MAX: usize = 200;
/// Folders that only a program looks into, besides all hidden ones: counted, not listed.
const INTERNAL: &[&str] = &["node_modules"];
/// Names of sizes, each a thousand times the one before.
const UNITS: &[&str] = &["kB", "MB", "GB", "TB", "PB", "EB"];

/// One sentence on a folder, such as `A git repository: 3 files, 1.2 kB.`; `reason` says what it is.
#[must_use]
pub fn describe_folder(reason: &str, files: usize, size_bytes: u64) -> String {
    let reason = one_line(reason);
    let mut letters = reason.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    let noun = if files == 1 { "file" } else { "files" };
    format!("{first}{}: {files} {noun}, {}.", letters.as_str(), size(size_bytes))
}

/// The body of the note in Markdown: where the folder is, and its files by their paths, which come in order. Obsidian has
/// no links to folders, so the place is plain code.
#[must_use]
pub fn folder_contents(place: &str, paths: &[String]) -> String {
    let mut lines: Vec<(&str, usize)> = Vec::new();
    for path in paths {
        match (internal(path), lines.last_mut()) {
            (Some(folder), Some((last, count))) if *last == folder => *count += 1,
            (Some(folder), _) => lines.push((folder, 1)),
            (None, _) => lines.push((path, 0)),
        }
    }
    let mut text = format!("The whole folder is kept in {}.\n\n", code(place));
    for (path, count) in lines.iter().take(LISTED_MAX) {
        let more = match count {
            0 => String::new(),
            1 => " with 1 file".to_owned(),
            count => format!(" with {count} files"),
        };
        text.push_str(&format!("- {}{more}\n", code(path)));
    }
    let rest: usize = lines.iter().skip(LISTED_MAX).map(|(_, count)| (*count).max(1)).sum();
    if rest > 0 {
        text.push_str(&format!("- and {rest} more\n"));
    }
    text
}

/// The outermost folder on the way that only a program looks into, with its slash.
fn internal(path: &str) -> Option<&str> {
    let mut end = 0;
    for name in path.split_inclusive('/') {
        end += name.len();
        let folder = name.strip_suffix('/')?;
        if folder.starts_with('.') || INTERNAL.contains(&folder) {
            return path.get(..end);
        }
    }
    None
}

/// A path as code on one line; a backtick in it would end the code.
fn code(path: &str) -> String {
    format!("`{}`", one_line(path).replace('`', "'"))
}

/// Bytes for people, with one decimal from a thousand on, rounded down.
fn size(bytes: u64) -> String {
    if bytes < 1000 {
        return if bytes == 1 { "1 byte".to_owned() } else { format!("{bytes} bytes") };
    }
    let (mut tenths, mut units) = (bytes / 100, UNITS.iter());
    let mut unit = units.next();
    while tenths >= 10_000
        && let Some(next) = units.next()
    {
        tenths /= 1000;
        unit = Some(next);
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, unit.unwrap_or(&"kB"))
}

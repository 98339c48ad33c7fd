//! The title of a note: what the document calls itself, if that is a title at all, else the name of its file.

use super::name::{cut, is_hidden, split_extension};

/// A title is cut to this many bytes, well within a file name.
const TITLE_BYTES_MAX: usize = 160;

/// Programs write themselves before the title (`Microsoft Word - Report.doc`).
const PROGRAMS: &[&str] =
    &["microsoft word - ", "microsoft powerpoint - ", "microsoft excel - ", "microsoft outlook - "];

/// Extensions that tell a file name from a title.
const DOCUMENTS: &[&str] = &[
    "doc", "docx", "dot", "dotx", "docm", "odt", "rtf", "txt", "md", "tex", "pdf", "ps", "eps", "xls", "xlsx", "ods",
    "csv", "ppt", "pptx", "odp", "pages", "numbers", "key", "indd", "qxd", "pmd", "fm", "vsd", "htm", "html", "xml",
    "dvi", "jpg", "jpeg", "png", "tif", "tiff", "cdr", "ai", "dwg",
];

/// What programs and devices call a document that nobody gave a title, in lower case and without its number.
const PLACEHOLDERS: &[&str] = &[
    "untitled",
    "untitled document",
    "no title",
    "notitle",
    "title",
    "document",
    "dokument",
    "doc",
    "new document",
    "blank",
    "default",
    "draft",
    "temp",
    "tmp",
    "test",
    "scan",
    "scanned document",
    "scanned image",
    "scanned from a xerox multifunction printer",
    "img",
    "image",
    "bild",
    "photo",
    "pic",
    "dsc",
    "dscn",
    "pdf",
    "file",
    "page",
    "unknown",
    "none",
    "null",
    "undefined",
    "slide",
    "presentation",
    "powerpoint presentation",
    "präsentation",
    "book",
    "sheet",
    "mappe",
    "workbook",
    "tabelle",
    "print",
    "fax",
    "microsoft word",
    "unbenannt",
    "ohne titel",
    "sans titre",
    "sin título",
    "senza titolo",
    "без имени",
    "без названия",
    "документ",
    "презентация",
    "книга",
    "лист",
    "无标题",
    "無標題",
    "无标题文档",
    "未命名",
    "文档",
    "新建文档",
    "無題",
    "名称未設定",
    "제목 없음",
];

/// A human title, one line, at most 160 bytes: the document's own, else its first heading, else the stem of its file
/// name. Titles such as `untitled`, `scan0001` or `Microsoft Word - Document1` are no titles.
#[must_use]
pub fn title_for(extracted_title: Option<&str>, first_heading: Option<&str>, file_name: &str) -> String {
    let stem = tidy(split_extension(file_name).0);
    [extracted_title, first_heading]
        .into_iter()
        .flatten()
        .map(|candidate| tidy(without_extension(without_program(&tidy(candidate)))))
        .find(|candidate| is_title(candidate))
        .or_else(|| (!stem.is_empty()).then_some(stem))
        .unwrap_or_else(|| "Untitled".to_owned())
}

/// One line without hidden characters or Markdown around it.
fn tidy(text: &str) -> String {
    let visible: String =
        text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|c| !is_hidden(*c)).collect();
    let line = visible.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    let bare = line.trim_start_matches(['#', ' ']).trim_matches(['*', ' ']);
    let short = cut(bare, TITLE_BYTES_MAX);
    if short.len() == bare.len() {
        return short.to_owned();
    }
    // Between words where there are any, else where it was cut.
    let words = short.rsplit_once(' ').map_or(short, |(words, _)| words);
    let whole = if words.len() * 2 > short.len() { words } else { short };
    format!("{}…", whole.trim_end())
}

/// `Microsoft Word - Report.doc` is `Report`.
fn without_program(title: &str) -> &str {
    let lower = title.to_lowercase();
    let program = PROGRAMS.iter().find(|program| lower.starts_with(**program));
    program.and_then(|program| title.get(program.len()..)).unwrap_or(title)
}

/// Many programs give the name of the file as title: `Report.docx` is `Report`, but `Node.js` is a title.
fn without_extension(title: &str) -> &str {
    let (stem, extension) = split_extension(title);
    if DOCUMENTS.contains(&extension.to_ascii_lowercase().as_str()) { stem } else { title }
}

fn is_title(title: &str) -> bool {
    let numberless = title.to_lowercase();
    let numberless = numberless.trim_end_matches(|c: char| c.is_numeric() || " _-.()#".contains(c)).trim_start();
    let letters = numberless.chars().filter(|c| c.is_alphabetic()).count();
    let path = title.contains(":\\") || title.starts_with('/') || title.starts_with("file:");
    letters > 0 && title.chars().count() > 1 && !path && !PLACEHOLDERS.contains(&numberless)
}

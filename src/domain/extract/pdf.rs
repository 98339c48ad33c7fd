//! PDF text: our own reading of content streams over hayro's objects and fonts, then words and lines by geometry.

mod content;
mod fonts;
mod layout;
mod matrix;

use super::{ExtractError, Extracted, Kind, Limits, date, markdown, text};
use content::Interpreter;
use hayro_syntax::object::{Array, Dict, Name, Object, Rect, Stream};
use hayro_syntax::page::{Page, Resources};
use hayro_syntax::{DecryptionError, LoadPdfError, Pdf};
use matrix::Matrix;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Reads the text of all pages with their annotations and form fields, and the document information.
pub(super) fn read(bytes: &[u8], limits: &Limits, found: &mut Extracted) -> Result<(), ExtractError> {
    // A parser of other people's files may meet what its author did not: its panic is a damaged document.
    let opened = catch_unwind(|| Pdf::new(bytes.to_vec()));
    let pdf = match opened {
        Ok(Ok(pdf)) => pdf,
        Ok(Err(LoadPdfError::Decryption(DecryptionError::PasswordProtected))) => {
            return Err(ExtractError::Encrypted { kind: Kind::Pdf });
        }
        Ok(Err(LoadPdfError::Decryption(_))) => {
            return Err(ExtractError::damaged(Kind::Pdf, "its encryption is unknown"));
        }
        Ok(Err(LoadPdfError::Invalid)) => return Err(ExtractError::damaged(Kind::Pdf, "no pages can be found in it")),
        Err(_) => return Err(ExtractError::damaged(Kind::Pdf, "its structure cannot be parsed")),
    };
    let _ = catch_unwind(AssertUnwindSafe(|| information(&pdf, found)));
    let pages = pdf.pages();
    found.pages = u32::try_from(pages.len()).ok();
    let mut out = markdown::Markdown::new(limits.text_bytes_max);
    let mut fonts = fonts::Fonts::new();
    let mut lost = Vec::new();
    for (index, page) in pages.iter().enumerate() {
        if out.full() {
            break;
        }
        match catch_unwind(AssertUnwindSafe(|| page_text(page, &mut fonts, limits))) {
            Ok(page) => {
                if index == 0 && found.title.is_none() {
                    found.title = page.title;
                }
                out.paragraph(&page.text);
            }
            Err(_) => {
                lost.push((index + 1).to_string());
                fonts = fonts::Fonts::new();
            }
        }
    }
    if !lost.is_empty() {
        found.warnings.push(format!("pages that could not be read: {}", lost.join(", ")));
    }
    if out.is_empty() && !pages.is_empty() {
        found.warnings.push("no text in it: probably scanned; text recognition could read it".to_owned());
    }
    let (text, cut) = out.finish();
    found.text = text;
    found.truncated |= cut;
    Ok(())
}

fn page_text<'a>(page: &Page<'a>, fonts: &mut fonts::Fonts<'a>, limits: &Limits) -> layout::PageText {
    let media = page.media_box();
    let bounds = [media.x0, media.y0, media.x1, media.y1];
    let mut interpreter = Interpreter::new(fonts, bounds, limits.text_bytes_max);
    if let Some(content) = page.page_stream() {
        interpreter.run(content, page.resources(), Matrix::IDENTITY);
    }
    for annotation in page.raw().get::<Array<'_>>("Annots").iter().flat_map(|all| all.iter::<Dict<'_>>()) {
        appearance(&annotation, page.resources(), &mut interpreter);
    }
    layout::page(interpreter.finish())
}

/// Shows an annotation as viewers do (PDF 32000-1, 12.5.5): its appearance's box, transformed, fitted to its place.
fn appearance<'a>(
    annotation: &Dict<'a>,
    resources: &Resources<'a>,
    interpreter: &mut Interpreter<'_, 'a>,
) -> Option<()> {
    const HIDDEN: i32 = 2;
    const NO_VIEW: i32 = 32;
    let flags = annotation.get::<i32>("F").unwrap_or(0);
    let popup = annotation.get::<Name<'_>>("Subtype").is_some_and(|subtype| subtype.as_ref() == b"Popup");
    if flags & (HIDDEN | NO_VIEW) != 0 || popup {
        return None;
    }
    let normal = annotation.get::<Dict<'_>>("AP")?.get::<Object<'_>>("N")?;
    let stream = match normal {
        Object::Stream(stream) => stream,
        Object::Dict(states) => states.get::<Stream<'_>>(annotation.get::<Name<'_>>("AS")?.as_ref())?,
        _ => return None,
    };
    let place = annotation.get::<Rect>("Rect")?;
    let own = stream.dict().get::<[f64; 6]>("Matrix").map_or(Matrix::IDENTITY, Matrix);
    let bounds = stream.dict().get::<Rect>("BBox")?;
    let corners = [(bounds.x0, bounds.y0), (bounds.x1, bounds.y0), (bounds.x0, bounds.y1), (bounds.x1, bounds.y1)];
    let placed = corners.map(|(x, y)| own.apply(x, y));
    let low = placed.iter().fold((f64::MAX, f64::MAX), |low, point| (low.0.min(point.0), low.1.min(point.1)));
    let high = placed.iter().fold((f64::MIN, f64::MIN), |high, point| (high.0.max(point.0), high.1.max(point.1)));
    let ratio = |to: f64, from: f64| if from.abs() < 1e-6 { 1.0 } else { to / from };
    let (sx, sy) = (ratio(place.x1 - place.x0, high.0 - low.0), ratio(place.y1 - place.y0, high.1 - low.1));
    let fit = Matrix([sx, 0.0, 0.0, sy, place.x0 - low.0 * sx, place.y0 - low.1 * sy]);
    interpreter.form(&stream, resources, fit);
    Some(())
}

/// The document information dictionary and the language of the catalog.
fn information(pdf: &Pdf, found: &mut Extracted) {
    let metadata = pdf.metadata();
    let string = |field: &Option<Box<[u8]>>| field.as_deref().map(text_string).filter(|text| !text.trim().is_empty());
    // Office programs put the file name there: that is no title of the document's own.
    found.title = string(&metadata.title).filter(|title| !is_file_name(title));
    found.author.extend(string(&metadata.author));
    for (name, field) in [("subject", &metadata.subject), ("program", &metadata.creator)] {
        found.facts.extend(string(field).map(|value| (name.to_owned(), value)));
    }
    let keywords = string(&metadata.keywords).unwrap_or_default();
    found.keywords = keywords.split([',', ';']).map(str::to_owned).collect();
    found.created = metadata.creation_date.and_then(|at| {
        let written =
            format!("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", at.year, at.month, at.day, at.hour, at.minute, at.second);
        date::normal(&written)
    });
    let catalog = pdf.xref().get::<Dict<'_>>(pdf.xref().root_id());
    let language = catalog.and_then(|catalog| catalog.get::<hayro_syntax::object::String<'_>>("Lang"));
    found.language = language.map(|language| text_string(language.as_bytes()));
}

fn is_file_name(title: &str) -> bool {
    let lower = title.trim().to_lowercase();
    let tail = lower.rsplit('.').next().unwrap_or_default();
    let known =
        ["doc", "docx", "pdf", "ppt", "pptx", "xls", "xlsx", "odt", "rtf", "tex", "dvi", "indd", "qxd", "html", "txt"];
    lower == "untitled" || (known.contains(&tail) && lower.len() > tail.len())
}

/// A PDF text string: UTF-16 or UTF-8 with its mark, else PDFDocEncoding, which is Latin-1 for all that matters here;
/// UTF-8 without a mark is not allowed but common.
pub(super) fn text_string(bytes: &[u8]) -> String {
    if bytes.starts_with(&[0xfe, 0xff]) || bytes.starts_with(&[0xff, 0xfe]) || std::str::from_utf8(bytes).is_ok() {
        return text::decode(bytes);
    }
    text::decode_as(bytes, Some("windows-1252"))
}

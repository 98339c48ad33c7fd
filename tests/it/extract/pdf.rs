//! PDF: words by geometry, every kind of font, and the order of right-to-left text.

use super::read;
use emm::domain::extract::{ExtractError, Kind, Limits, extract};
use std::io::Cursor;

/// A PDF of these objects, the first of which is the catalogue; the table of objects is right.
fn pdf(objects: &[String], trailer: &str) -> Vec<u8> {
    let mut out = b"%PDF-1.4\n".to_vec();
    let mut places = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        places.push(out.len());
        out.extend(format!("{} 0 obj\n{object}\nendobj\n", index + 1).bytes());
    }
    let start = out.len();
    out.extend(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).bytes());
    for place in places {
        out.extend(format!("{place:010} 00000 n \n").bytes());
    }
    out.extend(
        format!("trailer\n<< /Size {} /Root 1 0 R {trailer} >>\nstartxref\n{start}\n%%EOF\n", objects.len() + 1)
            .bytes(),
    );
    out
}

fn stream(dict: &str, body: &str) -> String {
    format!("<< {dict} /Length {} >>\nstream\n{body}\nendstream", body.len())
}

/// One page with this content: `/F1` is Helvetica, `/F2` a composite font whose codes `to_unicode` names.
pub(crate) fn page(content: &str, to_unicode: &str, trailer: &str) -> Vec<u8> {
    let map = format!(
        "/CIDInit /ProcSet findresource begin begincmap 1 begincodespacerange <0000> <ffff> endcodespacerange\n{to_unicode}\nendcmap end"
    );
    pdf(
        &[
            "<< /Type /Catalog /Pages 2 0 R /Lang (ru-RU) >>".to_owned(),
            "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R /Resources << /Font << /F1 5 0 R /F2 6 0 R >> >> /Annots [10 0 R] >>".to_owned(),
            stream("", content),
            "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>".to_owned(),
            "<< /Type /Font /Subtype /Type0 /BaseFont /X /Encoding /Identity-H /DescendantFonts [7 0 R] /ToUnicode 8 0 R >>".to_owned(),
            "<< /Type /Font /Subtype /CIDFontType2 /BaseFont /X /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> /DW 500 >>".to_owned(),
            stream("", &map),
            "<< /Title <feff04140438> /Author (Alex Example) /CreationDate (D:20240203040506+01'00') >>".to_owned(),
            "<< /Type /Annot /Subtype /FreeText /Rect [100 20 200 40] /AP << /N 11 0 R >> >>".to_owned(),
            stream("/Type /XObject /Subtype /Form /BBox [0 0 100 20] /Resources << /Font << /F1 5 0 R >> >>", "BT /F1 10 Tf 2 5 Td (remark) Tj ET"),
        ],
        trailer,
    )
}

fn text(content: &str) -> String {
    let mapping = "7 beginbfchar <0001> <0412> <0002> <043e> <0003> <0434> <0004> <0430> <0005> <6c34> <0006> <d83dde00> <0007> <00660066> endbfchar\n\
        4 beginbfchar <0011> <05e9> <0012> <05dc> <0013> <05d5> <0014> <05dd> endbfchar";
    let found = read("a.pdf", &page(content, mapping, ""));
    found.text.trim_end_matches("remark").trim_end().to_owned()
}

#[test]
fn spaces_come_from_gaps_not_from_operators() {
    assert_eq!(text("BT /F1 10 Tf 50 700 Td [(W) 80 (ater) -400 (bill)] TJ ET"), "Water bill");
    assert_eq!(text("BT /F1 10 Tf 50 700 Td (Wa) Tj (ter) Tj ( bill) Tj ET"), "Water bill");
    // Every letter placed on its own, as some printers do; W is 9.44 wide, a is 5.56.
    assert_eq!(
        text("BT /F1 10 Tf 1 0 0 1 50 700 Tm (W) Tj 1 0 0 1 59.4 700 Tm (a) Tj 1 0 0 1 70 700 Tm (b) Tj ET"),
        "Wa b"
    );
    assert_eq!(text("BT /F1 10 Tf 5 Tw 50 700 Td (a b) Tj ET BT /F1 10 Tf 50 688 Td 2.5 Tc (open) Tj ET"), "a b\nopen");
}

#[test]
fn lines_paragraphs_and_cut_words() {
    assert_eq!(
        text("BT /F1 10 Tf 12 TL 50 700 Td (electri-) Tj T* (city is) Tj T* (dear.) Tj 0 -30 Td (New) Tj ET"),
        "electricity is\ndear.\n\nNew"
    );
    assert_eq!(text("BT /F1 10 Tf 50 700 Td (left) Tj 200 0 Td (right) Tj ET"), "left  right");
    assert_eq!(text("BT /F1 10 Tf 50 700 Td (bold) Tj 0.3 0 Td (bold) Tj ET"), "bold");
    assert_eq!(text("BT /F1 10 Tf 0 1 -1 0 50 100 Tm (up here) Tj ET"), "up here");
    assert_eq!(text("BT /F1 10 Tf 50 900 Td (outside) Tj ET BT /F1 10 Tf 50 100 Td (inside) Tj ET"), "inside");
}

#[test]
fn every_writing_system_comes_out() {
    assert_eq!(text("BT /F2 10 Tf 50 700 Td <00010002000300040005000600070007> Tj ET"), "Вода水😀ffff");
    assert_eq!(text("BT /F1 10 Tf 50 700 Td (Stra\\337e \\200) Tj ET"), "Straße €");
    // Shalom drawn from left to right, as the eye meets it, and again glyph by glyph from right to left.
    assert_eq!(text("BT /F2 10 Tf 50 700 Td <0014001300120011> Tj ET"), "שלום");
    let backwards = "BT /F2 10 Tf 1 0 0 1 65 700 Tm <0011> Tj 1 0 0 1 60 700 Tm <0012> Tj 1 0 0 1 55 700 Tm <0013> Tj 1 0 0 1 50 700 Tm <0014> Tj ET";
    assert_eq!(text(backwards), "שלום");
    assert_eq!(text("BT /F2 10 Tf 50 700 Td <0014001300120011> Tj /F1 10 Tf -30 0 Td (2024) Tj ET"), "שלום 2024");
}

#[test]
fn predefined_maps_and_replacements_are_followed() {
    let font = "<< /Type /Font /Subtype /Type0 /BaseFont /Y /Encoding /90ms-RKSJ-H /DescendantFonts [6 0 R] >>";
    let descendant = "<< /Type /Font /Subtype /CIDFontType0 /BaseFont /Y /CIDSystemInfo << /Registry (Adobe) /Ordering (Japan1) /Supplement 2 >> >>";
    let document = pdf(
        &[
            "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
            "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>".to_owned(),
            stream("", "BT /F1 10 Tf 50 700 Td <908593b9> Tj /Span << /ActualText <feff0416> >> BDC 0 -12 Td <9085> Tj EMC ET"),
            font.to_owned(),
            descendant.to_owned(),
        ],
        "",
    );
    assert_eq!(read("a.pdf", &document).text, "水道\nЖ");
}

#[test]
fn the_document_tells_about_itself() {
    let found = read("a.pdf", &page("BT /F1 10 Tf 50 700 Td (x) Tj ET", "", "/Info 9 0 R"));
    assert_eq!((found.kind, found.title.as_deref(), found.pages), (Kind::Pdf, Some("Ди"), Some(1)));
    assert_eq!(found.author, ["Alex Example"]);
    assert_eq!((found.created.as_deref(), found.language.as_deref()), (Some("2024-02-03T04:05:06"), Some("ru-RU")));
    assert!(found.text.ends_with("remark"), "the annotation shows: {}", found.text);
    let found = read(
        "a.pdf",
        &page(
            "BT /F1 30 Tf 50 700 Td (Big title) Tj /F1 10 Tf 0 -40 Td (a) Tj 0 -12 Td (b) Tj 0 -12 Td (c) Tj ET",
            "",
            "",
        ),
    );
    assert_eq!(found.title.as_deref(), Some("Big title"));
}

#[test]
fn a_broken_table_of_objects_is_rebuilt_and_rubbish_is_refused() {
    let whole = page("BT /F1 10 Tf 50 700 Td (still here) Tj ET", "", "");
    let cut = whole.len() - 400;
    assert!(read("a.pdf", &whole[..cut]).text.contains("still here"));
    let refused = extract("a.pdf", &mut Cursor::new(b"%PDF-1.4 nothing else"), &Limits::default());
    assert!(matches!(refused, Err(ExtractError::Damaged { kind: Kind::Pdf, .. })), "{refused:?}");
}

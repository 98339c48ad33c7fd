//! What is read from office documents, pages, mail and the like.

use super::{WORDS, build, read};
use emm::domain::extract::Kind;

#[test]
fn docx_keeps_headings_lists_tables_links_and_notes() {
    let body = format!(
        "<w:p><w:pPr><w:pStyle w:val=\"Sub\"/></w:pPr><w:r><w:t>Раздел</w:t></w:r></w:p>\
         <w:p><w:r><w:rPr><w:b/></w:rPr><w:t xml:space=\"preserve\">жирный </w:t></w:r><w:r><w:t>{WORDS}</w:t></w:r></w:p>\
         <w:p><w:pPr><w:numPr><w:ilvl w:val=\"0\"/><w:numId w:val=\"5\"/></w:numPr></w:pPr><w:r><w:t>one</w:t></w:r></w:p>\
         <w:p><w:pPr><w:numPr><w:ilvl w:val=\"0\"/><w:numId w:val=\"5\"/></w:numPr></w:pPr><w:r><w:t>two</w:t></w:r></w:p>\
         <w:p><w:pPr><w:numPr><w:ilvl w:val=\"0\"/><w:numId w:val=\"6\"/></w:numPr></w:pPr><w:r><w:t>dot</w:t></w:r></w:p>\
         <w:tbl><w:tr><w:tc><w:p><w:r><w:t>a</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>b</w:t></w:r></w:p></w:tc></w:tr>\
         <w:tr><w:tc><w:tcPr><w:gridSpan w:val=\"2\"/></w:tcPr><w:p><w:r><w:t>c</w:t></w:r></w:p></w:tc></w:tr></w:tbl>\
         <w:p><w:hyperlink r:id=\"l\"><w:r><w:t>link</w:t></w:r></w:hyperlink><w:r><w:footnoteReference w:id=\"2\"/></w:r>\
         <w:del><w:r><w:delText>gone</w:delText></w:r></w:del><w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r></w:p>"
    );
    let found = read("a.docx", &build::docx(&body));
    let expected = format!(
        "## Раздел\n\n**жирный** {WORDS}\n\n1. one\n2. two\n- dot\n\n| a | b |\n| --- | --- |\n| c |  |\n\n\
         [link](https://example.org/a%20b)[^2]\n\n[^2]: the note"
    );
    assert_eq!(found.text, expected);
    assert_eq!((found.kind, found.title.as_deref()), (Kind::Docx, Some("Договор 契約")));
    assert_eq!(found.author, ["Alex Example", "Sam Example"]);
    assert_eq!(found.keywords, ["rent", "дом"]);
    assert_eq!(found.created.as_deref(), Some("2024-03-04T05:06:07"));
}

#[test]
fn docx_reads_text_boxes_once_and_formulas() {
    let body = "<w:p><w:r><mc:AlternateContent xmlns:mc=\"m\"><mc:Choice><w:drawing><w:txbxContent><w:p><w:r><w:t>boxed</w:t></w:r></w:p>\
        </w:txbxContent></w:drawing></mc:Choice><mc:Fallback><w:pict><w:txbxContent><w:p><w:r><w:t>boxed</w:t></w:r></w:p></w:txbxContent>\
        </w:pict></mc:Fallback></mc:AlternateContent></w:r><m:oMath xmlns:m=\"m\"><m:f><m:num><m:r><m:t>x</m:t></m:r></m:num><m:den><m:r>\
        <m:t>π</m:t></m:r></m:den></m:f></m:oMath></w:p>";
    let found = read("a.docx", &build::docx(body));
    assert_eq!(found.text, "$\\frac{x}{ \\pi }$\n\nboxed\n\n[^2]: the note");
}

#[test]
fn xlsx_shows_sheets_in_order_with_dates() {
    let found = read("a.xlsx", &build::xlsx());
    assert_eq!(
        found.text,
        "## Второй\n\n| 7 |\n| --- |\n\n## 表\n\n| Дата 日付 | Сумма |\n| --- | --- |\n| 2024-01-01 | 0.3 |\n\n| TRUE | a\\|b |\n| --- | --- |"
    );
    assert_eq!(found.pages, Some(2));
}

#[test]
fn pptx_follows_the_order_of_the_show() {
    let found = read("a.pptx", &build::pptx());
    assert_eq!(found.text, "# Первый слайд\n\nplain\n\n# Второй слайд\n\n- **пункт**\n  - 点 😀\n\n> сказать");
    assert_eq!((found.pages, found.title.as_deref()), (Some(2), Some("Первый слайд")));
}

#[test]
fn odt_reads_packed_and_flat() {
    let body = format!(
        "<text:h text:outline-level=\"2\">Глава</text:h><text:p>a<text:s text:c=\"2\"/>b\n   c <text:span text:style-name=\"T1\">жирно</text:span>\
         <text:note><text:note-body><text:p>сноска</text:p></text:note-body></text:note></text:p><text:list text:style-name=\"L1\">\
         <text:list-item><text:p>one</text:p><text:list><text:list-item><text:p>deep</text:p></text:list-item></text:list></text:list-item>\
         <text:list-item><text:p>two</text:p></text:list-item></text:list><text:p>{WORDS}</text:p>"
    );
    let expected = format!("## Глава\n\na  b c **жирно**[^1]\n\n1. one\n  - deep\n2. two\n\n{WORDS}\n\n[^1]: сноска");
    let packed = build::odf("text", &body);
    let found = read("a.odt", &packed);
    assert_eq!(found.text, expected);
    assert_eq!((found.title.as_deref(), found.created.as_deref()), (Some("Акт"), Some("2023-12-31T23:59:58")));
    let flat = format!(
        "<?xml version=\"1.0\"?><office:document xmlns:office=\"o\" xmlns:text=\"t\"><office:body><office:text><text:p>{WORDS}</text:p></office:text></office:body></office:document>"
    );
    let found = read("a.fodt", flat.as_bytes());
    assert_eq!((found.kind, found.text.as_str()), (Kind::Odt, WORDS));
}

#[test]
fn ods_repeats_cells_but_not_the_padding() {
    let body = "<table:table table:name=\"Счёт\"><table:table-row><table:table-cell table:number-columns-repeated=\"2\"><text:p>x</text:p></table:table-cell>\
        <table:table-cell office:date-value=\"2024-01-02\"/></table:table-row>\
        <table:table-row table:number-rows-repeated=\"1048575\"><table:table-cell table:number-columns-repeated=\"16384\"/></table:table-row></table:table>";
    let found = read("a.ods", &build::odf("spreadsheet", body));
    assert_eq!(found.text, "## Счёт\n\n| x | x | 2024-01-02 |\n| --- | --- | --- |");
    assert_eq!(found.pages, Some(1));
}

#[test]
fn odp_puts_the_title_first() {
    let body = "<draw:page draw:name=\"page1\"><draw:frame><draw:text-box><text:p>текст 本文</text:p></draw:text-box></draw:frame>\
        <draw:frame presentation:class=\"title\"><draw:text-box><text:p>Тема</text:p></draw:text-box></draw:frame></draw:page>";
    let found = read("a.odp", &build::odf("presentation", body));
    assert_eq!(found.text, "# Тема\n\nтекст 本文");
    assert_eq!(found.pages, Some(1));
}

#[test]
fn html_shows_what_a_reader_sees() {
    let page = format!(
        "<!DOCTYPE html><html lang=\"ru\"><head><meta charset=\"utf-8\"><title>Стр | Сайт</title><meta name=\"author\" content=\"Alex Example\">\
         <meta property=\"article:published_time\" content=\"2024-05-06T07:08:09+02:00\"><link rel=\"canonical\" href=\"https://example.org/p\">\
         <meta name=\"keywords\" content=\"вода, 水\"><style>p{{}}</style><script>var x='no'</script></head><body><h1>Тема</h1><p>a <b>b</b>,\n <a href=\"/x\">c</a><br>d</p>\
         <ul><li>one<ol><li>deep</li></ol></li><li><p>two</p><p>more</p></li></ul><table><tr><th>k</th><th>v</th></tr><tr><td>1|2</td><td>{WORDS}</td></tr></table>\
         <pre>  x\n  y</pre><blockquote><p>said</p></blockquote><p hidden>gone</p><img src=\"i.png\" alt=\"рис\"></body></html>"
    );
    let found = read("a.html", page.as_bytes());
    let expected = format!(
        "# Тема\n\na **b**, [c](/x)\nd\n\n- one\n  1. deep\n- two\n\n  more\n\n| k | v |\n| --- | --- |\n| 1\\|2 | {WORDS} |\n\n```\n  x\n  y\n```\n\n> said\n\n![рис](i.png)"
    );
    assert_eq!(found.text, expected);
    assert_eq!(found.title.as_deref(), Some("Стр | Сайт"));
    assert_eq!(found.author, ["Alex Example"]);
    assert_eq!(found.published.as_deref(), Some("2024-05-06T07:08:09"));
    assert_eq!(found.source.as_deref(), Some("https://example.org/p"));
    assert_eq!((found.language.as_deref(), found.keywords), (Some("ru"), vec!["вода".to_owned(), "水".to_owned()]));
    let old = encoding_rs::WINDOWS_1251.encode("<html><head><meta http-equiv=\"Content-Type\" content=\"text/html; charset=windows-1251\"></head><body>Вода</body></html>").0;
    assert_eq!(read("a.htm", &old).text, "Вода");
}

#[test]
fn mail_is_decoded_and_its_attachments_named() {
    let mail = "From: =?koi8-r?B?4czFy9M=?= <alex@example.org>\r\nTo: sam@example.org\r\nSubject: =?utf-8?Q?=D0=A1=D1=87=D1=91=D1=82_=E6=B0=B4?=\r\n\
        Date: Tue, 2 Jan 2024 03:04:05 +0100\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n\
        --c\r\nContent-Type: text/plain; charset=windows-1251\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=CF=F0=E8=E2=E5=F2\r\n--c\r\nContent-Type: text/html\r\n\r\n<p>twice</p>\r\n--c--\r\n\
        --b\r\nContent-Type: application/pdf; name=\"bill.pdf\"\r\nContent-Disposition: attachment; filename=\"bill.pdf\"\r\n\r\nxx\r\n\
        --b\r\nContent-Type: message/rfc822\r\n\r\nFrom: kim@example.org\r\nSubject: inner\r\n\r\ninside\r\n--b--\r\n";
    let found = read("a.eml", mail.as_bytes());
    assert_eq!(found.title.as_deref(), Some("Счёт 水"));
    assert_eq!(found.author, ["Алекс"]);
    assert_eq!(found.created.as_deref(), Some("2024-01-02T03:04:05"));
    assert_eq!(found.facts.get("attachments").map(String::as_str), Some("bill.pdf"));
    assert!(found.text.starts_with("Привет"), "{}", found.text);
    assert!(
        found.text.contains("## inner") && found.text.contains("inside") && !found.text.contains("twice"),
        "{}",
        found.text
    );
    let wide: Vec<u8> = "From: a@example.org\nSubject: s\n\nplain".encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert_eq!(read("a.eml", &wide).text, "plain");
    let page = "From: a@example.org\r\nSubject: s\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<h1>Тема</h1><script>no</script>";
    assert_eq!(read("a.eml", page.as_bytes()).text, "# Тема");
}

#[test]
fn a_mailbox_is_split_at_its_from_lines() {
    let mbox = "From a Mon Jan  1 00:00:00 2024\nFrom: a@example.org\nTo: b@example.org\nSubject: one\n\nfirst\nFrom here it goes on\n\n\
        From b Mon Jan  1 00:00:00 2024\nFrom: c@example.org\nSubject: two\n\nвторое\n";
    let found = read("a.mbox", mbox.as_bytes());
    assert_eq!(found.facts.get("messages").map(String::as_str), Some("2"));
    assert!(
        found.text.contains("## one") && found.text.contains("From here it goes on") && found.text.ends_with("второе"),
        "{}",
        found.text
    );
}

#[test]
fn rtf_reads_code_pages_unicode_and_tables() {
    let rtf = b"{\\rtf1\\ansi\\ansicpg1252\\deff0{\\fonttbl{\\f0\\fcharset0 A;}{\\f1\\fcharset204 B;}{\\f2\\fcharset128 C;}}{\\info{\\title T\\'fc}{\\author Alex Example}\
        {\\creatim\\yr2024\\mo2\\dy3\\hr4\\min5}}{\\*\\unknown skipped}\\f0 Gr\\'fc\\'dfe\\par\\pard\\f1 \\'c2\\'ee\\'e4\\'e0 {\\v hidden}\\u27700?\\uc1\\u-10179?\\u-8704?\\par\
        \\pard\\f2\\'90\\'85\\par\\pard\\intbl a\\cell b\\cell\\row\\pard\\outlinelevel0 Head\\par}";
    let found = read("a.rtf", rtf);
    assert_eq!(found.text, "Grüße\n\nВода 水😀\n\n水\n\n| a | b |\n| --- | --- |\n\n# Head");
    assert_eq!((found.title.as_deref(), found.created.as_deref()), (Some("Tü"), Some("2024-02-03T04:05:00")));
}

#[test]
fn epub_follows_the_spine() {
    let found = read("a.epub", &build::epub());
    assert_eq!(found.text, "# Первая\n\nначало\n\n# Вторая\n\nконец");
    assert_eq!(
        (found.title.as_deref(), found.language.as_deref(), found.published.as_deref()),
        (Some("Книга"), Some("ru"), Some("2020-05-06"))
    );
}

#[test]
fn csv_json_and_xml_are_text_too() {
    let found = read("a.csv", "имя;\"сумма; всего\"\r\n水;\"a\"\"b\nc\"\r\n".as_bytes());
    assert_eq!(found.text, "| имя | сумма; всего |\n| --- | --- |\n| 水 | a\"b c |");
    let found = read("a.json", "{\"title\": \"Ж\", \"date\": \"2024-01-02\"}".as_bytes());
    assert_eq!((found.title.as_deref(), found.created.as_deref()), (Some("Ж"), Some("2024-01-02")));
    let found = read(
        "a.xml",
        "<?xml version=\"1.0\"?><r><title>Ж &amp; 水</title><b>one <i>two</i></b><c>&lt;p&gt;html&lt;/p&gt;</c></r>"
            .as_bytes(),
    );
    assert_eq!((found.title.as_deref(), found.text.as_str()), (Some("Ж & 水"), "Ж & 水\n\none two\n\nhtml"));
}

#[test]
fn images_tell_their_size_and_date() {
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x07\0\0\0\x09\x08\x02\0\0\0crc_".to_vec();
    png.extend(b"\0\0\0\x0btEXtTitle\0Water____");
    let found = read("a.png", &png);
    assert_eq!((found.facts["width"].as_str(), found.facts["height"].as_str()), ("7", "9"));
    assert_eq!((found.title.as_deref(), found.media_type.as_str()), (Some("Water"), "image/png"));
    // One directory with a date: type 2, 20 bytes at offset 26.
    let mut tiff = b"II*\0\x08\0\0\0\x01\0\x32\x01\x02\0\x14\0\0\0\x1a\0\0\0\0\0\0\0".to_vec();
    tiff.extend(b"2024:02:03 04:05:06\0");
    let mut jpeg = b"\xff\xd8\xff\xe1".to_vec();
    jpeg.extend((tiff.len() as u16 + 8).to_be_bytes());
    jpeg.extend(b"Exif\0\0");
    jpeg.extend(&tiff);
    for (name, bytes) in [("a.jpg", &jpeg), ("a.tif", &tiff)] {
        assert_eq!(read(name, bytes).created.as_deref(), Some("2024-02-03T04:05:06"), "{name}");
    }
}

//! Makes the smallest sound documents of each format.

use std::io::{Cursor, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// A ZIP of these parts, packed.
pub(crate) fn zip(parts: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in parts {
        let method = if *name == "mimetype" { CompressionMethod::Stored } else { CompressionMethod::Deflated };
        writer.start_file(*name, SimpleFileOptions::default().compression_method(method)).expect("start");
        writer.write_all(text.as_bytes()).expect("write");
    }
    writer.finish().expect("finish").into_inner()
}

pub(crate) fn relations(entries: &[(&str, &str, &str)]) -> String {
    let mut out =
        String::from("<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\">");
    for (id, kind, target) in entries {
        let mode = if target.contains("://") { " TargetMode=\"External\"" } else { "" };
        out.push_str(&format!(
            "<Relationship Id=\"{id}\" Type=\"http://schemas/x/{kind}\" Target=\"{target}\"{mode}/>"
        ));
    }
    out + "</Relationships>"
}

pub(crate) const CORE: &str = "<cp:coreProperties xmlns:cp=\"c\" xmlns:dc=\"d\" xmlns:dcterms=\"t\"><dc:title>Договор 契約</dc:title>\
     <dc:creator>Alex Example;Sam Example</dc:creator><cp:keywords>rent, дом</cp:keywords>\
     <dcterms:created>2024-03-04T05:06:07Z</dcterms:created></cp:coreProperties>";

/// A DOCX with this body, a style sheet, two lists and a footnote.
pub(crate) fn docx(body: &str) -> Vec<u8> {
    let document = format!("<w:document xmlns:w=\"w\" xmlns:r=\"r\"><w:body>{body}</w:body></w:document>");
    let styles = "<w:styles xmlns:w=\"w\"><w:style w:styleId=\"H2\"><w:name w:val=\"heading 2\"/></w:style>\
        <w:style w:styleId=\"Sub\"><w:name w:val=\"Own\"/><w:basedOn w:val=\"H2\"/></w:style></w:styles>";
    let numbering = "<w:numbering xmlns:w=\"w\"><w:abstractNum w:abstractNumId=\"0\"><w:lvl w:ilvl=\"0\"><w:start w:val=\"1\"/>\
        <w:numFmt w:val=\"decimal\"/><w:lvlText w:val=\"%1.\"/></w:lvl></w:abstractNum><w:abstractNum w:abstractNumId=\"1\">\
        <w:lvl w:ilvl=\"0\"><w:numFmt w:val=\"bullet\"/></w:lvl></w:abstractNum><w:num w:numId=\"5\"><w:abstractNumId w:val=\"0\"/></w:num>\
        <w:num w:numId=\"6\"><w:abstractNumId w:val=\"1\"/></w:num></w:numbering>";
    let notes = "<w:footnotes xmlns:w=\"w\"><w:footnote w:type=\"separator\" w:id=\"0\"><w:p/></w:footnote>\
        <w:footnote w:id=\"2\"><w:p><w:r><w:t>the note</w:t></w:r></w:p></w:footnote></w:footnotes>";
    zip(&[
        ("[Content_Types].xml", "<Types/>"),
        ("_rels/.rels", &relations(&[("a", "officeDocument", "word/document.xml")])),
        ("docProps/core.xml", CORE),
        ("word/document.xml", &document),
        (
            "word/_rels/document.xml.rels",
            &relations(&[
                ("s", "styles", "styles.xml"),
                ("n", "numbering", "numbering.xml"),
                ("f", "footnotes", "footnotes.xml"),
                ("l", "hyperlink", "https://example.org/a b"),
            ]),
        ),
        ("word/styles.xml", styles),
        ("word/numbering.xml", numbering),
        ("word/footnotes.xml", notes),
    ])
}

pub(crate) fn xlsx() -> Vec<u8> {
    let sheet = "<worksheet><sheetData><row r=\"2\"><c r=\"B2\" t=\"s\"><v>0</v></c><c r=\"C2\" t=\"inlineStr\"><is><t>Сумма</t></is></c></row>\
        <row r=\"3\"><c r=\"B3\" s=\"1\"><v>45292</v></c><c r=\"C3\"><v>0.30000000000000004</v></c></row>\
        <row r=\"6\"><c r=\"A6\" t=\"b\"><v>1</v></c><c r=\"B6\" t=\"str\"><v>a|b</v></c></row></sheetData></worksheet>";
    zip(&[
        ("_rels/.rels", &relations(&[("a", "officeDocument", "xl/workbook.xml")])),
        ("docProps/core.xml", CORE),
        (
            "xl/workbook.xml",
            "<workbook xmlns:r=\"r\"><sheets><sheet name=\"Второй\" sheetId=\"9\" r:id=\"r2\"/><sheet name=\"表\" sheetId=\"1\" r:id=\"r1\"/></sheets></workbook>",
        ),
        (
            "xl/_rels/workbook.xml.rels",
            &relations(&[
                ("r1", "worksheet", "worksheets/sheet1.xml"),
                ("r2", "worksheet", "/xl/worksheets/sheet2.xml"),
                ("s", "sharedStrings", "sharedStrings.xml"),
                ("t", "styles", "styles.xml"),
            ]),
        ),
        ("xl/worksheets/sheet1.xml", sheet),
        ("xl/worksheets/sheet2.xml", "<worksheet><sheetData><row><c><v>7</v></c></row></sheetData></worksheet>"),
        (
            "xl/sharedStrings.xml",
            "<sst><si><r><t>Дата</t></r><r><t xml:space=\"preserve\"> 日付</t></r><rPh><t>no</t></rPh></si></sst>",
        ),
        ("xl/styles.xml", "<styleSheet><cellXfs><xf numFmtId=\"0\"/><xf numFmtId=\"14\"/></cellXfs></styleSheet>"),
    ])
}

pub(crate) fn pptx() -> Vec<u8> {
    let slide = |title: &str, body: &str| {
        format!(
            "<p:sld xmlns:p=\"p\" xmlns:a=\"a\"><p:cSld><p:spTree><p:sp><p:nvSpPr><p:nvPr><p:ph type=\"title\"/></p:nvPr></p:nvSpPr>\
             <p:txBody><a:p><a:r><a:t>{title}</a:t></a:r></a:p></p:txBody></p:sp><p:sp><p:nvSpPr><p:nvPr><p:ph idx=\"1\"/></p:nvPr></p:nvSpPr>\
             <p:txBody>{body}</p:txBody></p:sp></p:spTree></p:cSld></p:sld>"
        )
    };
    let one = slide(
        "Второй слайд",
        "<a:p><a:r><a:rPr b=\"1\"/><a:t>пункт</a:t></a:r></a:p><a:p><a:pPr lvl=\"1\"/><a:r><a:t>点 😀</a:t></a:r></a:p>",
    );
    let two = slide("Первый слайд", "<a:p><a:pPr><a:buNone/></a:pPr><a:r><a:t>plain</a:t></a:r></a:p>");
    let notes = "<p:notes xmlns:p=\"p\" xmlns:a=\"a\"><p:sp><p:nvSpPr><p:nvPr><p:ph type=\"body\"/></p:nvPr></p:nvSpPr><p:txBody><a:p><a:r><a:t>сказать</a:t></a:r></a:p></p:txBody></p:sp></p:notes>";
    zip(&[
        ("_rels/.rels", &relations(&[("a", "officeDocument", "ppt/presentation.xml")])),
        (
            "ppt/presentation.xml",
            "<p:presentation xmlns:p=\"p\" xmlns:r=\"r\"><p:sldIdLst><p:sldId id=\"300\" r:id=\"r2\"/><p:sldId id=\"299\" r:id=\"r1\"/></p:sldIdLst></p:presentation>",
        ),
        (
            "ppt/_rels/presentation.xml.rels",
            &relations(&[("r1", "slide", "slides/slide1.xml"), ("r2", "slide", "slides/slide2.xml")]),
        ),
        ("ppt/slides/slide1.xml", &one),
        ("ppt/slides/slide2.xml", &two),
        ("ppt/slides/_rels/slide1.xml.rels", &relations(&[("n", "notesSlide", "../notesSlides/notesSlide1.xml")])),
        ("ppt/notesSlides/notesSlide1.xml", notes),
    ])
}

/// An ODF package of that kind (`text`, `spreadsheet`, `presentation`) with this body.
pub(crate) fn odf(kind: &str, body: &str) -> Vec<u8> {
    let content = format!(
        "<office:document-content xmlns:office=\"o\" xmlns:text=\"t\" xmlns:table=\"b\" xmlns:style=\"s\" xmlns:fo=\"f\" xmlns:draw=\"d\">\
         <office:automatic-styles><style:style style:name=\"T1\" style:family=\"text\"><style:text-properties fo:font-weight=\"bold\"/></style:style>\
         <text:list-style style:name=\"L1\"><text:list-level-style-number text:level=\"1\" style:num-format=\"1\"/></text:list-style>\
         </office:automatic-styles><office:body><office:{kind}>{body}</office:{kind}></office:body></office:document-content>"
    );
    let meta = "<office:document-meta xmlns:office=\"o\" xmlns:dc=\"d\" xmlns:meta=\"m\"><office:meta><dc:title>Акт</dc:title>\
        <meta:initial-creator>Alex Example</meta:initial-creator><meta:creation-date>2023-12-31T23:59:58.123</meta:creation-date></office:meta></office:document-meta>";
    zip(&[
        ("mimetype", &format!("application/vnd.oasis.opendocument.{kind}")),
        ("content.xml", &content),
        ("meta.xml", meta),
    ])
}

pub(crate) fn epub() -> Vec<u8> {
    zip(&[
        ("mimetype", "application/epub+zip"),
        (
            "META-INF/container.xml",
            "<container><rootfiles><rootfile full-path=\"OPS/book.opf\"/></rootfiles></container>",
        ),
        (
            "OPS/book.opf",
            "<package xmlns:dc=\"d\"><metadata><dc:title>Книга</dc:title><dc:creator>Alex Example</dc:creator><dc:language>ru</dc:language>\
             <dc:date>2020-05-06</dc:date></metadata><manifest><item id=\"b\" href=\"b%20%D0%B6.xhtml\"/><item id=\"a\" href=\"a.xhtml\"/></manifest>\
             <spine><itemref idref=\"b\"/><itemref idref=\"a\"/></spine></package>",
        ),
        ("OPS/a.xhtml", "<html><body><h1>Вторая</h1><p>конец</p></body></html>"),
        ("OPS/b ж.xhtml", "<html><body><h1>Первая</h1><p>начало</p></body></html>"),
    ])
}

/// A compound file (version 3) of these streams; each is padded to 4096 bytes so that none is a small one.
pub(crate) fn compound(streams: &[(&str, Vec<u8>)]) -> Vec<u8> {
    const END: u32 = 0xffff_fffe;
    let mut fat: Vec<u32> = vec![0xffff_fffd];
    let mut body: Vec<u8> = Vec::new();
    let mut add = |bytes: &[u8]| {
        let start = fat.len() as u32;
        let sectors = bytes.len().div_ceil(512).max(1);
        fat.extend((0..sectors).map(|index| if index + 1 == sectors { END } else { start + index as u32 + 1 }));
        body.extend_from_slice(bytes);
        body.resize((fat.len() - 1) * 512, 0);
        start
    };
    let mut directory = entry("Root Entry", 5, u32::MAX, 1, END, 0);
    for (index, (name, bytes)) in streams.iter().enumerate() {
        let mut padded = bytes.clone();
        padded.resize(padded.len().max(4096), 0);
        let start = add(&padded);
        let next = if index + 1 < streams.len() { index as u32 + 2 } else { u32::MAX };
        directory.extend(entry(name, 2, next, u32::MAX, start, padded.len() as u32));
    }
    let directory_start = add(&directory);
    assert!(fat.len() <= 128, "one sector of table is all this writer makes");
    let mut out = vec![0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1];
    out.resize(512, 0);
    let numbers: &[(usize, u32)] =
        &[(0x2c, 1), (0x30, directory_start), (0x38, 4096), (0x3c, END), (0x44, END), (0x4c, 0)];
    out[0x18..0x22].copy_from_slice(&[0x3e, 0, 3, 0, 0xfe, 0xff, 9, 0, 6, 0]);
    for (at, number) in numbers {
        out[*at..*at + 4].copy_from_slice(&number.to_le_bytes());
    }
    out[0x50..0x200].fill(0xff);
    fat.resize(128, u32::MAX);
    out.extend(fat.iter().flat_map(|number| number.to_le_bytes()));
    out.extend(body);
    out
}

/// A directory entry whose right sibling and child are given.
fn entry(name: &str, kind: u8, right: u32, child: u32, start: u32, size: u32) -> Vec<u8> {
    let mut out: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let length = out.len() as u16 + 2;
    out.resize(128, 0);
    out[0x40..0x42].copy_from_slice(&length.to_le_bytes());
    out[0x42] = kind;
    for (at, number) in [(0x44, u32::MAX), (0x48, right), (0x4c, child), (0x74, start), (0x78, size)] {
        out[at..at + 4].copy_from_slice(&number.to_le_bytes());
    }
    out
}

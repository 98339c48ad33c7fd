//! The code pages of RTF, and the groups whose text does not show.

use encoding_rs::Encoding;

/// Groups whose text is no text of the document (RTF 1.9.1, destinations).
pub(super) const SKIPPED: &[&str] = &[
    "stylesheet",
    "colortbl",
    "pict",
    "object",
    "objdata",
    "themedata",
    "colorschememapping",
    "datastore",
    "latentstyles",
    "listtable",
    "listoverridetable",
    "rsidtbl",
    "generator",
    "xmlnstbl",
    "mmathPr",
    "fldinst",
    "header",
    "headerl",
    "headerr",
    "headerf",
    "footer",
    "footerl",
    "footerr",
    "footerf",
    "revtbl",
    "filetbl",
    "listtext",
    "pntext",
    "pn",
    "nonshppict",
    "bkmkstart",
    "bkmkend",
    "atnid",
    "atnauthor",
    "annotation",
    "wgrffmtfilter",
    "panose",
    "falt",
    "xe",
    "tc",
    "userprops",
    "background",
    "sp",
    "shpinst_",
    "template",
    "company",
    "operator",
    "category",
    "manager",
    "hlinkbase",
    "doccomm",
    "vern",
    "revtim",
    "printim",
    "buptim",
    "datafield",
    "formfield",
    "htmltag",
    "mhtmltag",
    "pnseclvl",
];

/// The encoding of a Windows or Macintosh code page.
pub(super) fn code_page(number: i32) -> Option<&'static Encoding> {
    let label = match number {
        932 => "shift_jis".to_owned(),
        936 => "gbk".to_owned(),
        949 => "euc-kr".to_owned(),
        950 => "big5".to_owned(),
        10000 => "macintosh".to_owned(),
        10007 => "x-mac-cyrillic".to_owned(),
        65001 => "utf-8".to_owned(),
        866 => "ibm866".to_owned(),
        other => format!("windows-{other}"),
    };
    Encoding::for_label(label.as_bytes())
}

/// The code page of a font's character set (RTF 1.9.1, `\fcharset`).
pub(super) fn charset(number: i32) -> Option<&'static Encoding> {
    let page = match number {
        0 => 1252,
        77 => 10000,
        128 => 932,
        129 | 130 => 949,
        134 => 936,
        136 => 950,
        161 => 1253,
        162 => 1254,
        163 => 1258,
        177 => 1255,
        178 => 1256,
        186 => 1257,
        204 => 1251,
        222 => 874,
        238 => 1250,
        _ => return None,
    };
    code_page(page)
}

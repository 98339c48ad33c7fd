//! From character codes to Unicode, where the font does not say it itself.

use encoding_rs::{BIG5, EUC_JP, EUC_KR, Encoding, GBK, SHIFT_JIS};
use hayro_cmap::{BfString, CMap, CMapName, CidFamily, load_embedded};
use hayro_font::{CMapResolverFn, Font, FontCache, FontGlyph, FontQuery, FontResolverFn};
use hayro_syntax::object::{Array, Dict, Name, Stream, String as PdfString};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// The fonts of one document.
pub(super) struct Fonts<'a> {
    cache: FontCache<'a>,
    programs: FontResolverFn,
    maps: CMapResolverFn,
    /// By the place of the dictionary in the file's bytes, which outlive the document.
    known: BTreeMap<(usize, usize), Option<Rc<TextFont<'a>>>>,
}

/// A font that knows the text of its codes.
pub(super) struct TextFont<'a> {
    pub(super) font: Font<'a>,
    /// A font whose glyphs are drawings; its sizes follow no rule.
    pub(super) drawn: bool,
    wide: Option<Wide>,
}

/// How the codes of a composite font are read when it has no `ToUnicode` map (PDF 32000-1, 9.10.2).
enum Wide {
    /// The code is UTF-16.
    Unicode,
    /// The code is bytes of an old East Asian encoding.
    Legacy(&'static Encoding),
    /// The code gives a character id, the collection's map gives its text.
    Collection { codes: Option<Box<CMap>>, text: Box<CMap> },
}

impl<'a> Fonts<'a> {
    pub(super) fn new() -> Self {
        Self {
            cache: FontCache::new(),
            programs: Arc::new(|query| match query {
                FontQuery::Standard(font) => Some(font.get_font_data()),
                FontQuery::Fallback(wanted) => Some(wanted.pick_standard_font().get_font_data()),
            }),
            maps: Arc::new(load_embedded),
            known: BTreeMap::new(),
        }
    }

    pub(super) fn get(&mut self, dict: &Dict<'a>) -> Option<Rc<TextFont<'a>>> {
        let key = (dict.data().as_ptr().addr(), dict.data().len());
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let made = self.cache.font(dict, &self.programs, &self.maps).map(|font| {
            let subtype = dict.get::<Name<'_>>("Subtype");
            let is = |name: &[u8]| subtype.as_ref().is_some_and(|subtype| subtype.as_ref() == name);
            Rc::new(TextFont { font, drawn: is(b"Type3"), wide: if is(b"Type0") { wide(dict) } else { None } })
        });
        self.known.insert(key, made.clone());
        made
    }
}

impl TextFont<'_> {
    /// The text of a code of `length` bytes; none if nothing says it.
    pub(super) fn text(&self, code: u32, length: usize) -> Option<String> {
        let told = match self.font.glyph(self.font.map_code(code), code) {
            FontGlyph::Outline(glyph) => glyph.as_unicode(),
            FontGlyph::Type3(glyph) => glyph.as_unicode(),
        };
        let told = match told {
            Some(BfString::Char(character)) => Some(character.to_string()),
            Some(BfString::String(text)) => Some(text),
            None => None,
        };
        let useful = |text: &String| !text.is_empty() && text.chars().any(|c| c != '\0' && c != '\u{fffd}');
        told.filter(useful).or_else(|| self.guess(code, length))
    }

    fn guess(&self, code: u32, length: usize) -> Option<String> {
        match &self.wide {
            Some(Wide::Unicode) => char::from_u32(code).filter(|c| *c != '\0').map(String::from),
            Some(Wide::Legacy(encoding)) => {
                let bytes = code.to_be_bytes();
                let (text, failed) = encoding.decode_without_bom_handling(bytes.get(4 - length.min(4)..)?);
                (!failed).then(|| text.into_owned())
            }
            Some(Wide::Collection { codes, text }) => {
                let cid = match codes {
                    Some(codes) => codes.lookup_cid_code(code, length as u8)?,
                    None => code,
                };
                match text.lookup_bf_string(cid)? {
                    BfString::Char(character) => Some(character.to_string()),
                    BfString::String(text) => Some(text),
                }
            }
            // A simple font without names: its codes are mostly ASCII.
            None => char::from_u32(code).filter(|c| length == 1 && matches!(c, ' '..='~')).map(String::from),
        }
    }
}

fn wide(dict: &Dict<'_>) -> Option<Wide> {
    let encoding = dict.get::<Name<'_>>("Encoding").map(|name| name.as_str().to_owned()).unwrap_or_default();
    if encoding.contains("UCS2") || encoding.contains("UTF16") {
        return Some(Wide::Unicode);
    }
    let legacy: &[(&str, &'static Encoding)] = &[
        ("RKSJ", SHIFT_JIS),
        ("GBK", GBK),
        ("GB-EUC", GBK),
        ("GBpc", GBK),
        ("B5", BIG5),
        ("KSC", EUC_KR),
        ("KSCms", EUC_KR),
        ("EUC", EUC_JP),
    ];
    if let Some((_, legacy)) = legacy.iter().find(|(part, _)| encoding.contains(part)) {
        return Some(Wide::Legacy(legacy));
    }
    let descendant = dict.get::<Array<'_>>("DescendantFonts")?.iter::<Dict<'_>>().next()?;
    let info = descendant.get::<Dict<'_>>("CIDSystemInfo")?;
    let registry = info.get::<PdfString<'_>>("Registry")?;
    let ordering = info.get::<PdfString<'_>>("Ordering")?;
    let family = CidFamily::from_registry_ordering(registry.as_bytes(), ordering.as_bytes());
    let text = CMap::parse(load_embedded(family.ucs2_cmap()?)?, load_embedded)?;
    let codes = match dict.get::<Stream<'_>>("Encoding") {
        Some(stream) => CMap::parse(&stream.decoded_data().ok()?, load_embedded),
        None if encoding.starts_with("Identity") => None,
        None => Some(CMap::parse(load_embedded(CMapName::from_bytes(encoding.as_bytes()))?, load_embedded)?),
    };
    Some(Wide::Collection { codes: codes.map(Box::new), text: Box::new(text) })
}

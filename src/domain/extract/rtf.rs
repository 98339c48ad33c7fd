//! RTF: text of all groups that show, in the code page of each font, with headings by outline level and tables.

mod codes;

use super::markdown::{self, Markdown};
use super::{Extracted, Limits, date, text};
use codes::{SKIPPED, charset, code_page};
use encoding_rs::Encoding;
use std::collections::BTreeMap;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Body,
    Skip,
    FontTable,
    Title,
    Author,
    Subject,
    Keywords,
    Created,
}

#[derive(Debug, Clone)]
struct Group {
    place: Place,
    font: i32,
    /// How many characters a `\u` is followed by for readers without Unicode.
    fallback: usize,
    hidden: bool,
    outline: Option<usize>,
    in_table: bool,
    in_list: bool,
}

/// Reads an RTF document.
pub(super) fn read(bytes: &[u8], limits: &Limits, found: &mut Extracted) {
    let group = Group {
        place: Place::Body,
        font: -1,
        fallback: 1,
        hidden: false,
        outline: None,
        in_table: false,
        in_list: false,
    };
    let mut reader = Reader {
        bytes,
        at: 0,
        group,
        stack: Vec::new(),
        out: Markdown::new(limits.text_bytes_max),
        raw: Vec::new(),
        line: String::new(),
        high: None,
        skip: 0,
        code_page: Encoding::for_label(b"windows-1252"),
        fonts: BTreeMap::new(),
        fields: BTreeMap::new(),
        row: Vec::new(),
        rows: Vec::new(),
        date: [0; 6],
        starred: false,
    };
    reader.run();
    reader.paragraph();
    reader.end_table();
    let mut field = |place: Place| reader.fields.remove(&(place as u8)).filter(|text| !text.trim().is_empty());
    found.title = field(Place::Title);
    found.author.extend(field(Place::Author));
    found.keywords =
        field(Place::Keywords).map(|all| all.split([',', ';']).map(str::to_owned).collect()).unwrap_or_default();
    found.facts.extend(field(Place::Subject).map(|text| ("subject".to_owned(), text)));
    let [year, month, day, hour, minute, second] = reader.date;
    found.created = date::normal(&format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"));
    let (text, cut) = reader.out.finish();
    found.text = text;
    found.truncated |= cut;
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    group: Group,
    stack: Vec<Group>,
    out: Markdown,
    /// Bytes of the current font's code page, not yet decoded.
    raw: Vec<u8>,
    line: String,
    /// The first half of a surrogate pair.
    high: Option<u32>,
    /// Characters to leave out after a `\u`.
    skip: usize,
    code_page: Option<&'static Encoding>,
    fonts: BTreeMap<i32, &'static Encoding>,
    fields: BTreeMap<u8, String>,
    row: Vec<String>,
    rows: Vec<Vec<String>>,
    date: [i32; 6],
    starred: bool,
}

impl Reader<'_> {
    fn run(&mut self) {
        while let Some(byte) = self.next() {
            if self.out.full() {
                return;
            }
            match byte {
                b'{' => {
                    self.decode();
                    // More open groups than any writer makes: do not keep them all.
                    if self.stack.len() < 10_000 {
                        self.stack.push(self.group.clone());
                    }
                    self.skip = 0;
                }
                b'}' => {
                    self.decode();
                    self.group = self.stack.pop().unwrap_or_else(|| self.group.clone());
                    self.skip = 0;
                    self.starred = false;
                }
                b'\\' => self.control(),
                b'\r' | b'\n' => {}
                _ => self.byte(byte),
            }
        }
        self.decode();
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.bytes.get(self.at).copied();
        self.at += 1;
        byte
    }

    fn control(&mut self) {
        let Some(first) = self.next() else { return };
        if !first.is_ascii_alphabetic() {
            match first {
                b'\'' => {
                    let digits = self.bytes.get(self.at..self.at + 2).unwrap_or_default();
                    let value = std::str::from_utf8(digits).ok().and_then(|digits| u8::from_str_radix(digits, 16).ok());
                    self.at += 2;
                    self.byte(value.unwrap_or(b'?'));
                }
                b'~' => self.put("\u{a0}"),
                b'_' => self.put("-"),
                b'*' => self.starred = true,
                b'\r' | b'\n' => self.word("par", None),
                b'-' | b':' | b'|' => {}
                other => self.byte(other),
            }
            return;
        }
        let start = self.at - 1;
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_alphabetic) && self.at - start < 40 {
            self.at += 1;
        }
        let name = String::from_utf8_lossy(self.bytes.get(start..self.at).unwrap_or_default()).into_owned();
        let number_start = self.at;
        if self.bytes.get(self.at) == Some(&b'-') {
            self.at += 1;
        }
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) && self.at - number_start < 12 {
            self.at += 1;
        }
        let number = std::str::from_utf8(self.bytes.get(number_start..self.at).unwrap_or_default()).unwrap_or_default();
        let number = number.parse::<i32>().ok();
        if self.bytes.get(self.at) == Some(&b' ') {
            self.at += 1;
        }
        self.word(&name, number);
        self.starred = false;
    }

    fn word(&mut self, name: &str, number: Option<i32>) {
        if name != "u" && name != "bin" {
            self.decode();
        }
        let value = number.unwrap_or(1);
        match name {
            "par" | "sect" | "page" if self.group.place == Place::Body => self.paragraph(),
            "line" | "softline" => self.put("\n"),
            "tab" => self.put("\t"),
            "cell" | "nestcell" if self.group.place == Place::Body => {
                let cell = std::mem::take(&mut self.line);
                self.row.push(cell);
            }
            "row" | "nestrow" => {
                let row = std::mem::take(&mut self.row);
                self.rows.push(row);
            }
            "pard" => {
                self.group.outline = None;
                self.group.in_table = false;
                self.group.in_list = false;
            }
            "intbl" => self.group.in_table = true,
            "ls" => self.group.in_list = value > 0,
            "outlinelevel" => self.group.outline = usize::try_from(value).ok().filter(|level| *level < 9),
            "plain" => self.group.hidden = false,
            "v" => self.group.hidden = number != Some(0),
            "u" => self.unicode(value),
            "uc" => self.group.fallback = usize::try_from(value).unwrap_or(1).min(16),
            "bin" => self.at = self.at.saturating_add(usize::try_from(value).unwrap_or(0)),
            "f" => self.group.font = value,
            "fcharset" if self.group.place == Place::FontTable => {
                if let Some(encoding) = charset(value) {
                    self.fonts.insert(self.group.font, encoding);
                }
            }
            "ansicpg" => self.code_page = code_page(value).or(self.code_page),
            "mac" => self.code_page = Encoding::for_label(b"macintosh"),
            "yr" | "mo" | "dy" | "hr" | "min" | "sec" if self.group.place == Place::Created => {
                let at = ["yr", "mo", "dy", "hr", "min", "sec"].iter().position(|part| *part == name).unwrap_or(0);
                self.date[at] = value;
            }
            _ => self.named(name),
        }
    }

    /// Signs by name, and words that open a destination.
    fn named(&mut self, name: &str) {
        const SIGNS: &[(&str, &str)] = &[
            ("emdash", "—"),
            ("endash", "–"),
            ("lquote", "‘"),
            ("rquote", "’"),
            ("ldblquote", "“"),
            ("rdblquote", "”"),
            ("bullet", "•"),
            ("emspace", " "),
            ("enspace", " "),
            ("qmspace", " "),
            ("zwj", "\u{200d}"),
            ("zwnj", "\u{200c}"),
        ];
        const PLACES: &[(&str, Place)] = &[
            ("fonttbl", Place::FontTable),
            ("info", Place::Skip),
            ("title", Place::Title),
            ("author", Place::Author),
            ("subject", Place::Subject),
            ("keywords", Place::Keywords),
            ("creatim", Place::Created),
        ];
        if let Some((_, sign)) = SIGNS.iter().find(|(known, _)| *known == name) {
            self.put(sign);
        } else if let Some((_, place)) = PLACES.iter().find(|(known, _)| *known == name) {
            self.group.place = *place;
        } else if SKIPPED.contains(&name) {
            self.group.place = Place::Skip;
        } else if self.starred
            && !matches!(name, "shppict" | "shpinst" | "shptxt" | "footnote" | "ud" | "upr" | "cs" | "ds")
        {
            // A starred destination that we do not know says of itself that it may be skipped.
            self.group.place = Place::Skip;
        } else if name == "footnote" {
            self.put(" ");
        }
    }

    fn unicode(&mut self, value: i32) {
        let unit = if value < 0 { value + 0x1_0000 } else { value } as u32;
        self.decode();
        let character = match (self.high.take(), unit) {
            (_, 0xd800..=0xdbff) => {
                self.high = Some(unit);
                None
            }
            (Some(high), 0xdc00..=0xdfff) => char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (unit - 0xdc00)),
            // Symbol fonts put their signs into the private area.
            (_, 0xf020..=0xf0ff) => Some('•'),
            _ => char::from_u32(unit),
        };
        if let Some(character) = character {
            self.put(character.encode_utf8(&mut [0; 4]));
        }
        self.skip = self.group.fallback;
    }

    fn byte(&mut self, byte: u8) {
        if self.skip > 0 {
            self.skip -= 1;
        } else if self.group.place != Place::Skip && self.group.place != Place::FontTable && !self.group.hidden {
            self.raw.push(byte);
        }
    }

    /// Decodes what came as bytes; a two-byte character may have come as two escapes.
    fn decode(&mut self) {
        if self.raw.is_empty() {
            return;
        }
        let raw = std::mem::take(&mut self.raw);
        let encoding = self.fonts.get(&self.group.font).copied().or(self.code_page);
        let text = match encoding {
            Some(encoding) => encoding.decode_without_bom_handling(&raw).0.into_owned(),
            None => text::decode(&raw),
        };
        self.put(&text);
    }

    fn put(&mut self, text: &str) {
        match self.group.place {
            Place::Body if !self.group.hidden => self.line.push_str(text),
            Place::Body | Place::Skip | Place::FontTable | Place::Created => {}
            place => self.fields.entry(place as u8).or_default().push_str(text),
        }
    }

    fn paragraph(&mut self) {
        if self.group.in_table {
            self.line.push(' ');
            return;
        }
        self.end_table();
        let line = std::mem::take(&mut self.line);
        let line = line.trim();
        match self.group.outline {
            Some(level) if !line.is_empty() => self.out.heading(level + 1, &markdown::escape(line)),
            _ if self.group.in_list => self.out.item(0, "-", &markdown::escape(line)),
            _ => self.out.paragraph(&markdown::escape(line)),
        }
    }

    fn end_table(&mut self) {
        if !self.row.is_empty() {
            let row = std::mem::take(&mut self.row);
            self.rows.push(row);
        }
        self.out.table(&self.rows);
        self.rows.clear();
    }
}

//! The content stream interpreter: text operators, the matrices they stand on, and forms; all that paints is skipped.

use super::fonts::{Fonts, TextFont};
use super::layout::Glyph;
use super::matrix::Matrix;
use hayro_syntax::content::TypedIter;
use hayro_syntax::content::ops::TypedInstruction as Op;
use hayro_syntax::object::{Array, Dict, Name, Object, Stream, String as PdfString};
use hayro_syntax::page::Resources;
use std::rc::Rc;

/// Forms inside forms, no deeper.
const NESTING_MAX: usize = 12;
/// Operators of one page, forms counted each time they are shown: beyond it is a bomb, not a page.
const OPERATORS_MAX: usize = 20_000_000;

#[derive(Clone)]
struct State<'a> {
    ctm: Matrix,
    font: Option<Rc<TextFont<'a>>>,
    size: f64,
    char_space: f64,
    word_space: f64,
    scale: f64,
    leading: f64,
    rise: f64,
}

/// What `BDC` opened: text that stands for what is shown, or nothing special.
struct Marked {
    replacement: Option<String>,
}

/// Walks over the content of one page and collects its glyphs.
pub(super) struct Interpreter<'f, 'a> {
    fonts: &'f mut Fonts<'a>,
    glyphs: Vec<Glyph>,
    bounds: [f64; 4],
    left: usize,
    bytes_left: usize,
    nesting: usize,
}

impl<'f, 'a> Interpreter<'f, 'a> {
    pub(super) fn new(fonts: &'f mut Fonts<'a>, bounds: [f64; 4], text_bytes_max: usize) -> Self {
        // Drawn text outside the page and twice-drawn text are dropped later, hence some slack.
        let bytes_left = text_bytes_max.saturating_mul(4).max(1 << 16);
        Self { fonts, glyphs: Vec::new(), bounds, left: OPERATORS_MAX, bytes_left, nesting: 0 }
    }

    pub(super) fn finish(self) -> Vec<Glyph> {
        self.glyphs
    }

    /// Runs a content stream whose coordinates `ctm` brings to the page.
    pub(super) fn run(&mut self, content: &[u8], resources: &Resources<'a>, ctm: Matrix) {
        let first =
            State { ctm, font: None, size: 0.0, char_space: 0.0, word_space: 0.0, scale: 1.0, leading: 0.0, rise: 0.0 };
        let mut run = Run {
            states: Vec::new(),
            state: first,
            text: Matrix::IDENTITY,
            line: Matrix::IDENTITY,
            marked: Vec::new(),
        };
        let mut operators = TypedIter::new(content);
        while let Some(operator) = operators.next() {
            self.left = self.left.saturating_sub(1);
            if self.left == 0 || self.bytes_left == 0 {
                return;
            }
            self.step(&operator, &mut run, resources);
        }
    }

    /// Shows a form (an XObject or an appearance).
    pub(super) fn form(&mut self, stream: &Stream<'a>, outer: &Resources<'a>, ctm: Matrix) {
        let dict = stream.dict();
        if self.nesting >= NESTING_MAX || dict.get::<Name<'_>>("Subtype").is_some_and(|kind| kind.as_ref() != b"Form") {
            return;
        }
        let Ok(content) = stream.decoded() else { return };
        let own = dict.get::<[f64; 6]>("Matrix").map_or(Matrix::IDENTITY, Matrix);
        let resources = dict.get::<Dict<'_>>("Resources").map_or_else(|| outer.clone(), Resources::new);
        self.nesting += 1;
        self.run(&content, &resources, own.then(ctm));
        self.nesting -= 1;
    }

    fn step(&mut self, operator: &Op<'_, '_>, run: &mut Run<'a>, resources: &Resources<'a>) {
        match operator {
            Op::SaveState(_) if run.states.len() < 4096 => run.states.push(run.state.clone()),
            Op::RestoreState(_) => run.state = run.states.pop().unwrap_or_else(|| run.state.clone()),
            Op::Transform(m) => {
                run.state.ctm = Matrix([&m.0, &m.1, &m.2, &m.3, &m.4, &m.5].map(|n| n.as_f64())).then(run.state.ctm);
            }
            Op::BeginText(_) => {
                run.text = Matrix::IDENTITY;
                run.line = Matrix::IDENTITY;
            }
            Op::SetTextMatrix(m) => {
                run.line = Matrix([&m.0, &m.1, &m.2, &m.3, &m.4, &m.5].map(|n| n.as_f64()));
                run.text = run.line;
            }
            Op::NextLine(by) => run.next_line(by.0.as_f64(), by.1.as_f64()),
            Op::NextLineAndSetLeading(by) => {
                run.state.leading = -by.1.as_f64();
                run.next_line(by.0.as_f64(), by.1.as_f64());
            }
            Op::NextLineUsingLeading(_) => run.next_line(0.0, -run.state.leading),
            Op::CharacterSpacing(n) => run.state.char_space = n.0.as_f64(),
            Op::WordSpacing(n) => run.state.word_space = n.0.as_f64(),
            Op::HorizontalScaling(n) => run.state.scale = n.0.as_f64() / 100.0,
            Op::TextLeading(n) => run.state.leading = n.0.as_f64(),
            Op::TextRise(n) => run.state.rise = n.0.as_f64(),
            Op::TextFont(font) => {
                run.state.font = resources.get_font(font.0).and_then(|dict| self.fonts.get(&dict));
                run.state.size = font.1.as_f64();
            }
            Op::SetGraphicsState(name) => {
                self.graphics_state(resources.get_ext_g_state(name.0), run);
            }
            Op::ShowText(text) => self.show(text.0.as_bytes(), run),
            Op::NextLineAndShowText(text) => {
                run.next_line(0.0, -run.state.leading);
                self.show(text.0.as_bytes(), run);
            }
            Op::ShowTextWithParameters(text) => {
                run.state.word_space = text.0.as_f64();
                run.state.char_space = text.1.as_f64();
                run.next_line(0.0, -run.state.leading);
                self.show(text.2.as_bytes(), run);
            }
            Op::ShowTexts(parts) => self.show_parts(parts.0, run),
            Op::XObject(name) => {
                if let Some(stream) = resources.get_x_object(name.0) {
                    let subtype = stream.dict().get::<Name<'_>>("Subtype");
                    if subtype.is_some_and(|subtype| subtype.as_ref() == b"Form") {
                        self.form(&stream, resources, run.state.ctm);
                    }
                }
            }
            Op::BeginMarkedContent(_) => run.marked.push(Marked { replacement: None }),
            Op::BeginMarkedContentWithProperties(content) => {
                let replacement = replacement(content.1, resources);
                run.marked.push(Marked { replacement });
            }
            Op::EndMarkedContent(_) => {
                run.marked.pop();
            }
            _ => {}
        }
    }

    /// A graphics state may set a font (PDF 32000-1, 8.4.5).
    fn graphics_state(&mut self, dict: Option<Dict<'a>>, run: &mut Run<'a>) -> Option<()> {
        let font = dict?.get::<Array<'a>>("Font")?;
        let mut parts = font.flex_iter();
        let (font, size) = (parts.next::<Dict<'a>>()?, parts.next::<f64>()?);
        run.state.font = self.fonts.get(&font);
        run.state.size = size;
        Some(())
    }

    fn show_parts(&mut self, parts: &Array<'_>, run: &mut Run<'a>) {
        for part in parts.iter::<Object<'_>>() {
            match part {
                Object::String(text) => self.show(text.as_bytes(), run),
                Object::Number(number) => {
                    let by = -number.as_f64() / 1000.0 * run.state.size;
                    let vertical = run.state.font.as_ref().is_some_and(|font| !font.font.is_horizontal());
                    let (x, y) = if vertical { (0.0, by) } else { (by * run.state.scale, 0.0) };
                    run.text = Matrix::translate(x, y).then(run.text);
                }
                _ => {}
            }
        }
    }

    fn show(&mut self, bytes: &[u8], run: &mut Run<'a>) {
        let Some(font) = run.state.font.clone() else { return };
        let mut at = 0;
        while at < bytes.len() {
            let (code, length) = font.font.read_code(bytes, at);
            let length = length.max(1);
            at += length;
            let state = &run.state;
            let advance = font.font.code_advance(code);
            let word_space = if length == 1 && code == 32 { state.word_space } else { 0.0 };
            let (glyph, step) = if font.font.is_horizontal() {
                let width = advance.x / 1000.0 * state.size;
                ((width * state.scale, 0.0), ((width + state.char_space + word_space) * state.scale, 0.0))
            } else {
                let height = advance.y / 1000.0 * state.size;
                ((0.0, height), (0.0, height + state.char_space + word_space))
            };
            let text = run.replaced().unwrap_or_else(|| font.text(code, length).unwrap_or_default());
            self.add(text, glyph, &font, run);
            run.text = Matrix::translate(step.0, step.1).then(run.text);
        }
    }

    fn add(&mut self, text: String, advance: (f64, f64), font: &TextFont<'_>, run: &Run<'_>) {
        let state = &run.state;
        let whole = run.text.then(state.ctm);
        let from = whole.apply(0.0, state.rise);
        let to = whole.apply(advance.0, state.rise + advance.1);
        let up = (whole.0[2] * state.size, whole.0[3] * state.size);
        let mut size = libm::hypot(up.0, up.1);
        if font.drawn {
            // The unit of a drawn font is anybody's; its letters tell: a mean one is about half as wide as high.
            let letters =
                (b'a'..=b'z').map(|code| font.font.code_advance(u32::from(code)).x).filter(|width| *width > 0.0);
            let (count, sum) = letters.fold((0.0, 0.0), |(count, sum), width| (count + 1.0, sum + width));
            let mean = if count > 0.0 { sum / count } else { 500.0 };
            size *= mean / 1000.0 / 0.5;
        }
        let sound = [from.0, from.1, to.0, to.1, size].iter().all(|number| number.is_finite());
        let [x0, y0, x1, y1] = self.bounds;
        let on_page =
            from.0.max(to.0) + size >= x0 && from.0.min(to.0) <= x1 && from.1 + size >= y0 && from.1 - size <= y1;
        if text.is_empty() || !sound || size < 1e-3 || !on_page {
            return;
        }
        self.bytes_left = self.bytes_left.saturating_sub(text.len());
        // A glyph without width has no direction of its own: take that of the line.
        let along = whole.apply(if state.size * state.scale < 0.0 { -1.0 } else { 1.0 }, 0.0);
        let origin = whole.apply(0.0, 0.0);
        let direction =
            if advance.1 != 0.0 { (to.0 - from.0, to.1 - from.1) } else { (along.0 - origin.0, along.1 - origin.1) };
        self.glyphs.push(Glyph { text, from, to, direction, size });
    }
}

/// The text that marked content says it stands for (PDF 32000-1, 14.9.4).
fn replacement(properties: &Object<'_>, resources: &Resources<'_>) -> Option<String> {
    let text = match properties {
        Object::Dict(dict) => dict.get::<PdfString<'_>>("ActualText").map(|text| text.as_bytes().to_vec()),
        Object::Name(name) => {
            let dict = resources.properties.get::<Dict<'_>>(name.as_ref())?;
            dict.get::<PdfString<'_>>("ActualText").map(|text| text.as_bytes().to_vec())
        }
        _ => None,
    };
    text.map(|bytes| super::text_string(&bytes))
}

struct Run<'a> {
    states: Vec<State<'a>>,
    state: State<'a>,
    text: Matrix,
    line: Matrix,
    marked: Vec<Marked>,
}

impl Run<'_> {
    fn next_line(&mut self, x: f64, y: f64) {
        self.line = Matrix::translate(x, y).then(self.line);
        self.text = self.line;
    }

    /// Inside a replacement the first glyph carries all its text and the others none.
    fn replaced(&mut self) -> Option<String> {
        self.marked.iter_mut().find_map(|marked| marked.replacement.as_mut()).map(std::mem::take)
    }
}

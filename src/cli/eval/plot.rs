//! Precision against coverage, drawn: how much is filed by itself, and how much of that rightly.

use std::{fmt::Write, path::Path};

use crate::{cli::setup::at, domain::classify::Point, rpc::Result};

/// The picture and the area of the curve in it.
const SIZE: (f64, f64) = (720.0, 440.0);
const AREA: (f64, f64, f64, f64) = (70.0, 60.0, 620.0, 310.0);

/// Draws the curve into a file; `now` is what the threshold in force leads to.
pub(super) fn draw(path: &Path, points: &[Point], precision: f64, now: Option<Point>) -> Result<()> {
    std::fs::write(path, picture(points, precision, now)).map_err(at(path))
}

/// Where a share lies in the picture.
struct Scale {
    floor: f64,
}

impl Scale {
    fn x(&self, coverage: f64) -> f64 {
        AREA.0 + coverage * AREA.2
    }

    fn y(&self, precision: f64) -> f64 {
        AREA.1 + (1.0 - (precision - self.floor) / (1.0 - self.floor)) * AREA.3
    }
}

fn picture(points: &[Point], precision: f64, now: Option<Point>) -> String {
    let lowest = points.iter().map(|point| point.precision).fold(precision, f64::min);
    // In steps of a tenth below what is there, so that the curve fills the area.
    let floor = ((lowest * 10.0).floor() / 10.0).clamp(0.0, 0.8);
    let scale = Scale { floor };
    let (x, y) = (|share| scale.x(share), |share| scale.y(share));
    let (left, _, width, _) = AREA;
    let mut svg = frame(&scale);
    let wanted = y(precision);
    let _ = writeln!(
        svg,
        "<line x1=\"{left}\" y1=\"{wanted:.1}\" x2=\"{:.1}\" y2=\"{wanted:.1}\" stroke=\"#2a8a4a\" stroke-dasharray=\"6 4\"/>",
        left + width
    );
    let mut steps = String::new();
    for point in points {
        let _ = write!(steps, "{:.1},{:.1} ", x(point.coverage), y(point.precision));
    }
    let _ = writeln!(
        svg,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"#2457a7\" stroke-width=\"2.5\"/>",
        steps.trim_end()
    );
    let proposed = points.iter().rfind(|point| point.precision >= precision);
    // Below their points, where a falling curve leaves room.
    let marks = [(now, "#c4512b", "now", 34.0), (proposed.copied(), "#2a8a4a", "proposed", 18.0)];
    for (point, colour, name, below) in marks.into_iter().filter_map(|(point, a, b, c)| Some((point?, a, b, c))) {
        let (at, up) = (x(point.coverage), y(point.precision));
        // Near the right edge the words go to the left of their point.
        let (anchor, beside) = if point.coverage > 0.6 { ("end", -8.0) } else { ("start", 8.0) };
        let _ = write!(
            svg,
            "<circle cx=\"{at:.1}\" cy=\"{up:.1}\" r=\"5\" fill=\"{colour}\"/>\n\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\" fill=\"{colour}\">{name}: from {:.0} % on, {:.0} % by itself, {:.0} % rightly</text>\n",
            at + beside,
            up + below,
            point.threshold * 100.0,
            point.coverage * 100.0,
            point.precision * 100.0
        );
    }
    svg + "</svg>\n"
}

/// The title, the lines and their figures.
fn frame(scale: &Scale) -> String {
    let (left, top, width, height) = AREA;
    let (x, y, floor) = (|share| scale.x(share), |share| scale.y(share), scale.floor);
    let mut svg = String::new();
    let (w, h) = SIZE;
    let _ = write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {w} {h}\" width=\"{w}\" height=\"{h}\" font-family=\"sans-serif\" \
         font-size=\"13\" fill=\"#333\">\n<rect width=\"{w}\" height=\"{h}\" fill=\"#fff\"/>\n\
         <text x=\"{left}\" y=\"28\" font-size=\"17\" font-weight=\"bold\">How much emm files by itself, and how much of that rightly</text>\n"
    );
    let mut line = floor;
    while line < 1.0 + 1e-9 {
        let at = y(line);
        let _ = write!(
            svg,
            "<line x1=\"{left}\" y1=\"{at:.1}\" x2=\"{:.1}\" y2=\"{at:.1}\" stroke=\"#e4e4e4\"/>\n\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{:.0} %</text>\n",
            left + width,
            left - 8.0,
            at + 4.0,
            line * 100.0
        );
        line += 0.1;
    }
    for share in 0..=5_u8 {
        let share = f64::from(share) / 5.0;
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{:.0} %</text>",
            x(share),
            top + height + 20.0,
            share * 100.0
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">filed by itself</text>\n\
         <text transform=\"translate(20 {:.1}) rotate(-90)\" text-anchor=\"middle\">of that rightly</text>",
        left + width / 2.0,
        top + height + 44.0,
        top + height / 2.0
    );
    svg
}

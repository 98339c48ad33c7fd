//! Numbers of spreadsheets as people read them: dates from serial numbers, fifteen digits of a fraction.

use super::super::date;

/// A stored number with at most fifteen significant digits, which is what spreadsheets keep; other text as it is.
pub(in super::super) fn general(stored: &str) -> String {
    let stored = stored.trim();
    let digits = stored.chars().filter(char::is_ascii_digit).count();
    match stored.parse::<f64>() {
        Ok(number) if number.is_finite() && (digits > 15 || stored.contains(['e', 'E'])) => shorten(number),
        _ => stored.to_owned(),
    }
}

fn shorten(number: f64) -> String {
    // Rounded in the decimal form, then printed by the shortest form that reads back the same.
    let rounded = format!("{number:.14e}").parse::<f64>().unwrap_or(number);
    if rounded == 0.0 || (1e-9..1e15).contains(&rounded.abs()) { rounded.to_string() } else { format!("{rounded:e}") }
}

/// The number of a spreadsheet cell.
pub(in super::super) fn number(value: f64) -> String {
    if value.is_finite() { shorten(value) } else { String::new() }
}

/// What a serial date shows: a date, a time, or both. Day 1 is 1900-01-01 with a 29 February 1900 that never was, or,
/// in workbooks from old Macintoshes, day 0 is 1904-01-01.
pub(in super::super) fn date_of(serial: f64, since_1904: bool) -> Option<String> {
    if !(0.0..2_958_466.0).contains(&serial) {
        return None;
    }
    let seconds = libm::round(serial * 86_400.0) as i64;
    let (mut days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let time = format!("{:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60);
    if days == 0 && !since_1904 {
        return Some(time);
    }
    days += if since_1904 { 1462 } else { i64::from(days < 60) };
    let (year, month, day) = date::civil(days - 25_569)?;
    let date = format!("{year:04}-{month:02}-{day:02}");
    Some(if rest == 0 { date } else { format!("{date} {time}") })
}

/// Whether a number format shows a date or a time: built-in 14-22 and 45-47, the East Asian 27-36 and 50-58, or a
/// code with date letters outside quotes and brackets.
pub(in super::super) fn is_date(id: u32, code: Option<&str>) -> bool {
    let Some(code) = code else { return matches!(id, 14..=22 | 27..=36 | 45..=47 | 50..=58) };
    let (mut quoted, mut bracket, mut escaped) = (false, false, false);
    for character in code.chars() {
        match character {
            _ if escaped => escaped = false,
            '\\' | '_' | '*' => escaped = true,
            '"' => quoted = !quoted,
            '[' => bracket = true,
            ']' => bracket = false,
            ';' if !quoted => return false,
            'y' | 'Y' | 'm' | 'M' | 'd' | 'D' | 'h' | 'H' | 's' if !quoted && !bracket => return true,
            // `[h]:mm` counts hours: the letters stand alone in brackets.
            'h' | 'H' if bracket => return true,
            _ => {}
        }
    }
    false
}

//! Dates as documents write them, brought to `YYYY-MM-DD` or `YYYY-MM-DDTHH:MM:SS`.

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// Reads ISO 8601, PDF (`D:20240102030405+01'00'`), EXIF (`2024:01:02 03:04:05`) and mail dates
/// (`Tue, 2 Jan 2024 03:04:05 +0100`). The time stays the one that was written; its zone is dropped.
pub(super) fn normal(written: &str) -> Option<String> {
    let written = written.trim();
    let digits = written.strip_prefix("D:").unwrap_or(written);
    if let Some(run) = leading_digits(digits).filter(|run| run.len() >= 8) {
        let part = |from: usize, to: usize| run.get(from..to).and_then(|text| text.parse().ok());
        let time = part(8, 10).zip(part(10, 12)).map(|(hour, minute)| (hour, minute, part(12, 14).unwrap_or(0)));
        return format(part(0, 4)?, part(4, 6)?, part(6, 8)?, time);
    }
    let mut fields = written.split(|character: char| !character.is_alphanumeric()).filter(|field| !field.is_empty());
    let first = fields.next()?;
    if first.len() == 4
        && let Ok(year) = first.parse()
    {
        let month = fields.next()?.parse().ok()?;
        let day_field = fields.next()?;
        // `2024-01-02T03:04:05Z`: the letter T hides inside the field.
        let (day, hour) = match day_field.split_once(['T', 't']) {
            Some((day, hour)) => (day, Some(hour)),
            None => (day_field, fields.next()),
        };
        return format(year, month, day.parse().ok()?, time(hour, fields.next(), fields.next()));
    }
    // A mail date may start with the name of the day.
    let day: u32 = match first.parse() {
        Ok(day) => day,
        Err(_) => fields.next()?.parse().ok()?,
    };
    let name: String = fields.next()?.chars().take(3).collect::<String>().to_lowercase();
    let month = MONTHS.iter().position(|month| *month == name)? as u32 + 1;
    let year: u32 = fields.next()?.parse().ok()?;
    let year = if year < 100 { 1900 + year + if year < 70 { 100 } else { 0 } } else { year };
    format(year, month, day, time(fields.next(), fields.next(), fields.next()))
}

fn time(hour: Option<&str>, minute: Option<&str>, second: Option<&str>) -> Option<(u32, u32, u32)> {
    let number = |field: Option<&str>| leading_digits(field?).and_then(|run| run.parse::<u32>().ok());
    Some((number(hour)?, number(minute)?, number(second).unwrap_or(0)))
}

fn leading_digits(text: &str) -> Option<&str> {
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    text.get(..end).filter(|run| !run.is_empty())
}

fn format(year: u32, month: u32, day: u32, time: Option<(u32, u32, u32)>) -> Option<String> {
    let sound = (1..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    if !sound {
        return None;
    }
    match time {
        Some((hour, minute, second)) if hour < 24 && minute < 60 && second < 61 => {
            Some(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"))
        }
        _ => Some(format!("{year:04}-{month:02}-{day:02}")),
    }
}

/// The UTC date and time of a number of seconds since 1970 (days by the proleptic Gregorian calendar).
pub(super) fn from_unix(seconds: i64) -> Option<String> {
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400) as u32);
    let (year, month, day) = civil(days)?;
    format(year, month, day, Some((rest / 3600, rest / 60 % 60, rest % 60)))
}

/// The date of a number of days since 1970-01-01, by counting 400-year eras that start on a first of March.
pub(super) fn civil(days: i64) -> Option<(u32, u32, u32)> {
    let shifted = days.checked_add(719_468)?;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    Some((u32::try_from(year).ok()?, u32::try_from(month).ok()?, u32::try_from(day).ok()?))
}

/// The UTC date and time of a Windows FILETIME (100 ns since 1601); none for zero.
pub(super) fn from_filetime(ticks: u64) -> Option<String> {
    let seconds = i64::try_from(ticks / 10_000_000).ok()? - 11_644_473_600;
    if ticks == 0 || seconds < -11_000_000_000 { None } else { from_unix(seconds) }
}

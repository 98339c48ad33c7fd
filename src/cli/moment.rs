//! Moments as people type them: an age, a date, or RFC 3339.

use std::str::FromStr;

use jiff::{Timestamp, civil, tz::TimeZone};

/// A moment in the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Since(pub Timestamp);

/// What `30m` and its like stand for, in seconds.
const UNITS: [(&str, i64); 5] = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400), ("w", 604_800)];

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(age) = age_seconds(text) {
            let then = Timestamp::now().as_second().saturating_sub(age);
            return Timestamp::from_second(then).map(Since).map_err(|error| error.to_string());
        }
        if let Ok(moment) = text.parse::<Timestamp>() {
            return Ok(Since(moment));
        }
        // A date or a time without a zone is meant where its writer is.
        let local = text.parse::<civil::DateTime>().or_else(|_| text.parse::<civil::Date>().map(civil::Date::into));
        local
            .and_then(|local| local.to_zoned_datetime(TimeZone::system()))
            .map(|zoned| Since(zoned.timestamp()))
            .map_err(|_| "write an age (30m, 1h, 2d), a date (2026-01-31) or RFC 3339 (2026-01-31T12:00:00Z)".into())
    }
}

fn age_seconds(text: &str) -> Option<i64> {
    let (unit, seconds) = UNITS.iter().find(|(unit, _)| text.ends_with(unit))?;
    text.strip_suffix(unit)?.parse::<u32>().ok().map(|count| i64::from(count) * seconds)
}

/// A moment of the journal as the clock on the wall shows it.
pub(super) fn local(stamp: &str) -> String {
    match stamp.parse::<Timestamp>() {
        Ok(moment) => moment.to_zoned_datetime(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => stamp.to_owned(),
    }
}

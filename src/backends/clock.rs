//! The clock, injected, so that what is written never depends on when a test runs.

use jiff::Timestamp;

/// What time it is.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The clock of the machine.
    System,
    /// One moment for ever.
    Fixed(Timestamp),
}

impl Clock {
    /// Now.
    pub fn now(&self) -> Timestamp {
        match self {
            Clock::System => Timestamp::now(),
            Clock::Fixed(moment) => *moment,
        }
    }

    /// Now in UTC, RFC 3339, to the millisecond.
    pub fn stamp(&self) -> String {
        self.now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
    }

    /// Today in UTC, `YYYY-MM-DD`.
    pub fn today(&self) -> String {
        self.now().strftime("%Y-%m-%d").to_string()
    }
}

//! What names in the inbox mean: hints for filing, folders that are one thing, files that are nobody's document.

mod hints;
mod ignore;
mod one_thing;

pub use hints::{Hints, hints, is_hint};
pub use ignore::{DEFAULT_IGNORES, Ignores, matches};
pub use one_thing::{Name, companion, one_thing};

//! Johnny.Decimal: `jd.yaml` as a structure, and all that follows from its numbers.
//!
//! [`lint`] reads the text and is the only way in: a [`Structure`] comes out if nothing is an error, so whoever holds
//! one may rely on well-formed codes in numeric order, each under its parent. [`fix`] and [`insert_id`] patch the
//! owner's text and check their own work with [`lint`]. Which places receive content is the business of `zeros`, where
//! the decisions on the standard zeros stand.
//!
//! ```yaml
//! "10-19":
//!   name: Life admin
//!   categories:
//!     "11": Me                      # short form: the name
//!     "12":
//!       name: Home
//!       keywords: [rent, Miete]
//!       ids:
//!         "12.11": Contracts        # short form: the title
//!         "12.12": {title: Repairs, examples: [Invoice of the plumber]}
//! ```

mod code;
mod eaten;
mod fields;
mod finding;
mod fix;
mod insert;
mod lint;
mod model;
mod order;
mod places;
mod read;
mod tree;
mod yaml;
mod zeros;

pub use code::{Level, category_of, leading_code, level};
pub use finding::{Finding, Report, Rule, Severity};
pub use fix::fix;
pub use insert::{InsertError, insert_id};
pub use lint::lint;
pub use model::{About, Area, Category, Id, Place, Structure};
pub use tree::tree;
pub use zeros::{Receives, Zero, is_header, is_management, zero};

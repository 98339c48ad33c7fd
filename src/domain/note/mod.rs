//! The note room: how files are named, what properties they carry, and how a note is written or an owner's note is
//! added to.
//!
//! Everything here is pure: text in, text out. Three rules hold in every file: the owner's bytes are only ever added
//! to, never rewritten; what comes from a document is never live (it cannot run, embed, tag or link into the vault); the
//! same input gives the same bytes.

mod contents;
mod defuse;
mod describe;
mod diff;
mod front_matter;
mod name;
mod obsidian;
mod patch;
mod properties;
mod render;
mod scan;
mod title;
mod yaml;

pub use contents::{describe_folder, folder_contents};
pub use defuse::{TextFormat, defuse};
pub use describe::{DESCRIPTION_CHARS_MAX, describe};
pub use diff::unified_diff;
pub use front_matter::{Found, FrontMatter, FrontMatterError, add_missing, read_front_matter};
pub use name::{
    NAME_BYTES_MAX, NameError, check_name, collision_key, note_file_name, safe_name, split_extension, with_suffix,
};
pub use obsidian::{LinkFormat, VaultStyle, opt_out};
pub use patch::{Insertion, Patch, PatchError};
pub use properties::{Property, Value, date_value, note_properties, tag, tag_for_code};
pub use render::{NoteInput, render};
pub use title::title_for;
pub use yaml::{property_lines, scalar};

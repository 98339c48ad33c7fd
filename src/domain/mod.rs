//! Pure types and rules: no async, no I/O, no clock, and the same bits on every machine.

pub mod classify;
pub mod custody;
pub mod extract;
pub mod inbox;
pub mod jd;
pub mod mirror;
pub mod note;
pub mod opinion;
pub mod secret;
pub mod text;

//! The services: each a leaf that answers its tools over pure logic and backends; none imports another.

pub mod content_classifier;
pub mod file_system;
pub mod jd_classifier;

mod blocking;
mod faults;

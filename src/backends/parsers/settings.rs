//! The `[parsers]` table of the configuration.

use serde::{Deserialize, Serialize};

use crate::domain::extract::Limits;

/// Limits of the pool and of the reading of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Children that live at most at one time; each reads one file at a time. At least 1.
    pub children_max: usize,
    /// Private memory of a child (`RLIMIT_DATA`), in bytes; a file that needs more is quarantined.
    pub memory_bytes_max: u64,
    /// CPU time for one file, in whole seconds, as the kernel counts them; up to one second more is granted.
    pub cpu_seconds_max: u64,
    /// Time on the clock for one file, in milliseconds; then the child is killed.
    pub wall_ms_max: u64,
    /// Time a fresh child may take until it answers, in milliseconds.
    pub start_ms_max: u64,
    /// A child that had nothing to do for so long is ended, in milliseconds.
    pub idle_ms: u64,
    /// A child is replaced after so many files, so that what a parser leaks stays small. At least 1.
    pub files_per_child: u32,
    /// Text kept of one document, in bytes; the rest is cut off and `truncated` is set.
    pub text_bytes_max: usize,
    /// What a document may unpack to in memory, in bytes.
    pub unpacked_bytes_max: u64,
    /// The biggest PDF, office document or mail that is read, in bytes; of text and archives the size does not matter.
    pub document_bytes_max: u64,
    /// Whether images without text are read by `tesseract`, if it is installed.
    pub ocr: bool,
    /// Languages for tesseract, by its own names; those that are not installed are left out.
    pub ocr_languages: Vec<String>,
    /// Time on the clock, and CPU time, for the recognition of one image, in milliseconds.
    pub ocr_ms_max: u64,
    /// Size up to which an image is given to tesseract, in bytes.
    pub ocr_bytes_max: u64,
}

impl Settings {
    /// A short name of those settings that change what comes out of a document.
    pub(super) fn means(&self) -> String {
        let Settings { text_bytes_max, unpacked_bytes_max, document_bytes_max, ocr, ocr_languages, .. } = self;
        let (ocr_ms_max, ocr_bytes_max) = (self.ocr_ms_max, self.ocr_bytes_max);
        let sizes = format!("{text_bytes_max} {unpacked_bytes_max} {document_bytes_max}");
        let means = format!("{sizes} {ocr} {ocr_languages:?} {ocr_ms_max} {ocr_bytes_max}");
        blake3::hash(means.as_bytes()).to_hex().chars().take(16).collect()
    }

    /// What the readers are told.
    pub(super) fn limits(&self) -> Limits {
        Limits {
            text_bytes_max: self.text_bytes_max,
            document_bytes_max: self.document_bytes_max,
            unpacked_bytes_max: self.unpacked_bytes_max,
        }
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            children_max: 2,
            memory_bytes_max: 1 << 30,
            cpu_seconds_max: 60,
            wall_ms_max: 90_000,
            start_ms_max: 10_000,
            idle_ms: 30_000,
            files_per_child: 500,
            text_bytes_max: 4 << 20,
            unpacked_bytes_max: 256 << 20,
            document_bytes_max: 256 << 20,
            ocr: true,
            ocr_languages: ["eng", "deu", "rus", "chi_sim"].map(str::to_owned).to_vec(),
            ocr_ms_max: 60_000,
            ocr_bytes_max: 64 << 20,
        }
    }
}

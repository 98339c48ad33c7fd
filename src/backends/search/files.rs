//! Names and lives of the index files in their folder.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Endings that SQLite puts behind a database's name.
const SIDES: &[&str] = &["", "-wal", "-shm", "-journal"];

/// The finished file of a generation.
pub(super) fn finished(folder: &Path, generation: u64) -> PathBuf {
    folder.join(format!("index-{generation}.sqlite"))
}

/// The file of a generation while it is being built.
pub(super) fn building(folder: &Path, generation: u64) -> PathBuf {
    folder.join(format!("index-{generation}.building"))
}

/// The file whose presence says that a generation was found to be damaged while in use.
pub(super) fn damaged(folder: &Path, generation: u64) -> PathBuf {
    folder.join(format!("index-{generation}.damaged"))
}

/// The newest finished generation, if there is one.
pub(super) fn newest(folder: &Path) -> io::Result<Option<u64>> {
    let mut newest = None;
    for entry in fs::read_dir(folder)? {
        newest = newest.max(entry?.file_name().to_str().and_then(|name| generation(name, ".sqlite")));
    }
    Ok(newest)
}

fn generation(name: &str, ending: &str) -> Option<u64> {
    name.strip_prefix("index-")?.strip_suffix(ending)?.parse().ok()
}

/// Removes all index files but those of `keep`: leftovers of a crash. Names that are not ours stay.
pub(super) fn clear(folder: &Path, keep: Option<u64>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let ours = [".sqlite", ".building"]
            .iter()
            .flat_map(|ending| SIDES.iter().map(move |side| format!("{ending}{side}")))
            .chain([".damaged".to_owned()])
            .find_map(|ending| generation(name, &ending).map(|generation| (generation, ending)));
        match ours {
            Some((generation, ending)) if Some(generation) != keep || ending.starts_with(".building") => {
                fs::remove_file(entry.path())?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Removes a database and what SQLite keeps beside it; files that are not there are no error.
pub(super) fn remove(database: &Path) {
    for side in SIDES {
        let mut name = database.as_os_str().to_owned();
        name.push(side);
        // What stays behind is removed when the folder is opened next.
        let _ = fs::remove_file(name);
    }
}

/// Makes a built file the finished one: durable, then renamed, then the rename durable.
pub(super) fn commit(folder: &Path, generation: u64) -> io::Result<()> {
    let from = building(folder, generation);
    File::open(&from)?.sync_all()?;
    fs::rename(&from, finished(folder, generation))?;
    File::open(folder)?.sync_all()
}

//! Hashing and copying of files of any size through one bounded buffer.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Bytes held in memory while a file is read, whatever its size.
pub const BUFFER_BYTES: usize = 256 * 1024;

/// Smallest file for which sharing blocks with its source is tried: below it the attempt costs more than the copy.
#[cfg(target_os = "linux")]
const CLONE_BYTES_MIN: u64 = 1024 * 1024;

/// The blake3 hash and length of a file, read from its beginning.
///
/// # Errors
/// When the file cannot be read.
pub fn hash(file: &File) -> io::Result<(blake3::Hash, u64)> {
    let mut hasher = blake3::Hasher::new();
    let bytes = each_block(file, |block, _| {
        hasher.update(block);
        Ok(())
    })?;
    Ok((hasher.finalize(), bytes))
}

/// Copies `source` from its beginning into the empty file `target`, hashing what is copied; gives hash and length.
/// Holes stay holes, and where the file system can share blocks (btrfs, XFS) it does: then the hash is that of the target.
///
/// # Errors
/// When reading or writing fails, above all when the disk is full.
pub fn copy(source: &File, target: &File) -> io::Result<(blake3::Hash, u64)> {
    #[cfg(target_os = "linux")]
    if source.metadata()?.len() >= CLONE_BYTES_MIN && rustix::fs::ioctl_ficlone(target, source).is_ok() {
        return hash(target);
    }
    let mut hasher = blake3::Hasher::new();
    let zeros = vec![0_u8; BUFFER_BYTES];
    let bytes = each_block(source, |block, offset| {
        hasher.update(block);
        // The comparison is a memcmp, far cheaper than writing zeros that the disk need not hold.
        if zeros.get(..block.len()) == Some(block) { Ok(()) } else { target.write_all_at(block, offset) }
    })?;
    if target.metadata()?.len() < bytes {
        target.set_len(bytes)?;
    }
    Ok((hasher.finalize(), bytes))
}

/// Hands each block and its offset to `with`; gives the number of bytes read.
fn each_block(file: &File, mut with: impl FnMut(&[u8], u64) -> io::Result<()>) -> io::Result<u64> {
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    // One byte more than a small file has, so that its end is seen without growing the buffer.
    let mut buffer = vec![0_u8; length.saturating_add(1).clamp(4096, BUFFER_BYTES)];
    let mut offset = 0_u64;
    loop {
        match file.read_at(&mut buffer, offset) {
            Ok(0) => return Ok(offset),
            Ok(count) => {
                with(buffer.get(..count).unwrap_or_default(), offset)?;
                offset += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

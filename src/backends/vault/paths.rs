//! Vault-relative paths: plain names joined by `/`, checked before the file system sees them.

use super::VaultError;

/// Bytes of a name that Linux, macOS and Windows file systems take.
const NAME_BYTES_MAX: usize = 255;
/// Bytes of a path that one call of the operating system takes.
const PATH_BYTES_MAX: usize = 4095;

/// Bytes of a path above which a refused key of a bucket is one that was too long.
pub(super) const KEY_BYTES_SAFE: usize = 800;

/// Splits a path into its folder (empty for the vault itself) and its name.
///
/// # Errors
/// [`VaultError::Escapes`] for an absolute path, an empty name, `.`, `..` or a NUL; [`VaultError::NameTooLong`].
pub fn split(path: &str) -> Result<(&str, &str), VaultError> {
    let plain = |name: &str| !name.is_empty() && name != "." && name != ".." && !name.contains('\0');
    if !path.split('/').all(plain) {
        return Err(VaultError::Escapes { path: path.to_owned() });
    }
    if path.len() > PATH_BYTES_MAX || path.split('/').any(|name| name.len() > NAME_BYTES_MAX) {
        return Err(VaultError::NameTooLong { path: path.to_owned() });
    }
    Ok(path.rsplit_once('/').unwrap_or(("", path)))
}

/// The same for a folder, where empty means the vault itself.
///
/// # Errors
/// As [`split`].
pub(super) fn check_folder(path: &str) -> Result<(), VaultError> {
    if path.is_empty() { Ok(()) } else { split(path).map(|_| ()) }
}

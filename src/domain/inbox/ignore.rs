//! Names that are no documents: half-written downloads, locks, and what systems and sync tools leave beside the owner's files.

/// Patterns ignored unless configured otherwise; `*` is any run of characters, `?` one, and letter case does not count.
pub const DEFAULT_IGNORES: &[&str] = &[
    // Not finished yet: browsers, download tools, sync tools.
    "*.part",
    "*.crdownload",
    "*.tmp",
    "*.partial",
    "*.download",
    "*.opdownload",
    "*.!ut",
    "*.filepart",
    ".syncthing.*",
    "~syncthing~*",
    ".goutputstream-*",
    "*.emm-tmp",
    // Locks and owner files of office programs and editors.
    "~$*",
    ".~lock.*",
    "*.swp",
    // Deleted but still open somewhere.
    ".fuse_hidden*",
    ".nfs????????*",
    ".smbdelete*",
    // Systems' own.
    ".DS_Store",
    "Thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "._*",
    ".localized",
    ".directory",
    "Icon\r",
    ".Spotlight-V100",
    ".Trashes",
    ".Trash-*",
    ".fseventsd",
    ".TemporaryItems",
    ".DocumentRevisions-V100",
    "__MACOSX",
    "$RECYCLE.BIN",
    "System Volume Information",
    "lost+found",
    // Sync tools' and NAS systems' own.
    ".stfolder",
    ".stfolder*",
    ".stversions",
    ".stignore",
    "@eaDir",
    "#recycle",
    ".sync",
    ".dropbox.cache",
    ".dropbox",
    // Ours.
    ".emm-trash",
];

/// Whether a name matches a default or a configured pattern. A pattern with a `/` is tried on the whole relative path.
#[must_use]
pub fn is_ignored(path: &str, configured: &[String]) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    DEFAULT_IGNORES.iter().any(|pattern| matches(pattern, name))
        || configured.iter().any(|pattern| matches(pattern, if pattern.contains('/') { path } else { name }))
}

/// Whether a text matches a pattern of `*`, `?` and plain characters, without regard to letter case.
#[must_use]
pub fn matches(pattern: &str, text: &str) -> bool {
    let fold = |text: &str| text.chars().flat_map(char::to_lowercase).collect::<Vec<_>>();
    let (pattern, text) = (fold(pattern), fold(text));
    let (mut at, mut here) = (0, 0);
    // Where to go on when the characters after the last star do not fit: one character later.
    let mut star: Option<(usize, usize)> = None;
    while here < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at + 1, here));
                at += 1;
            }
            Some(wanted) if *wanted == '?' || Some(wanted) == text.get(here) => {
                at += 1;
                here += 1;
            }
            _ => match star {
                Some((after, from)) => {
                    star = Some((after, from + 1));
                    (at, here) = (after, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(at).all(|rest| *rest == '*')
}

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

/// Patterns of names that are left alone, made ready once to be tried on many.
#[derive(Debug, Clone)]
pub struct Ignores {
    /// Tried on names.
    names: Vec<Vec<char>>,
    /// Tried on whole relative paths: those with a `/`.
    paths: Vec<Vec<char>>,
}

impl Ignores {
    /// The default patterns and the configured ones.
    #[must_use]
    pub fn new(configured: &[String]) -> Self {
        let own = configured.iter().map(String::as_str);
        let (paths, names) = DEFAULT_IGNORES.iter().copied().chain(own).partition::<Vec<_>, _>(|it| it.contains('/'));
        let folded = |patterns: Vec<&str>| patterns.into_iter().map(folded).collect();
        Self { names: folded(names), paths: folded(paths) }
    }

    /// Whether what lies at this path is left alone.
    #[must_use]
    pub fn ignored(&self, path: &str) -> bool {
        let name = folded(path.rsplit('/').next().unwrap_or(path));
        let any = |patterns: &[Vec<char>], text: &[char]| patterns.iter().any(|pattern| fits(pattern, text));
        any(&self.names, &name) || (!self.paths.is_empty() && any(&self.paths, &folded(path)))
    }
}

/// Whether a text matches a pattern of `*`, `?` and plain characters, without regard to letter case.
#[must_use]
pub fn matches(pattern: &str, text: &str) -> bool {
    fits(&folded(pattern), &folded(text))
}

fn folded(text: &str) -> Vec<char> {
    text.chars().flat_map(char::to_lowercase).collect()
}

fn fits(pattern: &[char], text: &[char]) -> bool {
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

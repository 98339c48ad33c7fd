//! Recognises a dropped folder that is one thing, by its name and the names in it, so that it is not torn apart.

/// Images from which on a folder of them is a set of photos.
const PHOTOS_MIN: usize = 8;

/// Folders whose own name says what they are.
const OWN_NAMES: &[(&str, &str)] = &[
    (".git", "a git repository"),
    (".hg", "a version-controlled repository"),
    (".svn", "a version-controlled repository"),
    ("node_modules", "a program's libraries"),
    ("VIDEO_TS", "a disc"),
    ("BDMV", "a disc"),
    ("DCIM", "a camera's card"),
];

/// Folders that a system shows as one file, by their extension.
const OWN_EXTENSIONS: &[(&str, &str)] = &[
    ("app", "an application"),
    ("bundle", "an application"),
    ("framework", "an application"),
    ("xcodeproj", "a software project"),
    ("photoslibrary", "a photo library"),
    ("rtfd", "a document kept as a folder"),
    ("pages", "a document kept as a folder"),
    ("numbers", "a document kept as a folder"),
    ("key", "a document kept as a folder"),
    ("textbundle", "a document kept as a folder"),
    ("vmwarevm", "a virtual machine"),
    ("utm", "a virtual machine"),
    ("pvm", "a virtual machine"),
    ("sparsebundle", "a disk image"),
];

/// Names that give away the folder that holds them.
const MARKERS: &[(&str, &str)] = &[
    (".git", "a git repository"),
    (".hg", "a version-controlled repository"),
    (".svn", "a version-controlled repository"),
    ("Cargo.toml", "a software project"),
    ("pyproject.toml", "a software project"),
    ("setup.py", "a software project"),
    ("package.json", "a software project"),
    ("node_modules", "a software project"),
    ("go.mod", "a software project"),
    ("pom.xml", "a software project"),
    ("build.gradle", "a software project"),
    ("CMakeLists.txt", "a software project"),
    ("VIDEO_TS", "a disc"),
    ("AUDIO_TS", "a disc"),
    ("BDMV", "a disc"),
    ("DCIM", "a camera's card"),
    ("setup.exe", "an application"),
    ("AppRun", "an application"),
    ("AndroidManifest.xml", "an application"),
];

/// Extensions that give away the folder that holds such a file.
const MARKER_EXTENSIONS: &[(&str, &str)] = &[
    ("dll", "an application"),
    ("vmx", "a virtual machine"),
    ("vbox", "a virtual machine"),
    ("ovf", "a virtual machine"),
    ("sln", "a software project"),
];

/// What cameras write.
const PHOTOS: &[&str] =
    &["jpg", "jpeg", "heic", "heif", "dng", "cr2", "cr3", "nef", "arw", "orf", "raf", "rw2", "pef", "srw"];
/// What lies beside photos and counts neither for nor against a set of them.
const BESIDE_PHOTOS: &[&str] = &["xmp", "aae", "thm", "mov", "mp4", "wav"];
/// How browsers, in their languages, call the folder of a page `x.html`: `x_files`.
const PAGE_FOLDERS: &[&str] =
    &["_files", ".files", "-Dateien", "_fichiers", "_archivos", "_file", "_bestanden", "_arquivos"];
/// The pages themselves.
const PAGES: &[&str] = &["html", "htm", "xhtml", "mht"];

/// One name in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name<'a> {
    /// The name, as well as it can be shown.
    pub name: &'a str,
    /// Whether it is a folder.
    pub is_folder: bool,
}

/// Why a folder of this name, holding these names, is one thing; `None` when it is just a place where files lie.
#[must_use]
pub fn one_thing(folder: &str, names: &[Name<'_>]) -> Option<&'static str> {
    let named = |table: &[(&str, &'static str)], name: &str| {
        table.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, reason)| *reason)
    };
    named(OWN_NAMES, folder)
        .or_else(|| extension(folder).and_then(|extension| named(OWN_EXTENSIONS, extension)))
        .or_else(|| names.iter().find_map(|name| named(MARKERS, name.name)))
        .or_else(|| {
            let mut files = names.iter().filter(|name| !name.is_folder);
            files.find_map(|name| named(MARKER_EXTENSIONS, extension(name.name)?))
        })
        .or_else(|| is_photos(names).then_some("a set of photos"))
        .or_else(|| is_page(names).then_some("a saved web page"))
}

/// The page to which a folder belongs as its images and scripts: `x.html` for `x_files`, if it lies beside it.
#[must_use]
pub fn companion<'a>(folder: &str, beside: &[Name<'a>]) -> Option<&'a str> {
    let stem = PAGE_FOLDERS.iter().find_map(|ending| folder.strip_suffix(ending))?;
    let is_its_page = |name: &&Name<'_>| {
        !name.is_folder
            && name.name.rsplit_once('.').is_some_and(|(page, extension)| page == stem && is_one_of(PAGES, extension))
    };
    beside.iter().find(is_its_page).map(|name| name.name)
}

fn is_photos(names: &[Name<'_>]) -> bool {
    let extensions = || names.iter().filter(|name| !name.is_folder).map(|name| extension(name.name).unwrap_or(""));
    let photos = extensions().filter(|extension| is_one_of(PHOTOS, extension)).count();
    let counted = extensions().filter(|extension| !is_one_of(BESIDE_PHOTOS, extension)).count();
    // At least four of five.
    photos >= PHOTOS_MIN && photos * 5 >= counted * 4
}

/// A page and its folder, and nothing else.
fn is_page(names: &[Name<'_>]) -> bool {
    matches!(names, [first, second] if [first, second].iter().any(|name| name.is_folder && companion(name.name, names).is_some()))
}

fn is_one_of(list: &[&str], extension: &str) -> bool {
    list.iter().any(|known| known.eq_ignore_ascii_case(extension))
}

fn extension(name: &str) -> Option<&str> {
    name.rsplit_once('.').map(|(_, extension)| extension)
}

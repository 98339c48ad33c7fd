//! What the vault's owner has set in Obsidian: how links look, where attachments lie, and which notes are to be left in
//! peace.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::front_matter::FrontMatter;

/// Where attachments lie if the owner has not chosen: a folder of their own, for originals in the root would drown it.
const ATTACHMENTS: &str = "attachments";

/// Properties by which an owner opts a note out, with the values that do (`emm`'s own and two widespread habits).
const OPT_OUTS: &[(&str, &[&str])] =
    &[("emm", &["ignore"]), ("autonotemover", &["disable"]), ("jd-ignore", &["true", "yes", "on", "1"])];

/// How Obsidian writes the path of a link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LinkFormat {
    /// The shortest path that is unique. emm writes the path from the vault's root, which is never ambiguous.
    #[default]
    Shortest,
    /// Relative to the note's folder.
    Relative,
    /// From the vault's root.
    Absolute,
}

/// The part of the vault's settings that a note depends on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VaultStyle {
    /// `[text](path)` instead of `[[path]]`.
    pub markdown_links: bool,
    /// How paths are written.
    pub link_format: LinkFormat,
    /// The owner's setting as it stands; `None` if there is none.
    pub attachment_folder_path: Option<String>,
    /// What could not be understood and was taken as not set.
    pub warnings: Vec<String>,
}

impl VaultStyle {
    /// Reads `.obsidian/app.json`; `None` if the vault has none. What is broken or of an unknown value counts as not
    /// set and is named in `warnings`.
    #[must_use]
    pub fn from_app_json(app_json: Option<&str>) -> Self {
        let mut style = Self::default();
        let Some(text) = app_json else { return style };
        let settings = match serde_json::from_str::<serde_json::Value>(text.trim_start_matches('\u{feff}')) {
            Ok(serde_json::Value::Object(settings)) => settings,
            Ok(_) => {
                style.warnings.push(".obsidian/app.json is not an object; its settings are not used".to_owned());
                return style;
            }
            Err(error) => {
                style.warnings.push(format!(".obsidian/app.json cannot be read ({error}); its settings are not used"));
                return style;
            }
        };
        let mut unknown = |key: &str, value: &serde_json::Value| {
            style.warnings.push(format!(".obsidian/app.json: {key} is {value}, which emm does not know; not used"));
        };
        match settings.get("useMarkdownLinks") {
            Some(serde_json::Value::Bool(markdown)) => style.markdown_links = *markdown,
            Some(other) => unknown("useMarkdownLinks", other),
            None => {}
        }
        match settings.get("newLinkFormat").map(|format| (format, format.as_str())) {
            Some((_, Some("shortest"))) | None => {}
            Some((_, Some("relative"))) => style.link_format = LinkFormat::Relative,
            Some((_, Some("absolute"))) => style.link_format = LinkFormat::Absolute,
            Some((other, _)) => unknown("newLinkFormat", other),
        }
        match settings.get("attachmentFolderPath").map(|path| (path, path.as_str())) {
            Some((_, Some(path))) => style.attachment_folder_path = Some(path.to_owned()),
            Some((other, None)) => unknown("attachmentFolderPath", other),
            None => {}
        }
        style
    }

    /// The folder for attachments of notes in `note_folder`, both as vault paths (`""` is the vault's root). `/` means
    /// the root, `./` the note's own folder, `./sub` a folder below it. Never leaves the vault.
    #[must_use]
    pub fn attachment_folder(&self, note_folder: &str) -> String {
        let setting = self.attachment_folder_path.as_deref().unwrap_or(ATTACHMENTS).trim();
        match setting.strip_prefix("./").or((setting == ".").then_some("")) {
            Some(below) => vault_path(&format!("{note_folder}/{below}")),
            None => vault_path(setting),
        }
    }
}

/// Whether the owner has said that emm leaves this note in peace: `emm: ignore`, `AutoNoteMover: disable` or
/// `jd-ignore: true`.
#[must_use]
pub fn opt_out(front_matter: &FrontMatter) -> bool {
    OPT_OUTS.iter().any(|(name, values)| {
        front_matter.text(name).is_some_and(|value| values.contains(&value.trim().to_lowercase().as_str()))
    })
}

/// A vault path without empty, `.` and `..` components.
fn vault_path(path: &str) -> String {
    path.split(['/', '\\'])
        .map(str::trim)
        .filter(|component| !matches!(*component, "" | "." | ".."))
        .collect::<Vec<_>>()
        .join("/")
}

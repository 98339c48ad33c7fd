//! Which home, which configuration, which paths; and what is made where nothing is yet.

use std::path::{Path, PathBuf, absolute};

use serde_json::{Map, Value, json};

use super::{flags::Global, screen::Screen};
use crate::{
    backends::{
        home::{Home, Spot},
        store,
    },
    config::Config,
    rpc::{Error, Result},
};

/// A structure to start from.
pub(super) const STARTER: &str = include_str!("../../config/starter-jd.yaml");
/// The configuration file of a home.
const CONFIG_FILE: &str = "emm.toml";

/// What every command begins with.
#[derive(Clone)]
pub(super) struct Setup {
    pub(super) global: Global,
    pub(super) config: Config,
    pub(super) home: Home,
}

impl Setup {
    /// From flags, environment and files; touches nothing.
    pub(super) fn load(global: &Global) -> Result<Setup> {
        let path = home_path(global)?;
        let own = path.join(CONFIG_FILE);
        let file = global.config.clone().or_else(|| own.is_file().then_some(own));
        Setup::with_file(global, &path, file.as_deref())
    }

    /// As `load`, with this configuration file.
    pub(super) fn with_file(global: &Global, path: &Path, file: Option<&Path>) -> Result<Setup> {
        let config = Config::load(file, &flags(global)?).map_err(Error::invalid)?;
        let mut home = Home::new(path, &config.paths).with(&config.vault, &config.store.s3);
        if let Some(in_vault) = home.vault.folder().map(|vault| vault.join("jd.yaml"))
            && config.paths.jd.as_os_str().is_empty()
            && !home.jd.exists()
            && in_vault.is_file()
        {
            home.jd = in_vault;
        }
        Ok(Setup { global: global.clone(), config, home })
    }

    /// Makes what is missing and may be made: the home, its own vault and structure, the inbox.
    ///
    /// # Errors
    /// A vault or structure that was named and is not there is never made: a typing error or a missing mount must not
    /// become an empty vault.
    pub(super) fn make(&self, screen: &Screen) -> Result<()> {
        let home = &self.home;
        if let (Spot::Bucket(vault), store::Backend::Folder) = (&home.vault, self.config.store.backend) {
            return Err(Error::invalid(format!(
                "the vault {vault} is shared and the store is a folder of this machine: set store.backend to s3 as well"
            )));
        }
        let own_vault = home.vault.folder().is_none_or(|vault| vault == home.path.join("vault"));
        if let Some(vault) = home.vault.folder().filter(|vault| !own_vault && !vault.is_dir()) {
            let vault = vault.display();
            return Err(Error::invalid(format!(
                "the vault {vault} is not there: make the folder (mkdir -p '{vault}') or give another --vault"
            )));
        }
        let own_jd = own_vault && home.jd == home.path.join("jd.yaml");
        if !own_jd && !home.jd.is_file() {
            return Err(Error::invalid(self.no_structure()));
        }
        let first = !home.is_made();
        home.prepare()?;
        for folder in [&home.vault, &home.inbox].into_iter().filter_map(Spot::folder) {
            make_folder(folder)?;
        }
        if !home.jd.exists() {
            std::fs::write(&home.jd, STARTER).map_err(at(&home.jd))?;
            screen.remark(format_args!("made a starter structure: {}", home.jd.display()));
        }
        if first { self.remember() } else { Ok(()) }
    }

    /// Checks that the home was made: commands that only look do not make one.
    pub(super) fn check(&self) -> Result<()> {
        if self.home.is_made() {
            return Ok(self.home.prepare()?);
        }
        let (home, again) = (self.home.path.display(), self.again());
        Err(Error::not_found(format!("there is no home at {home} yet: '{again} --role all' makes one")))
    }

    fn no_structure(&self) -> String {
        let (jd, again) = (self.home.jd.display(), self.again());
        if !self.config.paths.jd.as_os_str().is_empty() {
            return format!(
                "the structure {jd} is not there: write it ('{again} jd starter > FILE' gives one to begin with) or give another --jd"
            );
        }
        let vault = &self.home.vault;
        format!(
            "the vault {vault} has no jd.yaml: give yours with --jd FILE, or begin with '{again} jd starter > {vault}/jd.yaml'"
        )
    }

    /// Paths that were given by flags at the first start are those of the home from then on.
    fn remember(&self) -> Result<()> {
        let (global, file) = (&self.global, self.home.path.join(CONFIG_FILE));
        let given = [("vault", &global.vault), ("inbox", &global.inbox), ("jd", &global.jd)];
        let lines = given.iter().filter_map(|(key, path)| {
            let path = absolute(path.as_ref()?).ok()?;
            Some(format!("{key} = {}\n", Value::from(path.to_str()?)))
        });
        let lines: String = lines.collect();
        if lines.is_empty() || global.config.is_some() || file.exists() {
            return Ok(());
        }
        let head = "# Written at the first start of this home. 'emm config default' explains every key.\n\n[paths]\n";
        std::fs::write(&file, format!("{head}{lines}")).map_err(at(&file))
    }

    /// How this home is called again: `emm`, or `emm --home DIR`.
    pub(super) fn again(&self) -> String {
        let usual = usual_home().is_some_and(|usual| usual == self.home.path);
        if usual || std::env::var_os("EMM_HOME").is_some() {
            return "emm".to_owned();
        }
        format!("emm --home {}", quoted(&self.home.path))
    }
}

/// A path as a shell takes it.
pub(super) fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |letter: char| letter.is_alphanumeric() || "/._-+=:,@%".contains(letter);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// `--home`, else `EMM_HOME` (both in the flags), else the XDG data folder.
pub(super) fn home_path(global: &Global) -> Result<PathBuf> {
    let given = global.home.clone().filter(|home| !home.as_os_str().is_empty());
    let home = given.or_else(usual_home);
    let home = home.ok_or_else(|| Error::invalid("neither --home, EMM_HOME nor HOME says where emm may live"))?;
    absolute(&home).map_err(at(&home))
}

fn usual_home() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let data = folder("XDG_DATA_HOME").or_else(|| Some(folder("HOME")?.join(".local/share")))?;
    Some(data.join("emm"))
}

/// The flags as the top layer of the configuration.
fn flags(global: &Global) -> Result<Value> {
    let (mut paths, mut top) = (Map::new(), Map::new());
    for (key, path) in [("vault", &global.vault), ("inbox", &global.inbox), ("jd", &global.jd)] {
        if let Some(path) = path {
            paths.insert(key.to_owned(), json!(absolute(path).map_err(at(path))?));
        }
    }
    if !paths.is_empty() {
        top.insert("paths".to_owned(), paths.into());
    }
    if let Some(listen) = &global.listen {
        top.insert("node".to_owned(), json!({ "listen": listen }));
    }
    let level = match (global.quiet, global.verbose) {
        (true, _) => Some("error"),
        (_, 0) => None,
        (_, 1) => Some("info,emm=debug"),
        _ => Some("info,emm=trace"),
    };
    if let Some(level) = level {
        top.insert("log".to_owned(), json!({ "level": level }));
    }
    Ok(top.into())
}

fn make_folder(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(at(path))
}

/// An error of the system with the path that it is about.
pub(super) fn at(path: &Path) -> impl Fn(std::io::Error) -> Error + use<> {
    let path = path.display().to_string();
    move |error| match error.kind() {
        std::io::ErrorKind::NotFound => Error::not_found(format!("{path}: there is no such file or folder")),
        _ => Error::unavailable(format!("{path}: {error}")),
    }
}

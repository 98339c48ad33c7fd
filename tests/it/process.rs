//! The real program in its own process, over a temporary home.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use emm::{backends::home::Home, config::Config};
use serde_json::{Value, json};

use crate::{
    owner::Owner,
    pods::toml,
    s3_server::S3Server,
    world::{files, in_bucket, merge},
};

pub(crate) const EMM: &str = env!("CARGO_BIN_EXE_emm");

/// A structure in which folder hints decide, so that no test depends on the classifier.
pub(crate) const JD: &str = "\"10-19\":\n  name: Life\n  categories:\n    \"11\": Me\n    \"12\": Home\n";

/// A home on disk, and the commands that are run on it.
pub(crate) struct Place {
    pub(crate) root: tempfile::TempDir,
    pub(crate) owner: Owner,
}

impl Place {
    pub(crate) fn new() -> Place {
        let root = tempfile::tempdir().unwrap();
        for folder in ["vault", "UNSORTED"] {
            fs::create_dir(root.path().join(folder)).unwrap();
        }
        fs::write(root.path().join("jd.yaml"), JD).unwrap();
        let paths = Config::load(None, &json!({})).unwrap().paths;
        Home::new(root.path(), &paths).prepare().unwrap();
        let owner = Owner::of_folders(root.path());
        Place { root, owner }
    }

    /// A home whose vault, inbox and store are in a real bucket.
    pub(crate) fn in_bucket() -> Place {
        Place::with(|root| {
            let name = root.file_name().unwrap().to_string_lossy().trim_start_matches('.').to_owned();
            let mut flags = in_bucket(root);
            merge(&mut flags, &json!({ "store": S3Server::seaweedfs().flags(&name) }));
            flags
        })
    }

    /// A home whose configuration says in which bucket its vault, inbox and store are.
    pub(crate) fn with(flags: impl FnOnce(&Path) -> Value) -> Place {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("jd.yaml"), JD).unwrap();
        let flags = flags(root.path());
        fs::write(root.path().join("emm.toml"), toml(&flags)).unwrap();
        let config = Config::load(None, &flags).unwrap();
        Home::new(root.path(), &config.paths).with(&config.vault, &config.store.s3).prepare().unwrap();
        let owner = Owner::of(root.path(), &config);
        Place { root, owner }
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    pub(crate) fn drop_file(&self, place: &str, bytes: &[u8]) {
        self.owner.write("UNSORTED", place, bytes);
    }

    /// A command on this home, not started.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(EMM);
        command.arg("--home").arg(self.root.path()).args(arguments);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("EMM_")) {
            command.env_remove(name);
        }
        // What a test dropped is complete.
        command
            .env("EMM_INBOX__SETTLE_SECONDS", "0")
            .env("EMM_PARSERS__OCR", "false")
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a command that must succeed, and reads its JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[&["--json"], arguments].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {} {said}", output.status);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {output:?}"))
    }

    /// Every file of the home by content: the hash, and where it lies.
    pub(crate) fn contents(&self) -> BTreeMap<String, Vec<String>> {
        let mut found = BTreeMap::<String, Vec<String>>::new();
        for folder in ["vault", "UNSORTED", "store/trash", "store/quarantine"] {
            for (path, bytes) in self.owner.files(folder) {
                found.entry(hash(&bytes)).or_default().push(format!("{folder}/{path}"));
            }
        }
        found
    }

    /// The account of `emm verify`; every item seen must be accounted for.
    pub(crate) fn verify(&self, at: &str) -> usize {
        let output = self.run(&["--json", "verify"]);
        let account: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{at}: {error}: {}", String::from_utf8_lossy(&output.stderr)));
        assert!(output.status.success(), "{at}: {account}");
        assert_eq!(account["seen"], account["accounted"], "{at}: {account}");
        account["seen"].as_u64().unwrap() as usize
    }
}

/// The hash of some bytes, hexadecimal.
pub(crate) fn hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

/// Waits for something to become true; fails after a minute, for what hangs shall fail.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "this did not come about: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A process that is killed when a test ends, however it ends.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    pub(crate) fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// How many links the journal has.
pub(crate) fn links(home: &Path) -> usize {
    let journal = home.join("store/journal");
    if journal.is_dir() { files(&journal).len() } else { 0 }
}

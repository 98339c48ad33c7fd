//! `jd-classifier`: the owner's structure as it is in force, and new ids in it.
//!
//! The structure in force is jd.yaml plus the ids that emm allocated, published under its hash. An edit that does not
//! lint changes nothing: the structure before it stays in force, and whoever asks is told why.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use parking_lot::RwLock;
use serde::{Deserialize, Serialize};

use crate::{
    backends::store::{Allocated, Ids, StoreError, Structures},
    contracts::jd_classifier::{GetStructure, Lint, Linted, Lookup, Place, Published, Reserve, Reserved},
    domain::jd::{self, Finding, Receives, Structure},
    life::{Health, Shutdown},
    rpc::{Answer, Error, Result},
};

/// How the structure is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// How often jd.yaml is looked at for a change, in milliseconds.
    pub poll_ms: u64,
}

/// What the service is built over.
pub struct Parts {
    /// Its own settings.
    pub settings: Settings,
    /// jd.yaml.
    pub path: PathBuf,
    /// Allocated ids.
    pub ids: Ids,
    /// Published structures.
    pub structures: Structures,
    /// Where it says how jd.yaml is.
    pub health: Health,
}

/// The service; cheap to clone.
#[derive(Clone)]
pub struct JdClassifier(Arc<Inner>);

struct Inner {
    parts: Parts,
    current: RwLock<Arc<Current>>,
}

/// The structure in force.
struct Current {
    /// jd.yaml alone.
    owners: Structure,
    /// With allocated ids.
    structure: Structure,
    hash: String,
    /// When and how large the text was that was looked at last.
    stamp: Option<(SystemTime, u64)>,
    /// Why that text is not in force.
    refused: Vec<Finding>,
}

impl JdClassifier {
    /// The service, with the structure of jd.yaml. A jd.yaml that does not lint is an error with its findings.
    pub async fn open(parts: Parts) -> Result<JdClassifier> {
        let stamp = stamp(&parts.path);
        let text = read(&parts.path)?;
        let report = jd::lint(&text);
        let owners = report.structure.clone().filter(|_| report.errors().next().is_none());
        let owners = owners.ok_or_else(|| Error::invalid(refusal(&parts.path, &report.findings)))?;
        let allocated = parts.ids.all().await?;
        let structure = with(&owners, &allocated);
        let hash = parts.structures.publish(&structure).await?;
        let current = Current { owners, structure, hash, stamp, refused: Vec::new() };
        Ok(JdClassifier(Arc::new(Inner { parts, current: RwLock::new(Arc::new(current)) })))
    }

    fn current(&self) -> Arc<Current> {
        self.0.current.read().clone()
    }

    /// Looks at jd.yaml again, if it was changed.
    async fn refresh(&self) -> Result<()> {
        let parts = &self.0.parts;
        let stamp = stamp(&parts.path);
        let current = self.current();
        if stamp == current.stamp {
            return Ok(());
        }
        let report = match read(&parts.path) {
            Ok(text) => jd::lint(&text),
            Err(error) => {
                parts.health.report("jd.yaml", false, Some(error.message));
                return Ok(());
            }
        };
        let valid = report.structure.clone().filter(|_| report.errors().next().is_none());
        let refused: Vec<Finding> = if valid.is_some() { Vec::new() } else { report.errors().cloned().collect() };
        let fault = (!refused.is_empty()).then(|| refusal(&parts.path, &refused));
        match &fault {
            Some(fault) => tracing::warn!("an edit of the structure is not taken over: {fault}"),
            None => tracing::info!(path = %parts.path.display(), "the structure was changed"),
        }
        parts.health.report("jd.yaml", false, fault);
        self.take(valid.unwrap_or_else(|| current.owners.clone()), stamp, refused).await
    }

    /// Puts `owners` in force, with what is allocated by now.
    async fn take(&self, owners: Structure, stamp: Option<(SystemTime, u64)>, refused: Vec<Finding>) -> Result<()> {
        let allocated = self.0.parts.ids.all().await?;
        let structure = with(&owners, &allocated);
        let hash = self.0.parts.structures.publish(&structure).await?;
        *self.0.current.write() = Arc::new(Current { owners, structure, hash, stamp, refused });
        Ok(())
    }

    /// Looks at jd.yaml from time to time until shutdown: a ConfigMap and a network share send no events.
    pub async fn watch(&self, stop: Shutdown) -> Result<()> {
        let pause = Duration::from_millis(self.0.parts.settings.poll_ms.max(50));
        while stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
            self.refresh().await?;
        }
        Ok(())
    }
}

impl Answer<GetStructure> for JdClassifier {
    async fn answer(&self, request: GetStructure) -> Result<Published> {
        let source = self.0.parts.path.display().to_string();
        if let Some(hash) = request.hash {
            let structure = self.0.parts.structures.get(&hash).await?;
            return Ok(Published { hash, structure, source, refused: Vec::new() });
        }
        self.refresh().await?;
        let now = self.current();
        let (structure, refused) = (now.structure.clone(), now.refused.clone());
        Ok(Published { hash: now.hash.clone(), structure, source, refused })
    }
}

impl Answer<Lookup> for JdClassifier {
    async fn answer(&self, request: Lookup) -> Result<Place> {
        self.refresh().await?;
        let now = self.current();
        let code = request.code;
        let missing = || Error::not_found(format!("the structure has no place {code:?}; 'emm jd tree' shows it"));
        let place = now.structure.find(&code).ok_or_else(missing)?;
        let folder = now.structure.folder(&code).ok_or_else(missing)?;
        let files = place.receives() == Receives::Content;
        Ok(Place { title: place.title().to_owned(), folder, files, code })
    }
}

impl Answer<Reserve> for JdClassifier {
    async fn answer(&self, request: Reserve) -> Result<Reserved> {
        self.refresh().await?;
        let ids = &self.0.parts.ids;
        loop {
            let now = self.current();
            let allocated = ids.all().await?;
            let mine = allocated.iter().find(|id| {
                id.emm_id == request.emm_id && jd::category_of(&id.code).as_deref() == Some(request.category.as_str())
            });
            if let Some(id) = mine {
                self.take(now.owners.clone(), now.stamp, now.refused.clone()).await?;
                return Ok(Reserved { code: id.code.clone(), structure: self.current().hash.clone() });
            }
            if now.structure.category(&request.category).is_none() {
                return Err(Error::not_found(format!("the structure has no category {:?}", request.category)));
            }
            let taken: BTreeSet<String> = allocated.iter().map(|id| id.code.clone()).collect();
            let full = || Error::invalid(format!("category {} has no free id left", request.category));
            let code = now.structure.next_id(&request.category, &taken).ok_or_else(full)?;
            let id = Allocated::new(code, request.title.clone(), request.emm_id.clone());
            match ids.create(&id).await {
                // The next turn finds it, as it finds one that an earlier try created.
                Ok(()) | Err(StoreError::Exists(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Answer<Lint> for JdClassifier {
    async fn answer(&self, request: Lint) -> Result<Linted> {
        let text = match request.text {
            Some(text) => text,
            None => read(&self.0.parts.path)?,
        };
        Ok(Linted { findings: jd::lint(&text).findings })
    }
}

fn with(owners: &Structure, allocated: &[Allocated]) -> Structure {
    let ids: Vec<_> = allocated.iter().map(|id| (id.code.clone(), id.title.clone())).collect();
    owners.with_ids(&ids)
}

fn stamp(path: &std::path::Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

fn read(path: &std::path::Path) -> Result<String> {
    let bytes = std::fs::read(path).map_err(|error| Error::unavailable(format!("{}: {error}", path.display())))?;
    String::from_utf8(bytes).map_err(|_| Error::invalid(format!("{} is not UTF-8 text", path.display())))
}

/// The first findings, for a person.
fn refusal(path: &std::path::Path, findings: &[Finding]) -> String {
    let lines: Vec<String> = findings.iter().take(3).map(ToString::to_string).collect();
    format!("{}: {}; 'emm jd lint' shows all, 'emm jd lint --fix' mends what it can", path.display(), lines.join("; "))
}

//! `jd-classifier`: the owner's structure as it is in force, and new ids in it.
//!
//! The structure in force is jd.yaml plus the ids that emm allocated, published under its hash. An edit that does not
//! lint changes nothing: the structure before it stays in force, and whoever asks is told why.

mod text;

use std::{collections::BTreeSet, path::PathBuf, sync::Arc, time::Duration};

use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex as Turn;

use self::text::{Stamp, look, stamp};
use crate::{
    backends::{
        cache::Cache,
        store::{Allocated, Ids, StoreError, Structures},
    },
    contracts::jd_classifier::{GetStructure, Lint, Linted, Lookup, Place, Published, Reserve, Reserved},
    domain::jd::{self, Finding, Receives, Structure},
    life::{Health, Shutdown},
    rpc::{Answer, Error, Result},
    services::blocking::blocking,
};

/// The name of jd.yaml among the conditions of the node.
const JD: &str = "jd.yaml";

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
    /// Structures that were asked for by their hash.
    pub cache: Cache,
    /// Where it says how jd.yaml is.
    pub health: Health,
}

/// The service; cheap to clone.
#[derive(Clone)]
pub struct JdClassifier(Arc<Inner>);

struct Inner {
    parts: Parts,
    current: RwLock<Arc<Current>>,
    /// One change of the structure at a time: what was allocated is read and put in force in one go.
    turn: Turn<()>,
}

/// The structure in force.
#[derive(Clone)]
struct Current {
    /// jd.yaml alone.
    owners: Structure,
    /// With allocated ids.
    structure: Structure,
    hash: String,
    /// The codes of the allocated ids.
    allocated: Vec<String>,
    /// The text that was looked at last; nothing if it could not be read.
    stamp: Option<Stamp>,
    /// Why that text is not in force.
    refused: Vec<Finding>,
}

impl JdClassifier {
    /// The service, with the structure of jd.yaml. If that does not lint or cannot be read, the structure that was in
    /// force before stays so.
    ///
    /// # Errors
    /// A jd.yaml of no use where no structure was in force before, with its findings.
    pub async fn open(parts: Parts) -> Result<JdClassifier> {
        let path = parts.path.clone();
        let (stamp, text) = blocking(move || look(&path)).await?;
        let (owners, refused, fault) = match text {
            Ok(owners) => (owners, Vec::new(), None),
            Err(wrong) => {
                let error = wrong.error(&parts.path);
                let last = parts.structures.last_in_force().await?;
                let owners = last.ok_or_else(|| error.clone())?;
                tracing::warn!("the structure that was in force last stays so: {error}");
                (owners, wrong.findings(), Some(error.message))
            }
        };
        parts.health.report(JD, false, fault);
        let current = in_force(&parts, owners, stamp, refused).await?;
        Ok(JdClassifier(Arc::new(Inner { parts, current: RwLock::new(Arc::new(current)), turn: Turn::new(()) })))
    }

    /// A structure by its hash.
    async fn published(&self, hash: &str) -> Result<Structure> {
        let read = async { Ok::<_, Error>(self.0.parts.structures.get(hash).await?) };
        self.0.parts.cache.get_or(format!("structure/{hash}"), read).await
    }

    fn current(&self) -> Arc<Current> {
        self.0.current.read().clone()
    }

    /// Looks at jd.yaml again, if it was changed.
    async fn refresh(&self) -> Result<()> {
        let path = self.0.parts.path.clone();
        if blocking(move || stamp(&path)).await? == self.current().stamp {
            return Ok(());
        }
        let _turn = self.0.turn.lock().await;
        let path = self.0.parts.path.clone();
        let (stamp, text) = blocking(move || look(&path)).await?;
        let current = self.current();
        if stamp.is_some() && stamp == current.stamp {
            // Whoever had the turn before took it over.
            return Ok(());
        }
        let parts = &self.0.parts;
        let error = text.as_ref().err().map(|wrong| wrong.error(&parts.path));
        match &error {
            Some(error) if stamp.is_some() || current.stamp.is_some() => {
                tracing::warn!("an edit of the structure is not taken over: {error}");
            }
            Some(_) => {}
            None => tracing::info!(path = %parts.path.display(), "the structure was changed"),
        }
        parts.health.report(JD, false, error.map(|error| error.message));
        match text {
            Ok(owners) => self.take(owners, stamp, Vec::new()).await,
            Err(wrong) => self.take(current.owners.clone(), stamp, wrong.findings()).await,
        }
    }

    /// Puts `owners` in force, with what is allocated by now. Only for who has the turn.
    async fn take(&self, owners: Structure, stamp: Option<Stamp>, refused: Vec<Finding>) -> Result<()> {
        let current = in_force(&self.0.parts, owners, stamp, refused).await?;
        *self.0.current.write() = Arc::new(current);
        Ok(())
    }

    /// Looks at jd.yaml, and for ids that other replicas allocated.
    async fn poll(&self) -> Result<()> {
        self.refresh().await?;
        if self.0.parts.ids.codes().await? != self.current().allocated {
            let _turn = self.0.turn.lock().await;
            let now = self.current();
            self.take(now.owners.clone(), now.stamp, now.refused.clone()).await?;
        }
        Ok(())
    }

    /// Looks at jd.yaml and at the ids from time to time until shutdown: a ConfigMap, a network share and a store send
    /// no events.
    pub async fn watch(&self, stop: Shutdown) -> Result<()> {
        let pause = Duration::from_millis(self.0.parts.settings.poll_ms.max(50));
        while stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
            let fault = self.poll().await.err().map(|error| error.message);
            self.0.parts.health.report("structure", false, fault);
        }
        Ok(())
    }
}

/// Publishes what is in force: the owner's structure with what is allocated by now.
async fn in_force(parts: &Parts, owners: Structure, stamp: Option<Stamp>, refused: Vec<Finding>) -> Result<Current> {
    let allocated = parts.ids.all().await?;
    let ids: Vec<_> = allocated.iter().map(|id| (id.code.clone(), id.title.clone())).collect();
    let structure = owners.with_ids(&ids);
    let hash = parts.structures.put_in_force(&structure).await?;
    let allocated = allocated.into_iter().map(|id| id.code).collect();
    Ok(Current { owners, structure, hash, allocated, stamp, refused })
}

impl Answer<GetStructure> for JdClassifier {
    async fn answer(&self, request: GetStructure) -> Result<Published> {
        let source = self.0.parts.path.display().to_string();
        if let Some(hash) = request.hash {
            let structure = self.published(&hash).await?;
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
        let Lookup { code, structure: hash } = request;
        if hash.is_none() {
            self.refresh().await?;
        }
        let now = self.current();
        let published;
        let structure = match hash.filter(|hash| *hash != now.hash) {
            Some(hash) => {
                published = self.published(&hash).await?;
                &published
            }
            None => &now.structure,
        };
        let missing = || Error::not_found(format!("the structure has no place {code:?}; 'emm jd tree' shows it"));
        let place = structure.find(&code).ok_or_else(missing)?;
        let folder = structure.folder(&code).ok_or_else(missing)?;
        let files = place.receives() != Receives::Nothing;
        Ok(Place { title: place.title().to_owned(), folder, files, code })
    }
}

impl Answer<Reserve> for JdClassifier {
    async fn answer(&self, request: Reserve) -> Result<Reserved> {
        self.refresh().await?;
        let _turn = self.0.turn.lock().await;
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
        let path = self.0.parts.path.clone();
        let lint = move || {
            let text = request.text.map_or_else(|| text::read(&path), Ok)?;
            Ok(Linted { findings: jd::lint(&text).findings })
        };
        blocking(lint).await?
    }
}

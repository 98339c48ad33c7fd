//! What roles are built from, and how each of them is put together: the only place that joins services to backends.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use futures_util::FutureExt;
use tokio::sync::OnceCell;

use super::{Built, Loop};
use crate::{
    agents::file_system::FileSystemAgent,
    backends::{
        Clock,
        cache::{self, Cache},
        embeddings::Embedder,
        home::Home,
        inbox::{self, Inbox},
        llm::{self, Account, Books, Llm},
        objects::{Bucket, ObjectsError, Removal},
        parsers::{self, Parsers},
        redis::Redis,
        search,
        state::{self, State},
        store::{Ids, Journal, Labels, Ledger, Store, Structures},
        trash::Trash,
        vault::{self, Vault},
    },
    config::Config,
    contracts::{content_classifier as cc, file_system as fs, file_system_agent as agent, jd_classifier as jd},
    life::{Health, Ready, Shutdown},
    rpc::{Error, Result, Toolbox, Tools, toolbox::Limits},
    services::{
        content_classifier::{self, ContentClassifier},
        file_system::{self, FileSystem},
        jd_classifier::{self, JdClassifier},
    },
};

/// What a role is built from.
#[derive(Clone)]
pub struct Parts {
    /// The configuration of the node.
    pub config: Arc<Config>,
    /// What the node keeps, opened on first use.
    pub kept: Kept,
    /// The tools of every role, here or elsewhere.
    pub tools: Tools,
    /// The limits of a toolbox.
    pub limits: Limits,
    /// Holds the node back from being ready.
    pub ready: Ready,
    /// Where a role says how its backends are.
    pub health: Health,
    /// Ends the loops.
    pub stop: Shutdown,
    /// Whether vault and store are only looked at.
    pub read_only: bool,
}

/// What one node keeps: opened when the first role needs it, and then shared by all of them.
#[derive(Clone)]
pub struct Kept {
    home: Arc<Home>,
    clock: Clock,
    program: PathBuf,
    redis: Arc<OnceCell<Redis>>,
    state: Arc<OnceCell<State>>,
    cache: Arc<OnceCell<Cache>>,
    store: Arc<OnceCell<(Store, String)>>,
}

impl Kept {
    /// Nothing is open yet.
    pub fn new(home: Home, clock: Clock, program: PathBuf) -> Self {
        let (redis, state, cache, store) = Default::default();
        Self { home: Arc::new(home), clock, program, redis, state, cache, store }
    }

    /// The server that nodes share; nothing is connected before it is used.
    async fn redis(&self, config: &Config) -> Result<Redis> {
        let open = || async { Ok::<_, Error>(Redis::new(&config.redis)?) };
        self.redis.get_or_try_init(open).await.cloned()
    }

    async fn state(&self, config: &Config) -> Result<State> {
        let open = || async {
            let server = match config.state.backend {
                state::Backend::Sqlite => None,
                state::Backend::Redis => Some(self.redis(config).await?),
            };
            Ok::<_, Error>(State::open(&config.state, &self.home.state(), server.as_ref()).await?)
        };
        self.state.get_or_try_init(open).await.cloned()
    }

    async fn cache(&self, config: &Config, health: &Health) -> Result<Cache> {
        let open = || async {
            Ok::<_, Error>(match config.cache.backend {
                cache::Backend::Memory => Cache::in_memory(&config.cache.memory),
                cache::Backend::Redis => {
                    Cache::on_server(&config.cache.redis, self.redis(config).await?, health.clone())
                }
            })
        };
        self.cache.get_or_try_init(open).await.cloned()
    }

    /// The store and its identity. A home that belongs to another one is refused before anything is written.
    pub async fn store(&self, config: &Config) -> Result<(Store, String)> {
        let open = || async {
            let store = Store::open(&config.store, &self.home.store).await?;
            let id = match self.home.bound_store()? {
                // The folder of a store that is not mounted must not become a store.
                Some(_) => store.identity().await?,
                None => Some(store.identify().await?),
            };
            self.home.bind(&store.to_string(), id.as_deref())?;
            Ok((store, id.unwrap_or_default()))
        };
        self.store.get_or_try_init(open).await.cloned()
    }
}

impl Parts {
    fn toolbox(&self) -> Toolbox {
        Toolbox::new(self.limits.clone())
    }
}

/// `file-system-agent`.
pub(super) async fn file_system_agent(parts: Parts) -> Result<Built> {
    let settings = parts.config.file_system_agent.clone();
    let state = parts.kept.state(&parts.config).await?;
    let opinions = match parts.config.llm.provider {
        llm::Provider::None => 0,
        _ => parts.config.llm.concurrency.max(1),
    };
    let decide = parts.config.decide.clone();
    let agent = Arc::new(FileSystemAgent::new(settings, decide, opinions, state, parts.tools.clone()));
    let toolbox = parts
        .toolbox()
        .with::<agent::Sweep, _>(&agent)
        .with::<agent::ListReviews, _>(&agent)
        .with::<agent::ListAutonomy, _>(&agent)
        .with::<agent::ListFailed, _>(&agent)
        .with::<agent::AnswerReview, _>(&agent);
    let sweep = Loop::new("sweep", agent, |agent, stop| async move { agent.watch(stop).await });
    Ok(Built { toolbox, loops: vec![sweep], close: None })
}

/// `content-classifier`.
pub(super) async fn content_classifier(parts: Parts) -> Result<Built> {
    let (store, id) = parts.kept.store(&parts.config).await?;
    let service = ContentClassifier::open(content_classifier::Parts {
        settings: parts.config.content_classifier.clone(),
        labels: Labels::new(store.clone()),
        structures: Structures::new(store.clone()),
        store: id,
        cache: parts.kept.cache(&parts.config, &parts.health).await?,
        snapshot: parts.kept.home.knowledge(),
        ledger: Ledger::new(store.clone()),
        opinions: opinions(&parts, store.clone()).await?,
        meanings: meanings(&parts, store).await?,
    })
    .await?;
    let service = Arc::new(service);
    let toolbox = parts
        .toolbox()
        .with::<cc::Classify, _>(&service)
        .with::<cc::SecondOpinion, _>(&service)
        .with::<cc::LlmLog, _>(&service)
        .with::<cc::ListEarned, _>(&service);
    let follow = Loop::new("follow", service, |service, stop| async move { service.follow(stop).await });
    Ok(Built { toolbox, loops: vec![follow], close: None })
}

/// What second opinions need, where a language model is configured.
async fn opinions(parts: &Parts, store: Store) -> Result<Option<content_classifier::OpinionParts>> {
    let settings = &parts.config.llm;
    if settings.provider == llm::Provider::None {
        return Ok(None);
    }
    Ok(Some(content_classifier::OpinionParts {
        account: Account {
            llm: Llm::new(settings).map_err(|error| Error::invalid(error.to_string()))?,
            books: Books { ledger: Ledger::new(store), clock: parts.kept.clock.clone() },
        },
        state: parts.kept.state(&parts.config).await?,
        health: parts.health.clone(),
    }))
}

/// What it takes to know what texts mean, where a model is configured.
async fn meanings(parts: &Parts, store: Store) -> Result<Option<content_classifier::MeaningParts>> {
    let settings = &parts.config.embeddings;
    if settings.provider == llm::Provider::None {
        return Ok(None);
    }
    let books = Books { ledger: Ledger::new(store), clock: parts.kept.clock.clone() };
    Ok(Some(content_classifier::MeaningParts {
        embedder: Embedder::new(settings, Some(books)).map_err(|error| Error::invalid(error.to_string()))?,
        state: parts.kept.state(&parts.config).await?,
        health: parts.health.clone(),
    }))
}

/// `jd-classifier`.
pub(super) async fn jd_classifier(parts: Parts) -> Result<Built> {
    let (store, _) = parts.kept.store(&parts.config).await?;
    let service = JdClassifier::open(jd_classifier::Parts {
        settings: parts.config.jd_classifier.clone(),
        path: parts.kept.home.jd.clone(),
        ids: Ids::new(store.clone()),
        structures: Structures::new(store),
        cache: parts.kept.cache(&parts.config, &parts.health).await?,
        health: parts.health.clone(),
    })
    .await?;
    let service = Arc::new(service);
    let toolbox = parts
        .toolbox()
        .with::<jd::GetStructure, _>(&service)
        .with::<jd::Lookup, _>(&service)
        .with::<jd::Reserve, _>(&service)
        .with::<jd::Lint, _>(&service);
    let watch = Loop::new("watch", service, |service, stop| async move { service.watch(stop).await });
    Ok(Built { toolbox, loops: vec![watch], close: None })
}

/// Where documents come in, lie and go.
struct Files {
    vault: Vault,
    inbox: Inbox,
    trash: Trash,
    quarantine: Trash,
    vault_trash: Trash,
}

/// Vault and inbox in folders or in the bucket of the store; what leaves either stays beside it.
async fn files(config: &Config, home: &Home) -> Result<Files> {
    let below = |name: &str| Trash::Folder(home.store.join(name));
    let local = |path: &Path| Inbox::Folder(Arc::new(inbox::Folder::new(path, config.inbox.clone())));
    if let Some(vault) = home.vault.folder() {
        let inbox = home.inbox.folder().map(local).ok_or_else(|| Error::invalid("the inbox needs a folder here"))?;
        let vault = Vault::open_folder(vault, config.vault.folder.clone()).await?;
        return Ok(Files {
            vault,
            inbox,
            trash: below("trash"),
            quarantine: below("quarantine"),
            vault_trash: below("trash"),
        });
    }
    let failed = |error| match error {
        ObjectsError::Settings(_) => Error::invalid(error.to_string()),
        error => Error::unavailable(format!("vault: {error}")),
    };
    let (vault, in_bucket) = config.vault.open_buckets(&config.store.s3).await.map_err(failed)?;
    let (store, removal) = (Bucket::new(&config.store.s3).map_err(failed)?, vault.removal());
    if removal == Removal::Looked {
        tracing::warn!(
            "{store} takes no condition on a removal: an edit made at the very moment when emm takes a note away is lost with it"
        );
    }
    let kept = |name: &str| Trash::Bucket(store.below(name).with(removal));
    let files = vault::Objects::new(vault, &home.path, config.vault.folder.clone());
    let vault_trash = kept("trash");
    let (inbox, trash, quarantine) = match (home.inbox.folder(), in_bucket) {
        (Some(folder), _) => (local(folder), below("trash"), below("quarantine")),
        (None, Some(bucket)) => {
            let inbox = inbox::Objects::new(bucket, &home.path, config.inbox.clone());
            (Inbox::Objects(Arc::new(inbox)), kept("trash"), kept("quarantine"))
        }
        (None, None) => return Err(Error::invalid("the inbox is nowhere: set vault.s3.inbox or paths.inbox")),
    };
    Ok(Files { vault: Vault::Objects(files), inbox, trash, quarantine, vault_trash })
}

/// `file-system`.
pub(super) async fn file_system(parts: Parts) -> Result<Built> {
    let ((store, _), home) = (parts.kept.store(&parts.config).await?, parts.kept.home.clone());
    let index = home.search();
    let index = tokio::task::spawn_blocking(move || search::Index::open(&index)).await.map_err(Error::internal)?;
    let (index, opened) = index?;
    if !matches!(opened, search::Opened::Ready | search::Opened::New) {
        tracing::info!(?opened, "the search index is filled from the vault");
    }
    let Files { vault, inbox, trash, quarantine, vault_trash } = files(&parts.config, &home).await?;
    let service = FileSystem::open(file_system::Parts {
        settings: parts.config.file_system.clone(),
        vault,
        inbox,
        trash,
        quarantine,
        vault_trash,
        journal: Journal::new(store.clone()),
        labels: Labels::new(store.clone()),
        structures: Structures::new(store),
        state: parts.kept.state(&parts.config).await?,
        cache: parts.kept.cache(&parts.config, &parts.health).await?,
        parsers: Parsers::new(
            parts.config.parsers.clone(),
            parts.kept.program.clone(),
            vec![parsers::SUBCOMMAND.into()],
        ),
        index,
        clock: parts.kept.clock.clone(),
        health: parts.health.clone(),
        read_only: parts.read_only,
    })
    .await?;
    let service = Arc::new(service);
    let toolbox = parts
        .toolbox()
        .with::<fs::ListInbox, _>(&service)
        .with::<fs::Read, _>(&service)
        .with::<fs::File, _>(&service)
        .with::<fs::Hold, _>(&service)
        .with::<fs::Release, _>(&service)
        .with::<fs::Confirm, _>(&service)
        .with::<fs::Undo, _>(&service)
        .with::<fs::History, _>(&service)
        .with::<fs::Verify, _>(&service)
        .with::<fs::Search, _>(&service)
        .with::<fs::Overview, _>(&service)
        .with::<fs::Reindex, _>(&service);
    let inbox = Loop::new("inbox", service.clone(), |service, stop| async move { service.watch_inbox(stop).await });
    let vault = Loop::new("vault", service.clone(), |service, stop| async move { service.watch_vault(stop).await });
    let upkeep = Loop::new("upkeep", service.clone(), |service, stop| async move { service.upkeep(stop).await });
    let whole = Loop::new("state", service.clone(), |service, stop| async move { service.keep_whole(stop).await });
    let close = async move { service.close().await }.boxed();
    Ok(Built { toolbox, loops: vec![inbox, vault, upkeep, whole], close: Some(close) })
}

//! The tools of `file-system`, each a thin door to what the other files of this room do.

use std::time::{SystemTime, UNIX_EPOCH};

use super::{FileSystem, chains::append_now};
use crate::{
    contracts::file_system::{
        Account, Confirm, Document, Entries, File, Filed, History, Hit, Hits, Hold, ListInbox, Listing, Overall,
        Overview, Problem, Read, Release, Search, Undo, Undone, Verify,
    },
    domain::{
        custody::{Chain, Effect, Plan, Standing},
        note,
    },
    fault,
    rpc::{Answer, Error, Result},
    services::blocking::blocking,
};

/// Hits and entries, if a caller does not say how many.
const HITS: usize = 10;
const ENTRIES: usize = 100;

impl Answer<ListInbox> for FileSystem {
    async fn answer(&self, request: ListInbox) -> Result<Listing> {
        self.list(request).await
    }
}

impl Answer<Read> for FileSystem {
    async fn answer(&self, request: Read) -> Result<Document> {
        self.read(&request.item).await
    }
}

impl Answer<File> for FileSystem {
    async fn answer(&self, request: File) -> Result<Filed> {
        if !request.dry_run {
            self.may_write("file")?;
        }
        self.file(request).await
    }
}

impl Answer<Hold> for FileSystem {
    async fn answer(&self, request: Hold) -> Result<Standing> {
        self.may_write("hold")?;
        let emm_id = request.item.emm_id.clone();
        self.in_turn(&emm_id, Box::pin(self.hold(request))).await?
    }
}

impl Answer<Release> for FileSystem {
    async fn answer(&self, request: Release) -> Result<Standing> {
        self.may_write("release")?;
        let emm_id = self.chains.resolve(&request.emm_id).await?;
        self.in_turn(&emm_id, Box::pin(self.release(&emm_id))).await?
    }
}

impl Answer<Undo> for FileSystem {
    async fn answer(&self, request: Undo) -> Result<Undone> {
        if !request.dry_run {
            self.may_write("undo")?;
        }
        let emm_id = self.chains.resolve(&request.emm_id).await?;
        self.in_turn(&emm_id, Box::pin(self.undo(Undo { emm_id: emm_id.clone(), ..request }))).await?
    }
}

impl Answer<Verify> for FileSystem {
    async fn answer(&self, _: Verify) -> Result<Account> {
        self.verify().await
    }
}

impl Answer<Confirm> for FileSystem {
    async fn answer(&self, request: Confirm) -> Result<Filed> {
        self.may_write("confirm")?;
        let emm_id = self.chains.resolve(&request.emm_id).await?;
        self.look_again_if_moved(&emm_id).await?;
        self.in_turn(&emm_id, Box::pin(self.confirm(&emm_id, &request))).await?
    }
}

impl FileSystem {
    async fn confirm(&self, emm_id: &str, request: &Confirm) -> Result<Filed> {
        let chain = self.chains.get(emm_id).await?.filter(Chain::in_vault);
        let chain = chain
            .ok_or_else(|| Error::invalid(format!("item {emm_id} is not filed, so there is nothing to confirm")))?;
        let Some((_, plan)) = &chain.plan else { return Err(Error::internal("a filed item has no plan")) };
        let code = request.code.clone().unwrap_or_else(|| plan.code.clone());
        if code != plan.code {
            self.refile(emm_id, plan, &code, request).await?;
        }
        let effect = |chain: &Chain| {
            let settled =
                chain.standing == Standing::Confirmed && chain.plan.as_ref().is_some_and(|(_, plan)| plan.code == code);
            (chain.in_vault() && !settled).then(|| Effect::Confirmed { code: code.clone() })
        };
        let missing = || Error::not_found(format!("no item {emm_id}"));
        let labels = self.teach(emm_id, &self.chains.get(emm_id).await?.ok_or_else(missing)?, &code).await?;
        let chain = append_now(&self.chains, emm_id, &request.run, effect).await?.ok_or_else(missing)?;
        let Some((_, plan)) = chain.plan else { return Err(Error::internal("a filed item has no plan")) };
        let emm_id = emm_id.to_owned();
        Ok(Filed { emm_id, code: plan.code, note: plan.note, original: plan.original, duplicate: false, labels })
    }

    /// Moves a filed note to the place that a person names. The original stays where it is: links lead to it.
    async fn refile(&self, emm_id: &str, plan: &Plan, code: &str, request: &Confirm) -> Result<()> {
        self.leave_in_peace(plan).await?;
        let hash = request.structure.as_deref().unwrap_or(&plan.why.structure);
        let folder = self.place_of(hash, code).await?;
        let name = super::reading::file_name(&plan.note);
        let note = self.free(&folder, name, emm_id, &[]).await?;
        let (from, to) = (plan.note.clone(), note.clone());
        self.parts.vault.rename(&from, &to).await?;
        fault!("refile: before the journal");
        append_now(&self.chains, emm_id, &request.run, |chain| {
            let still = chain.plan.as_ref().is_some_and(|(_, plan)| plan.note == from);
            let effect =
                Effect::Moved { code: Some(code.to_owned()), from: from.clone(), note: to.clone(), by_hand: false };
            still.then_some(effect)
        })
        .await?;
        self.nudge_knowledge();
        Ok(())
    }
}

impl FileSystem {
    /// Refuses to move a note that its owner is writing in.
    async fn leave_in_peace(&self, plan: &Plan) -> Result<()> {
        let (hash, _) = self.parts.vault.hash(&plan.note).await?;
        let stat = self.parts.vault.stat(&plan.note).await?;
        let touched = stat.and_then(|stat| u64::try_from(stat.modified_ns / 1_000_000_000).ok()).unwrap_or_default();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let recent = now < touched + self.parts.settings.touched_seconds;
        if recent && hash.to_hex().as_str() != plan.note_hash {
            return Err(Error::conflict(format!("{} was edited a moment ago; try again when that is done", plan.note)));
        }
        Ok(())
    }
}

impl Answer<History> for FileSystem {
    async fn answer(&self, request: History) -> Result<Entries> {
        let limit = if request.limit == 0 { ENTRIES } else { request.limit };
        let mut entries = match &request.item {
            Some(item) => {
                let emm_id = self.item_of(item).await?;
                let mut links = self.chains.links(&emm_id).await?;
                links.reverse();
                links
            }
            None => self.chains.effects(request.run.clone(), "", limit).await?,
        };
        if let Some(since) = &request.since {
            let since: jiff::Timestamp = since.parse().map_err(|error| {
                Error::invalid(format!("since {since:?}: {error}; write it as 2026-01-31T12:00:00Z"))
            })?;
            entries.retain(|entry| entry.link.at.parse::<jiff::Timestamp>().is_ok_and(|at| at >= since));
        }
        entries.truncate(limit);
        Ok(Entries { entries })
    }
}

impl FileSystem {
    /// An item by its id, the beginning of it, or the path of its note.
    async fn item_of(&self, item: &str) -> Result<String> {
        if item.len() >= 4 && item.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return self.chains.resolve(item).await;
        }
        let text = self.parts.vault.read(item, 1 << 20).await?;
        let text = String::from_utf8_lossy(&text);
        match note::read_front_matter(&text).text("emm_id") {
            Some(emm_id) => self.chains.resolve(emm_id).await,
            None => Err(Error::not_found(format!("{item} has no emm_id: emm did not file it"))),
        }
    }
}

impl Answer<Search> for FileSystem {
    async fn answer(&self, request: Search) -> Result<Hits> {
        let limit = if request.limit == 0 { HITS } else { request.limit };
        let index = self.parts.index.clone();
        let search = move || Ok((index.search(&request.words, limit)?, index.len()?));
        let found: Result<_, crate::backends::search::Error> = blocking(search).await?;
        let (found, indexed) = found.map_err(Error::unavailable)?;
        let hits = found.into_iter().map(|hit| Hit {
            path: hit.path,
            title: hit.title,
            score: hit.score,
            snippet: hit.snippet,
        });
        Ok(Hits { hits: hits.collect(), indexed: indexed as usize })
    }
}

impl Answer<Overview> for FileSystem {
    async fn answer(&self, _: Overview) -> Result<Overall> {
        // An inbox that is gone is no empty one.
        let listing = self.list(ListInbox::default()).await.unwrap_or_else(|error| Listing {
            problems: vec![Problem { place: self.parts.inbox.to_string(), reason: error.message }],
            ..Listing::default()
        });
        let counts = self.chains.count().await?;
        let items = counts.into_iter().filter_map(|(name, count)| {
            let standing = serde_json::from_value(serde_json::Value::String(name)).ok()?;
            Some((standing, count))
        });
        let quarantined = self.chains.all(Some(Standing::Quarantined)).await?;
        let quarantine = quarantined.into_iter().map(|(emm_id, chain)| Problem {
            place: format!("{emm_id} {}", chain.origin.place),
            reason: chain.quarantine.unwrap_or_default(),
        });
        let index = self.parts.index.clone();
        let indexed = blocking(move || index.len()).await?;
        Ok(Overall {
            vault: self.parts.vault.to_string(),
            inbox: self.parts.inbox.to_string(),
            items: items.collect(),
            indexed: indexed.map_err(Error::unavailable)? as usize,
            labels: self.knowledge.labels(),
            quarantine: quarantine.collect(),
            problems: listing.problems,
            settling: listing.settling,
        })
    }
}

//! The state of several nodes: a server, of version 7.0 or newer.
//!
//! Each write is one script, so all or none of it is done. Reads of many entries come in pages.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use redis::{FromRedisValue, Script};
use serde::{Deserialize, Serialize};

use super::{
    Lease, Put, Select, Space, StateError, parse, sound,
    whole::{BEGUN, Marker, WHOLE, Whole},
};
use crate::backends::redis::{Fault, Redis, Request};

/// How the server is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Entries that are read with one request.
    pub entries_per_page: usize,
    /// How often a node that does nothing looks whether the server lost what it had, in milliseconds.
    pub look_ms: u64,
    /// How long a call waits while what was lost is made again, in milliseconds.
    pub heal_wait_ms: u64,
}

/// More would not fit onto the stack of a script (`unpack`).
const ENTRIES_PER_PAGE_MAX: usize = 4_000;

/// How often a call begins again because the projection was lost under it.
const TRIES_MAX: usize = 3;

/// The state on a server; cheap to clone.
#[derive(Clone)]
pub struct RedisState {
    redis: Redis,
    settings: Settings,
    base: String,
    scripts: Arc<Scripts>,
    whole: Whole,
    /// The name under which the projection is being made again, on the handle of who does it.
    healing: Option<String>,
}

struct Scripts {
    write: Script,
    scan: Script,
    lease: Script,
    extend: Script,
}

impl RedisState {
    /// The state on this server, which is waited for.
    pub async fn open(redis: Redis, settings: &Settings) -> Result<RedisState, StateError> {
        redis.wait().await?;
        let scripts = Scripts {
            write: Script::new(include_str!("lua/write.lua")),
            scan: Script::new(include_str!("lua/scan.lua")),
            lease: Script::new(include_str!("lua/lease.lua")),
            extend: Script::new(include_str!("lua/extend.lua")),
        };
        let (base, scripts, whole) = (redis.key(&["state", ""]), Arc::new(scripts), Whole::default());
        Ok(RedisState { redis, settings: settings.clone(), base, scripts, whole, healing: None })
    }

    /// Writes entries, all or none.
    pub async fn write(&self, puts: Vec<Put>) -> Result<(), StateError> {
        if puts.is_empty() {
            return Ok(());
        }
        let mut tries = self.tries();
        loop {
            let marker = tries.next().await?;
            let mut call = self.scripts.write.prepare_invoke();
            call.arg(&self.base).arg(marker.key).arg(&marker.name);
            for put in &puts {
                let keep = if put.value.is_some() { "1" } else { "0" };
                call.arg(put.space.name()).arg(&put.key).arg(&put.tag).arg(keep);
                let stays = if put.once { "*" } else { put.grows_by.unwrap_or_default() };
                call.arg(put.value.as_deref().unwrap_or_default()).arg(stays);
            }
            if self.ask(Request::Script(&call)).await? {
                return Ok(());
            }
        }
    }

    /// One entry.
    pub async fn get<T: for<'a> Deserialize<'a>>(&self, space: Space, key: &str) -> Result<Option<T>, StateError> {
        let mut found = self.values(space, std::slice::from_ref(&key.to_owned())).await?;
        let value = found.pop().flatten();
        value.map(|value| parse(key, &value)).transpose()
    }

    /// Many entries at once.
    pub async fn get_many<T: for<'a> Deserialize<'a>>(
        &self,
        space: Space,
        keys: Vec<String>,
    ) -> Result<BTreeMap<String, T>, StateError> {
        let mut found = BTreeMap::new();
        for keys in keys.chunks(self.page()) {
            for (key, value) in keys.iter().zip(self.values(space, keys).await?) {
                if let Some(value) = value {
                    found.insert(key.clone(), parse(key, &value)?);
                }
            }
        }
        Ok(found)
    }

    /// Entries in the order of their keys.
    pub async fn scan<T: for<'a> Deserialize<'a>>(
        &self,
        space: Space,
        select: Select,
    ) -> Result<Vec<(String, T)>, StateError> {
        let rows = self.rows(space, select).await?;
        rows.into_iter().map(|(key, value)| Ok((key.clone(), parse(&key, &value)?))).collect()
    }

    /// The entries of a space that can be understood.
    pub async fn sound<T: for<'a> Deserialize<'a>>(
        &self,
        space: Space,
        select: Select,
    ) -> Result<Vec<(String, T)>, StateError> {
        Ok(sound(space, self.rows(space, select).await?))
    }

    /// How many entries a space has under each tag.
    pub async fn count(&self, space: Space) -> Result<Vec<(String, usize)>, StateError> {
        let mut tries = self.tries();
        loop {
            let marker = tries.next().await?;
            let mut pipe = redis::pipe();
            pipe.cmd("HGETALL").arg(self.key(space, "counts"));
            let counts: Option<(BTreeMap<String, usize>,)> = self.piped(pipe, &marker).await?;
            if let Some((counts,)) = counts {
                return Ok(counts.into_iter().collect());
            }
        }
    }

    /// The keys of a space.
    pub async fn keys(&self, space: Space) -> Result<Vec<String>, StateError> {
        Ok(self.rows(space, Select::default()).await?.into_iter().map(|(key, _)| key).collect())
    }

    /// A handle for who makes the projection again.
    pub async fn begin_healing(&self) -> Result<RedisState, StateError> {
        let (key, fresh) = (format!("{}{BEGUN}", self.base), uuid::Uuid::new_v4().simple().to_string());
        let mut pipe = redis::pipe();
        pipe.cmd("SET").arg(&key).arg(&fresh).arg("NX").ignore().cmd("GET").arg(&key);
        let (name,): (String,) = self.ask(Request::Pipeline(&pipe)).await?;
        Ok(RedisState { healing: Some(name), ..self.clone() })
    }

    /// Marks the projection as whole, if it was not lost since healing began.
    pub async fn healed(&self) -> Result<(), StateError> {
        let Some(name) = self.healing.clone() else { return Ok(()) };
        // Read back last: if all was lost before that, the name that was begun with is gone.
        let key = format!("{}{WHOLE}", self.base);
        let marker = Marker { key: BEGUN, name: name.clone() };
        let mut pipe = redis::pipe();
        pipe.cmd("SET").arg(&key).arg(&name);
        let marked: Option<(String,)> = self.piped(pipe, &marker).await?;
        marked.ok_or(StateError::Emptied)?;
        self.whole.remember(name);
        Ok(())
    }

    /// Waits until the projection was lost, or may have been.
    pub async fn lost(&self) {
        let pause = Duration::from_millis(self.settings.look_ms.max(10));
        while tokio::time::timeout(pause, self.whole.lost()).await.is_err() {
            let Some(name) = self.whole.name() else { continue };
            let key = format!("{}{WHOLE}", self.base);
            // A fault says by itself that it may have been lost.
            let found: Result<Option<String>, _> = self.ask(Request::Command(redis::cmd("GET").arg(&key))).await;
            if found.is_ok_and(|found| found.as_ref() != Some(&name)) {
                self.whole.lose();
            }
        }
    }

    /// Takes a lease.
    pub async fn lease(&self, name: &str, owner: &str, ttl_ms: u64) -> Result<Option<Lease>, StateError> {
        let mut call = self.scripts.lease.prepare_invoke();
        call.key(self.redis.key(&["lease", name])).key(self.redis.key(&["lease-token", name]));
        call.arg(owner).arg(ttl_ms.max(1));
        let token: Option<u64> = self.ask(Request::Script(&call)).await?;
        Ok(token.map(|token| Lease { name: name.to_owned(), owner: owner.to_owned(), token }))
    }

    /// Keeps a lease.
    pub async fn renew(&self, lease: &Lease, ttl_ms: u64) -> Result<bool, StateError> {
        self.extend(lease, ttl_ms.max(1)).await
    }

    /// Gives a lease back.
    pub async fn release(&self, lease: &Lease) -> Result<(), StateError> {
        self.extend(lease, 0).await.map(drop)
    }

    async fn extend(&self, lease: &Lease, ttl_ms: u64) -> Result<bool, StateError> {
        let mut call = self.scripts.extend.prepare_invoke();
        call.key(self.redis.key(&["lease", &lease.name])).arg(format!("{} {}", lease.token, lease.owner)).arg(ttl_ms);
        self.ask(Request::Script(&call)).await
    }

    async fn values(&self, space: Space, keys: &[String]) -> Result<Vec<Option<String>>, StateError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut tries = self.tries();
        loop {
            let marker = tries.next().await?;
            let mut pipe = redis::pipe();
            pipe.cmd("HMGET").arg(self.key(space, "values")).arg(keys);
            let values: Option<(Vec<Option<String>>,)> = self.piped(pipe, &marker).await?;
            if let Some((values,)) = values {
                return Ok(values);
            }
        }
    }

    async fn rows(&self, space: Space, select: Select) -> Result<Vec<(String, String)>, StateError> {
        let mut tries = self.tries();
        loop {
            let marker = tries.next().await?;
            if let Some(rows) = self.read_rows(space, &select, &marker).await? {
                return Ok(rows);
            }
        }
    }

    /// All that is selected; nothing if the projection was lost meanwhile.
    async fn read_rows(
        &self,
        space: Space,
        select: &Select,
        marker: &Marker,
    ) -> Result<Option<Vec<(String, String)>>, StateError> {
        let (mut range, mut rows) = (Range::new(select), Vec::new());
        loop {
            let left = if select.limit == 0 { usize::MAX } else { select.limit - rows.len() };
            let mut page = self.read_page(space, &range, left.min(self.page()), marker).await?.into_iter();
            if page.next().is_none_or(|whole| whole != b"1") {
                return Ok(None);
            }
            let last = page.next().unwrap_or_default();
            while let (Some(key), Some(value)) = (page.next(), page.next()) {
                rows.push((text(key)?, text(value)?));
            }
            if last.is_empty() || (select.limit > 0 && rows.len() >= select.limit) {
                return Ok(Some(rows));
            }
            range.go_on_behind(&last);
        }
    }

    async fn read_page(
        &self,
        space: Space,
        range: &Range,
        wanted: usize,
        marker: &Marker,
    ) -> Result<Vec<Vec<u8>>, StateError> {
        let mut call = self.scripts.scan.prepare_invoke();
        call.arg(&self.base).arg(marker.key).arg(&marker.name).arg(space.name());
        call.arg(if range.tagged { "tagged" } else { "order" }).arg(&range.lower).arg(&range.upper);
        call.arg(if range.newest_first { "1" } else { "0" }).arg(wanted).arg(range.head_bytes);
        self.ask(Request::Script(&call)).await
    }

    /// Does reads, and looks at the marker behind them: if the server lost all in between, the marker is gone as well.
    async fn piped<T: FromRedisValue>(
        &self,
        mut pipe: redis::Pipeline,
        marker: &Marker,
    ) -> Result<Option<T>, StateError> {
        if marker.key.is_empty() {
            return Ok(Some(self.ask(Request::Pipeline(&pipe)).await?));
        }
        pipe.cmd("GET").arg(format!("{}{}", self.base, marker.key));
        let mut values: Vec<redis::Value> = self.ask(Request::Pipeline(&pipe)).await?;
        let found: Option<String> = values.pop().and_then(|it| redis::from_redis_value(it).ok()).flatten();
        if found.as_ref() != Some(&marker.name) {
            return Ok(None);
        }
        let values = redis::from_redis_value(redis::Value::Array(values));
        values.map(Some).map_err(|error| StateError::Damaged { key: self.base.clone(), reason: error.to_string() })
    }

    async fn ask<T: FromRedisValue>(&self, request: Request<'_>) -> Result<T, StateError> {
        let answer = self.redis.ask(request).await;
        if answer.as_ref().is_err_and(Fault::is_silence) {
            // A server that comes back may have lost what it had last, or all of it.
            self.whole.lose();
        }
        Ok(answer?)
    }

    /// Tries of one call: the first, and others where the projection was lost under it.
    fn tries(&self) -> Tries<'_> {
        Tries { state: self, made: 0 }
    }

    fn key(&self, space: Space, name: &str) -> String {
        format!("{}{}:{name}", self.base, space.name())
    }

    fn page(&self) -> usize {
        self.settings.entries_per_page.clamp(1, ENTRIES_PER_PAGE_MAX)
    }
}

/// Tries of one call.
struct Tries<'a> {
    state: &'a RedisState,
    made: usize,
}

impl Tries<'_> {
    /// The marker to look at. A call that asks for another one has found that it is gone.
    async fn next(&mut self) -> Result<Marker, StateError> {
        let RedisState { healing, whole, settings, .. } = self.state;
        self.made += 1;
        if let Some(name) = healing {
            let marker = Marker { key: BEGUN, name: name.clone() };
            return if self.made == 1 { Ok(marker) } else { Err(StateError::Emptied) };
        }
        if self.made > 1 {
            whole.lose();
        }
        let limit = Duration::from_millis(settings.heal_wait_ms);
        let marker = if self.made > TRIES_MAX { None } else { whole.marker(limit).await };
        marker.ok_or(StateError::Emptied)
    }
}

/// Which members a scan still has to read, as ZRANGE takes it.
struct Range {
    tagged: bool,
    lower: Vec<u8>,
    upper: Vec<u8>,
    newest_first: bool,
    /// Bytes of a member before its key.
    head_bytes: usize,
}

impl Range {
    fn new(select: &Select) -> Range {
        let head = select.tag.as_ref().map(|tag| format!("{}:{tag}:", tag.len())).unwrap_or_default();
        let end = |sign: u8, text: &str| [&[sign], head.as_bytes(), text.as_bytes()].concat();
        let mut lower = end(b'[', &select.prefix);
        // No text has the byte 255: it stands behind all that begins with the prefix.
        let mut upper = [end(b'(', &select.prefix), vec![255]].concat();
        match (&select.from, select.newest_first) {
            (Some(from), false) if *from > select.prefix => lower = end(b'[', from),
            (Some(from), true) if from.as_bytes() < upper.get(1 + head.len()..).unwrap_or_default() => {
                upper = end(b'(', from);
            }
            _ => {}
        }
        let (tagged, newest_first) = (select.tag.is_some(), select.newest_first);
        Range { tagged, lower, upper, newest_first, head_bytes: head.len() }
    }

    fn go_on_behind(&mut self, member: &[u8]) {
        let end = [b"(", member].concat();
        if self.newest_first { self.upper = end } else { self.lower = end }
    }
}

fn text(bytes: Vec<u8>) -> Result<String, StateError> {
    String::from_utf8(bytes).map_err(|error| StateError::Damaged {
        key: String::from_utf8_lossy(error.as_bytes()).chars().take(80).collect(),
        reason: "it is not text".to_owned(),
    })
}

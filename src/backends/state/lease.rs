//! Leases: who does a piece of work, so that others need not; and how a file keeps them.

use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

/// A lease that was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// What it is for.
    pub name: String,
    /// Who has it; no two owners have the same name.
    pub owner: String,
    /// Larger than that of every lease of this name before it: who is told a smaller one than it knows refuses.
    pub token: u64,
}

/// Where a file keeps leases: entries of a space that is never cleared, so that tokens go on growing.
const SPACE: &str = "leases";

/// What is kept of the last lease of a name.
#[derive(Serialize, Deserialize)]
struct Kept {
    owner: String,
    token: u64,
    until_us: u64,
}

/// Gives the lease, unless another owner has it.
pub(super) fn take(connection: &Connection, wanted: Lease, ttl_ms: u64) -> rusqlite::Result<Option<Lease>> {
    let (now, last) = (now_us(), last(connection, &wanted.name)?);
    if last.as_ref().is_some_and(|last| last.until_us > now && last.owner != wanted.owner) {
        return Ok(None);
    }
    // The time, so that tokens grow even after the file was lost.
    let token = last.map_or(0, |last| last.token + 1).max(now);
    let lease = Lease { token, ..wanted };
    keep(connection, &lease, ttl_ms)?;
    Ok(Some(lease))
}

/// Lets a lease end `ttl_ms` from now, if nobody took it since. Says so.
pub(super) fn extend(connection: &Connection, lease: &Lease, ttl_ms: u64) -> rusqlite::Result<bool> {
    let now = now_us();
    let ours = last(connection, &lease.name)?
        .is_some_and(|last| last.token == lease.token && last.owner == lease.owner && last.until_us > now);
    if ours {
        keep(connection, lease, ttl_ms)?;
    }
    Ok(ours)
}

fn last(connection: &Connection, name: &str) -> rusqlite::Result<Option<Kept>> {
    let mut query = connection.prepare_cached("SELECT value FROM entries WHERE space = ? AND key = ?")?;
    let found: Option<String> = query.query_row(params![SPACE, name], |row| row.get(0)).optional()?;
    Ok(found.and_then(|found| serde_json::from_str(&found).ok()))
}

fn keep(connection: &Connection, lease: &Lease, ttl_ms: u64) -> rusqlite::Result<()> {
    let kept = Kept { owner: lease.owner.clone(), token: lease.token, until_us: now_us() + ttl_ms * 1_000 };
    let value = serde_json::to_string(&kept).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    connection
        .prepare_cached("INSERT OR REPLACE INTO entries (space, key, tag, value) VALUES (?, ?, '', ?)")?
        .execute(params![SPACE, lease.name, value])
        .map(drop)
}

fn now_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros() as u64
}

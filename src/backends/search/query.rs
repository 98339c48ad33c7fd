//! From a query to hits: the terms worth looking up, SQLite's candidates, and our own ranking of the best of them.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{OptionalExtension, params};

use super::rank::{Candidate, rank};
use super::table::Table;
use super::{Error, Hit};
use crate::domain::text::{Family, Term, piece_terms, pieces};

/// A longer query is cut here: nobody types more, and a pasted page still finds its like.
const QUERY_BYTES_MAX: usize = 8_192;

/// The rarest terms of a query are looked up, and no more than these.
const TERMS_MAX: usize = 96;

/// Passages that are ranked by reading them, at least; a larger limit reads more.
const CANDIDATES_MIN: usize = 50;

/// Candidates read for each hit asked for: several passages may be of one document.
const CANDIDATES_PER_HIT: usize = 2;

/// Below this many passages every term is looked up; above, a term of every second passage only costs time.
const COMMON_FROM_PASSAGES: u64 = 1_000;

/// Weights of the columns title, path and body when candidates are picked.
const COLUMN_WEIGHTS: [f64; 3] = [2.0, 1.0, 1.0];

/// The best documents for a query; a document is as good as its best passage.
pub(super) fn search(table: &Table, query: &str, limit: usize) -> Result<Vec<Hit>, Error> {
    let query = query.split_at(query.floor_char_boundary(QUERY_BYTES_MAX)).0;
    let terms = wanted(table, query)?;
    if terms.is_empty() || limit == 0 {
        return Ok(Vec::new());
    }
    let (docs, candidates) = candidates(table, &terms, limit)?;
    let mut best: BTreeMap<i64, Hit> = BTreeMap::new();
    for (doc, ranked) in docs.into_iter().zip(rank(query, &candidates)) {
        if best.get(&doc).is_none_or(|other| ranked.score > other.score) {
            let hit = Hit { score: ranked.score, snippet: ranked.snippet, ..named(table, doc)? };
            best.insert(doc, hit);
        }
    }
    let mut hits: Vec<Hit> = best.into_values().collect();
    hits.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.key.cmp(&b.key)));
    hits.truncate(limit);
    Ok(hits)
}

/// The terms to look up: those that some passage has, rarest first.
fn wanted(table: &Table, query: &str) -> Result<Vec<String>, Error> {
    let mut keys = BTreeSet::new();
    for piece in pieces(query) {
        // Pairs say more than single characters, which only a query of one character needs.
        let alone = piece.family != Family::Ideographic || piece.text.chars().nth(1).is_none();
        piece_terms(&piece, &mut |term| {
            if alone || !matches!(term, Term::Prefix(_)) {
                let mut key = String::new();
                term.write(&mut key);
                keys.insert(key);
            }
        });
    }
    let mut count = table.0.prepare_cached("SELECT doc FROM vocabulary WHERE term = ?1")?;
    let mut known: Vec<(u64, String)> = Vec::new();
    for key in keys {
        if let Some(with) = count.query_row([&key], |row| row.get(0)).optional()? {
            known.push((with, key));
        }
    }
    known.sort();
    let passages = table.passages()?;
    let common = passages.max(COMMON_FROM_PASSAGES) / 2;
    if known.first().is_some_and(|(with, _)| *with <= common) {
        known.retain(|(with, _)| *with <= common);
    }
    known.truncate(TERMS_MAX);
    Ok(known.into_iter().map(|(_, key)| key).collect())
}

/// The passages that SQLite's BM25 puts first, any term counting, each after its document's number. In quotes a term
/// is only ever a term.
fn candidates(table: &Table, terms: &[String], limit: usize) -> Result<(Vec<i64>, Vec<Candidate>), Error> {
    let any: Vec<String> = terms.iter().map(|term| format!("\"{}\"", term.replace('"', ""))).collect();
    let mut find = table.0.prepare_cached(
        "SELECT passages.doc, docs.title, passages.text, found.score FROM (
             SELECT rowid AS id, bm25(terms, ?2, ?3, ?4) AS score FROM terms WHERE terms MATCH ?1
             ORDER BY score, id LIMIT ?5
         ) AS found JOIN passages ON passages.id = found.id JOIN docs ON docs.id = passages.doc
         ORDER BY found.score, found.id",
    )?;
    let [title, path, body] = COLUMN_WEIGHTS;
    let count = (limit * CANDIDATES_PER_HIT).max(CANDIDATES_MIN) as u64;
    let rows = find.query_map(params![any.join(" OR "), title, path, body, count], |row| {
        // SQLite's score is the smaller the better.
        let candidate = Candidate { title: row.get(1)?, text: row.get(2)?, found: -row.get::<_, f64>(3)? };
        Ok((row.get::<_, i64>(0)?, candidate))
    })?;
    Ok(rows.collect::<Result<Vec<_>, _>>()?.into_iter().unzip())
}

/// A hit that has its document's names, and nothing else yet.
fn named(table: &Table, doc: i64) -> Result<Hit, Error> {
    let mut read = table.0.prepare_cached("SELECT key, emm_id, path, title FROM docs WHERE id = ?1")?;
    Ok(read.query_row([doc], |row| {
        let (key, emm_id, path, title) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        Ok(Hit { key, emm_id, path, title, score: 0.0, snippet: String::new() })
    })?)
}

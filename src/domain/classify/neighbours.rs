//! Which examples share rare words with a document: an inverted index of leading words and titles.

use crate::domain::classify::features::Seen;

const SHARDS: usize = 1 << 12;
/// How many examples are near.
const NEAR: usize = 12;
/// How many features of a document are looked up.
const PROBES: usize = 40;
/// A feature in more examples than this, and in more than one of twenty, is too common to ask for.
const SPREAD_MAX: usize = 60;

/// Postings: feature to examples, 8 bytes each, in small sorted rows.
#[derive(Debug, Clone)]
pub(super) struct Postings {
    shards: Vec<Vec<u64>>,
}

impl Postings {
    pub(super) fn new() -> Postings {
        Postings { shards: vec![Vec::new(); SHARDS] }
    }

    pub(super) fn add(&mut self, feature: u32, example: u32) {
        let rows = &mut self.shards[(feature as usize) % SHARDS];
        let entry = (u64::from(feature) << 32) | u64::from(example);
        if let Err(at) = rows.binary_search(&entry) {
            if rows.len() == rows.capacity() {
                rows.reserve_exact(4 + rows.len() / 6);
            }
            rows.insert(at, entry);
        }
    }

    pub(super) fn remove(&mut self, feature: u32, example: u32) {
        let rows = &mut self.shards[(feature as usize) % SHARDS];
        if let Ok(at) = rows.binary_search(&((u64::from(feature) << 32) | u64::from(example))) {
            rows.remove(at);
        }
    }

    /// The rows of a whole collection at once, from (feature, example) in the order of examples.
    pub(super) fn build(pairs: &[(u32, u32)]) -> Postings {
        let mut sizes = vec![0_usize; SHARDS];
        for (feature, _) in pairs {
            sizes[(*feature as usize) % SHARDS] += 1;
        }
        let mut shards: Vec<Vec<u64>> = sizes.into_iter().map(Vec::with_capacity).collect();
        for (feature, example) in pairs {
            shards[(*feature as usize) % SHARDS].push((u64::from(*feature) << 32) | u64::from(*example));
        }
        shards.iter_mut().for_each(|rows| rows.sort_unstable());
        Postings { shards }
    }

    /// Memory taken, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.shards.iter().map(|rows| rows.capacity() * 8 + 24).sum()
    }

    fn row(&self, feature: u32) -> &[u64] {
        let rows = &self.shards[(feature as usize) % SHARDS];
        let start = rows.partition_point(|entry| *entry < u64::from(feature) << 32);
        let length = rows[start..].partition_point(|entry| *entry >> 32 == u64::from(feature));
        &rows[start..start + length]
    }

    /// The examples that share most of the document's rare words, best first, ties by key.
    pub(super) fn near<'a>(
        &self,
        lead: &[Seen],
        examples: usize,
        of: impl Fn(u32) -> Option<(&'a str, u16)>,
    ) -> Vec<Near> {
        let (probes, mass) = self.probes(lead, examples);
        let mut dense: Vec<(f64, u32)> = Vec::new();
        let mut touched: Vec<u32> = Vec::new();
        for (feature, weight) in probes {
            for entry in self.row(feature) {
                let example = (*entry & 0xFFFF_FFFF) as u32;
                if dense.len() <= example as usize {
                    dense.resize(example as usize + 1, (0.0, 0));
                }
                let (sum, shared) = &mut dense[example as usize];
                if *shared == 0 {
                    touched.push(example);
                }
                *sum += weight;
                *shared += 1;
            }
        }
        let mut scores: Vec<f64> = touched.iter().map(|example| dense[*example as usize].0).collect();
        scores.sort_by(|a, b| b.total_cmp(a));
        let least = scores.get(NEAR - 1).copied().unwrap_or(0.0);
        touched.retain(|example| dense[*example as usize].0 >= least);
        let mut near: Vec<(Near, &str)> = touched
            .into_iter()
            .filter_map(|example| {
                let (key, class) = of(example)?;
                let (sum, shared) = dense[example as usize];
                Some((Near { example, class, similarity: sum / mass, shared }, key))
            })
            .collect();
        near.sort_by(|a, b| b.0.similarity.total_cmp(&a.0.similarity).then(a.1.cmp(b.1)));
        near.into_iter().take(NEAR).map(|(near, _)| near).collect()
    }

    /// The rarest features that are known, in their own order, and the weight of all of them.
    fn probes(&self, lead: &[Seen], examples: usize) -> (Vec<(u32, f64)>, f64) {
        let known = lead.iter().map(|seen| (seen.feature, self.row(seen.feature).len()));
        let unknown = libm::log(examples as f64 + 1.0);
        let mut probes: Vec<(u32, f64)> = Vec::new();
        let mut fresh = 0.0;
        for (feature, spread) in known {
            if spread == 0 {
                fresh += unknown;
            } else if spread <= SPREAD_MAX.max(examples / 20) {
                probes.push((feature, libm::log((examples as f64 + 1.0) / (spread as f64 + 0.5)).max(0.01)));
            }
        }
        probes.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        probes.truncate(PROBES);
        let mass: f64 = probes.iter().map(|(_, weight)| weight).sum::<f64>() + 0.5 * fresh;
        (probes, mass.max(1e-9))
    }
}

/// An example that shares words with the document.
#[derive(Debug, Clone, Copy)]
pub(super) struct Near {
    pub(super) example: u32,
    pub(super) class: u16,
    /// The share of the document's rare words that it has, 0 to 1.
    pub(super) similarity: f64,
    /// How many words they share.
    pub(super) shared: u32,
}

//! What is measured with: items that were filed by hand, the structure that they were filed into, and how they are split.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use serde::Deserialize;
use serde_json::Value;

use super::super::setup::at;
use crate::{
    backends::store::Lesson,
    domain::classify::Target,
    rpc::{Error, Result},
};

/// One line of the items. Where it lay is not read: that gives away what is to be guessed.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Item {
    pub(super) id: String,
    #[serde(default)]
    pub(super) title: String,
    #[serde(default)]
    pub(super) text: String,
    /// The category that its owner chose; a code that means nothing by itself.
    pub(super) label: String,
    #[serde(default)]
    pub(super) url: String,
    /// What else a lesson says of a document; a file of items has none of it.
    #[serde(skip)]
    pub(super) name: String,
    #[serde(skip)]
    pub(super) kind: String,
    #[serde(skip)]
    pub(super) hints: Vec<String>,
}

impl Item {
    /// What a person taught; nothing for what was taken back.
    pub(super) fn of(lesson: Lesson) -> Option<Item> {
        let Lesson { key: id, code, name, title, kind, text, hints, .. } = lesson;
        Some(Item { id, title, text, label: code?, url: String::new(), name, kind, hints })
    }
}

/// Reads the items, by their ids in the order of the file.
pub(super) fn items(path: &Path) -> Result<Vec<Item>> {
    let text = text(path)?;
    let (mut items, mut seen) = (Vec::new(), BTreeSet::new());
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = |reason: String| Error::invalid(format!("{}, line {}: {reason}", path.display(), number + 1));
        let item: Item = serde_json::from_str(line).map_err(|error| wrong(error.to_string()))?;
        if !seen.insert(item.id.clone()) {
            return Err(wrong(format!("the id {:?} is there twice", item.id)));
        }
        items.push(item);
    }
    if items.is_empty() {
        return Err(Error::invalid(format!("{} has no items: each line is one, as JSON", path.display())));
    }
    Ok(items)
}

/// The categories of a structure, and the names of its areas. Nothing is linted: real vaults number as they like.
pub(super) fn structure(path: &Path) -> Result<(Vec<Target>, BTreeMap<String, String>)> {
    let wrong = |reason: String| Error::invalid(format!("{}: {reason}", path.display()));
    let tree: Value = serde_saphyr::from_str(&text(path)?).map_err(|error| wrong(error.to_string()))?;
    let house = tree.get("areas").filter(|areas| areas.is_object()).unwrap_or(&tree);
    let house = house.as_object().ok_or_else(|| wrong("it is no map of areas".to_owned()))?;
    let (mut targets, mut areas) = (Vec::new(), BTreeMap::new());
    for (code, area) in house {
        let name = area.as_str().or_else(|| area["name"].as_str()).unwrap_or_default().to_owned();
        for (code, category) in area["categories"].as_object().into_iter().flatten() {
            let words = |key: &str| -> Vec<String> {
                category[key].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
            };
            targets.push(Target {
                code: code.clone(),
                title: category.as_str().or_else(|| category["name"].as_str()).unwrap_or_default().to_owned(),
                category_title: String::new(),
                area_title: name.clone(),
                description: category["description"].as_str().unwrap_or_default().to_owned(),
                keywords: words("keywords"),
                examples: words("examples"),
                not: words("not"),
                aliases: words("aliases"),
            });
        }
        areas.insert(code.clone(), name);
    }
    if targets.is_empty() {
        return Err(wrong("it has no categories".to_owned()));
    }
    Ok((targets, areas))
}

/// Which items are learnt, which are asked about, and in which order they come in life.
#[derive(Debug, Default)]
pub(super) struct Splits {
    pub(super) train: Vec<usize>,
    pub(super) test: Vec<usize>,
    pub(super) order: Vec<usize>,
}

/// The form of a file of splits.
#[derive(Debug, Deserialize)]
struct Named {
    warm_train: Vec<String>,
    warm_test: Vec<String>,
    growing_order: Vec<String>,
}

/// Reads splits: each has the ids of items.
pub(super) fn splits(path: &Path, items: &[Item]) -> Result<Splits> {
    let wrong = |reason: String| Error::invalid(format!("{}: {reason}", path.display()));
    let named: Named = serde_json::from_str(&text(path)?).map_err(|error| wrong(error.to_string()))?;
    let by_id: BTreeMap<&str, usize> = items.iter().enumerate().map(|(at, item)| (item.id.as_str(), at)).collect();
    let find = |ids: Vec<String>| -> Result<Vec<usize>> {
        let find = |id: &String| by_id.get(id.as_str()).copied();
        ids.iter().map(|id| find(id).ok_or_else(|| wrong(format!("there is no item {id:?}")))).collect()
    };
    Ok(Splits { train: find(named.warm_train)?, test: find(named.warm_test)?, order: find(named.growing_order)? })
}

/// The share of each label that is learnt.
const TRAIN: f64 = 0.7;

/// Splits that a seed makes: 70 % of each label is learnt, and life comes in any order.
pub(super) fn splits_of(seed: u64, items: &[Item]) -> Splits {
    let drawn = |what: &str, at: usize| blake3::hash(format!("{seed} {what} {}", items[at].id).as_bytes()).to_hex();
    let mut by_label = BTreeMap::<&str, Vec<usize>>::new();
    for (at, item) in items.iter().enumerate() {
        by_label.entry(&item.label).or_default().push(at);
    }
    let mut splits = Splits { order: (0..items.len()).collect(), ..Splits::default() };
    for (_, mut all) in by_label {
        all.sort_by_cached_key(|at| drawn("split", *at));
        let (train, test) = all.split_at((all.len() as f64 * TRAIN).round() as usize);
        splits.train.extend(train);
        splits.test.extend(test);
    }
    splits.train.sort_by_cached_key(|at| drawn("train", *at));
    splits.test.sort_by_cached_key(|at| drawn("test", *at));
    splits.order.sort_by_cached_key(|at| drawn("order", *at));
    splits
}

fn text(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).map_err(at(path))?;
    let wrong = |error: std::string::FromUtf8Error| {
        let line =
            error.as_bytes().iter().take(error.utf8_error().valid_up_to()).filter(|it| **it == b'\n').count() + 1;
        Error::invalid(format!("{}, line {line}: it is not UTF-8", path.display()))
    };
    String::from_utf8(bytes).map_err(wrong)
}

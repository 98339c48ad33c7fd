//! Every case of `tests/cases/scenarios/` runs Together and Apart, and leaves the same vault byte for byte.

use std::{collections::BTreeMap, fs, path::Path};

use emm::{
    contracts::{
        file_system::{Confirm, ListInbox, Reindex, Search, Undo, Verify},
        file_system_agent::{AnswerReview, Answered, ListReviews, Sweep},
        jd_classifier::GetStructure,
    },
    rpc::Code,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::world::{ALL, Placement, World, differences, merge};

/// One case file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What it shows, for people.
    about: String,
    /// The structure.
    jd: String,
    /// Whether items may get new ids.
    #[serde(default)]
    new_ids: bool,
    /// What is done, in this order.
    steps: Vec<Step>,
    /// The paths that the vault has in the end.
    vault: Vec<String>,
    /// The paths that the inbox has in the end.
    #[serde(default)]
    inbox: Vec<String>,
    /// Words that single files of the vault have in the end.
    #[serde(default)]
    says: BTreeMap<String, Vec<String>>,
}

/// One step; exactly one of its fields is set.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Step {
    /// Files for the inbox.
    drop: BTreeMap<String, String>,
    /// Files that the owner writes into the vault.
    write: BTreeMap<String, String>,
    /// A file of the vault that its owner moves: from, to.
    move_note: Vec<String>,
    /// A sweep; how many items it files, how many it asks about.
    sweep: Option<Counts>,
    /// Answers a review: the place in the inbox and the code.
    accept: Vec<String>,
    /// Answers a review with a new id: the place, the category and the title.
    new_id: Vec<String>,
    /// Leaves an item in the inbox: its place.
    skip: Option<String>,
    /// Confirms a filing: the item's old place, and another code if it belongs elsewhere.
    confirm: Vec<String>,
    /// Undoes a filing: the item's old place.
    undo: Option<String>,
    /// An undo that must be refused, and a word of the reason.
    undo_refused: Vec<String>,
    /// Words that no indexed note has.
    finds_nothing: Option<String>,
    /// Stops all nodes and starts them again.
    restart: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Counts {
    #[serde(default)]
    filed: usize,
    #[serde(default)]
    review: usize,
    #[serde(default)]
    duplicates: usize,
}

fn cases() -> Vec<(String, Case)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/scenarios");
    let mut cases: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == "yaml"))
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let case = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            (name, case)
        })
        .collect();
    cases.sort_by(|a, b| a.0.cmp(&b.0));
    cases
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_case_leaves_the_same_vault_in_every_placement() {
    let cases = cases();
    assert!(cases.len() >= 8, "the cases are missing");
    let mut wrong = Vec::new();
    for (name, case) in cases {
        let mut vaults = Vec::new();
        for placement in ALL {
            let vault = run(&name, &case, placement, &json!({})).await;
            if !vault.keys().eq(&case.vault) {
                let paths: Vec<_> = vault.keys().map(|path| format!("  - {path:?}")).collect();
                wrong.push(format!("{name} {placement:?} ({}) has\nvault:\n{}", case.about, paths.join("\n")));
            }
            for (path, words) in &case.says {
                let text = String::from_utf8_lossy(&vault[path]);
                for word in words {
                    assert!(text.contains(word), "{name} {placement:?}: {path} does not say {word:?}:\n{text}");
                }
            }
            vaults.push(vault);
        }
        for (placement, vault) in ALL.iter().zip(&vaults).skip(1) {
            let differences = differences(&vaults[0], vault);
            if !differences.is_empty() {
                wrong.push(format!("{name}: Together and {placement:?} differ:\n{}", differences.join("\n")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The vault that one of the cases leaves, with this configuration as well.
pub(crate) async fn vault_of(name: &str, placement: Placement, more: &Value) -> BTreeMap<String, Vec<u8>> {
    let (_, case) = cases().into_iter().find(|(it, _)| it == name).unwrap();
    let vault = run(name, &case, placement, more).await;
    assert!(vault.keys().eq(&case.vault), "{name} {placement:?}: {:?}", vault.keys());
    vault
}

async fn run(name: &str, case: &Case, placement: Placement, more: &Value) -> BTreeMap<String, Vec<u8>> {
    let mut extra = json!({ "file_system_agent": { "new_ids": case.new_ids } });
    merge(&mut extra, more);
    let mut world = World::start(placement, &case.jd, &extra).await;
    let mut places = BTreeMap::new();
    for (number, step) in case.steps.iter().enumerate() {
        let at = format!("{name} {placement:?} step {number}");
        world = one(world, step, &at, placement, &extra, &mut places).await;
    }
    let account = world.call(Verify {}).await.unwrap();
    assert_eq!(account.seen, account.accounted, "{name} {placement:?}: {:?}", account.violations);
    let inbox: Vec<String> = world.files("UNSORTED").into_keys().collect();
    assert_eq!(inbox, case.inbox, "{name} {placement:?}: the inbox");
    let vault = world.files("vault");
    world.stop().await;
    vault
}

/// Carries out one step. `places` remembers which item lay where.
async fn one(
    world: World,
    step: &Step,
    at: &str,
    placement: Placement,
    extra: &Value,
    places: &mut BTreeMap<String, String>,
) -> World {
    for (place, text) in &step.drop {
        world.drop_file(place, text.as_bytes());
    }
    for (path, text) in &step.write {
        world.owner.write("vault", path, text.as_bytes());
    }
    if let [from, to] = step.move_note.as_slice() {
        world.owner.rename(from, to);
    }
    if let Some(counts) = &step.sweep {
        sweep(&world, counts, at, places).await;
    }
    if let [place, code] = step.accept.as_slice() {
        answer(&world, place, Answered::File { code: code.clone() }, at, places).await;
    }
    if let [place, category, title] = step.new_id.as_slice() {
        let answered = Answered::New { category: category.clone(), title: title.clone() };
        answer(&world, place, answered, at, places).await;
    }
    if let Some(place) = &step.skip {
        answer(&world, place, Answered::Skip, at, places).await;
    }
    if let Some(place) = step.confirm.first() {
        let structure = world.call(GetStructure::default()).await.unwrap().hash;
        let (emm_id, code) = (places[place].clone(), step.confirm.get(1).cloned());
        let request = Confirm { emm_id, code, structure: Some(structure), run: "test".into() };
        world.call(request).await.unwrap_or_else(|error| panic!("{at}: {error}"));
    }
    if let Some(place) = &step.undo {
        let request = Undo { emm_id: places[place].clone(), run: "test".into(), dry_run: false };
        world.call(request).await.unwrap_or_else(|error| panic!("{at}: {error}"));
    }
    if let [place, word] = step.undo_refused.as_slice() {
        let request = Undo { emm_id: places[place].clone(), run: "test".into(), dry_run: false };
        let error = world.call(request).await.expect_err("the undo must be refused");
        assert_eq!(error.code, Code::Conflict, "{at}: {error}");
        assert!(error.message.contains(word.as_str()), "{at}: {error} does not say {word:?}");
    }
    if let Some(words) = &step.finds_nothing {
        world.call(Reindex {}).await.unwrap();
        let hits = world.call(Search { words: words.clone(), limit: 9 }).await.unwrap();
        assert!(hits.hits.is_empty() && hits.indexed > 0, "{at}: {hits:#?}");
    }
    if step.restart { world.restart(placement, extra).await } else { world }
}

async fn sweep(world: &World, counts: &Counts, at: &str, places: &mut BTreeMap<String, String>) {
    world.caught_up().await;
    let listing = world.call(ListInbox { after: None, wait_ms: 0, settled: true, places: vec![] }).await.unwrap();
    places.extend(listing.items.into_iter().map(|item| (item.place, item.emm_id)));
    let swept = world.call(Sweep { settled: true, ..Sweep::default() }).await;
    let swept = swept.unwrap_or_else(|error| panic!("{at}: {error}"));
    assert!(swept.failed.is_empty(), "{at}: {:?}", swept.failed);
    let duplicates = swept.filed.iter().filter(|it| it.filed.duplicate).count();
    let counted = (swept.filed.len() - duplicates, swept.review.len(), duplicates);
    assert_eq!(
        counted,
        (counts.filed, counts.review, counts.duplicates),
        "{at}: filed, review, duplicates: {swept:#?}"
    );
}

async fn answer(world: &World, place: &str, answer: Answered, at: &str, places: &BTreeMap<String, String>) {
    let waiting = world.call(ListReviews {}).await.unwrap().reviews;
    assert!(waiting.iter().any(|review| review.item.place == place), "{at}: {place} does not wait: {waiting:#?}");
    let request = AnswerReview { emm_id: places[place].clone(), answer };
    let first = world.call(request.clone()).await.unwrap_or_else(|error| panic!("{at}: {error}"));
    // The same answer again changes nothing.
    let again = world.call(request).await.unwrap_or_else(|error| panic!("{at}, again: {error}"));
    assert_eq!(first, again, "{at}");
}

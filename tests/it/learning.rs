//! The structure that is asked for is the one that is ranked, what was learnt belongs to one store, and it is told once.

use std::{fs, path::Path};

use emm::{
    backends::{
        cache::{Cache, Memory},
        store::{Labels, Ledger, Lesson, Store, Structures},
    },
    contracts::{
        content_classifier::{Classified, Classify},
        file_system::{Search, Verify},
    },
    domain::jd,
    rpc::Answer,
    services::content_classifier::{ContentClassifier, Parts, Settings},
};
use serde_json::Value;

use crate::{
    process::JD,
    world::{Placement, World, write},
};

async fn open(root: &Path, store: &Store) -> ContentClassifier {
    ContentClassifier::open(Parts {
        settings: Settings { poll_ms: 50, lessons_per_snapshot: 1 },
        labels: Labels::new(store.clone()),
        structures: Structures::new(store.clone()),
        store: store.identify().await.unwrap(),
        cache: Cache::in_memory(&Memory { bytes_max: 1 << 20 }),
        snapshot: root.join("knowledge.bin"),
        ledger: Ledger::new(store.clone()),
        opinions: None,
        meanings: None,
    })
    .await
    .unwrap()
}

async fn publish(store: &Store, area: usize) -> String {
    let text = format!(
        "\"{area}0-{area}9\":\n  name: Area\n  categories:\n    \"{area}1\": Bills\n    \"{area}2\": Letters\n"
    );
    Structures::new(store.clone()).publish(&jd::lint(&text).structure.unwrap()).await.unwrap()
}

fn request(structure: &str, at_least: u64) -> Classify {
    Classify {
        structure: structure.to_owned(),
        name: "bill.txt".into(),
        title: "A bill".into(),
        text: "The bill of the electricity works.".into(),
        kind: "text".into(),
        hints: Vec::new(),
        category: None,
        at_least,
        top: 3,
        bar: None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn callers_of_two_structures_get_places_of_their_own() {
    let root = tempfile::tempdir().unwrap();
    let store = Store::folder(&root.path().join("store")).unwrap();
    let service = open(root.path(), &store).await;
    let structures = [publish(&store, 1).await, publish(&store, 2).await];
    let calls = (0..400).map(|number| {
        let (service, area) = (service.clone(), number % 2);
        let request = request(&structures[area], 0);
        tokio::spawn(async move { (area, service.answer(request).await.unwrap()) })
    });
    let mut ranked = 0;
    for call in calls.collect::<Vec<_>>() {
        let (area, Classified { candidates, .. }) = call.await.unwrap();
        let prefix = (area + 1).to_string();
        assert!(candidates.iter().all(|it| it.code.starts_with(&prefix)), "area {prefix}: {candidates:?}");
        ranked += candidates.len();
    }
    assert!(ranked > 0);
}

/// What people taught: an electricity bill is something for `code`.
fn lesson(code: &str) -> Lesson {
    let text = "The bill of the electricity works.".to_owned();
    let (key, name, title, kind) = ("one".into(), "bill.txt".into(), "A bill".into(), "text".into());
    Lesson { key, code: Some(code.to_owned()), name, title, kind, text, hints: Vec::new(), vote: None, guess: None }
}

#[tokio::test]
async fn what_was_learnt_belongs_to_one_store() {
    let root = tempfile::tempdir().unwrap();
    let store = Store::folder(&root.path().join("store")).unwrap();
    let structure = publish(&store, 1).await;
    Labels::new(store.clone()).append(vec![lesson("11")], 1).await.unwrap();
    let first = open(root.path(), &store).await.answer(request(&structure, 1)).await.unwrap();
    assert_eq!(first.labels, 1);
    // Kept: what is in force at once, without a look at the labels.
    assert_eq!(open(root.path(), &store).await.answer(request(&structure, 0)).await.unwrap(), first);

    // Another store, with the same structure.
    let other = Store::folder(&root.path().join("other")).unwrap();
    assert_eq!(publish(&other, 1).await, structure);
    let reply = open(root.path(), &other).await.answer(request(&structure, 0)).await.unwrap();
    assert_eq!(reply.labels, 0, "a lesson of another store");

    // A snapshot that says it knows the second label, which it does not.
    Labels::new(store.clone()).append(vec![lesson("12")], 2).await.unwrap();
    let path = root.path().join("knowledge.bin");
    let whole = fs::read(&path).unwrap();
    let at = whole.windows(7).position(|it| it == b"\"seq\":1").expect("the number is in the head") + 6;
    let mut changed = whole.clone();
    changed[at] = b'2';
    fs::write(&path, changed).unwrap();
    let reply = open(root.path(), &store).await.answer(request(&structure, 2)).await.unwrap();
    let taught = reply.candidates.iter().find(|it| it.nearest.iter().any(|near| near.key == "one"));
    assert_eq!(taught.map(|it| it.code.as_str()), Some("12"), "{reply:?}");

    // The store was put back to before anything was taught.
    fs::remove_dir_all(root.path().join("store/labels")).unwrap();
    let reply = open(root.path(), &store).await.answer(request(&structure, 0)).await.unwrap();
    assert_eq!(reply.labels, 0, "a lesson that the store does not have");
}

/// What the labels of this world say, in their order: the key of each lesson, and whether it was taught.
async fn told(world: &World) -> Vec<(String, bool)> {
    let labels = Labels::new(Store::folder(&world.path("store")).unwrap());
    let mut told = Vec::new();
    for seq in 1..=labels.last().await.unwrap() {
        let label = labels.get(seq).await.unwrap().expect("the log has no gaps");
        told.extend(label.lessons.into_iter().map(|lesson| (lesson.key, lesson.code.is_some())));
    }
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_state_forgot_is_not_taught_again() {
    let world = World::start(Placement::Together, JD, &Value::Null).await;
    world.caught_up().await;
    let note = |name: &str| world.path(&format!("vault/10-19 Life/11 Me/{name}.md"));
    for name in ["kept", "edited", "deleted", "opted out"] {
        write(&note(name), format!("All about what is {name}.\n").as_bytes());
    }
    world.call(Verify {}).await.unwrap();
    let mut first = told(&world).await;
    first.sort();
    let key = |name: &str| format!("note:10-19 Life/11 Me/{name}.md");
    assert_eq!(first, ["deleted", "edited", "kept", "opted out"].map(|name| (key(name), true)));

    let (edited, deleted, opted_out) = (note("edited"), note("deleted"), note("opted out"));
    let world = world.restart_without_state(Placement::Together, &Value::Null).await;
    world.caught_up().await;
    assert_eq!(told(&world).await.len(), first.len(), "nothing changed, so nothing is told");

    // What changes while no state knows of it is told, and nothing else.
    fs::remove_file(deleted).unwrap();
    fs::write(edited, "All about something else.\n").unwrap();
    fs::write(opted_out, "---\nemm: ignore\n---\nAll about what is opted out.\n").unwrap();
    let world = world.restart_without_state(Placement::Together, &Value::Null).await;
    world.caught_up().await;
    let mut news = told(&world).await.split_off(first.len());
    news.sort();
    assert_eq!(news, [(key("deleted"), false), (key("edited"), true), (key("opted out"), false)]);
    let found = world.call(Search { words: "something else".into(), limit: 3 }).await.unwrap();
    assert_eq!(found.hits[0].path, "10-19 Life/11 Me/edited.md");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_was_lost_is_filled_without_teaching_anything() {
    let world = World::start(Placement::Together, JD, &Value::Null).await;
    write(&world.path("vault/10-19 Life/11 Me/about.md"), b"All about the dodecahedron.\n");
    world.call(Verify {}).await.unwrap();
    let before = told(&world).await;
    assert_eq!(before.len(), 1);
    let root = world.path("");
    let folder = world.stop().await;
    let mut lost = 0;
    for home in
        fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.join("search").is_dir())
    {
        fs::remove_dir_all(home.join("search")).unwrap();
        lost += 1;
    }
    assert_eq!(lost, 1);
    let world = World::over(folder, root, Placement::Together, &Value::Null).await;
    world.caught_up().await;
    let found = world.call(Search { words: "dodecahedron".into(), limit: 3 }).await.unwrap();
    assert_eq!(found.hits[0].path, "10-19 Life/11 Me/about.md");
    assert_eq!(told(&world).await, before);
    world.stop().await;
}

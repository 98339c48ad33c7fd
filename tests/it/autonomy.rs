//! How far emm files by itself is earned, for each category: by what people answered, confirmed, corrected and moved, and by nothing
//! else. The log of labels alone says it, whatever came between.

use std::{collections::BTreeMap, fs, path::Path};

use emm::{
    backends::{
        cache::{Cache, Memory},
        store::{Labels, Ledger, Lesson, Store, Structures},
    },
    contracts::{
        content_classifier::{Classify, ListEarned},
        file_system::{Confirm, Decision, Entry, File, History, ListInbox, Undo, Verify},
        file_system_agent::{AnswerReview, Answered, ListReviews, Sweep, Swept},
        jd_classifier::GetStructure,
    },
    domain::{
        classify::{Bar, Earned, Guess, Guesses},
        custody::Effect,
        jd,
    },
    rpc::Answer,
    services::content_classifier::{ContentClassifier, Parts, Settings},
};
use serde_json::json;

use crate::{
    process::Place,
    world::{BOTH, Placement, World, differences},
};

/// What worlds of these tests decide by.
const BAR: Bar = Bar { threshold: 0.7, precision: 0.9 };

fn guess(code: &str, confidence: f64) -> Option<Guess> {
    Some(Guess { code: code.to_owned(), confidence })
}

/// Guesses of `code` with this confidence, of which so many were right and so many wrong.
fn told(guesses: &mut Guesses, code: &str, confidence: f64, right: usize, wrong: usize) {
    for number in 0..right + wrong {
        let is = if number < right { code } else { "99" };
        let key = format!("{code} {confidence} {number}");
        guesses.learn(&key, Some(is), guess(code, confidence).as_ref());
    }
}

/// How sure guesses were, how many of them right, and how many wrong.
type Record = &'static [(f64, usize, usize)];

/// The threshold of category 12 with this record.
fn threshold(bar: Bar, record: Record) -> f64 {
    let mut guesses = Guesses::default();
    record.iter().for_each(|(confidence, right, wrong)| told(&mut guesses, "12", *confidence, *right, *wrong));
    guesses.threshold("12", bar)
}

#[test]
fn a_threshold_is_the_lowest_that_reaches_the_precision() {
    let cases: &[(&str, Record, f64)] = &[
        ("nothing is known", &[], 0.7),
        ("confirmed below the threshold, but seldom", &[(0.62, 8, 0)], 0.7),
        ("confirmed below the threshold, and often", &[(0.62, 12, 0)], 0.62),
        ("the further below, the oftener", &[(0.55, 12, 0)], 0.7),
        ("the further below, the oftener", &[(0.55, 20, 0)], 0.55),
        ("never below what was found right", &[(0.65, 500, 0)], 0.65),
        ("never below the floor", &[(0.45, 500, 0), (0.52, 50, 0)], 0.5),
        ("what was sure says nothing of what is not", &[(0.95, 500, 0)], 0.7),
        ("what was sure makes up for nothing of what is not", &[(0.95, 500, 0), (0.55, 3, 3)], 0.7),
        ("wrong ones among them", &[(0.62, 60, 4)], 0.62),
        ("too many wrong ones among them", &[(0.62, 60, 8)], 0.7),
        ("corrected once", &[(0.74, 0, 1)], 0.75),
        ("corrected often", &[(0.74, 0, 5), (0.93, 0, 5)], 0.94),
        ("corrected, and then confirmed nine times as often", &[(0.74, 9, 1)], 0.7),
        ("corrected above, confirmed below", &[(0.93, 0, 5), (0.62, 50, 0)], 0.94),
        ("corrected however sure it was", &[(1.0, 0, 5)], 1.01),
        ("wrong only where it asks anyway", &[(0.4, 0, 50)], 0.7),
    ];
    for (what, record, expected) in cases {
        assert_eq!(threshold(BAR, record), *expected, "{what}: {record:?}");
    }
}

#[test]
fn the_threshold_of_all_is_kept_to_the_last_bit_and_turns_autonomy_off_at_its_ends() {
    let often: Record = &[(0.69, 90, 0), (0.99, 0, 9)];
    for threshold_of_all in [0.3, 0.6, 0.655, 0.700_04, 0.75, 0.8] {
        for precision in [0.5, 0.9, 0.99, 1.0] {
            let bar = Bar { threshold: threshold_of_all, precision };
            assert_eq!(threshold(bar, &[]).to_bits(), threshold_of_all.to_bits());
            // Right as often as it should be changes nothing either.
            assert_eq!(threshold(bar, &[(0.95, 5, 0)]).to_bits(), threshold_of_all.to_bits(), "{bar:?}");
        }
    }
    for end in [0.0, 1.0] {
        assert_eq!(threshold(Bar { threshold: end, ..BAR }, often), end, "{end}");
    }
    // Who wants to be right less often is asked less.
    let record: Record = &[(0.6, 40, 5)];
    assert_eq!((threshold(BAR, record), threshold(Bar { precision: 0.8, ..BAR }, record)), (0.7, 0.6));
}

#[test]
fn a_record_touches_no_other_category_and_counts_an_id_as_right_within_its_category() {
    let mut guesses = Guesses::default();
    told(&mut guesses, "12.03", 0.62, 20, 0);
    told(&mut guesses, "13", 0.9, 0, 4);
    let of = |code: &str| guesses.threshold(code, BAR);
    assert_eq!((of("12.01"), of("12"), of("13.01"), of("11"), of("1")), (0.62, 0.62, 0.91, 0.7, 0.7));
    let earned: Vec<_> = guesses.earned(BAR).into_iter().map(|it| (it.category, it.right, it.told)).collect();
    assert_eq!(earned, [("12".to_owned(), 20, 20), ("13".to_owned(), 0, 4)]);

    // Another id of the same category is wrong; an id of a category that was guessed is right.
    let mut guesses = Guesses::default();
    guesses.learn("a", Some("12.04"), guess("12.03", 0.8).as_ref());
    guesses.learn("b", Some("12.04"), guess("12", 0.8).as_ref());
    let Earned { right, told, .. } = guesses.earned(BAR).remove(0);
    assert_eq!((right, told), (1, 2));
}

/// A source of numbers that a seed makes again.
fn random(mut state: u64) -> impl FnMut(usize) -> usize {
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    }
}

/// One of what people do: teach, correct, take back, undo what emm had filed.
fn lesson(random: &mut impl FnMut(usize) -> usize) -> Lesson {
    let codes = ["11", "12", "13", "12.01", "12.02"];
    let (name, title, kind) = Default::default();
    let said = random(8);
    Lesson {
        key: format!("key {}", random(12)),
        code: (said > 1).then(|| codes[random(codes.len())].to_owned()),
        name,
        title,
        kind,
        text: ["rent and repairs", "doctors and clinics", "tickets and hotels"][random(3)].to_owned(),
        hints: Vec::new(),
        vote: None,
        guess: (said != 0 && said != 7)
            .then(|| Guess { code: codes[random(codes.len())].to_owned(), confidence: random(10_001) as f64 / 1e4 }),
    }
}

async fn open(snapshot: &Path, store: &Store) -> ContentClassifier {
    ContentClassifier::open(Parts {
        settings: Settings { poll_ms: 50, lessons_per_snapshot: 1 },
        labels: Labels::new(store.clone()),
        structures: Structures::new(store.clone()),
        store: store.identify().await.unwrap(),
        cache: Cache::in_memory(&Memory { bytes_max: 1 << 20 }),
        snapshot: snapshot.to_owned(),
        ledger: Ledger::new(store.clone()),
        opinions: None,
        meanings: None,
    })
    .await
    .unwrap()
}

/// What a service that knows all labels says, and the file of what it knows.
async fn known(service: &ContentClassifier, snapshot: &Path) -> (Vec<(String, Earned)>, Vec<u8>) {
    let categories = service.answer(ListEarned { bar: BAR }).await.unwrap().categories;
    (categories.into_iter().map(|it| (it.title, it.earned)).collect(), fs::read(snapshot).unwrap())
}

#[tokio::test]
async fn after_any_history_the_state_is_that_of_a_rebuild_bit_for_bit() {
    for seed in 0..3 {
        let mut random = random(seed);
        let root = tempfile::tempdir().unwrap();
        let store = Store::folder(&root.path().join("store")).unwrap();
        let jd = "\"10-19\":\n  name: Life\n  categories:\n    \"11\": Health\n    \"12\": Home\n";
        Structures::new(store.clone()).put_in_force(&jd::lint(jd).structure.unwrap()).await.unwrap();
        let (labels, lived) = (Labels::new(store.clone()), root.path().join("lived.bin"));
        let mut service = open(&lived, &store).await;
        let mut last = BTreeMap::new();
        for _ in 0..30 {
            let lessons: Vec<Lesson> = (0..1 + random(3)).map(|_| lesson(&mut random)).collect();
            last.extend(lessons.iter().map(|lesson| (lesson.key.clone(), lesson.clone())));
            labels.append(lessons, 1).await.unwrap();
            match random(4) {
                0 => service = open(&lived, &store).await,
                1 => drop(known(&service, &lived).await),
                _ => {}
            }
        }
        let lived = known(&service, &lived).await;
        assert!(lived.0.iter().any(|(title, it)| title == "Home" && it.told > 0), "{lived:?}");
        let anew = root.path().join("anew.bin");
        let rebuilt = known(&open(&anew, &store).await, &anew).await;
        assert_eq!(lived, rebuilt, "seed {seed}");
        // Nor does it matter what was said before the last word on each, or in which order the last words came.
        let mut guesses = Guesses::default();
        for (key, lesson) in last.iter().rev() {
            guesses.learn(key, lesson.code.as_deref(), lesson.guess.as_ref());
        }
        let earned: Vec<Earned> = lived.0.into_iter().map(|(_, earned)| earned).collect();
        assert_eq!(guesses.earned(BAR), earned, "seed {seed}");
    }
}

/// Places whose words a document may have.
const JD: &str = r#"
"10-19":
  name: Life
  categories:
    "11": { name: Health, description: "Doctors, clinics, prescriptions.", keywords: [doctor, clinic] }
    "12": { name: Home, description: "Rent and repairs of the flat.", keywords: [rent, flat] }
    "13": { name: Travel, description: "Journeys, tickets, hotels.", keywords: [ticket, hotel] }
"#;

async fn world(placement: Placement) -> World {
    let world = World::start(placement, JD, &json!({ "file_system_agent": { "threshold": BAR.threshold } })).await;
    world.caught_up().await;
    world
}

async fn sweep(world: &World) -> Swept {
    world.call(Sweep { settled: true, ..Sweep::default() }).await.unwrap()
}

async fn earned(world: &World) -> BTreeMap<String, (u32, u32, f64)> {
    let categories = world.call(ListEarned { bar: BAR }).await.unwrap().categories;
    let of = |it: Earned| (it.category, (it.right, it.told, it.threshold));
    categories.into_iter().map(|it| of(it.earned)).collect()
}

/// Documents that emm had taken for something of `guessed`, so sure, and that a person put into `code`; gives their ids. Their
/// text says nothing: the engine learns nothing of use from them.
async fn decided(world: &World, count: usize, guessed: (&str, f64), code: &str) -> Vec<String> {
    let structure = world.call(GetStructure::default()).await.unwrap().hash;
    let mut ids = Vec::new();
    for number in 0..count {
        let name = format!("{guessed:?} {code} {number}.bin");
        world.drop_file(&name, name.as_bytes());
        let request = ListInbox { after: None, wait_ms: 0, settled: true, places: vec![name] };
        let item = world.call(request).await.unwrap().items.remove(0);
        let decision = Decision {
            code: code.into(),
            structure: structure.clone(),
            confidence: 1.0,
            by_person: true,
            candidates: vec![],
            engine: String::new(),
            opinion: None,
            guess: guess(guessed.0, guessed.1),
            threshold: None,
        };
        let (run, dry_run, taken) = ("test".to_owned(), false, vec![]);
        ids.push(item.emm_id.clone());
        world.call(File { item, decision, run, dry_run, taken }).await.unwrap();
    }
    ids
}

async fn undo(world: &World, emm_id: &str) {
    world.call(Undo { emm_id: emm_id.into(), run: "test".into(), dry_run: false }).await.unwrap();
}

/// A document about the flat.
fn about_the_flat(number: usize) -> (String, String) {
    (format!("letter {number}.txt"), format!("The rent of the flat, and its repairs. Letter {number}.\n"))
}

fn drop_letter(world: &World, number: usize) -> String {
    let (name, text) = about_the_flat(number);
    world.drop_file(&name, text.as_bytes());
    name
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_a_person_said_counts() {
    let world = world(Placement::Together).await;
    let places: Vec<String> = (0..4).map(|number| drop_letter(&world, number)).collect();
    let swept = sweep(&world).await;
    assert_eq!((swept.filed.len(), swept.review.len()), (4, 0), "{swept:#?}");
    let of = |place: &str| swept.filed.iter().find(|it| it.place == place).unwrap().filed.clone();
    let [a, b, c, d] = [0, 1, 2, 3].map(|number: usize| of(&places[number]));
    // What lies where it was filed teaches nothing, and what its owner's folder said was no guess.
    world.drop_file("12/lease.txt", b"The lease, the rent and the repairs of the flat.\n");
    assert_eq!(sweep(&world).await.filed.len(), 1);
    assert_eq!(earned(&world).await, BTreeMap::new());

    let counts = async || earned(&world).await.get("12").map(|(right, told, _)| (*right, *told));
    let confirm = |emm_id: &str, code: Option<&str>| Confirm {
        emm_id: emm_id.to_owned(),
        code: code.map(str::to_owned),
        structure: None,
        run: "test".into(),
    };
    world.call(confirm(&a.emm_id, None)).await.unwrap();
    assert_eq!(counts().await, Some((1, 1)), "confirmed");
    world.call(confirm(&a.emm_id, None)).await.unwrap();
    assert_eq!(counts().await, Some((1, 1)), "confirmed twice");
    world.call(confirm(&b.emm_id, Some("13"))).await.unwrap();
    assert_eq!(counts().await, Some((1, 2)), "corrected");
    world.owner.rename(&c.note, "10-19 Life/13 Travel/moved.md");
    world.call(Verify {}).await.unwrap();
    assert_eq!(counts().await, Some((1, 3)), "moved by hand");
    undo(&world, &d.emm_id).await;
    assert_eq!(counts().await, Some((1, 3)), "undone: it will be asked about");
    undo(&world, &b.emm_id).await;
    assert_eq!(counts().await, Some((1, 2)), "what was corrected is undone");

    // What was undone is asked about, and the answer says what it was.
    assert_eq!(sweep(&world).await.review.len(), 2);
    let answer = |emm_id: &str, code: &str| AnswerReview {
        emm_id: emm_id.to_owned(),
        answer: Answered::File { code: code.to_owned() },
    };
    world.call(answer(&d.emm_id, "12")).await.unwrap();
    assert_eq!(counts().await, Some((2, 3)), "answered as it was guessed");
    world.call(answer(&b.emm_id, "11")).await.unwrap();
    assert_eq!(counts().await, Some((2, 4)), "answered otherwise");

    // An edit teaches the text anew, and unsays nothing.
    let note = world.path("vault").join(&a.note);
    fs::write(&note, fs::read_to_string(&note).unwrap() + "\nMy own words.\n").unwrap();
    world.call(Verify {}).await.unwrap();
    let before = earned(&world).await;
    assert_eq!(counts().await, Some((2, 4)), "edited");
    let settings = json!({ "file_system_agent": { "threshold": BAR.threshold } });
    let world = world.restart_without_state(Placement::Together, &settings).await;
    world.caught_up().await;
    assert_eq!(earned(&world).await, before);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn corrections_make_a_category_ask_until_they_are_taken_back() {
    let mut vaults = Vec::new();
    for placement in BOTH {
        let world = world(placement).await;
        drop_letter(&world, 0);
        let first = sweep(&world).await;
        assert_eq!((first.filed.len(), first.review.len()), (1, 0), "{first:#?}");
        let ids = decided(&world, 3, ("12", 0.99), "13").await;
        assert_eq!(earned(&world).await, BTreeMap::from([("12".to_owned(), (0, 3, 1.0))]));
        drop_letter(&world, 1);
        world.drop_file("doctor.txt", b"The doctor of the clinic wrote a prescription.\n");
        let asked = sweep(&world).await;
        let filed: Vec<&str> = asked.filed.iter().map(|it| it.filed.code.as_str()).collect();
        assert_eq!((filed, asked.review.len()), (vec!["11"], 1), "another category files as before: {asked:#?}");
        let review = &asked.review[0];
        assert!(review.candidates[0].probability >= BAR.threshold, "{review:#?}");
        let reason = "by what you said of 12, emm files there by itself from 100 %";
        assert!(review.reason.ends_with(reason), "{}", review.reason);
        for emm_id in &ids {
            undo(&world, emm_id).await;
        }
        assert_eq!(earned(&world).await, BTreeMap::new());
        let last = sweep(&world).await;
        let filed: Vec<&str> = last.filed.iter().map(|it| it.place.as_str()).collect();
        assert_eq!(filed, ["letter 1.txt"], "{last:#?}");
        assert_eq!(world.call(ListReviews {}).await.unwrap().reviews.len(), 3, "what was undone");
        vaults.push(world.files("vault"));
        world.stop().await;
    }
    assert_eq!(differences(&vaults[0], &vaults[1]), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_category_that_is_often_confirmed_files_what_it_would_have_asked_about() {
    let mut vaults = Vec::new();
    for placement in BOTH {
        let settings = json!({ "file_system_agent": { "threshold": 0.995 } });
        let world = World::start(placement, JD, &settings).await;
        world.caught_up().await;
        world.drop_file("letter.txt", b"About the flat and its rent, and perhaps a ticket.\n");
        let asked = sweep(&world).await.review.remove(0);
        let sure = asked.candidates[0].probability;
        assert!((0.6..0.99).contains(&sure), "{asked:#?}");
        assert!(asked.reason.ends_with("emm files by itself from 99 %"), "{}", asked.reason);
        // Guesses a little less sure than that.
        let sure = (sure * 100.0).floor() / 100.0 - 0.04;
        decided(&world, 60, ("12", sure), "12").await;
        world.drop_file("doctor.txt", b"The doctor of the clinic wrote a prescription.\n");
        let swept = sweep(&world).await;
        let filed: Vec<_> = swept.filed.iter().map(|it| (it.filed.code.as_str(), it.confidence < 0.995)).collect();
        assert_eq!((filed, swept.review.len()), (vec![("12", true)], 1), "{swept:#?}");
        // The journal says by which threshold.
        let item = Some(swept.filed[0].filed.emm_id.clone());
        let links = world.call(History { item, ..History::default() }).await.unwrap().entries;
        let plan = |entry: Entry| match entry.link.effect {
            Effect::Seen { plan, .. } => plan,
            Effect::Filing { plan, .. } => Some(plan),
            _ => None,
        };
        let why = links.into_iter().find_map(plan).unwrap().why;
        let percent = |it: f64| (it * 100.0).round();
        assert_eq!((why.threshold.map(percent), why.guess.unwrap().code.as_str()), (Some(percent(sure)), "12"));
        vaults.push(world.files("vault"));
        world.stop().await;
    }
    assert_eq!(differences(&vaults[0], &vaults[1]), Vec::<String>::new());
}

#[tokio::test]
async fn a_ranking_that_is_kept_tells_the_threshold_of_now_and_of_who_asks() {
    let root = tempfile::tempdir().unwrap();
    let store = Store::folder(&root.path().join("store")).unwrap();
    let structure = Structures::new(store.clone()).publish(&jd::lint(JD).structure.unwrap()).await.unwrap();
    let service = open(&root.path().join("knowledge.bin"), &store).await;
    let told = async |bar: Option<Bar>, at_least: u64| {
        let request = Classify {
            structure: structure.clone(),
            name: "letter.txt".into(),
            title: String::new(),
            text: "The rent of the flat.".into(),
            kind: "text".into(),
            hints: Vec::new(),
            category: None,
            at_least,
            top: 3,
            bar,
        };
        service.answer(request).await.unwrap().thresholds.get("12").copied()
    };
    let strict = Bar { threshold: 0.8, ..BAR };
    assert_eq!(
        [told(Some(BAR), 0).await, told(Some(strict), 0).await, told(None, 0).await],
        [Some(0.7), Some(0.8), None]
    );
    let lesson = |key: &str, code: Option<&str>| Lesson {
        code: code.map(str::to_owned),
        guess: guess("12", 0.9),
        key: key.to_owned(),
        ..lesson(&mut random(1))
    };
    Labels::new(store.clone()).append(vec![lesson("one", Some("13"))], 1).await.unwrap();
    assert_eq!([told(Some(BAR), 1).await, told(Some(strict), 1).await], [Some(0.91), Some(0.91)]);
    let lesson = Lesson { guess: None, ..lesson("one", None) };
    Labels::new(store.clone()).append(vec![lesson], 2).await.unwrap();
    assert_eq!(told(Some(BAR), 2).await, Some(0.7));
}

#[tokio::test]
async fn status_says_what_each_category_has_earned_and_why_by_what_it_was_filed() {
    let place = Place::new();
    fs::write(place.path("jd.yaml"), JD).unwrap();
    let lines = |place: &Place| {
        let said = place.run(&["status"]);
        assert!(said.status.success(), "{said:?}");
        let text = String::from_utf8(said.stdout).unwrap();
        text.lines().filter(|line| line.starts_with('1')).map(str::to_owned).collect::<Vec<_>>()
    };
    let (name, text) = about_the_flat(0);
    place.drop_file(&name, text.as_bytes());
    let swept = place.json(&["sweep"]);
    let said = place.run(&["why", swept["filed"][0]["emm_id"].as_str().unwrap()]);
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.contains("decided by emm, 9") && said.contains(" %, which files there from 70 %; engine"), "{said}");
    assert_eq!(lines(&place), Vec::<String>::new());
    let lesson = |number: usize, code: &str, guessed: &str, confidence: f64| Lesson {
        key: format!("{guessed} {number}"),
        code: Some(code.to_owned()),
        guess: guess(guessed, confidence),
        ..lesson(&mut random(1))
    };
    let lessons = (0..140).map(|number| lesson(number, if number < 138 { "12" } else { "11" }, "12", 0.8));
    let lessons = lessons.chain((0..6).map(|number| lesson(number, "11", "11", 0.62)));
    let lessons = lessons.chain((0..2).map(|number| lesson(number, "12", "13", 1.0)));
    Labels::new(Store::folder(&place.path("store")).unwrap()).append(lessons.collect(), 1).await.unwrap();
    let said = [
        "11 Health: 6 confirmed, asks below 70 %",
        "12 Home: 98 % of 140, files by itself from 70 %",
        "13 Travel: 0 % of 2, asks",
    ];
    assert_eq!(lines(&place), said);
    let said = place.json(&["status"]);
    assert_eq!(said["items"]["filed"], 1, "{said}");
    let home = json!({
        "category": "12", "title": "Home", "right": 138, "told": 140, "threshold": 0.7, "by_record": true
    });
    assert_eq!(said["categories"][1], home, "{said}");
}

/// Somebody who orders things anew corrects nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_that_was_not_there_yet_is_no_mistake() {
    let world = world(Placement::Together).await;
    let places: Vec<String> = (0..3).map(|number| drop_letter(&world, number)).collect();
    let swept = sweep(&world).await;
    assert_eq!((swept.filed.len(), swept.review.len()), (3, 0), "{swept:#?}");
    let of = |place: &str| swept.filed.iter().find(|it| it.place == place).unwrap().filed.clone();
    let [a, b, c] = [0, 1, 2].map(|number: usize| of(&places[number]));
    undo(&world, &a.emm_id).await;
    assert_eq!(sweep(&world).await.review.len(), 1);

    fs::write(world.path("jd.yaml"), JD.trim_end().to_owned() + "\n    \"14\": { name: Letters }\n").unwrap();
    let now = world.call(GetStructure::default()).await.unwrap();
    assert!(now.structure.find("14").is_some(), "a question looks at the file");
    // In review, by confirmation of another place, and by hand.
    let answer = AnswerReview { emm_id: a.emm_id.clone(), answer: Answered::File { code: "14".into() } };
    world.call(answer).await.unwrap();
    let (code, structure, run) = (Some("14".to_owned()), Some(now.hash), "test".to_owned());
    world.call(Confirm { emm_id: b.emm_id.clone(), code, structure, run }).await.unwrap();
    world.owner.rename(&c.note, "10-19 Life/14 Letters/moved.md");
    world.call(Verify {}).await.unwrap();
    assert_eq!(earned(&world).await, BTreeMap::new());
    world.stop().await;
}

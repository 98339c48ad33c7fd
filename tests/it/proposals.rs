//! Places that are missing: said with their evidence, made by nobody but a person.

use std::fs;

use emm::{
    contracts::file_system_agent::{ListReviews, Reviews, Sweep},
    domain::{
        jd::{self, Structure},
        opinion::{Proposal, Waiting, proposals},
    },
};
use serde_json::{Value, json};

use crate::{
    llm_server::{LlmServer, Says, vote},
    pods::toml,
    process::Place,
    terminal::Terminal,
    world::{BOTH, World, differences, merge},
};

/// `13` has ids, `12` has none.
const JD: &str = r#"
"10-19":
  name: Life
  categories:
    "12": { name: Garden, keywords: [garden] }
    "13":
      name: Home
      keywords: [flat, house]
      ids: { "13.11": Rent, "13.12": Repairs, "13.13": ■ Things, "13.14": Bicycles }
"#;

fn structure() -> Structure {
    jd::lint(JD).structure.unwrap()
}

/// What is proposed for documents of these titles that a model wants nowhere, all of them likeliest in `best`, beside some that
/// have a place.
fn proposed(best: &str, nowhere: &[&str], others: &[&str]) -> Vec<Proposal> {
    let titles = nowhere.iter().map(|title| (title, true)).chain(others.iter().map(|title| (title, false)));
    let ids: Vec<String> = (0..nowhere.len() + others.len()).map(|at| format!("{at:032}")).collect();
    let waiting: Vec<Waiting<'_>> = ids
        .iter()
        .zip(titles)
        .map(|(emm_id, (title, nowhere))| Waiting { emm_id, title, best: Some(best), nowhere, shown: &[] })
        .collect();
    proposals(&waiting, &structure())
}

fn named(proposals: &[Proposal]) -> Vec<(String, usize)> {
    proposals.iter().map(|it| (format!("{} {}", it.code, it.title), it.items.len())).collect()
}

#[test]
fn what_documents_without_a_place_share_names_it() {
    let solar = [
        "Invoice for solar panels, March",
        "Solar panel inspection 2021",
        "Solar panels on the roof: offer",
        "Guarantee of the solar panels",
    ];
    let found = proposed("13.12", &solar, &[]);
    assert_eq!(named(&found), [("13.15 Solar panels".to_owned(), 4)]);
    assert_eq!(found[0].examples, solar[..3]);
    assert!(!found[0].exists);
    // Any script.
    let german = ["Rechnung der Wärmepumpe", "Wärmepumpen im Vergleich", "Angebot: Wärmepumpe"];
    assert_eq!(named(&proposed("13.11", &german, &[])), [("13.15 Wärmepumpe".to_owned(), 3)]);
    let chinese = ["太阳能板发票", "屋顶太阳能板", "太阳能板的保修"];
    assert_eq!(named(&proposed("13.11", &chinese, &[])), [("13.15 太阳能板".to_owned(), 3)]);
}

#[test]
fn a_proposal_needs_evidence() {
    assert_eq!(proposed("13.11", &["Solar panels a", "Solar panels b"], &[]), []);
    assert_eq!(proposed("13.11", &["Kite", "Ferry timetable", "Tax return"], &[]), []);
    assert_eq!(proposed("13.11", &["Nr. 2021", "Nr. 2021", "Nr. 2021"], &[]), [], "a number names no place");
    // What is said of documents that have a place as well is no reason for another one.
    let invoices = ["Invoice of the plumber", "Invoice: sofa", "Invoice, taxi"];
    assert_eq!(named(&proposed("13.11", &invoices, &[])), [("13.15 Invoice".to_owned(), 3)]);
    assert_eq!(proposed("13.11", &invoices, &["Invoice of the dentist", "Invoice 12"]), []);
    assert_eq!(proposed("13.11", &[], &["Solar panels a", "Solar panels b", "Solar panels c"]), []);
}

#[test]
fn each_place_has_a_number_of_its_own() {
    let mixed = [
        "Solar panels one",
        "Kite surfing one",
        "Solar panels two",
        "Kite surfing two",
        "Solar panels three",
        "Kite surfing three",
        "Kite surfing four",
    ];
    let found = proposed("13.11", &mixed, &[]);
    assert_eq!(named(&found), [("13.15 Kite surfing".to_owned(), 4), ("13.16 Solar panels".to_owned(), 3)]);
    // A first id would be the end of filing into the category itself.
    assert_eq!(named(&proposed("12", &mixed[..6], &[]))[0].0, "14 Kite surfing");
    // What is there already, and was not on the list.
    let bicycles = ["My bicycles", "Bicycles: insurance", "Bicycles stolen"];
    let found = proposed("13.11", &bicycles, &[]);
    assert_eq!((named(&found), found[0].exists), (vec![("13.14 Bicycles".to_owned(), 3)], true));
}

#[test]
fn what_the_model_was_shown_and_did_not_want_is_not_proposed() {
    let ids = ["1", "2", "3", "4"];
    let titled = |shown: &[String]| {
        let waiting =
            ids.map(|emm_id| Waiting { emm_id, title: "Bicycles", best: Some("13.11"), nowhere: true, shown });
        named(&proposals(&waiting, &structure()))
    };
    assert_eq!(titled(&["13.11".into()]), [("13.14 Bicycles".to_owned(), 4)]);
    assert_eq!(titled(&["13.14".into()]), []);
}

/// Three documents about one thing, one about another, and a model that wants them nowhere.
async fn server() -> LlmServer {
    LlmServer::start(|question, _| {
        let title = ["one", "two", "three"].into_iter().find(|which| question.contains(&format!("panels {which}")));
        Says::Words(match title {
            Some(which) => vote("none", &format!("Solar panels {which}"), "About the roof."),
            None => vote("none", "Something else", "About nothing."),
        })
    })
    .await
}

fn documents() -> Vec<(String, String)> {
    let of = |which: &str| (format!("scan {which}.txt"), format!("Rent, repairs: panels {which}.\n"));
    ["one", "two", "three", "four"].map(of).into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wish_is_a_proposal_in_every_placement_and_never_a_folder() {
    let (mut told, mut vaults) = (Vec::new(), Vec::new());
    for placement in BOTH {
        let server = server().await;
        let mut flags = server.flags("ollama");
        merge(&mut flags, &json!({ "file_system_agent": { "threshold": 0.7 } }));
        let world = World::start(placement, JD, &flags).await;
        for (name, text) in documents() {
            world.drop_file(&name, text.as_bytes());
        }
        world.caught_up().await;
        let swept = world.call(Sweep { settled: true, ..Sweep::default() }).await.unwrap();
        assert_eq!((swept.filed.len(), swept.review.len()), (0, 4), "{swept:#?}");
        let Reviews { reviews, proposals } = world.call(ListReviews {}).await.unwrap();
        assert_eq!((reviews.len(), named(&proposals)), (4, vec![("13.15 Solar panels".to_owned(), 3)]));
        assert!(!world.path("store/ids").exists() && world.files("vault").is_empty(), "nothing is made by itself");
        told.push(proposals);
        vaults.push(world.files("vault"));
        world.stop().await;
    }
    assert_eq!(told[0], told[1]);
    assert_eq!(differences(&vaults[0], &vaults[1]), Vec::<String>::new());
}

/// A home of a person in which the four wait.
fn home(server: &LlmServer) -> Place {
    let place = Place::new();
    fs::write(place.path("jd.yaml"), JD).unwrap();
    fs::write(place.path("emm.toml"), toml(&server.flags("ollama"))).unwrap();
    for (name, text) in documents() {
        place.drop_file(&name, text.as_bytes());
    }
    assert_eq!(place.run(&["sweep"]).status.code(), Some(3));
    place
}

fn notes(place: &Place) -> Vec<String> {
    place.owner.files("vault").into_keys().filter(|path| path.ends_with(".md")).collect()
}

const NOTES: [&str; 3] = ["one", "three", "two"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_adopts_a_proposal_and_takes_it_back() {
    let server = server().await;
    tokio::task::block_in_place(|| {
        let place = home(&server);
        let listed = place.run(&["review"]);
        let text = String::from_utf8_lossy(&listed.stdout).into_owned();
        assert!(text.contains("proposal 1: 3 items would fit a new 13.15 Solar panels"), "{text}");
        assert_eq!(place.run(&["--dry-run", "review", "adopt", "1"]).status.code(), Some(0));
        assert!(notes(&place).is_empty());
        assert_eq!(place.run(&["review", "adopt", "2"]).status.code(), Some(1));

        let adopted = place.json(&["review", "adopt", "solar panels", "--title", "Solar roof"]);
        assert_eq!((adopted["code"].clone(), adopted["failed"].clone()), (json!("13.15"), json!([])), "{adopted}");
        let expected = NOTES.map(|which| format!("10-19 Life/13 Home/13.15 Solar roof/Solar panels {which}.md"));
        assert_eq!(notes(&place), expected);
        assert_eq!(place.verify("adopted"), 4);
        let left: Value = serde_json::from_slice(&place.run(&["--json", "review"]).stdout).unwrap();
        assert_eq!((left["reviews"].as_array().unwrap().len(), left.get("proposals")), (1, None), "{left}");

        // Its items can be taken back like all others, and fit what exists by now.
        for item in adopted["filed"].as_array().unwrap() {
            place.json(&["--yes", "undo", item["emm_id"].as_str().unwrap()]);
        }
        assert!(notes(&place).is_empty());
        assert_eq!(place.verify("undone"), 4);
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_adopts_a_proposal_with_two_keys() {
    let server = server().await;
    tokio::task::block_in_place(|| {
        let place = home(&server);
        let mut terminal = Terminal::review(place.root.path());
        terminal.shows("3 items would fit a new 13.15 Solar panels");
        terminal.shows("y file them there");
        terminal.press("y");
        terminal.shows("title of 13.15: Solar panels");
        terminal.press("\r");
        // What is left is asked about as ever.
        terminal.shows("Something else");
        assert_eq!(
            notes(&place),
            NOTES.map(|which| format!("10-19 Life/13 Home/13.15 Solar panels/Solar panels {which}.md"))
        );
        terminal.shows("? help");
        terminal.press("s");
        terminal.shows("4 answered; nothing waits any more");
        assert_eq!(terminal.ended(), 0);
        assert_eq!(place.verify("answered"), 4);
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_where_nothing_can_be_filed_is_made_once() {
    let server = server().await;
    tokio::task::block_in_place(|| {
        let place = home(&server);
        // What is in the way of its folder.
        place.owner.write("vault", "10-19 Life/13 Home/13.15 Solar panels", b"a file of its owner's");
        let output = place.run(&["--json", "review", "adopt", "1"]);
        let adopted: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{adopted}");
        assert_eq!((adopted["code"].clone(), adopted["filed"].clone()), (json!("13.15"), json!([])), "{adopted}");
        assert_eq!(adopted["failed"].as_array().unwrap().len(), 3, "{adopted}");
        let made: Vec<String> = place.owner.files("store/ids").into_keys().collect();
        assert_eq!(made.len(), 1, "{made:?}");

        // The way is free again.
        fs::remove_file(place.path("vault/10-19 Life/13 Home/13.15 Solar panels")).unwrap();
        let adopted = place.json(&["review", "adopt", "13.15"]);
        assert_eq!(adopted["filed"].as_array().unwrap().len(), 3, "{adopted}");
        assert_eq!(
            notes(&place),
            NOTES.map(|which| format!("10-19 Life/13 Home/13.15 Solar panels/Solar panels {which}.md"))
        );
        assert_eq!(place.verify("adopted"), 4);
    });
}

//! The store on S3: the same as in a folder, sure of who won whatever the network does, refused where the server cannot.

use std::path::Path;

use emm::{
    backends::objects::Bucket,
    backends::store::{Allocated, Backend, Ids, Journal, Labels, Lesson, Settings, Store, StoreError},
    contracts::{file_system::Verify, file_system_agent::Sweep},
    domain::custody::{Effect, FORMAT, Link},
};
use hyper::Method;
use serde_json::json;

use crate::{
    lakefs::LakeFs,
    process::{JD, Place},
    s3_proxy::{Fault, Plan, Proxy},
    s3_server::{BUCKET, S3Server, settings},
    world::{Placement, World},
};

async fn open(s3: emm::backends::objects::Settings) -> Result<Store, StoreError> {
    Store::open(&Settings { backend: Backend::S3, s3 }, Path::new("/nonexistent")).await
}

fn link(run: &str) -> Link {
    Link {
        format: FORMAT,
        at: "2024-05-01T12:00:00Z".to_owned(),
        run: run.to_owned(),
        effect: Effect::Confirmed { code: "11.01".to_owned() },
    }
}

#[tokio::test]
async fn it_keeps_what_a_folder_keeps() {
    let lake = LakeFs::start().await;
    let servers: [&dyn Fn(&str) -> _; 3] =
        [&|prefix| S3Server::seaweedfs().settings(prefix), &|prefix| S3Server::moto().settings(prefix), &|prefix| {
            lake.settings(prefix)
        }];
    for settings in servers {
        // As on lakeFS: the first part of each key is a branch.
        let store = open(settings("main/keeps")).await.unwrap();
        assert_eq!(store.identity().await.unwrap(), None);
        let id = store.identify().await.unwrap();
        assert_eq!(open(settings("main/keeps")).await.unwrap().identity().await.unwrap(), Some(id));
        // Stores that share a bucket do not see each other.
        assert_eq!(open(settings("main/keep")).await.unwrap().identity().await.unwrap(), None);

        let journal = Journal::new(store.clone());
        for number in 0..3 {
            journal.append("ab12", number, &link(&number.to_string())).await.unwrap();
        }
        journal.append("ff00", 0, &link("other")).await.unwrap();
        let taken = journal.append("ab12", 1, &link("late")).await;
        assert!(matches!(&taken, Err(StoreError::Exists(path)) if path == "journal/ab/ab12-000001"), "{taken:?}");
        let runs = |links: Vec<Link>| links.into_iter().map(|link| link.run).collect::<Vec<_>>();
        assert_eq!(runs(journal.links("ab12", 0).await.unwrap()), ["0", "1", "2"]);
        assert!(journal.links("ab13", 0).await.unwrap().is_empty());
        let lengths: Vec<_> = journal.lengths().await.unwrap().into_iter().collect();
        assert_eq!(lengths, [("ab12".to_owned(), 3), ("ff00".to_owned(), 1)]);

        let ids = Ids::new(store.clone());
        let allocated = Allocated::new("11.02".to_owned(), "Grüße # [1] 😀".to_owned(), "ab12".to_owned());
        ids.create(&allocated).await.unwrap();
        assert!(matches!(ids.create(&allocated).await, Err(StoreError::Exists(_))));
        assert_eq!(ids.all().await.unwrap(), [allocated]);
    }
}

fn lesson(key: String) -> Vec<Lesson> {
    vec![serde_json::from_value(json!({ "key": key, "code": "11.01" })).unwrap()]
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_writers_have_one_winner() {
    eight_writers(S3Server::seaweedfs().settings("race")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_writers_have_one_winner_in_the_second_opinion() {
    eight_writers(S3Server::moto().settings("race")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_writers_have_one_winner_on_lakefs() {
    let lake = LakeFs::start().await;
    eight_writers(lake.settings("main/race")).await;
}

async fn eight_writers(settings: emm::backends::objects::Settings) {
    let mut stores = Vec::new();
    for _ in 0..8 {
        stores.push(open(settings.clone()).await.unwrap());
    }
    for round in 0..5 {
        let append = |(writer, store): (usize, &Store)| {
            let journal = Journal::new(store.clone());
            tokio::spawn(async move { journal.append("ab12", round, &link(&writer.to_string())).await })
        };
        let tasks: Vec<_> = stores.iter().enumerate().map(append).collect();
        let mut winners = Vec::new();
        for (writer, task) in tasks.into_iter().enumerate() {
            match task.await.unwrap() {
                Ok(()) => winners.push(writer.to_string()),
                Err(StoreError::Exists(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
        let links = Journal::new(stores[0].clone()).links("ab12", round).await.unwrap();
        assert_eq!(winners, [links[0].run.clone()]);
    }
    // A log that all append to has no gap and loses nothing.
    let append = |(writer, store): (usize, &Store)| {
        let labels = Labels::new(store.clone());
        tokio::spawn(async move { labels.append(lesson(format!("{writer}")), 1).await.unwrap() })
    };
    let tasks: Vec<_> = stores.iter().enumerate().map(append).collect();
    let mut numbers = Vec::new();
    for task in tasks {
        numbers.push(task.await.unwrap());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7, 8]);
}

/// What the first write of a link meets. Whatever it means, the writer must learn that it won.
const FAULTS: [Fault; 6] = [
    Fault::Says(503, "SlowDown"),
    Fault::Says(500, "branch is currently locked, try again later"),
    Fault::Says(409, "ConditionalRequestConflict"),
    Fault::AnswerLost,
    Fault::AnswerHangs,
    // Not carried out, though somebody says that the key is taken.
    Fault::Says(412, "PreconditionFailed"),
];

fn links(first: &[Fault], then: Fault) -> Plan {
    Plan { method: Method::PUT, part: "/journal/", first: first.to_vec(), then }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_learns_whether_it_won_whatever_happens() {
    let server = S3Server::seaweedfs();
    for (at, fault) in FAULTS.into_iter().enumerate() {
        let prefix = format!("faults/{at}");
        let proxy = Proxy::before(server.port, links(&[fault], Fault::None)).await;
        let mut through = settings(proxy.port, &prefix);
        through.answer_ms_max = 1_000;
        let journal = Journal::new(open(through.clone()).await.unwrap());
        journal.append("ab12", 0, &link("ours")).await.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        assert_eq!(proxy.faults(), 1, "{fault:?}");

        // The same where another one was first: even its very bytes are not ours.
        let direct = Journal::new(open(server.settings(&prefix)).await.unwrap());
        direct.append("ab12", 1, &link("same")).await.unwrap();
        let proxy = Proxy::before(server.port, links(&[fault], Fault::None)).await;
        through.endpoint = format!("http://127.0.0.1:{}", proxy.port);
        let journal = Journal::new(open(through).await.unwrap());
        let lost = journal.append("ab12", 1, &link("same")).await;
        assert!(matches!(lost, Err(StoreError::Exists(_))), "{fault:?}: {lost:?}");
        assert_eq!(proxy.faults(), 1, "{fault:?}");
        let runs: Vec<_> = direct.links("ab12", 0).await.unwrap().into_iter().map(|link| link.run).collect();
        assert_eq!(runs, ["ours", "same"], "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_sure_is_no_success() {
    let server = S3Server::seaweedfs();
    let never = [Fault::Says(503, "SlowDown"), Fault::Says(409, "ConditionalRequestConflict"), Fault::AnswerHangs];
    for (at, fault) in never.into_iter().enumerate() {
        let proxy = Proxy::before(server.port, links(&[], fault)).await;
        let mut through = settings(proxy.port, &format!("never/{at}"));
        (through.answer_ms_max, through.patience_ms) = (1_000, 3_000);
        let journal = Journal::new(open(through).await.unwrap());
        let failed = journal.append("ab12", 0, &link("ours")).await;
        match fault {
            // Carried out each time and never answered: looking finds it.
            Fault::AnswerHangs => failed.unwrap(),
            _ => {
                let said = failed.expect_err("it cannot know").to_string();
                assert!(said.contains("no sure answer from the bucket in 3000 ms"), "{said}");
            }
        }
        assert!(proxy.faults() >= 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_do_it_is_refused_with_the_reason() {
    let server = S3Server::seaweedfs();
    let cases = [
        (Method::PUT, "/twice", vec![Fault::None], Fault::Claims, "ignores If-None-Match"),
        (Method::PUT, "/race", vec![], Fault::Claims, "two writers"),
        (Method::HEAD, "/twice", vec![], Fault::Forgets, "x-amz-meta-"),
    ];
    for (method, part, first, then, reason) in cases {
        let proxy = Proxy::before(server.port, Plan { method, part, first, then }).await;
        let said = open(settings(proxy.port, "refused")).await.unwrap_err().to_string();
        assert!(said.contains(reason), "{said}");
        assert!(proxy.faults() >= 1, "{reason}");
    }
    // SeaweedFS makes a bucket that is missing, AWS and moto do not.
    let mut other = S3Server::moto().settings("refused");
    other.bucket = "no-such-bucket".to_owned();
    let said = open(other).await.unwrap_err().to_string();
    assert!(said.contains("no-such-bucket") && said.contains("is not there"), "{said}");

    let wrong = json!({ "backend": "s3", "s3": { "bucket": "tests", "endpoint": server.settings("x").endpoint,
        "key_id": "emm-tests", "secret": "another" } });
    let wrong = emm::config::Config::load(None, &json!({ "store": wrong })).unwrap().store;
    let said = Store::open(&wrong, Path::new("/nonexistent")).await.unwrap_err().to_string();
    assert!(said.contains("403"), "{said}");
    assert!(!said.contains("another"), "{said}");

    for (key, reason) in [("bucket", "its name is missing"), ("secret", "access key")] {
        let mut flags = server.flags("x");
        flags["s3"][key] = json!("");
        let without = emm::config::Config::load(None, &json!({ "store": flags })).unwrap().store;
        let said = Store::open(&without, Path::new("/nonexistent")).await.unwrap_err().to_string();
        assert!(said.contains(reason), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_file_over_a_store_on_s3() {
    let server = S3Server::seaweedfs();
    for (placement, prefix) in [(Placement::Together, "node-together"), (Placement::Apart, "node-apart")] {
        let extra = json!({ "store": server.flags(prefix) });
        let world = World::start(placement, JD, &extra).await;
        world.drop_file("11/one.txt", b"one note\n");
        world.drop_file("12/two.txt", b"another note\n");
        world.caught_up().await;
        let swept = world.call(Sweep { settled: true, ..Sweep::default() }).await.unwrap();
        assert_eq!(swept.filed.len(), 2, "{swept:?}");
        // The journal is in the bucket, and nowhere else; homes that lost their state make it again from there.
        assert!(!world.path("store/journal").exists() && !world.path("store/identity").exists());
        let world = world.restart_without_state(placement, &extra).await;
        let account = world.call(Verify {}).await.unwrap();
        assert_eq!((account.seen, account.accounted, account.filed), (2, 2, 2), "{account:?}");
        world.stop().await;
    }
}

#[test]
fn commands_work_on_it_and_a_dry_run_leaves_it_alone() {
    let server = S3Server::seaweedfs();
    let place = Place::new();
    let (secret, prefix) = (place.path("secret"), "commands");
    std::fs::write(&secret, "emm-tests-secret\n").unwrap();
    let ours = (server, BUCKET);
    let run = |arguments: &[&str], (server, bucket): (&S3Server, &str)| {
        let mut command = place.command(arguments);
        command
            .env("EMM_STORE__BACKEND", "s3")
            .env("EMM_STORE__S3__BUCKET", bucket)
            .env("EMM_STORE__S3__PREFIX", prefix);
        command.env("EMM_STORE__S3__ENDPOINT", format!("http://127.0.0.1:{}", server.port));
        command.env("EMM_STORE__S3__KEY_ID", "emm-tests").env("EMM_STORE__S3__SECRET_FILE", &secret);
        let output = command.output().unwrap();
        let said = [output.stdout, output.stderr].map(|it| String::from_utf8_lossy(&it).into_owned());
        (output.status.success(), said.concat())
    };
    let objects = || {
        let bucket = Bucket::new(&server.settings(prefix)).unwrap();
        tokio::runtime::Runtime::new().unwrap().block_on(bucket.names("")).unwrap()
    };
    place.drop_file("11/note.txt", b"a note\n");
    let swept = run(&["sweep"], ours);
    assert!(swept.0, "{}", swept.1);
    let before = objects();
    assert!(
        before.iter().any(|it| it.starts_with("journal/")) && before.contains(&"identity".to_owned()),
        "{before:?}"
    );

    std::fs::write(place.path("other.txt"), "another note\n").unwrap();
    let (_, dry) = run(&["file", "--dry-run", place.path("other.txt").to_str().unwrap()], ours);
    assert!(dry.contains("would be filed"), "{dry}");
    assert_eq!(objects(), before);
    let verified = run(&["--json", "verify"], ours);
    assert!(verified.0 && verified.1.replace(' ', "").contains("\"accounted\":1"), "{}", verified.1);

    let (_, said) = run(&["doctor"], ours);
    assert!(said.contains("bucket tests (prefix \"commands\"), refuses a taken key"), "{said}");
    let (healthy, said) = run(&["doctor"], (S3Server::moto(), "missing"));
    assert!(!healthy && said.contains("FAIL store") && said.contains("is not there"), "{said}");
}

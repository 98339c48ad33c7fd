//! `jd-classifier` by itself: what is in force when jd.yaml comes and goes, and ids that no caller loses.

use std::{collections::BTreeSet, fs, path::PathBuf, sync::Arc, time::Duration};

use emm::{
    backends::{
        cache::{Cache, Memory},
        store::{Ids, Store, Structures},
    },
    contracts::jd_classifier::{GetStructure, Lookup, Published, Reserve},
    life::{Health, Overall, Shutdown},
    rpc::{Answer, Code, Error},
    services::jd_classifier::{JdClassifier, Parts, Settings},
};

use crate::process::JD;

const BROKEN: &str = "\"10-19\": {name: Life, categories: {\"21\": Wrong}}\n";

/// A structure and a store on disk, and the services over them.
struct Place {
    root: tempfile::TempDir,
    health: Health,
}

impl Place {
    fn new(jd: &str) -> Place {
        let place = Place { root: tempfile::tempdir().unwrap(), health: Health::default() };
        fs::write(place.jd(), jd).unwrap();
        place
    }

    fn jd(&self) -> PathBuf {
        self.root.path().join("jd.yaml")
    }

    async fn open(&self) -> Result<JdClassifier, Error> {
        let store = Store::folder(&self.root.path().join("store")).unwrap();
        JdClassifier::open(Parts {
            settings: Settings { poll_ms: 50 },
            path: self.jd(),
            ids: Ids::new(store.clone()),
            structures: Structures::new(store),
            cache: Cache::in_memory(&Memory { bytes_max: 1 << 20 }),
            health: self.health.clone(),
        })
        .await
    }
}

async fn now(service: &JdClassifier) -> Published {
    service.answer(GetStructure::default()).await.unwrap()
}

fn request(item: usize) -> Reserve {
    Reserve { category: "11".into(), title: format!("Title {item}"), emm_id: format!("item {item}") }
}

#[tokio::test]
async fn a_structure_that_comes_back_unchanged_is_well_again() {
    let place = Place::new(JD);
    let service = place.open().await.unwrap();
    let before = now(&service).await;
    let aside = place.root.path().join("aside");
    fs::rename(place.jd(), &aside).unwrap();
    assert_eq!(now(&service).await.hash, before.hash);
    assert_eq!(place.health.overall(), Overall::Degraded);
    fs::rename(aside, place.jd()).unwrap();
    assert_eq!(now(&service).await, before);
    assert_eq!(place.health.overall(), Overall::Healthy, "{:?}", place.health.conditions());
}

#[tokio::test]
async fn a_start_over_an_edit_that_does_not_lint_keeps_what_was_in_force() {
    let place = Place::new(BROKEN);
    let error = place.open().await.err().expect("a first start has nothing to fall back to");
    assert_eq!(error.code, Code::Invalid, "{error}");

    // Two structures and back again, with an id: the last one counts.
    let other = JD.replace("Home", "Another home");
    for jd in [JD, &other, JD] {
        fs::write(place.jd(), jd).unwrap();
        place.open().await.unwrap();
    }
    let reserved = place.open().await.unwrap().answer(request(1)).await.unwrap();
    for broken in [Some(BROKEN), None] {
        match broken {
            Some(text) => fs::write(place.jd(), text).unwrap(),
            None => fs::remove_file(place.jd()).unwrap(),
        }
        let service = place.open().await.unwrap();
        let published = now(&service).await;
        assert_eq!(published.hash, reserved.structure);
        assert_eq!(published.structure.find("12").unwrap().title(), "Home");
        assert!(published.structure.find(&reserved.code).is_some(), "{} is gone", reserved.code);
        assert_eq!(published.refused.is_empty(), broken.is_none(), "{:?}", published.refused);
        assert_eq!(place.health.overall(), Overall::Degraded);
        // An edit that lints is taken as ever.
        fs::write(place.jd(), &other).unwrap();
        assert_eq!(now(&service).await.structure.find("12").unwrap().title(), "Another home");
        assert_eq!(place.health.overall(), Overall::Healthy);
        fs::write(place.jd(), JD).unwrap();
        now(&service).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ids_that_are_allocated_at_once_are_all_in_force() {
    for round in 0..40 {
        let place = Place::new(JD);
        let service = place.open().await.unwrap();
        let structures = Structures::new(Store::folder(&place.root.path().join("store")).unwrap());
        let mut reserved = BTreeSet::new();
        let calls = (0..12).map(|item| {
            let service = service.clone();
            tokio::spawn(async move { service.answer(request(item)).await.unwrap() })
        });
        for call in calls.collect::<Vec<_>>() {
            let id = call.await.unwrap();
            let named = structures.get(&id.structure).await.unwrap();
            assert!(named.find(&id.code).is_some(), "{} is not in the structure that was named with it", id.code);
            reserved.insert(id.code);
        }
        let structure = now(&service).await.structure;
        let lost: Vec<_> = reserved.iter().filter(|code| structure.find(code).is_none()).collect();
        assert!(lost.is_empty() && reserved.len() == 12, "lost in round {round}: {lost:?} of {reserved:?}");
    }
}

#[tokio::test]
async fn another_replica_takes_over_ids_by_itself() {
    let place = Place::new(JD);
    let (one, other) = (place.open().await.unwrap(), place.open().await.unwrap());
    let reserved = one.answer(request(1)).await.unwrap();
    let stop = Shutdown::new();
    let watch = tokio::spawn({
        let (other, stop) = (other.clone(), stop.clone());
        async move { other.watch(stop).await }
    });
    let seen = async {
        while now(&other).await.hash != reserved.structure {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), seen).await.expect("the replica never sees the id");
    stop.cancel();
    watch.await.unwrap().unwrap();
}

#[test]
fn a_share_that_hangs_does_not_hold_up_the_runtime() {
    let (done, waiting) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let place = Place::new(JD);
            let service = Arc::new(place.open().await.unwrap());
            // Whoever reads a pipe waits until somebody writes.
            fs::remove_file(place.jd()).unwrap();
            assert!(std::process::Command::new("mkfifo").arg(place.jd()).status().unwrap().success());
            let mut asked = tokio::spawn({
                let service = service.clone();
                async move { service.answer(GetStructure::default()).await }
            });
            let early = tokio::time::timeout(Duration::from_millis(100), &mut asked).await;
            assert!(early.is_err(), "nobody wrote yet");
            fs::write(place.jd(), JD.replace("Home", "House")).unwrap();
            let published = asked.await.unwrap().unwrap();
            assert_eq!(published.structure.find("12").unwrap().title(), "House");
        });
        done.send(()).unwrap();
    });
    waiting.recv_timeout(Duration::from_secs(30)).expect("the runtime was held up");
}

#[tokio::test]
async fn a_place_is_looked_up_in_the_structure_that_was_asked_for() {
    let place = Place::new(JD);
    let service = place.open().await.unwrap();
    let before = now(&service).await.hash;
    let code = service.answer(request(1)).await.unwrap().code;
    let lookup = async |structure: Option<String>| service.answer(Lookup { code: code.clone(), structure }).await;
    assert_eq!(lookup(None).await.unwrap().title, "Title 1");
    assert_eq!(lookup(Some(now(&service).await.hash)).await.unwrap().title, "Title 1");
    // Whoever began before the id was given goes on as if it had not been.
    assert_eq!(lookup(Some(before)).await.unwrap_err().code, Code::NotFound);
    assert_eq!(lookup(Some("of nobody".into())).await.unwrap_err().code, Code::NotFound);
}

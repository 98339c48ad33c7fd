//! Several nodes on one vault, as real processes: one winner for each item, each id and each path, whoever is killed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use emm::{
    config::Config,
    contracts::{
        file_system::{Decision, File, Filed, History, Item, ListInbox, Verify},
        file_system_agent::{Sweep, Swept},
        jd_classifier::{GetStructure, Lookup, Reserve},
    },
    rpc::{Code, Error, Role, Tool, Tools},
};
use serde_json::{Value, json};

use crate::{
    owner::Owner,
    pods::{Pod, free_port},
    process::hash,
    redis_server::RedisServer,
    world::{caller, flags, in_bucket, merge, shared},
};

/// Which roles each of the processes has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Shape {
    /// One process for each classifier, three for each of the others.
    Apart,
    /// Three processes that have every role.
    Three,
    /// As `Apart`, with vault and inbox in the bucket of the store.
    Bucket,
}

pub(crate) const SHAPES: [Shape; 3] = [Shape::Apart, Shape::Three, Shape::Bucket];

const JD: &str = r#"
"10-19":
  name: Life
  categories:
    "11": { name: Me, ids: { "11.11": Papers } }
    "12": Home
"#;

/// A vault, an inbox, and the processes that work on them.
pub(crate) struct Fleet {
    root: tempfile::TempDir,
    owner: Owner,
    pub(crate) redis: RedisServer,
    pub(crate) pods: Vec<Pod>,
    /// Where each role is.
    pub(crate) ports: BTreeMap<Role, Vec<u16>>,
    flags: Value,
}

impl Fleet {
    pub(crate) fn start(shape: Shape, extra: &Value) -> Fleet {
        let groups = match shape {
            Shape::Three => vec![Role::ALL.to_vec(); 3],
            Shape::Apart | Shape::Bucket => {
                let several = |role: &Role| matches!(role, Role::FileSystem | Role::FileSystemAgent);
                Role::ALL.iter().flat_map(|role| vec![vec![*role]; if several(role) { 3 } else { 1 }]).collect()
            }
        };
        if shape != Shape::Bucket {
            return Fleet::of(groups, false, extra);
        }
        let mut often = json!({ "inbox": { "poll_seconds": 1 } });
        merge(&mut often, extra);
        Fleet::of(groups, true, &often)
    }

    /// One process for each of these groups of roles, over a vault in folders or in a bucket.
    pub(crate) fn of(groups: Vec<Vec<Role>>, bucket: bool, extra: &Value) -> Fleet {
        let root = tempfile::tempdir().unwrap();
        for folder in ["vault", "UNSORTED", "store"] {
            fs::create_dir(root.path().join(folder)).unwrap();
        }
        fs::write(root.path().join("jd.yaml"), JD).unwrap();
        let redis = RedisServer::start();
        let groups: Vec<(Vec<Role>, u16)> = groups.into_iter().map(|group| (group, free_port())).collect();
        let mut ports = BTreeMap::<Role, Vec<u16>>::new();
        for (group, port) in &groups {
            group.iter().for_each(|role| ports.entry(*role).or_default().push(*port));
        }
        let mut flags = flags(root.path(), &BTreeMap::new(), &shared(root.path(), &redis));
        merge(&mut flags, &json!({ "peers": { "addresses": addresses(&ports) } }));
        if bucket {
            merge(&mut flags, &in_bucket(root.path()));
        }
        merge(&mut flags, extra);
        let owner = Owner::of(root.path(), &Config::load(None, &flags).unwrap());
        let start = |(number, (group, port)): (usize, &(Vec<Role>, u16))| {
            Pod::start(root.path(), &format!("{number}"), group, &flags, *port)
        };
        let mut pods: Vec<Pod> = groups.iter().enumerate().map(start).collect();
        pods.iter_mut().for_each(Pod::ready);
        Fleet { root, owner, redis, pods, ports, flags }
    }

    /// The tools of every role, its processes in turn.
    pub(crate) fn tools(&self) -> Tools {
        caller(&Config::load(None, &self.flags).unwrap())
    }

    /// The tools of one process of this role; those of the others as ever.
    fn tools_at(&self, role: Role, number: usize) -> Tools {
        let mut ports = self.ports.clone();
        ports.insert(role, vec![self.ports[&role][number]]);
        let mut flags = self.flags.clone();
        merge(&mut flags, &json!({ "peers": { "addresses": addresses(&ports) } }));
        caller(&Config::load(None, &flags).unwrap())
    }

    /// Each of the processes of a role, by itself.
    fn each(&self, role: Role) -> Vec<Tools> {
        (0..self.ports[&role].len()).map(|number| self.tools_at(role, number)).collect()
    }

    pub(crate) async fn caught_up(&self) {
        for tools in self.each(Role::FileSystem) {
            let request = ListInbox { after: None, wait_ms: 0, settled: true, places: vec![] };
            let mut listing = tools.call(request.clone()).await.unwrap();
            while listing.labels.is_none() {
                let after = Some(listing.generation);
                listing = tools.call(ListInbox { after, wait_ms: 5_000, ..request.clone() }).await.unwrap();
            }
        }
    }

    pub(crate) fn files(&self, folder: &str) -> BTreeMap<String, Vec<u8>> {
        self.owner.files(folder)
    }

    /// Nothing is lost and nothing is there twice.
    pub(crate) async fn account(&self, inputs: &BTreeMap<String, Vec<u8>>, at: &str) {
        let tools = self.tools();
        let account = tools.call(Verify {}).await.unwrap();
        assert_eq!((account.seen, &account.violations), (account.accounted, &Vec::new()), "{at}: {account:?}");
        let contents: BTreeSet<String> = inputs.values().map(|bytes| hash(bytes)).collect();
        assert_eq!(account.seen, contents.len(), "{at}: {account:?}");
        let vault = self.files("vault");
        for (place, bytes) in inputs {
            let originals = vault.values().filter(|found| *found == bytes).count();
            assert_eq!(originals, 1, "{at}: {place} lies {originals} times in the vault: {:?}", vault.keys());
            let id = emm::domain::custody::emm_id(&hash(bytes));
            let told = |text: &&Vec<u8>| {
                String::from_utf8_lossy(text)
                    .lines()
                    .any(|line| line.strip_prefix("emm_id:").is_some_and(|it| it.trim().trim_matches('"') == id))
            };
            let notes = vault.values().filter(told).count();
            assert_eq!(notes, 1, "{at}: {place} has {notes} notes: {:?}", vault.keys());
            let entries = tools.call(History { item: Some(id.clone()), ..History::default() }).await.unwrap().entries;
            let filed = entries.iter().filter(|entry| effect(entry) == "filed").count();
            assert_eq!(filed, 1, "{at}: {place}: {entries:#?}");
        }
        let temporaries: Vec<_> = vault.keys().filter(|path| path.contains("emm-tmp")).collect();
        assert!(temporaries.is_empty(), "{at}: {temporaries:?}");
    }
}

fn effect(entry: &emm::contracts::file_system::Entry) -> String {
    serde_json::to_value(&entry.link).unwrap()["effect"].as_str().unwrap().to_owned()
}

fn addresses(ports: &BTreeMap<Role, Vec<u16>>) -> BTreeMap<Role, Vec<String>> {
    let address = |port: &u16| format!("http://127.0.0.1:{port}");
    ports.iter().map(|(role, ports)| (*role, ports.iter().map(address).collect())).collect()
}

/// Notes and originals, new names and taken ones, the same bytes twice.
pub(crate) fn drop_all(fleet: &Fleet, round: usize) -> BTreeMap<String, Vec<u8>> {
    let mut inputs = BTreeMap::new();
    for number in 0..6 {
        let text = |what: &str| format!("{what} {number} of round {round}\n").into_bytes();
        inputs.insert(format!("12/letter {round} {number}.txt"), text("a letter"));
        // All of these want one name.
        inputs.insert(format!("12/from {round} {number}/same.txt"), text("the same name"));
        inputs.insert(format!("11.11/paper {round} {number}.txt"), text("a paper"));
    }
    inputs.insert(format!("12/letter again {round}.txt"), format!("a letter 0 of round {round}\n").into_bytes());
    for (place, bytes) in &inputs {
        fleet.owner.write("UNSORTED", place, bytes);
    }
    inputs
}

/// The same call on each of these, at once.
async fn at_once<T: Tool + Clone>(callers: &[Tools], request: &T) -> Vec<Result<T::Reply, Error>> {
    futures_util::future::join_all(callers.iter().map(|tools| tools.call(request.clone()))).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_sweeps_at_once_file_each_item_once() {
    for shape in SHAPES {
        let fleet = Fleet::start(shape, &Value::Null);
        fleet.caught_up().await;
        let mut inputs = BTreeMap::new();
        for round in 0..3 {
            inputs.extend(drop_all(&fleet, round));
            let swept = at_once(&fleet.each(Role::FileSystemAgent), &Sweep { settled: true, ..Sweep::default() }).await;
            assert_eq!(swept.len(), 3);
            for swept in swept {
                let Swept { failed, .. } = swept.unwrap();
                assert!(failed.is_empty(), "{shape:?}: {failed:?}");
            }
            fleet.account(&inputs, &format!("{shape:?}, round {round}")).await;
            assert_eq!(fleet.files("UNSORTED"), BTreeMap::new(), "{shape:?}");
        }
        for mut pod in fleet.pods {
            pod.stop();
        }
    }
}

/// The decision that it belongs to `code`.
async fn decision(tools: &Tools, code: &str) -> Decision {
    let structure = tools.call(GetStructure::default()).await.unwrap().hash;
    let (candidates, engine) = (Vec::new(), String::new());
    Decision {
        code: code.into(),
        structure,
        confidence: 1.0,
        by_person: true,
        candidates,
        engine,
        opinion: None,
        guess: None,
        threshold: None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_item_has_one_winner_and_so_has_one_id() {
    let fleet = Fleet::start(Shape::Apart, &Value::Null);
    fleet.caught_up().await;
    let tools = fleet.tools();
    let mut inputs = BTreeMap::new();
    for number in 0..8 {
        let place = format!("race {number}.txt");
        let bytes = format!("item {number} that three want to file\n").into_bytes();
        fleet.owner.write("UNSORTED", &place, &bytes);
        inputs.insert(place, bytes);
    }
    let listing = ListInbox { after: None, wait_ms: 0, settled: true, places: vec![] };
    let items: Vec<Item> = tools.call(listing).await.unwrap().items;
    assert_eq!(items.len(), 8);
    let replicas = fleet.each(Role::FileSystem);
    for item in &items {
        // Even two who decided otherwise agree in the end on one place.
        let codes = ["11.11", "12", "12"];
        let race = codes.iter().zip(&replicas).map(|(code, replica)| {
            let (run, dry_run, taken) = ("race".to_owned(), false, Vec::new());
            let tools = &tools;
            async move {
                let decision = decision(tools, code).await;
                replica.call(File { item: item.clone(), decision, run, dry_run, taken }).await
            }
        });
        let filed: Vec<Result<Filed, Error>> = futures_util::future::join_all(race).await;
        let won: BTreeSet<String> = filed.iter().flatten().map(|filed| filed.note.clone()).collect();
        assert_eq!(won.len(), 1, "{filed:?}");
        for error in filed.iter().filter_map(|filed| filed.as_ref().err()) {
            assert!(matches!(error.code, Code::Conflict | Code::NotFound), "{error:?}");
        }
    }
    fleet.account(&inputs, "after the race").await;
    let reserve = |number: usize| {
        let tools = fleet.tools();
        let (category, title) = ("11".to_owned(), format!("Title {number}"));
        async move { tools.call(Reserve { category, title, emm_id: format!("{number:032x}") }).await.unwrap().code }
    };
    let ids: Vec<String> = futures_util::future::join_all((0..12).map(reserve)).await;
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 12, "{ids:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_a_store_of_its_own_is_refused_with_the_reason() {
    for role in [Role::JdClassifier, Role::ContentClassifier] {
        let mut fleet = Fleet::start(Shape::Apart, &Value::Null);
        fleet.caught_up().await;
        let port = fleet.ports[&role][0];
        fleet.pods.iter_mut().find(|pod| pod.port == port).unwrap().stop();
        // As a pod that was given no claim: its store is a folder that nobody else sees.
        let mut alone = fleet.flags.clone();
        let folder = fleet.root.path().join("a folder of its own");
        merge(&mut alone, &json!({ "store": { "backend": "folder" }, "paths": { "store": folder } }));
        let mut other = Pod::start(fleet.root.path(), "other", &[role], &alone, port);
        other.ready();
        fleet.owner.write("UNSORTED", "letter.txt", b"a letter\n");
        let tools = fleet.tools();
        let said = match tools.call(Sweep { settled: true, ..Sweep::default() }).await {
            Err(error) => error.message,
            Ok(Swept { failed, .. }) => failed.into_iter().map(|problem| problem.reason).collect(),
        };
        assert!(said.contains("belongs to the store") && said.contains("paths.store"), "{role}: {said}");
        // Who belongs to no store is a person or a script, and is answered.
        tools.call(Lookup { code: "12".into(), structure: None }).await.unwrap();
    }
}

//! A whole emm in four placements: Together (one node), Apart (a node per role, HTTP on loopback), as Pods (a real process
//! per role, with a real Redis and a store in a real bucket), and as Pods of which vault and inbox are in that Bucket as well.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use emm::{
    backends::{
        Clock,
        home::{Home, Settings as Paths},
    },
    config::Config,
    contracts::file_system::ListInbox,
    node::{Node, Start},
    rpc::{Error, Role, Tool, Tools, peers::Peers, token::Tokens},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    owner::Owner,
    pods::{Pod, free_port},
    process::EMM,
    redis_server::RedisServer,
    s3_server::S3Server,
};

/// How the roles are placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placement {
    Together,
    Apart,
    Pods,
    Bucket,
}

pub(crate) const ALL: [Placement; 4] = [Placement::Together, Placement::Apart, Placement::Pods, Placement::Bucket];

/// Those in the process of the tests.
pub(crate) const BOTH: [Placement; 2] = [Placement::Together, Placement::Apart];

/// Running nodes over one vault, inbox and store.
pub(crate) struct World {
    root: tempfile::TempDir,
    /// Where its folders lie: in `root`.
    path: PathBuf,
    nodes: Vec<Node>,
    pods: Vec<Pod>,
    /// The server that the pods share.
    redis: Option<RedisServer>,
    /// Who works on the vault beside them.
    pub(crate) owner: Owner,
    tools: Tools,
}

pub(crate) const TOKEN: &str = "a token of the tests";

impl World {
    /// Makes the folders and starts the nodes.
    pub(crate) async fn start(placement: Placement, jd: &str, extra: &Value) -> World {
        World::start_with(placement, jd, extra, PathBuf::from(EMM)).await
    }

    /// As `start`, with another program to read documents.
    pub(crate) async fn start_with(placement: Placement, jd: &str, extra: &Value, program: PathBuf) -> World {
        let root = tempfile::tempdir().unwrap();
        for folder in ["vault", "UNSORTED", "store"] {
            fs::create_dir(root.path().join(folder)).unwrap();
        }
        fs::write(root.path().join("jd.yaml"), jd).unwrap();
        let path = root.path().to_owned();
        World::begin(root, path, placement, extra, program, None).await
    }

    /// Starts the nodes over what a world of another process left at `path`, which lies in `root`.
    pub(crate) async fn over(root: tempfile::TempDir, path: PathBuf, placement: Placement, extra: &Value) -> World {
        World::begin(root, path, placement, extra, PathBuf::from(EMM), None).await
    }

    async fn begin(
        root: tempfile::TempDir,
        path: PathBuf,
        placement: Placement,
        extra: &Value,
        program: PathBuf,
        redis: Option<RedisServer>,
    ) -> World {
        if matches!(placement, Placement::Together | Placement::Apart) {
            let (nodes, tools) = start_nodes(&path, placement, extra, program).await;
            let owner = Owner::of_folders(&path);
            return World { root, path, nodes, pods: Vec::new(), redis, owner, tools };
        }
        let redis = redis.unwrap_or_else(RedisServer::start);
        let mut flags = shared(&path, &redis);
        if placement == Placement::Bucket {
            merge(&mut flags, &in_bucket(&path));
        }
        let (pods, tools, config) = start_pods(&path, &flags, extra);
        let owner = Owner::of(&path, &config);
        World { root, path, nodes: Vec::new(), pods, redis: Some(redis), owner, tools }
    }

    /// Stops the nodes and starts them again over what they left.
    pub(crate) async fn restart(self, placement: Placement, extra: &Value) -> World {
        let World { root, path, nodes, pods, redis, .. } = self;
        stop(nodes, pods).await;
        World::begin(root, path, placement, extra, PathBuf::from(EMM), redis).await
    }

    /// As `restart`, with every database of every home deleted in between.
    pub(crate) async fn restart_without_state(self, placement: Placement, extra: &Value) -> World {
        let World { root, path, nodes, pods, .. } = self;
        stop(nodes, pods).await;
        for home in fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()) {
            if home.file_name().is_some_and(|name| name.to_string_lossy().starts_with("home-")) {
                for entry in fs::read_dir(home).unwrap().map(|entry| entry.unwrap().path()) {
                    let name = entry.file_name().unwrap().to_string_lossy().into_owned();
                    if name.starts_with("state.sqlite") || name == "knowledge.bin" {
                        fs::remove_file(entry).unwrap();
                    }
                }
            }
        }
        World::over(root, path, placement, extra).await
    }

    /// Ends the nodes; every one must drain in time.
    pub(crate) async fn stop(self) -> tempfile::TempDir {
        stop(self.nodes, self.pods).await;
        self.root
    }

    pub(crate) fn tools(&self) -> Tools {
        self.tools.clone()
    }

    pub(crate) async fn call<T: Tool>(&self, request: T) -> Result<T::Reply, Error> {
        self.tools.call(request).await
    }

    /// Waits until the vault was read, so that sweeps may decide.
    pub(crate) async fn caught_up(&self) -> u64 {
        let mut after = None;
        loop {
            let listing = self.call(ListInbox { after, wait_ms: 5_000, settled: true, places: vec![] }).await.unwrap();
            if let Some(labels) = listing.labels {
                return labels;
            }
            after = Some(listing.generation);
        }
    }

    /// Where the nodes listen.
    pub(crate) fn addresses(&self) -> Vec<String> {
        self.nodes.iter().filter_map(|node| node.address).map(|address| format!("http://{address}")).collect()
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.path.join(path)
    }

    pub(crate) fn drop_file(&self, place: &str, bytes: &[u8]) {
        self.owner.write("UNSORTED", place, bytes);
    }

    /// Every file below a folder, by its relative path.
    pub(crate) fn files(&self, folder: &str) -> BTreeMap<String, Vec<u8>> {
        self.owner.files(folder)
    }
}

pub(crate) fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

pub(crate) fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(root: &Path, folder: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
        // A node may be moving what is listed: what left meanwhile is not there.
        let Ok(entries) = fs::read_dir(folder) else { return };
        for entry in entries {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            match fs::read(&path) {
                Ok(bytes) => drop(found.insert(name, bytes)),
                Err(_) => walk(root, &path, found),
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(root, root, &mut found);
    found
}

/// Groups of roles that share a node.
fn groups(placement: Placement) -> Vec<Vec<Role>> {
    match placement {
        Placement::Together => vec![Role::ALL.to_vec()],
        Placement::Apart | Placement::Pods | Placement::Bucket => {
            Role::ALL.into_iter().rev().map(|role| vec![role]).collect()
        }
    }
}

async fn start_nodes(root: &Path, placement: Placement, extra: &Value, program: PathBuf) -> (Vec<Node>, Tools) {
    let mut listeners = Vec::new();
    let mut addresses = BTreeMap::new();
    for group in groups(placement) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        addresses.extend(group.iter().map(|role| (*role, address.clone())));
        listeners.push((group, listener));
    }
    let mut nodes = Vec::new();
    let mut config = None;
    for (group, listener) in listeners {
        let loaded = configuration(root, &addresses, extra);
        let home = Home::new(&root.join(format!("home-{}", group[0])), &loaded.paths);
        home.prepare().unwrap();
        let clock = Clock::Fixed("2026-03-01T12:00:00Z".parse().unwrap());
        config = Some(loaded.clone());
        let (listener, program) = (Some(listener), program.clone());
        let start = Start { roles: group, config: loaded, home, clock, listener, program, read_only: false };
        nodes.push(Node::start(start).await.unwrap());
    }
    let tools = match placement {
        Placement::Together => nodes[0].tools.clone(),
        _ => caller(&config.unwrap()),
    };
    (nodes, tools)
}

/// One process for each role, all on what these flags say that they share.
fn start_pods(root: &Path, shared: &Value, extra: &Value) -> (Vec<Pod>, Tools, Config) {
    let ports: BTreeMap<Role, u16> = Role::ALL.into_iter().map(|role| (role, free_port())).collect();
    let addresses = ports.iter().map(|(role, port)| (*role, format!("http://127.0.0.1:{port}"))).collect();
    let mut flags = flags(root, &addresses, shared);
    merge(&mut flags, extra);
    let start = |role: Role| Pod::start(root, role.as_str(), &[role], &flags, ports[&role]);
    let mut pods: Vec<Pod> = Role::ALL.into_iter().rev().map(start).collect();
    pods.iter_mut().for_each(Pod::ready);
    let config = Config::load(None, &flags).unwrap();
    (pods, caller(&config), config)
}

/// The name that a world has on the servers.
fn name(root: &Path) -> String {
    root.file_name().unwrap().to_string_lossy().trim_start_matches('.').to_owned()
}

/// Vault and inbox beside the store in its bucket.
pub(crate) fn in_bucket(root: &Path) -> Value {
    let name = name(root);
    json!({ "vault": { "backend": "s3", "s3": { "prefix": format!("{name}-vault"), "inbox": format!("{name}-inbox") } } })
}

/// What several nodes share: state and cache on a server, the store in a bucket.
pub(crate) fn shared(root: &Path, redis: &RedisServer) -> Value {
    let name = name(root);
    json!({
        "redis": redis.flags(&name),
        "state": { "backend": "redis" },
        "cache": { "backend": "redis" },
        "store": S3Server::seaweedfs().flags(&name),
    })
}

/// Tools of a caller that hosts none.
pub(crate) fn caller(config: &Config) -> Tools {
    Tools::new(Peers::new(config.peers.clone(), Tokens::new([TOKEN.to_owned()])))
}

fn configuration(root: &Path, addresses: &BTreeMap<Role, String>, extra: &Value) -> Config {
    Config::load(None, &flags(root, addresses, extra)).unwrap()
}

/// The configuration of nodes that share the folders in `root`.
pub(crate) fn flags(root: &Path, addresses: &BTreeMap<Role, String>, extra: &Value) -> Value {
    let paths = Paths {
        vault: root.join("vault"),
        inbox: root.join("UNSORTED"),
        jd: root.join("jd.yaml"),
        store: root.join("store"),
    };
    // The agent looks on its own only when a test asks for it: the sweeps of the tests are the tests' own.
    let mut flags = json!({
        "node": { "token": TOKEN },
        "paths": paths,
        "peers": { "addresses": addresses },
        "file_system_agent": { "threshold": 0.6 },
        "inbox": { "settle_seconds": 86_400, "empty_settle_seconds": 86_400 },
        "parsers": { "ocr": false },
    });
    merge(&mut flags, extra);
    flags
}

pub(crate) fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (_, Value::Null) => {}
        (into, from) => *into = from.clone(),
    }
}

async fn stop(nodes: Vec<Node>, mut pods: Vec<Pod>) {
    pods.iter_mut().rev().for_each(Pod::stop);
    // Callers before those they call.
    for node in nodes.into_iter().rev() {
        assert!(node.drain(Duration::ZERO, Duration::from_secs(20)).await, "a node did not end in time");
    }
}

/// The differences between two vaults, in words; empty if they are the same.
pub(crate) fn differences(one: &BTreeMap<String, Vec<u8>>, other: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let paths: BTreeSet<_> = one.keys().chain(other.keys()).collect();
    let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
    paths
        .into_iter()
        .filter_map(|path| match (one.get(path), other.get(path)) {
            (Some(a), Some(b)) if a == b => None,
            (Some(a), Some(b)) => Some(format!("{path}:\n--- one\n{}\n--- other\n{}", text(a), text(b))),
            (Some(_), None) => Some(format!("{path} is only in one")),
            _ => Some(format!("{path} is only in the other")),
        })
        .collect()
}

//! The workload of the original system over real processes on one Redis: runs that ask for the structure over and over, and
//! the same items again after a process was killed.

use std::{io::Read, net::TcpStream, process::Stdio};

use emm::{
    backends::home::Home,
    config::Config,
    contracts::{
        content_classifier::Classify,
        file_system::{Document, Item, ListInbox, Read as ReadItem},
        jd_classifier::GetStructure,
    },
    rpc::{Role, Tools, peers::Peers, replicas::Addresses, token::Tokens},
};
use serde_json::json;

use crate::{
    process::{Place, Running, eventually},
    redis_server::RedisServer,
};

/// A run of the shortest kind makes ten calls; longer ones only ask for the structure more often.
const STRUCTURES_PER_RUN: usize = 8;
const ITEMS: usize = 30;

/// A process with all roles, and its tools.
fn start(place: &Place, server: &RedisServer) -> (Running, String, Tools) {
    let mut command = place.command(&["--role", "all", "--listen", "127.0.0.1:0"]);
    command.env("EMM_CACHE__BACKEND", "redis").env("EMM_STATE__BACKEND", "redis");
    command.env("EMM_REDIS__PORT", server.port.to_string()).env("EMM_FILE_SYSTEM_AGENT__SWEEPS", "false");
    let process = Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let config = Config::load(None, &json!({})).unwrap();
    let home = Home::new(place.root.path(), &config.paths);
    let pid = process.0.id();
    let address = eventually("the node tells its address", || home.running().filter(|it| it.pid == pid)).address;
    let mut peers = config.peers;
    peers.addresses = Role::ALL.into_iter().map(|role| (role, Addresses::One(address.clone()))).collect();
    let tools = Tools::new(Peers::new(peers, Tokens::new([home.token().unwrap()])));
    (process, address, tools)
}

/// One run of an agent for one item.
async fn run(tools: &Tools, item: &Item) {
    let hash = tools.call(GetStructure::default()).await.unwrap().hash;
    for _ in 0..STRUCTURES_PER_RUN {
        tools.call(GetStructure { hash: Some(hash.clone()) }).await.unwrap();
    }
    let document = tools.call(ReadItem { item: item.clone() }).await.unwrap();
    let Document::Text { extracted, title } = document else { panic!("{document:?}") };
    let request = Classify {
        structure: hash,
        name: item.place.clone(),
        title,
        text: extracted.text,
        kind: extracted.kind.as_str().to_owned(),
        hints: Vec::new(),
        category: None,
        at_least: 0,
        top: 3,
        bar: None,
    };
    tools.call(request).await.unwrap();
}

/// How many values a node found near, far and nowhere.
fn lookups(address: &str) -> [f64; 3] {
    let host = address.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).unwrap();
    let request = format!("GET /metrics HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    ["near", "far", "none"].map(|place| {
        let name = format!("emm_cache_lookups_total{{found=\"{place}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&name)).map_or(0.0, |count| count.trim().parse().unwrap())
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_original_workload_is_answered_from_the_cache() {
    let (server, place) = (RedisServer::start(), Place::new());
    for at in 0..ITEMS {
        let text = format!("Invoice number {at} for the house, to be paid by the end of month {}.\n", at % 12);
        place.drop_file(&format!("invoice {at}.txt"), text.as_bytes());
    }
    let mut all = [0.0; 3];
    for pass in 0..2 {
        let (mut process, address, tools) = tokio::task::block_in_place(|| start(&place, &server));
        let listing = ListInbox { settled: true, ..ListInbox::default() };
        let items = tools.call(listing).await.unwrap().items;
        assert_eq!(items.len(), ITEMS);
        for item in &items {
            run(&tools, item).await;
        }
        let found = lookups(&address);
        println!("pass {pass}: near {}, far {}, computed {}", found[0], found[1], found[2]);
        assert_eq!(found.iter().sum::<f64>(), (ITEMS * (STRUCTURES_PER_RUN + 2)) as f64);
        if pass > 0 {
            assert_eq!(found[2], 0.0, "what was computed before the kill is still there");
        }
        all = [all[0] + found[0], all[1] + found[1], all[2] + found[2]];
        process.kill();
    }
    let ratio = (all[0] + all[1]) / all.iter().sum::<f64>();
    println!("hit ratio {:.1} %", ratio * 100.0);
    assert!(ratio >= 0.85, "{ratio}");
}

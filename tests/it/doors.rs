//! The doors of a node: who may stand in them and for how long, what they say while it starts, and how they close.

use std::{path::Path, time::Duration};

use emm::{
    backends::{Clock, home::Home},
    config::Config,
    node::{Node, Start},
    rpc::{Result, Role},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use crate::process::{JD, Place};

const TOKEN: &str = "a token of the doors";
/// What hangs shall fail; nothing here waits so long when it is right.
const LONG: Duration = Duration::from_secs(20);

/// One node over folders of its own, below `root`.
async fn start(root: &Path, listener: TcpListener, role: Role, node: Value) -> Result<Node> {
    let mut flags = json!({ "node": { "token": TOKEN }, "parsers": { "ocr": false } });
    for (key, value) in node.as_object().into_iter().flatten() {
        flags["node"][key] = value.clone();
    }
    for folder in ["vault", "UNSORTED", "store"] {
        std::fs::create_dir_all(root.join(folder)).unwrap();
    }
    if !root.join("jd.yaml").exists() {
        std::fs::write(root.join("jd.yaml"), JD).unwrap();
    }
    let config = Config::load(None, &flags).unwrap();
    let home = Home::new(root, &config.paths);
    home.prepare().unwrap();
    let program = crate::process::EMM.into();
    let (clock, listener) = (Clock::System, Some(listener));
    Node::start(Start { roles: vec![role], config, home, clock, listener, program, read_only: false }).await
}

async fn jd_node(root: &Path, node: Value) -> Node {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    start(root, listener, Role::JdClassifier, node).await.unwrap()
}

async fn connect(node: &Node) -> TcpStream {
    TcpStream::connect(node.address.unwrap()).await.unwrap()
}

/// Sends a request as it stands, and reads until the reply has the words `until`.
async fn say(stream: &mut TcpStream, request: &str, until: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut reply = Vec::new();
    let read = async {
        while !String::from_utf8_lossy(&reply).contains(until) {
            assert!(stream.read_buf(&mut reply).await.unwrap() > 0, "it ended: {}", String::from_utf8_lossy(&reply));
        }
    };
    timeout(LONG, read).await.expect("the node answers");
    String::from_utf8_lossy(&reply).into_owned()
}

/// Waits until the node ends a connection.
async fn ended(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    // A connection may also be reset, which is an end as well.
    let _ = timeout(LONG, stream.read_to_end(&mut rest)).await.expect("the node ends the connection");
}

fn get(path: &str, host: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n")
}

async fn stop(node: Node) {
    assert!(node.drain(Duration::ZERO, LONG).await, "the node ends in time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_say_nothing_do_not_lock_the_node() {
    let root = tempfile::tempdir().unwrap();
    let node = jd_node(root.path(), json!({ "connections_max": 2, "header_seconds_max": 1 })).await;
    let _silent = connect(&node).await;
    let mut half = connect(&node).await;
    // The beginning of an HTTP/2 preface.
    half.write_all(b"PRI").await.unwrap();
    let reply = say(&mut connect(&node).await, &get("/livez", "127.0.0.1"), "ok").await;
    assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
    stop(node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_recycled_by_age() {
    let root = tempfile::tempdir().unwrap();
    let node = jd_node(root.path(), json!({ "connection_seconds_max": 1, "header_seconds_max": 600 })).await;
    let mut stream = connect(&node).await;
    say(&mut stream, &get("/livez", "127.0.0.1"), "ok").await;
    ended(&mut stream).await;
    stop(node).await;
}

#[test]
fn a_peer_gives_a_connection_up_before_the_node_does() {
    let config = Config::load(None, &json!({})).unwrap();
    assert!(config.peers.idle_seconds < config.node.header_seconds_max, "the node also ends connections that rest");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_on_every_address_answers_by_address_and_by_the_names_of_its_peers() {
    let root = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let node = start(root.path(), listener, Role::JdClassifier, json!({ "hosts": ["Emm.Example"] })).await.unwrap();
    let hosts = [
        ("192.0.2.1:8080", "200"),
        ("jd-classifier-service:8080", "200"),
        ("emm.example", "200"),
        ("file-system-service:8080", "403"),
        ("evil.example", "403"),
    ];
    for (host, status) in hosts {
        let mut stream = TcpStream::connect(("127.0.0.1", node.address.unwrap().port())).await.unwrap();
        let reply = say(&mut stream, &get("/livez", host), "\r\n\r\n").await;
        assert!(reply.starts_with(&format!("HTTP/1.1 {status}")), "{host}: {reply}");
    }
    stop(node).await;
}

/// A call whose head has come and whose body has not: the node says that it goes on, so the call is under way.
async fn half_a_call(node: &Node, deadline_ms: u64) -> TcpStream {
    let mut stream = connect(node).await;
    let head = format!(
        "POST /jd-classifier/lookup HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {TOKEN}\r\n\
         x-emm-deadline-ms: {deadline_ms}\r\nexpect: 100-continue\r\ncontent-length: 13\r\n\r\n"
    );
    say(&mut stream, &head, "100 Continue").await;
    stream
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_does_not_come_is_waited_for_until_the_deadline() {
    let root = tempfile::tempdir().unwrap();
    let node = jd_node(root.path(), json!({})).await;
    let reply = say(&mut half_a_call(&node, 50).await, "", "message").await;
    assert!(reply.starts_with("HTTP/1.1 504") && reply.contains("deadline"), "{reply}");
    stop(node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_a_node_runs_after_its_drain() {
    let root = tempfile::tempdir().unwrap();
    let node = jd_node(root.path(), json!({})).await;
    let address = node.address.unwrap();
    // What is under way is finished within the limit.
    let mut call = half_a_call(&node, 60_000).await;
    let drained = tokio::spawn(node.drain(Duration::ZERO, LONG));
    let reply = say(&mut call, r#"{"code":"11"}"#, "\"title\"").await;
    assert!(reply.contains("200 OK"), "{reply}");
    assert!(drained.await.unwrap());
    assert!(TcpStream::connect(address).await.is_err(), "it takes nothing new");
    // And ended by force beyond it.
    let node = jd_node(root.path(), json!({})).await;
    let (address, mut call) = (node.address.unwrap(), half_a_call(&node, 60_000).await);
    assert!(!node.drain(Duration::ZERO, Duration::from_millis(20)).await, "a call was under way");
    ended(&mut call).await;
    assert!(TcpStream::connect(address).await.is_err());
}

/// A structure that does not come until somebody writes it: whoever builds the role waits for it.
#[cfg(target_os = "linux")]
fn structure_to_come(root: &Path) -> std::path::PathBuf {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let path = root.join("jd.yaml");
    let _ = std::fs::remove_file(&path);
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    path
}

/// Waits until somebody reads the structure.
#[cfg(target_os = "linux")]
async fn read_by_somebody(path: &Path) -> std::fs::File {
    let path = path.to_owned();
    let opened = tokio::task::spawn_blocking(move || std::fs::OpenOptions::new().write(true).open(path));
    timeout(LONG, opened).await.expect("the role is built").unwrap().unwrap()
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_is_served_while_its_roles_are_built() {
    use std::io::Write;
    let root = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let jd = structure_to_come(root.path());
    let folder = root.path().to_owned();
    let starting = tokio::spawn(async move { start(&folder, listener, Role::JdClassifier, json!({})).await });
    let mut structure = read_by_somebody(&jd).await;

    let mut stream = TcpStream::connect(address).await.unwrap();
    assert!(say(&mut stream, &get("/livez", "127.0.0.1"), "ok").await.contains("200 OK"));
    let reply = say(&mut stream, &get("/readyz", "127.0.0.1"), "}").await;
    assert!(reply.contains("503") && reply.contains(r#"["jd-classifier","starting"]"#), "{reply}");
    let call = format!(
        "POST /jd-classifier/lookup HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {TOKEN}\r\n\
         content-length: 13\r\n\r\n{{\"code\":\"11\"}}"
    );
    let reply = say(&mut stream, &call, "}").await;
    assert!(reply.contains("503") && reply.contains("unavailable") && reply.contains("starting"), "{reply}");

    // From now on the structure is a file.
    std::fs::remove_file(&jd).unwrap();
    std::fs::write(&jd, JD).unwrap();
    structure.write_all(JD.as_bytes()).unwrap();
    drop(structure);
    let node = timeout(LONG, starting).await.unwrap().unwrap().unwrap();
    timeout(LONG, node.ready.wait()).await.unwrap();
    assert!(say(&mut stream, &call, "}").await.contains("200 OK"));
    stop(node).await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_start_that_is_given_up_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let jd = structure_to_come(root.path());
    let folder = root.path().to_owned();
    let starting = tokio::spawn(async move { start(&folder, listener, Role::JdClassifier, json!({})).await });
    let _structure = read_by_somebody(&jd).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    say(&mut stream, &get("/livez", "127.0.0.1"), "ok").await;
    starting.abort();
    ended(&mut stream).await;
}

#[cfg(target_os = "linux")]
#[test]
fn a_signal_ends_a_node_that_is_starting() {
    use rustix::process::{Pid, Signal, kill_process};
    let place = Place::new();
    let jd = structure_to_come(place.root.path());
    let arguments = ["--role", "jd-classifier", "--listen", "127.0.0.1:0", "--jd", jd.to_str().unwrap()];
    let mut node = crate::process::Running(place.command(&arguments).spawn().unwrap());
    let _structure = std::fs::OpenOptions::new().write(true).open(&jd).unwrap();
    kill_process(Pid::from_child(&node.0), Signal::TERM).unwrap();
    let status = crate::process::eventually("the node leaves", || node.0.try_wait().unwrap());
    assert!(status.success(), "{status}");
}

#[test]
fn secrets_are_raw_text_and_never_shown() {
    let place = Place::new();
    let file = place.path("secret");
    std::fs::write(&file, "true\n").unwrap();
    let wrong = place.path("wrong.toml");
    std::fs::write(&wrong, "[node]\ntoken = 1234567890\n").unwrap();
    let (file, wrong) = (file.to_str().unwrap(), wrong.to_str().unwrap());
    let number = ("EMM_NODE__TOKEN", "1234567890");
    // What is set, what is shown, and what the error says.
    type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str], Result<&'a str, &'a str>);
    let cases: &[Case<'_>] = &[
        (&[number], &["config", "show"], Ok("token = \"***\"")),
        (&[("EMM_NODE__TOKEN", "true")], &["config", "show"], Ok("token = \"***\"")),
        (&[("EMM_NODE__TOKEN_FILE", file)], &["config", "show"], Ok("token = \"***\"")),
        (&[("EMM_NODE__TOKEN_PREVIOUS", "[1]")], &["config", "show"], Ok("token_previous = \"***\"")),
        (&[], &["config", "show"], Ok("token = \"\"")),
        (&[number, ("EMM_NODE__TOKEN_FILE", file)], &["config", "check"], Err("EMM_NODE__TOKEN_FILE")),
        (&[("EMM_NODE__TOKEN_FILE", "/no/such/file")], &["config", "check"], Err("/no/such/file")),
        (&[("EMM_CONFIG", wrong)], &["config", "check"], Err("node.token")),
    ];
    for (set, arguments, expected) in cases {
        let output = place.command(arguments).envs(set.iter().copied()).output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.success(), expected.is_ok(), "{set:?}: {said}");
        let (Ok(words) | Err(words)) = expected;
        assert!(said.contains(words), "{set:?}: {said}");
        assert!(!said.contains("1234567890"), "{set:?} shows the secret: {said}");
    }
    let config = Config::load(None, &json!({ "node": { "token": "a secret" } })).unwrap();
    assert_eq!(config.node.token.text(), "a secret");
    assert!(!format!("{config:?}").contains("a secret"));
}

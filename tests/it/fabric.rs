//! The fabric: one call is the same direct and over HTTP, and every door is guarded from the first route.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use emm::{
    config::Config,
    contracts::{
        content_classifier::{Classified, Classify},
        file_system_agent::{Sweep, Swept},
        jd_classifier::{GetStructure, Lint, Linted, Lookup, Place, Published, Reserve, Reserved},
    },
    life::Tasks,
    rpc::{
        Answer, Code, Context, Error, Result, Role, Toolbox, Tools, Trace,
        http::{Face, guarded, routes},
        peers::Peers,
        token::Tokens,
        toolbox::Limits,
    },
};
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, StatusCode, body::Bytes};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::world::{Placement, World};

/// A service that misbehaves in as many ways as it has tools.
#[derive(Default)]
struct Odd {
    begun: Notify,
    go_on: Notify,
    ended: Notify,
    finished: AtomicUsize,
    nested: parking_lot::Mutex<Option<Context>>,
}

impl Answer<Lookup> for Odd {
    async fn answer(&self, request: Lookup) -> Result<Place> {
        match request.code.as_str() {
            "panic" => panic!("a bug"),
            "logs" => {
                tracing::info!("a lookup");
                Ok(place("logs"))
            }
            "missing" => Err(Error::not_found("there is no such place")),
            code => Ok(place(code)),
        }
    }
}

fn place(code: &str) -> Place {
    Place { code: code.to_owned(), title: "T".into(), folder: "F".into(), files: true }
}

impl Answer<Lint> for Odd {
    async fn answer(&self, _: Lint) -> Result<Linted> {
        std::future::pending().await
    }
}

impl Answer<Reserve> for Odd {
    async fn answer(&self, request: Reserve) -> Result<Reserved> {
        self.begun.notify_one();
        self.go_on.notified().await;
        self.finished.fetch_add(1, Ordering::SeqCst);
        Ok(Reserved { code: request.title, structure: String::new() })
    }
}

impl Answer<Classify> for Odd {
    async fn answer(&self, _: Classify) -> Result<Classified> {
        let context = Context::current().expect("every call has a context");
        let engine = format!("{} {}", context.request(), context.left().as_millis() <= 5_000);
        Ok(Classified { candidates: Vec::new(), labels: 0, engine, thresholds: Default::default() })
    }
}

/// Work that runs to its end: it says how long its nested calls may take, and whose they are.
impl Answer<Sweep> for Odd {
    async fn answer(&self, _: Sweep) -> Result<Swept> {
        self.begun.notify_one();
        self.go_on.notified().await;
        let context = Context::current().expect("every call has a context");
        self.finished.fetch_add(1, Ordering::SeqCst);
        self.ended.notify_one();
        *self.nested.lock() = Some(Context::within(Duration::from_secs(600)));
        Ok(Swept { run: context.request().into_owned(), ..Swept::default() })
    }
}

const TOKEN: &str = "secret";

fn toolbox(odd: &Arc<Odd>) -> Toolbox {
    let limits = Limits { calls_in_flight_max: 2, ..Limits::default() };
    let toolbox = Toolbox::new(limits).with::<Lookup, _>(odd).with::<Lint, _>(odd);
    toolbox.with::<Reserve, _>(odd).with::<Classify, _>(odd).with::<Sweep, _>(odd)
}

fn peers(address: &str, token: &str) -> Peers {
    let settings =
        Config::load(None, &json!({ "peers": { "pattern": address, "reply_bytes_max": 1 << 20 } })).unwrap().peers;
    Peers::new(settings, Tokens::new([token.to_owned()]))
}

/// The service directly, and the same one over HTTP.
async fn both(odd: &Arc<Odd>) -> [Tools; 2] {
    let direct = Tools::new(peers("http://127.0.0.1:9", TOKEN));
    direct.host(Arc::new(toolbox(odd)));
    [direct, Tools::new(peers(&serve(odd).await, TOKEN))]
}

async fn serve(odd: &Arc<Odd>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let tools = Tools::new(peers(&address, TOKEN));
    tools.host(Arc::new(toolbox(odd)));
    let face = Face {
        tools,
        tokens: Tokens::new([TOKEN.to_owned(), "the one before".to_owned()]),
        hosts: BTreeSet::from(["localhost".to_owned()]),
        body_bytes_max: 1000,
    };
    let face = Arc::new(face);
    let app = guarded(routes(face.clone()), face);
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    address
}

fn lookup(code: &str) -> Lookup {
    Lookup { code: code.into(), structure: None }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_the_same_direct_and_over_http() {
    for tools in both(&Arc::default()).await {
        assert_eq!(tools.call(lookup("11")).await.unwrap().code, "11");
        assert_eq!(tools.call(lookup("missing")).await.unwrap_err().code, Code::NotFound);
        let error = tools.call(lookup("panic")).await.unwrap_err();
        assert_eq!(error.code, Code::Internal);
        assert!(!error.message.contains("a bug"), "clients never see internals: {error}");
        assert_eq!(tools.call(lookup("after the panic")).await.unwrap().code, "after the panic");
        let error = tools.call_within(Lint { text: None }, Duration::from_millis(30)).await.unwrap_err();
        assert_eq!(error.code, Code::Deadline, "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deadline_and_request_id_cross_the_hop() {
    let request = || Classify {
        structure: String::new(),
        name: String::new(),
        title: String::new(),
        text: String::new(),
        kind: String::new(),
        hints: Vec::new(),
        category: None,
        at_least: 0,
        top: 1,
        bar: None,
    };
    for tools in both(&Arc::default()).await {
        let context = Context {
            deadline: tokio::time::Instant::now() + Duration::from_secs(5),
            request_id: Some("r-1".into()),
            trace: Trace::new(),
        };
        let reply = context.scope(tools.call(request())).await.unwrap();
        assert_eq!(reply.engine, "r-1 true");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaving_a_call_cancels_it_and_gives_its_place_back() {
    let odd = Arc::new(Odd::default());
    for tools in both(&odd).await {
        // More than fit in flight: every one that was left must have given its place back.
        for _ in 0..5 {
            let request = Reserve { category: "11".into(), title: "t".into(), emm_id: "x".into() };
            tokio::select! {
                _ = tools.call(request) => panic!("nothing lets it go on"),
                () = odd.begun.notified() => {}
            }
        }
        assert_eq!(odd.finished.load(Ordering::SeqCst), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_that_finishes_outlives_the_deadline_of_its_caller() {
    let odd = Arc::new(Odd::default());
    for (round, tools) in both(&odd).await.into_iter().enumerate() {
        let context = Context {
            deadline: tokio::time::Instant::now() + Duration::from_secs(60),
            request_id: Some("s-1".into()),
            trace: Trace::new(),
        };
        let limit = Duration::from_millis(30);
        let call = context.scope(tools.call_within(Sweep::default(), limit));
        let reply = tokio::time::timeout(Duration::from_secs(10), call).await.expect("the caller stops waiting");
        assert_eq!(reply.unwrap_err().code, Code::Deadline);
        odd.begun.notified().await;
        odd.go_on.notify_one();
        odd.ended.notified().await;
        assert_eq!(odd.finished.load(Ordering::SeqCst), round + 1, "it ran to its end");
        let nested = crate::process::eventually("the work said its context", || odd.nested.lock().take());
        assert_eq!(nested.request(), "s-1");
        assert!(nested.left() > Duration::from_secs(500), "nested calls have their own time: {:?}", nested.left());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_that_finishes_is_ended_by_force_at_last() {
    let (odd, tasks) = (Arc::new(Odd::default()), Tasks::default());
    let tools = Tools::new(peers("http://127.0.0.1:9", TOKEN));
    let limits = Limits { tasks: tasks.clone(), ..Limits::default() };
    tools.host(Arc::new(Toolbox::new(limits).with::<Sweep, _>(&odd)));
    let call = tokio::spawn(async move { tools.call(Sweep::default()).await });
    odd.begun.notified().await;
    assert!(!tasks.end(Duration::from_millis(20)).await, "it did not end by itself");
    let error = call.await.unwrap().unwrap_err();
    assert_eq!(error.code, Code::Unavailable, "{error}");
    assert_eq!(odd.finished.load(Ordering::SeqCst), 0);
    assert_eq!(Arc::strong_count(&odd), 1, "nothing of it is left");
}

/// What was logged.
#[derive(Clone, Default)]
struct Logged(Arc<parking_lot::Mutex<Vec<u8>>>);

impl std::io::Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// In a process of its own: what is logged at all is settled once for all threads, and others log nothing.
#[test]
fn what_a_call_logs_says_for_which_request() {
    let child = ["--exact", "fabric::child_that_logs", "--ignored", "--nocapture"];
    let output = std::process::Command::new(std::env::current_exe().unwrap()).args(child).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
#[ignore = "run by what_a_call_logs_says_for_which_request"]
async fn child_that_logs() {
    let logged = Logged::default();
    let writer = logged.clone();
    let log = tracing_subscriber::fmt().with_env_filter("info").with_ansi(false).with_writer(move || writer.clone());
    let _log = tracing::subscriber::set_default(log.finish());
    let tools = Tools::new(peers("http://127.0.0.1:9", TOKEN));
    tools.host(Arc::new(toolbox(&Arc::default())));
    let context = Context {
        deadline: tokio::time::Instant::now() + Duration::from_secs(60),
        request_id: Some("r-7".into()),
        trace: Trace::new(),
    };
    context.scope(tools.call(lookup("logs"))).await.unwrap();
    let text = String::from_utf8(logged.0.lock().clone()).unwrap();
    assert!(
        text.contains("a lookup")
            && text.contains("r-7")
            && text.contains("trace=00-")
            && text.contains("jd-classifier"),
        "{text}"
    );
}

/// A peer that answers one connection with each of `answers` as it stands, and counts those that asked.
async fn peer(answers: Vec<String>) -> (String, Arc<AtomicUsize>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    tokio::spawn(async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"}") {
                stream.read_buf(&mut request).await.unwrap();
            }
            count.fetch_add(1, Ordering::SeqCst);
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (address, asked)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_made_again_only_where_nothing_answered() {
    let answer = |status: &str, body: &str| {
        format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
    };
    let place = r#"{"code":"11","title":"","folder":"","files":true}"#;
    let busy = r#"{"code":"unavailable","message":"busy"}"#;
    let (nothing, good) = (String::new(), answer("200 OK", place));
    let newer = r#"{"code":"a code of a newer build","message":"what it says"}"#;
    // What the peer says to each call, what comes of it, and how often it was asked.
    let cases: Vec<(Vec<String>, Option<Code>, usize)> = vec![
        (vec![nothing.clone(), good.clone()], None, 2),
        (vec![nothing.clone(), nothing, good.clone()], Some(Code::Unavailable), 2),
        (vec![answer("503 Service Unavailable", busy), good.clone()], Some(Code::Unavailable), 1),
        (vec![answer("502 Bad Gateway", "<html>"), good.clone()], Some(Code::Unavailable), 1),
        (vec![answer("404 Not Found", "<html>"), good.clone()], Some(Code::NotFound), 1),
        (vec![answer("409 Conflict", newer), good.clone()], Some(Code::Conflict), 1),
        (vec![answer("200 OK", &"x".repeat(2 << 20)), good.clone()], Some(Code::TooLarge), 1),
    ];
    for (answers, expected, times) in cases {
        let what = answers.iter().map(|it| it.lines().next().unwrap_or("nothing").to_owned()).collect::<Vec<_>>();
        let (address, asked) = peer(answers).await;
        let reply = Tools::new(peers(&address, TOKEN)).call(lookup("11")).await;
        assert_eq!(reply.as_ref().err().map(|error| error.code), expected, "{what:?}: {reply:?}");
        assert_eq!(asked.load(Ordering::SeqCst), times, "{what:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_peer_is_unavailable_and_says_where() {
    let tools = Tools::new(peers("http://127.0.0.1:9", TOKEN));
    let error = tools.call(lookup("11")).await.unwrap_err();
    assert_eq!(error.code, Code::Unavailable);
    assert!(error.message.contains("jd-classifier/lookup") && error.message.contains("127.0.0.1:9"), "{error}");
}

type Headers<'a> = Vec<(&'a str, &'a str)>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_is_guarded() {
    let address = serve(&Arc::default()).await;
    let body = json!({ "code": "11" }).to_string();
    let bearer = format!("Bearer {TOKEN}");
    let own = address.clone();
    let large = json!({ "code": "1".repeat(2000) }).to_string();
    // The path, headers, body, and the status that is expected.
    let cases: Vec<(&str, Headers<'_>, &str, u16)> = vec![
        ("/jd-classifier/lookup", vec![("authorization", &bearer)], &body, 200),
        ("/jd-classifier/lookup", vec![("authorization", "Bearer the one before")], &body, 200),
        ("/jd-classifier/lookup", vec![("authorization", &bearer), ("origin", &own)], &body, 200),
        ("/jd-classifier/lookup", vec![], &body, 401),
        ("/jd-classifier/lookup", vec![("authorization", "Bearer wrong")], &body, 401),
        ("/jd-classifier/lookup", vec![("authorization", "Bearer ")], &body, 401),
        ("/jd-classifier/lookup", vec![("authorization", &bearer), ("host", "evil.example")], &body, 403),
        ("/jd-classifier/lookup", vec![("authorization", &bearer), ("origin", "http://evil.example")], &body, 403),
        ("/jd-classifier/lookup", vec![("authorization", &bearer), ("origin", "null")], &body, 403),
        ("/jd-classifier/lookup", vec![("authorization", &bearer), ("origin", "http://caf\u{e9}.example")], &body, 403),
        // Rebinding needs a name, so addresses are nobody else's; names are those of the node, in either case.
        ("/jd-classifier/lookup", vec![("authorization", &bearer), ("host", "10.1.2.3:8080")], &body, 200),
        ("/jd-classifier/lookup", vec![("authorization", &bearer), ("host", "[fd00::1]:8080")], &body, 200),
        ("/jd-classifier/lookup", vec![("authorization", &bearer), ("host", "LocalHost:1")], &body, 200),
        (
            "/jd-classifier/lookup",
            vec![("host", "LOCALHOST"), ("authorization", &bearer), ("origin", "http://localhost")],
            &body,
            200,
        ),
        (
            "/jd-classifier/lookup",
            vec![("host", "LOCALHOST"), ("authorization", &bearer), ("origin", &own)],
            &body,
            403,
        ),
        ("/jd-classifier/lookup", vec![("authorization", &bearer)], "{", 400),
        ("/jd-classifier/lookup", vec![("authorization", &bearer)], r#"{"code":"11","of a newer build":1}"#, 200),
        ("/jd-classifier/lookup", vec![("authorization", &bearer)], &large, 413),
        ("/jd-classifier/nothing", vec![("authorization", &bearer)], &body, 404),
    ];
    for (path, headers, body, status) in cases {
        let (got, reply) = post(&address, path, &headers, body).await;
        assert_eq!(got.as_u16(), status, "{path} {headers:?}: {reply}");
        if status != 200 {
            assert!(reply["code"].is_string() && reply["message"].is_string(), "{path}: {reply}");
        }
    }
}

async fn post(address: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (StatusCode, Value) {
    request(Method::POST, address, path, headers, body).await
}

async fn request(
    method: Method,
    address: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (StatusCode, Value) {
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let mut builder = Request::builder().method(method).uri(format!("{address}{path}"));
    for (name, value) in headers {
        builder = builder.header(*name, value.as_bytes());
    }
    let response = client.request(builder.body(Full::from(body.to_owned())).unwrap()).await.unwrap();
    let status = response.status();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::String(text)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_says_how_it_is() {
    let world = World::start(Placement::Together, crate::process::JD, &Value::Null).await;
    world.caught_up().await;
    let address = world.addresses()[0].clone();
    let get = async |path: &str| request(Method::GET, &address, path, &[], "").await;
    assert_eq!(get("/livez").await.0, 200);
    assert_eq!(get("/readyz").await, (StatusCode::OK, json!({ "ready": true, "pending": [] })));
    let (status, health) = get("/health").await;
    assert_eq!((status.as_u16(), &health["status"]), (200, &json!("healthy")), "{health}");
    assert_eq!(get("/metrics").await.0, 200);

    // The inbox is required: without it the node is of no use, and says so; it comes back by itself.
    std::fs::remove_dir(world.path("UNSORTED")).unwrap();
    assert!(world.call(emm::contracts::file_system::ListInbox::default()).await.is_err());
    let (status, health) = get("/health").await;
    assert_eq!((status.as_u16(), &health["status"]), (503, &json!("unhealthy")), "{health}");
    // Faults have paths in them: they are for those with a token.
    assert_eq!(health["checks"]["inbox"], json!({ "required": true, "ok": false }), "{health}");
    let bearer = format!("Bearer {}", crate::world::TOKEN);
    let detailed = request(Method::GET, &address, "/health", &[("authorization", &bearer)], "").await.1;
    let fault = detailed["checks"]["inbox"]["fault"].as_str().unwrap_or_default();
    assert!(fault.contains("UNSORTED"), "{detailed}");
    assert_eq!(get("/readyz").await.0, 200, "{health}");
    std::fs::create_dir(world.path("UNSORTED")).unwrap();
    world.call(emm::contracts::file_system::ListInbox::default()).await.unwrap();
    assert_eq!(get("/health").await.1["status"], "healthy");

    // An edit of jd.yaml that does not lint keeps the old structure and says so.
    let before = world.call(GetStructure::default()).await.unwrap();
    std::fs::write(world.path("jd.yaml"), "\"10-19\": {name: Life, categories: {\"21\": Wrong}}\n").unwrap();
    let Published { hash, refused, .. } = world.call(GetStructure::default()).await.unwrap();
    assert_eq!(hash, before.hash);
    assert!(!refused.is_empty());
    assert_eq!(get("/health").await.1["status"], "degraded");
    std::fs::write(world.path("jd.yaml"), "\"10-19\": {name: Life, categories: {\"13\": Right and longer}}\n").unwrap();
    let Published { structure, refused, .. } = world.call(GetStructure::default()).await.unwrap();
    assert!(structure.find("13").is_some() && refused.is_empty());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_beyond_loopback_needs_a_token() {
    use emm::{
        backends::Clock,
        backends::home::Home,
        config::Config,
        node::{Node, Start},
    };
    let root = tempfile::tempdir().unwrap();
    let config = Config::load(None, &json!({})).unwrap();
    let home = Home::new(root.path(), &config.paths);
    let listener = Some(tokio::net::TcpListener::bind("0.0.0.0:0").await.unwrap());
    let start = Start {
        roles: vec![Role::JdClassifier],
        config,
        home,
        clock: Clock::System,
        listener,
        program: "".into(),
        read_only: false,
    };
    let error = Node::start(start).await.err().expect("it must not start");
    assert!(error.message.contains("EMM_NODE__TOKEN"), "{error}");
}

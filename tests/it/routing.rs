//! Peers that come, go, are slow and are several: circuits, replicas and the age of connections, over real sockets.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::serve::ListenerExt;
use emm::{
    config::Config,
    contracts::jd_classifier::{Lint, Linted, Lookup, Place},
    rpc::{
        Answer, Code, Context, Error, Result, Toolbox, Tools, Trace,
        circuit::{Circuit, Limits},
        http::{Face, guarded, routes},
        peers::Peers,
        replicas::turned,
        token::Tokens,
    },
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

const TOKEN: &str = "secret";

/// One replica: how many connections it took, and how many calls it answered.
#[derive(Default)]
struct Replica {
    connections: AtomicUsize,
    calls: AtomicUsize,
    next: Option<Tools>,
}

impl Answer<Lookup> for Replica {
    async fn answer(&self, request: Lookup) -> Result<Place> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let title = Context::current().unwrap().trace.to_string();
        // Where it is told to, it asks another node as part of the call.
        if let (Some(next), "on") = (&self.next, request.code.as_str()) {
            let further = next.call(Lookup { code: "here".into(), structure: None }).await?;
            return Ok(Place { folder: further.title, title, ..further });
        }
        Ok(Place { code: request.code, title, folder: String::new(), files: true })
    }
}

impl Answer<Lint> for Replica {
    async fn answer(&self, _: Lint) -> Result<Linted> {
        std::future::pending().await
    }
}

impl Replica {
    /// A replica that serves at `listener`.
    fn serve(listener: TcpListener) -> Arc<Replica> {
        Replica::serve_before(listener, None)
    }

    /// As `serve`; calls go on to `next`.
    fn serve_before(listener: TcpListener, next: Option<Tools>) -> Arc<Replica> {
        let replica = Arc::new(Replica { next, ..Replica::default() });
        let tools = client(&json!({ "pattern": "http://127.0.0.1:9" }));
        tools.host(Arc::new(Toolbox::default().with::<Lookup, _>(&replica).with::<Lint, _>(&replica)));
        let tokens = Tokens::new([TOKEN.to_owned()]);
        let face = Arc::new(Face { tools, tokens, hosts: BTreeSet::new(), body_bytes_max: 1000 });
        let app = guarded(routes(face.clone()), face);
        let counted = replica.clone();
        let listener = listener.tap_io(move |_| {
            counted.connections.fetch_add(1, Ordering::SeqCst);
        });
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        replica
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

/// A client with these settings under `[peers]`.
fn client(peers: &Value) -> Tools {
    let settings = Config::load(None, &json!({ "peers": peers })).unwrap().peers;
    Tools::new(Peers::new(settings, Tokens::new([TOKEN.to_owned()])))
}

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

/// An address where nothing listens, until a test listens there.
async fn dead() -> String {
    listener().await.1
}

async fn lookup(tools: &Tools) -> Result<Place, Error> {
    tools.call(Lookup { code: "11".into(), structure: None }).await
}

#[tokio::test]
async fn a_circuit_opens_on_a_dead_peer_and_says_so() {
    let address = dead().await;
    let tools =
        client(&json!({ "pattern": format!("http://{address}"), "circuit_failures": 3, "circuit_retry_ms": 60_000 }));
    for _ in 0..3 {
        assert_eq!(lookup(&tools).await.unwrap_err().code, Code::Unavailable);
    }
    // Somebody listens there now; a call that fails all the same was not sent.
    let replica = Replica::serve(TcpListener::bind(&address).await.unwrap());
    let error = lookup(&tools).await.unwrap_err();
    assert_eq!(error.code, Code::Unavailable);
    for part in ["jd-classifier/lookup", &address, "nothing has answered there for", "tried again in"] {
        assert!(error.message.contains(part), "{part}: {error}");
    }
    assert_eq!((replica.calls(), replica.connections.load(Ordering::SeqCst)), (0, 0));
}

#[tokio::test]
async fn a_circuit_closes_when_the_peer_answers_again() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let address = dead().await;
    let shows = |open: u8| handle.render().contains(&format!("peer=\"http://{address}\"}} {open}\n"));
    let tools =
        client(&json!({ "pattern": format!("http://{address}"), "circuit_failures": 1, "circuit_retry_ms": 0 }));
    assert!(shows(0), "{}", handle.render());
    lookup(&tools).await.unwrap_err();
    assert!(shows(1), "{}", handle.render());
    let _replica = Replica::serve(TcpListener::bind(&address).await.unwrap());
    lookup(&tools).await.unwrap();
    assert!(shows(0), "{}", handle.render());
}

#[tokio::test]
async fn the_last_of_several_is_tried_although_it_was_left_alone() {
    let addresses = [dead().await, dead().await];
    let tools = client(&json!({
        "addresses": { "jd-classifier": addresses.each_ref().map(|it| format!("http://{it}")) },
        "circuit_failures": 1, "circuit_retry_ms": 60_000,
    }));
    lookup(&tools).await.unwrap_err();
    // The first is back before its circuit would have anybody look, and the other is still away.
    let replica = Replica::serve(TcpListener::bind(&addresses[0]).await.unwrap());
    for _ in 0..4 {
        lookup(&tools).await.unwrap();
    }
    assert_eq!(replica.calls(), 4);
}

#[tokio::test]
async fn one_that_is_only_starting_is_passed_over() {
    let (starting, address) = listener().await;
    let tools = client(&json!({ "pattern": "http://127.0.0.1:9" }));
    let tokens = Tokens::new([TOKEN.to_owned()]);
    let face = Arc::new(Face { tools, tokens, hosts: BTreeSet::new(), body_bytes_max: 1000 });
    let app = guarded(routes(face.clone()), face);
    tokio::spawn(async move { axum::serve(starting, app).await.unwrap() });
    let alone = client(&json!({ "pattern": format!("http://{address}") }));
    let error = lookup(&alone).await.unwrap_err();
    assert_eq!(error.code, Code::Unavailable);
    assert!(error.message.contains("starting") && error.message.contains(&address), "{error}");

    let (other, second) = listener().await;
    let replica = Replica::serve(other);
    let addresses = [address, second].map(|it| format!("http://{it}"));
    let tools = client(&json!({ "addresses": { "jd-classifier": addresses } }));
    for _ in 0..4 {
        lookup(&tools).await.unwrap();
    }
    assert_eq!(replica.calls(), 4);
}

#[tokio::test(start_paused = true)]
async fn one_call_at_a_time_looks_whether_a_peer_is_back() {
    let limits = Limits { failures: 2, retry: Duration::from_secs(5) };
    let circuit = Circuit::new("http://a:1".into(), limits);
    circuit.enter().unwrap().silent();
    circuit.enter().unwrap().answered();
    circuit.enter().unwrap().silent();
    circuit.enter().unwrap().silent();
    tokio::time::advance(Duration::from_secs(2)).await;
    let error = circuit.enter().unwrap_err();
    assert_eq!(error, "http://a:1: nothing has answered there for 2.0 s; it is tried again in 3000 ms");
    tokio::time::advance(Duration::from_secs(3)).await;
    let look = circuit.enter().unwrap();
    assert!(circuit.enter().unwrap_err().contains("trying it now"));
    // The caller left before anything was known: the next one looks.
    drop(look);
    circuit.enter().unwrap().silent();
    assert!(circuit.enter().unwrap_err().contains("for 5.0 s; it is tried again in 5000 ms"));
    tokio::time::advance(Duration::from_secs(5)).await;
    circuit.enter().unwrap().answered();
    let _both = (circuit.enter().unwrap(), circuit.enter().unwrap());
}

#[tokio::test]
async fn a_slow_call_that_looks_lets_the_others_pass_once_it_is_connected() {
    let address = dead().await;
    let tools =
        client(&json!({ "pattern": format!("http://{address}"), "circuit_failures": 1, "circuit_retry_ms": 0 }));
    lookup(&tools).await.unwrap_err();
    let replica = Replica::serve(TcpListener::bind(&address).await.unwrap());
    let looking = tools.clone();
    // Never answered: only that it was taken says that the peer is back.
    let slow = tokio::spawn(async move { looking.call(Lint::default()).await });
    while replica.connections.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let mut passed = lookup(&tools).await;
    for _ in 0..1000 {
        if passed.is_ok() {
            break;
        }
        tokio::task::yield_now().await;
        passed = lookup(&tools).await;
    }
    passed.unwrap();
    slow.abort();
}

#[tokio::test]
async fn calls_that_are_cut_off_do_not_open_the_circuit_of_an_address() {
    let (listener, address) = listener().await;
    let tools =
        client(&json!({ "pattern": format!("http://{address}"), "circuit_failures": 1, "circuit_retry_ms": 60_000 }));
    // A replica that is killed takes the connection with it, as often as the call is made.
    let killed = tokio::spawn(async move {
        loop {
            drop(listener.accept().await.unwrap());
        }
    });
    assert_eq!(lookup(&tools).await.unwrap_err().code, Code::Unavailable);
    killed.abort();
    assert!(killed.await.unwrap_err().is_cancelled());
    let replica = Replica::serve(TcpListener::bind(&address).await.unwrap());
    lookup(&tools).await.unwrap();
    assert_eq!(replica.calls(), 1);
}

#[tokio::test]
async fn a_slow_peer_is_not_a_dead_one() {
    let (listener, address) = listener().await;
    let _replica = Replica::serve(listener);
    let tools =
        client(&json!({ "pattern": format!("http://{address}"), "circuit_failures": 1, "circuit_retry_ms": 60_000 }));
    for _ in 0..3 {
        let slow = tools.call_within(Lint { text: None }, Duration::from_millis(20)).await;
        assert_eq!(slow.unwrap_err().code, Code::Deadline);
    }
    lookup(&tools).await.unwrap();
}

#[tokio::test]
async fn new_replicas_get_their_share() {
    let (first, address) = listener().await;
    let (second, third) = (dead().await, dead().await);
    let all = [&address, &second, &third].map(|it| format!("http://{it}"));
    let tools = client(&json!({ "addresses": { "jd-classifier": all }, "circuit_retry_ms": 0 }));
    let first = Replica::serve(first);
    for _ in 0..30 {
        lookup(&tools).await.expect("dead addresses are passed over");
    }
    assert_eq!(first.calls(), 30);
    let mut replicas = vec![first];
    for address in [second, third] {
        replicas.push(Replica::serve(TcpListener::bind(address).await.unwrap()));
    }
    for _ in 0..300 {
        lookup(&tools).await.unwrap();
    }
    let split: Vec<usize> = replicas.iter().map(|it| it.calls()).collect();
    assert_eq!(split, [130, 100, 100], "30 of the first are from before");
}

#[tokio::test]
async fn connections_are_made_anew_by_age() {
    for (age, connections) in [(0, 5), (3_600, 1)] {
        let (listener, address) = listener().await;
        let replica = Replica::serve(listener);
        let tools = client(&json!({ "pattern": format!("http://{address}"), "connection_seconds_max": age }));
        for _ in 0..5 {
            lookup(&tools).await.unwrap();
        }
        assert_eq!(replica.connections.load(Ordering::SeqCst), connections, "{age} s");
    }
}

#[test]
fn connections_begin_with_another_address_of_a_name_each_time() {
    let found: Vec<std::net::SocketAddr> =
        ["127.0.0.1:0", "127.0.0.2:0", "127.0.0.3:0"].map(|it| it.parse().unwrap()).to_vec();
    let first: Vec<_> = (0..4).map(|turn| turned(found.clone().into_iter(), turn).next().unwrap()).collect();
    assert_eq!(first, [found[0], found[1], found[2], found[0]]);
    assert_eq!(turned(std::iter::empty(), 3).count(), 0);
}

#[tokio::test]
async fn a_trace_crosses_the_hops() {
    let ((first, first_address), (second, second_address)) = (listener().await, listener().await);
    let _second = Replica::serve(second);
    let next = client(&json!({ "pattern": format!("http://{second_address}") }));
    let _first = Replica::serve_before(first, Some(next));
    let tools = client(&json!({ "pattern": format!("http://{first_address}") }));
    let trace = Trace::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").unwrap();
    let context = Context { trace, ..Context::within(Duration::from_secs(60)) };
    let place = context.scope(tools.call(Lookup { code: "on".into(), structure: None })).await.unwrap();
    let hops = [Trace::parse(&place.title).unwrap(), Trace::parse(&place.folder).unwrap()];
    for hop in hops {
        assert_eq!((hop.id, hop.flags), (trace.id, 1), "{hop}");
    }
    let spans = BTreeSet::from([trace.span, hops[0].span, hops[1].span]);
    assert_eq!(spans.len(), 3, "each hop is a span of its own");
}

#[test]
fn a_trace_is_read_as_the_standard_says() {
    let (id, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let good = format!("00-{id}-{span}-01");
    assert_eq!(Trace::parse(&good).unwrap().to_string(), good);
    assert_eq!(Trace::parse(&format!("cc-{id}-{span}-01-later")).unwrap().to_string(), good, "a later version");
    let zeros = "0".repeat(32);
    let bad = [
        String::new(),
        format!("ff-{id}-{span}-01"),
        format!("00-{id}-{span}-01-more"),
        format!("00-{}-{span}-01", id.to_uppercase()),
        format!("00-{zeros}-{span}-01"),
        format!("00-{id}-0000000000000000-01"),
        format!("00-{id}-{span}"),
        format!("00-+{}-{span}-01", &id[1..]),
    ];
    for header in bad {
        assert_eq!(Trace::parse(&header), None, "{header}");
    }
}

//! What a call of a tool costs, here and on another node, beside calling the function and beside a bare hyper POST of the same
//! bodies: `cargo bench --bench calls`. Exit 1: a bar is missed.
#![allow(clippy::print_stdout, reason = "a measurement prints what it measured")]
#![expect(clippy::unwrap_used, reason = "a measurement stops at whatever is not as it should be")]

use std::{
    convert::Infallible,
    future::Future,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use emm::{
    backends::{Clock, home::Home},
    config::Config,
    contracts::jd_classifier::{GetStructure, Lookup, Place},
    node::{Node, Start},
    rpc::{Answer, Result, Role, Toolbox, Tools, peers::Peers, token::Tokens},
};
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Bytes, server::conn::http1, service::service_fn};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use tokio::net::TcpListener;

/// A direct call over calling the function, in microseconds.
const DIRECT_US_MAX: f64 = 1.0;
/// Processor time of a remote call, as so many bare POSTs; and the time it takes one after the other, in milliseconds.
const CPU_RATIO_MAX: f64 = 1.5;
const P50_MS_MAX: f64 = 0.15;

/// Calls of one turn, and turns of which the cheapest counts: the rest is what else the machine does.
const CALLS: u32 = 2_000;
const DIRECT_CALLS: u32 = 200_000;
const TURNS: usize = 9;

const TOKEN: &str = "a token of the measurement";
const JD: &str = "\"10-19\":\n  name: Life\n  categories:\n    \"11\": Me\n";

struct Fixed;

impl Answer<Lookup> for Fixed {
    async fn answer(&self, request: Lookup) -> Result<Place> {
        Ok(Place { code: request.code, title: "Me".into(), folder: "10-19 Life/11 Me".into(), files: true })
    }
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(measure())
}

async fn measure() -> ExitCode {
    let (function, direct) = direct().await;
    let over = direct - function;
    println!("direct call {direct:.2} us, the function {function:.2} us, {over:.2} us over it (bar {DIRECT_US_MAX})");
    let (call, bare) = remote().await;
    let ratio = call.cpu_us / bare.cpu_us;
    println!("remote call {:.1} us of processor, p50 {:.3} ms (bar {P50_MS_MAX})", call.cpu_us, call.p50_ms);
    println!(
        "bare POST   {:.1} us of processor, p50 {:.3} ms; ratio {ratio:.2} (bar {CPU_RATIO_MAX})",
        bare.cpu_us, bare.p50_ms
    );
    let met = over <= DIRECT_US_MAX && ratio <= CPU_RATIO_MAX && call.p50_ms <= P50_MS_MAX;
    if met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn request(structure: Option<String>) -> Lookup {
    Lookup { code: "11".into(), structure }
}

fn tools(peers: &serde_json::Value) -> Tools {
    let settings = Config::load(None, &json!({ "peers": peers })).unwrap().peers;
    Tools::new(Peers::new(settings, Tokens::new([TOKEN.to_owned()])))
}

/// Microseconds of calling the function, and of calling the tool in the same process.
async fn direct() -> (f64, f64) {
    let fixed = Arc::new(Fixed);
    let tools = tools(&json!({ "pattern": "http://127.0.0.1:9" }));
    tools.host(Arc::new(Toolbox::default().with::<Lookup, _>(&fixed)));
    let (mut function_us, mut direct_us) = (f64::MAX, f64::MAX);
    for _ in 0..TURNS {
        function_us = function_us.min(each_us(DIRECT_CALLS, async || drop(fixed.answer(request(None)).await)).await);
        direct_us = direct_us.min(each_us(DIRECT_CALLS, async || drop(tools.call(request(None)).await.unwrap())).await);
    }
    (function_us, direct_us)
}

async fn each_us<F: Future<Output = ()>>(calls: u32, work: impl Fn() -> F) -> f64 {
    let begun = Instant::now();
    for _ in 0..calls {
        work().await;
    }
    begun.elapsed().as_secs_f64() * 1e6 / f64::from(calls)
}

/// What one way of calling costs: processor time of both ends, and the median from end to end.
struct Cost {
    cpu_us: f64,
    p50_ms: f64,
}

/// A tool of another node, and a bare POST with the same bodies; both ends of both are in this process.
async fn remote() -> (Cost, Cost) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("vault")).unwrap();
    std::fs::write(folder.path().join("jd.yaml"), JD).unwrap();
    let config = Config::load(None, &json!({ "node": { "token": TOKEN } })).unwrap();
    let home = Home::new(folder.path(), &config.paths);
    home.prepare().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tools = tools(&json!({ "pattern": format!("http://{}", listener.local_addr().unwrap()) }));
    let (roles, clock, program) = (vec![Role::JdClassifier], Clock::System, std::env::current_exe().unwrap());
    let start = Start { roles, config, home, clock, listener: Some(listener), program, read_only: false };
    let node = Node::start(start).await.unwrap();
    // Asked for by its hash, the structure needs no look at jd.yaml: what is left is the call.
    let structure = Some(tools.call(GetStructure::default()).await.unwrap().hash);
    let asked = Bytes::from(serde_json::to_vec(&request(structure.clone())).unwrap());
    let answered = Bytes::from(serde_json::to_vec(&tools.call(request(structure.clone())).await.unwrap()).unwrap());

    let address = bare(answered.clone()).await;
    let client = Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build_http::<Full<Bytes>>();
    let post = async || {
        let post = Request::post(&address).header("content-type", "application/json").body(Full::from(asked.clone()));
        let reply = client.request(post.unwrap()).await.unwrap().into_body().collect().await.unwrap().to_bytes();
        assert_eq!(reply, answered);
    };
    let call = async || drop(tools.call(request(structure.clone())).await.unwrap());
    let (mut calls, mut posts) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        calls.push(cost(&call).await);
        posts.push(cost(&post).await);
    }
    node.drain(Duration::ZERO, Duration::from_secs(5)).await;
    (cheapest(calls), cheapest(posts))
}

/// A server that says the same to everybody.
async fn bare(answer: Bytes) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = answer.clone();
            let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                let answer = answer.clone();
                async move {
                    let _ = request.into_body().collect().await;
                    let reply = Response::builder().header("content-type", "application/json").body(Full::new(answer));
                    Ok::<_, Infallible>(reply.unwrap())
                }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    address
}

async fn cost<F: Future<Output = ()>>(work: impl Fn() -> F) -> Cost {
    let (mut took, cpu) = (Vec::new(), cpu_us());
    for _ in 0..CALLS {
        let begun = Instant::now();
        work().await;
        took.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    let cpu_us = (cpu_us() - cpu) / f64::from(CALLS);
    took.sort_by(f64::total_cmp);
    Cost { cpu_us, p50_ms: took[took.len() / 2] }
}

fn cpu_us() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

fn cheapest(costs: Vec<Cost>) -> Cost {
    let least = |of: fn(&Cost) -> f64| costs.iter().map(of).fold(f64::MAX, f64::min);
    Cost { cpu_us: least(|cost| cost.cpu_us), p50_ms: least(|cost| cost.p50_ms) }
}

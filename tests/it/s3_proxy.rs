//! Something between emm and a real S3 server that does what networks and gateways do: it loses answers, is busy, hangs,
//! ignores conditions and forgets metadata.

use std::{
    convert::Infallible,
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use tokio::{net::TcpListener, task::JoinHandle};

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is answered as the server answers.
    None,
    /// It never reaches the server, which says this.
    Says(u16, &'static str),
    /// It is carried out, and the connection ends without an answer.
    AnswerLost,
    /// It is carried out, and the answer never comes.
    AnswerHangs,
    /// Whatever was asked, it is said to be done, and is not.
    Claims,
    /// The answer comes without the metadata.
    Forgets,
}

/// Which requests meet faults: those of this method whose path has this part; the first ones these, all further ones that.
pub(crate) struct Plan {
    pub(crate) method: Method,
    pub(crate) part: &'static str,
    pub(crate) first: Vec<Fault>,
    pub(crate) then: Fault,
}

pub(crate) struct Proxy {
    pub(crate) port: u16,
    hit: Arc<AtomicUsize>,
    accept: JoinHandle<()>,
}

struct Way {
    client: Client<HttpConnector, Full<Bytes>>,
    to: u16,
    plan: Plan,
    met: AtomicUsize,
    hit: Arc<AtomicUsize>,
}

impl Proxy {
    /// Stands before the server at port `to`.
    pub(crate) async fn before(to: u16, plan: Plan) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, hit) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
        let client = Client::builder(TokioExecutor::new()).build_http();
        let way = Arc::new(Way { client, to, plan, met: AtomicUsize::new(0), hit: hit.clone() });
        let accept = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let way = way.clone();
                let service = service_fn(move |request| pass(way.clone(), request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Proxy { port, hit, accept }
    }

    /// How many requests met a fault.
    pub(crate) fn faults(&self) -> usize {
        self.hit.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accept.abort();
    }
}

async fn pass(way: Arc<Way>, request: Request<Incoming>) -> io::Result<Response<Full<Bytes>>> {
    let (mut head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let concerned = head.method == way.plan.method && head.uri.path().contains(way.plan.part);
    let fault = match concerned {
        true => *way.plan.first.get(way.met.fetch_add(1, Ordering::Relaxed)).unwrap_or(&way.plan.then),
        false => Fault::None,
    };
    way.hit.fetch_add(usize::from(fault != Fault::None), Ordering::Relaxed);
    match fault {
        Fault::Says(status, code) => return Ok(says(status, code)),
        Fault::Claims => return Ok(Response::builder().header("etag", "\"0\"").body(Full::default()).unwrap()),
        _ => {}
    }
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    head.uri = format!("http://127.0.0.1:{}{path}", way.to).parse().unwrap();
    // The host stays the one that was signed.
    let answer = way.client.request(Request::from_parts(head, Full::new(body))).await.map_err(io::Error::other)?;
    let (mut head, body) = answer.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    match fault {
        Fault::AnswerLost => return Err(io::ErrorKind::ConnectionReset.into()),
        Fault::AnswerHangs => {
            let never: Result<Infallible, _> = std::future::pending().await;
            return never.map(|never| match never {});
        }
        Fault::Forgets => {
            head.headers.remove("x-amz-meta-emm-put");
        }
        _ => {}
    }
    Ok(Response::from_parts(head, Full::new(body)))
}

fn says(status: u16, code: &str) -> Response<Full<Bytes>> {
    let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{code}</Message></Error>");
    Response::builder().status(status).body(Full::new(body.into())).unwrap()
}

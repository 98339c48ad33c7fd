//! A server of language models that says what a test wants: by Ollama's API and by OpenAI's, well-behaved or not.

use std::{
    convert::Infallible,
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::stream;
use http_body_util::{BodyExt, Either, Full, StreamBody};
use hyper::{
    Request, Response,
    body::{Bytes, Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

/// What a question meets.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Says {
    /// A vote for this place, with a title and a description.
    Place(&'static str),
    /// This text, as the model's own words.
    Words(String),
    /// As `Words`, but stopped by the limit of tokens.
    Cut(String),
    /// A status, a header, a body.
    Http(u16, Option<(&'static str, &'static str)>, &'static str),
    /// Bytes without end.
    Endless,
    /// Nothing, for ever.
    Silence,
    /// The connection ends in the middle of the answer.
    Vanishes,
}

/// What decides what is said: the question, and how many came before.
type Script = Box<dyn Fn(&str, usize) -> Says + Send + Sync>;

pub(crate) struct LlmServer {
    pub(crate) port: u16,
    shared: Arc<Shared>,
    accept: JoinHandle<()>,
}

struct Shared {
    script: Script,
    asked: Mutex<Vec<Value>>,
    under_way: AtomicUsize,
    most_at_once: AtomicUsize,
    /// While held, nobody is answered.
    gate: tokio::sync::Semaphore,
}

impl LlmServer {
    pub(crate) async fn start(script: impl Fn(&str, usize) -> Says + Send + Sync + 'static) -> LlmServer {
        LlmServer::with(script, true).await
    }

    /// As `start`, but it answers only when it is opened.
    pub(crate) async fn closed(script: impl Fn(&str, usize) -> Says + Send + Sync + 'static) -> LlmServer {
        LlmServer::with(script, false).await
    }

    async fn with(script: impl Fn(&str, usize) -> Says + Send + Sync + 'static, open: bool) -> LlmServer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            script: Box::new(script),
            asked: Mutex::default(),
            under_way: AtomicUsize::new(0),
            most_at_once: AtomicUsize::new(0),
            gate: tokio::sync::Semaphore::new(if open { 1_000_000 } else { 0 }),
        });
        let serving = shared.clone();
        let accept = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let serving = serving.clone();
                let service = service_fn(move |request| answer(serving.clone(), request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(connection), service));
            }
        });
        LlmServer { port, shared, accept }
    }

    /// `[llm]` of a configuration that asks it.
    pub(crate) fn flags(&self, provider: &str) -> Value {
        let path = if provider == "ollama" { "" } else { "/v1" };
        json!({ "llm": {
            "provider": provider, "model": "test-model", "base_url": format!("http://127.0.0.1:{}{path}", self.port),
        } })
    }

    /// The questions so far.
    pub(crate) fn asked(&self) -> Vec<Value> {
        self.shared.asked.lock().clone()
    }

    /// The most questions that were under way at one time.
    pub(crate) fn most_at_once(&self) -> usize {
        self.shared.most_at_once.load(Ordering::SeqCst)
    }

    pub(crate) fn open(&self) {
        self.shared.gate.add_permits(1_000_000);
    }
}

impl Drop for LlmServer {
    fn drop(&mut self) {
        self.accept.abort();
    }
}

type Body = Either<Full<Bytes>, StreamBody<futures_util::stream::BoxStream<'static, io::Result<Frame<Bytes>>>>>;

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Body>, io::Error> {
    let path = request.uri().path().to_owned();
    let whole = |status: u16, body: String| {
        Response::builder().status(status).body(Either::Left(Full::new(Bytes::from(body)))).unwrap()
    };
    let body = request.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    match path.as_str() {
        "/api/tags" => return Ok(whole(200, json!({ "models": [{ "name": "test-model:latest" }] }).to_string())),
        "/api/show" => {
            return Ok(whole(200, json!({ "model_info": { "llama.context_length": 2048 } }).to_string()));
        }
        "/v1/models" => return Ok(whole(200, json!({ "data": [{ "id": "test-model" }] }).to_string())),
        "/api/chat" | "/v1/chat/completions" => {}
        _ => return Ok(whole(404, "{\"error\":\"not found\"}".to_owned())),
    }
    let number = {
        let mut asked = shared.asked.lock();
        asked.push(body.clone());
        asked.len() - 1
    };
    let now = shared.under_way.fetch_add(1, Ordering::SeqCst) + 1;
    shared.most_at_once.fetch_max(now, Ordering::SeqCst);
    let _open = shared.gate.acquire().await.unwrap();
    shared.under_way.fetch_sub(1, Ordering::SeqCst);
    let question = body["messages"][1]["content"].as_str().unwrap_or_default();
    let ollama = path == "/api/chat";
    let said = |text: &str, reason: &str| {
        let body = if ollama {
            json!({ "message": { "role": "assistant", "content": text }, "done": true, "done_reason": reason,
                "prompt_eval_count": 300, "eval_count": 20 })
        } else {
            json!({ "choices": [{ "message": { "role": "assistant", "content": text }, "finish_reason": reason }],
                "usage": { "prompt_tokens": 300, "completion_tokens": 20 } })
        };
        whole(200, body.to_string())
    };
    Ok(match (shared.script)(question, number) {
        Says::Place(code) => said(&vote(code, "A title by the model", "What it is about. In two sentences."), "stop"),
        Says::Words(text) => said(&text, "stop"),
        Says::Cut(text) => said(&text, "length"),
        Says::Http(status, header, body) => {
            let mut answer = Response::builder().status(status);
            if let Some((name, value)) = header {
                answer = answer.header(name, value);
            }
            answer.body(Either::Left(Full::new(Bytes::from_static(body.as_bytes())))).unwrap()
        }
        Says::Endless => {
            let piece = || Ok(Frame::data(Bytes::from(vec![b' '; 4096])));
            streamed(Box::pin(stream::repeat_with(piece)))
        }
        Says::Vanishes => {
            let pieces = [
                Ok(Frame::data(Bytes::from_static(b"{\"message\":{\"con"))),
                Err(io::ErrorKind::ConnectionReset.into()),
            ];
            streamed(Box::pin(stream::iter(pieces)))
        }
        Says::Silence => {
            let never: Infallible = std::future::pending().await;
            match never {}
        }
    })
}

fn streamed(body: futures_util::stream::BoxStream<'static, io::Result<Frame<Bytes>>>) -> Response<Body> {
    Response::new(Either::Right(StreamBody::new(body)))
}

/// The object that is asked for.
pub(crate) fn vote(id: &str, title: &str, description: &str) -> String {
    json!({ "id": id, "title": title, "description": description }).to_string()
}

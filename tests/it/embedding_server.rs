//! A server that says what texts mean, by Ollama's API and by OpenAI's, well-behaved or not. It knows a few notions in several
//! languages, and like a real one finds all texts somewhat alike.

use std::{convert::Infallible, io, sync::Arc};

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

/// What a call meets.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Gives {
    /// What the texts mean.
    Meaning,
    /// What they mean to another model, which uses so many numbers.
    Numbers(usize),
    /// A status, a header, a body.
    Http(u16, Option<(&'static str, &'static str)>, &'static str),
    /// Bytes without end.
    Endless,
    /// Nothing, for ever.
    Silence,
    /// The connection ends in the middle of the answer.
    Vanishes,
}

/// What decides what is given: the texts, and how many calls came before.
type Script = Box<dyn Fn(&[String], usize) -> Gives + Send + Sync>;

pub(crate) struct EmbeddingServer {
    pub(crate) port: u16,
    shared: Arc<Shared>,
    accept: JoinHandle<()>,
}

struct Shared {
    script: Mutex<Script>,
    asked: Mutex<Vec<Value>>,
}

/// Words of a language that nobody speaks are among them: those no thesaurus knows.
const NOTIONS: [&[&str]; 6] = [
    &["health", "doctor", "arzt", "klinik", "врач", "médecin"],
    &["home", "flat", "rent", "miete", "wohnung", "vermieter", "qarvel", "tovine", "saruql", "аренда"],
    &["travel", "hotel", "reise", "zugfahrt", "zelbu", "morkan", "voyage"],
    &["money", "tax", "steuer", "bank", "impôt"],
    &["school", "university", "prüfung", "vorlesung"],
    &["food", "recipe", "kochen", "brot", "drubo", "wexil", "recette"],
];

/// What a text means: a direction that all have, one for each notion, and a little that is its own.
pub(crate) fn meaning(text: &str, numbers: usize) -> Vec<f64> {
    let text = text.to_lowercase();
    let own = blake3::hash(text.as_bytes());
    let noise = own.as_bytes().iter().cycle().map(|byte| (f64::from(*byte) - 127.5) / 1_000.0);
    let mut vector: Vec<f64> = noise.take(numbers).collect();
    vector[0] += 2.0;
    for (at, words) in NOTIONS.iter().enumerate() {
        vector[at + 1] += words.iter().filter(|word| text.contains(**word)).count() as f64;
    }
    vector
}

impl EmbeddingServer {
    pub(crate) async fn start(script: impl Fn(&[String], usize) -> Gives + Send + Sync + 'static) -> EmbeddingServer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared { script: Mutex::new(Box::new(script)), asked: Mutex::default() });
        let serving = shared.clone();
        let accept = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let serving = serving.clone();
                let service = service_fn(move |request| answer(serving.clone(), request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(connection), service));
            }
        });
        EmbeddingServer { port, shared, accept }
    }

    pub(crate) async fn sound() -> EmbeddingServer {
        EmbeddingServer::start(|_, _| Gives::Meaning).await
    }

    /// From now on it does something else.
    pub(crate) fn now(&self, script: impl Fn(&[String], usize) -> Gives + Send + Sync + 'static) {
        *self.shared.script.lock() = Box::new(script);
    }

    /// `[embeddings]` of a configuration that asks it.
    pub(crate) fn flags(&self, provider: &str) -> Value {
        let path = if provider == "ollama" { "" } else { "/v1" };
        json!({ "embeddings": {
            "provider": provider, "model": "test-model", "base_url": format!("http://127.0.0.1:{}{path}", self.port),
        } })
    }

    /// The calls so far.
    pub(crate) fn asked(&self) -> Vec<Value> {
        self.shared.asked.lock().clone()
    }

    /// The texts of all calls so far.
    pub(crate) fn texts(&self) -> Vec<String> {
        let texts = |call: &Value| call["input"].as_array().cloned().unwrap_or_default();
        self.asked().iter().flat_map(texts).map(|text| text.as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for EmbeddingServer {
    fn drop(&mut self) {
        self.accept.abort();
    }
}

type Body = Either<Full<Bytes>, StreamBody<stream::BoxStream<'static, io::Result<Frame<Bytes>>>>>;

fn whole(status: u16, body: String) -> Response<Body> {
    Response::builder().status(status).body(Either::Left(Full::new(Bytes::from(body)))).unwrap()
}

fn streamed(body: stream::BoxStream<'static, io::Result<Frame<Bytes>>>) -> Response<Body> {
    Response::new(Either::Right(StreamBody::new(body)))
}

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Body>, io::Error> {
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    match path.as_str() {
        "/api/tags" => return Ok(whole(200, json!({ "models": [{ "name": "test-model:latest" }] }).to_string())),
        "/api/embed" | "/v1/embeddings" => {}
        _ => return Ok(whole(404, "{\"error\":\"not found\"}".to_owned())),
    }
    let texts: Vec<String> = serde_json::from_value(body["input"].clone()).unwrap();
    let number = {
        let mut asked = shared.asked.lock();
        asked.push(body.clone());
        asked.len() - 1
    };
    let vectors = |numbers: usize| {
        let vectors: Vec<Vec<f64>> = texts.iter().map(|text| meaning(text, numbers)).collect();
        let body = match path.as_str() {
            "/api/embed" => {
                json!({ "model": body["model"], "embeddings": vectors, "prompt_eval_count": 7 * texts.len() })
            }
            _ => {
                // Each says to which text it belongs; the order says nothing.
                let data = vectors.iter().enumerate().rev();
                let data: Vec<Value> = data
                    .map(|(index, embedding)| json!({ "object": "embedding", "index": index, "embedding": embedding }))
                    .collect();
                json!({ "object": "list", "data": data, "usage": { "prompt_tokens": 7 * texts.len() } })
            }
        };
        whole(200, body.to_string())
    };
    let gives = (shared.script.lock())(&texts, number);
    Ok(match gives {
        Gives::Meaning => vectors(32),
        Gives::Numbers(numbers) => vectors(numbers),
        Gives::Http(status, header, body) => {
            let mut answer = whole(status, body.to_owned());
            if let Some((name, value)) = header {
                answer.headers_mut().insert(name, value.parse().unwrap());
            }
            answer
        }
        Gives::Endless => {
            let piece = || Ok(Frame::data(Bytes::from(vec![b' '; 65_536])));
            streamed(Box::pin(stream::repeat_with(piece)))
        }
        Gives::Vanishes => {
            let pieces = [
                Ok(Frame::data(Bytes::from_static(b"{\"embeddings\":[[0.1,"))),
                Err(io::ErrorKind::ConnectionReset.into()),
            ];
            streamed(Box::pin(stream::iter(pieces)))
        }
        Gives::Silence => {
            let never: Infallible = std::future::pending().await;
            match never {}
        }
    })
}

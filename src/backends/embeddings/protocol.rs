//! How texts and vectors are written for each kind of server. Ollama: `POST /api/embed`, docs/api.md of its repository; the other:
//! OpenAI's `POST /v1/embeddings`.

use serde_json::{Value, json};

use super::Settings;
use crate::{
    backends::llm::{LlmError, Provider},
    domain::classify::Vector,
};

/// The longest vector that is read.
const DIMENSIONS_MAX: usize = 4_096;

/// Path and body of a question for what these texts mean.
pub(super) fn question(settings: &Settings, texts: &[String]) -> (&'static str, Value) {
    let mut body = json!({ "model": settings.model, "input": texts });
    let path = match settings.provider {
        Provider::Ollama => {
            // A text that is too long is cut, not refused.
            body["truncate"] = json!(true);
            "/api/embed"
        }
        _ => {
            body["encoding_format"] = json!("float");
            "/embeddings"
        }
    };
    if settings.dimensions > 0 {
        body["dimensions"] = json!(settings.dimensions);
    }
    (path, body)
}

/// What the texts mean, in their order, and how many tokens they took (0 where the server does not count).
pub(super) fn answer(settings: &Settings, texts: usize, answer: &Value) -> Result<(Vec<Vector>, u64), LlmError> {
    let form = |reason: String| LlmError::Form(reason);
    let (list, tokens) = match settings.provider {
        Provider::Ollama => (answer["embeddings"].as_array().cloned(), &answer["prompt_eval_count"]),
        _ => (in_order(answer), &answer["usage"]["prompt_tokens"]),
    };
    let list = list.ok_or_else(|| form("it has no list of vectors".to_owned()))?;
    if list.len() != texts {
        return Err(form(format!("{} vectors for {texts} texts", list.len())));
    }
    let mut vectors = Vec::with_capacity(texts);
    for numbers in &list {
        let numbers = numbers.as_array().filter(|it| it.len() <= DIMENSIONS_MAX);
        let numbers: Option<Vec<f64>> = numbers.and_then(|it| it.iter().map(Value::as_f64).collect());
        let vector = numbers.as_deref().and_then(Vector::of).ok_or_else(|| form("a vector that is none".to_owned()))?;
        if settings.dimensions > 0 && vector.dimensions() != settings.dimensions {
            return Err(form(format!(
                "vectors of {} numbers, not {} (embeddings.dimensions)",
                vector.dimensions(),
                settings.dimensions
            )));
        }
        vectors.push(vector);
    }
    if vectors.windows(2).any(|two| two.first().map(Vector::dimensions) != two.last().map(Vector::dimensions)) {
        return Err(form("vectors of different lengths".to_owned()));
    }
    Ok((vectors, tokens.as_u64().unwrap_or_default()))
}

/// The vectors of OpenAI's form: each says to which text it belongs.
fn in_order(answer: &Value) -> Option<Vec<Value>> {
    let data = answer["data"].as_array()?;
    let mut found = vec![Value::Null; data.len()];
    for (at, entry) in data.iter().enumerate() {
        let index = entry["index"].as_u64().map_or(at, |index| usize::try_from(index).unwrap_or(usize::MAX));
        *found.get_mut(index)? = entry["embedding"].clone();
    }
    Some(found)
}

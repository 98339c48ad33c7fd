//! How a question and an answer are written for each kind of server. Ollama: docs/api.md of its repository; the other: OpenAI's
//! Chat Completions with `response_format: json_schema`.

use serde_json::{Value, json};

use super::{LlmError, Provider, Reply, Settings};
use crate::domain::opinion::Prompt;

/// The same question shall have the same answer.
const SEED: u32 = 7;

/// Path and body of a question.
pub(super) fn question(settings: &Settings, prompt: &Prompt, schema: &Value) -> (&'static str, Value) {
    let messages = json!([
        { "role": "system", "content": prompt.system },
        { "role": "user", "content": prompt.user },
    ]);
    match settings.provider {
        Provider::Ollama => (
            "/api/chat",
            json!({
                "model": settings.model, "messages": messages, "stream": false, "format": schema,
                "options": {
                    "temperature": 0, "seed": SEED, "num_ctx": settings.context_tokens,
                    "num_predict": settings.output_tokens_max,
                },
            }),
        ),
        _ => (
            "/chat/completions",
            json!({
                "model": settings.model, "messages": messages, "stream": false, "temperature": 0, "seed": SEED,
                "max_tokens": settings.output_tokens_max,
                "response_format": {
                    "type": "json_schema",
                    "json_schema": { "name": "opinion", "strict": true, "schema": schema },
                },
            }),
        ),
    }
}

/// What the model said.
pub(super) fn reply(provider: Provider, answer: &Value) -> Result<Reply, LlmError> {
    let (text, reason, tokens) = match provider {
        Provider::Ollama => (
            &answer["message"]["content"],
            &answer["done_reason"],
            [&answer["prompt_eval_count"], &answer["eval_count"]],
        ),
        _ => {
            let (choice, usage) = (&answer["choices"][0], &answer["usage"]);
            (
                &choice["message"]["content"],
                &choice["finish_reason"],
                [&usage["prompt_tokens"], &usage["completion_tokens"]],
            )
        }
    };
    let text = text.as_str().ok_or_else(|| LlmError::Form("it has no message".to_owned()))?.to_owned();
    let [tokens_in, tokens_out] = tokens.map(|tokens| tokens.as_u64().unwrap_or_default());
    Ok(Reply { text, cut_off: reason.as_str() == Some("length"), tokens_in, tokens_out })
}

/// Where a server lists its models.
pub(in crate::backends) fn models_path(ollama: bool) -> &'static str {
    if ollama { "/api/tags" } else { "/models" }
}

/// The names in such a list.
pub(in crate::backends) fn models(list: &Value) -> Vec<String> {
    let models = list["models"].as_array().or_else(|| list["data"].as_array());
    let name = |model: &Value| model["name"].as_str().or_else(|| model["id"].as_str()).map(str::to_owned);
    models.into_iter().flatten().filter_map(name).collect()
}

/// The context window of a model, where the list tells it (llama-server does).
pub(super) fn context(list: &Value, model: &str) -> Option<u64> {
    let mut models = list["data"].as_array().into_iter().flatten();
    models.find(|it| it["id"].as_str() == Some(model))?["meta"]["n_ctx_train"].as_u64()
}

/// The context window in what Ollama shows of a model.
pub(super) fn shown_context(about: &Value) -> Option<u64> {
    let info = about["model_info"].as_object()?;
    info.iter().find(|(key, _)| key.ends_with(".context_length"))?.1.as_u64()
}

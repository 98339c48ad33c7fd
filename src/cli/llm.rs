//! `emm llm`: what the language model can do, and what was sent to it.

use std::time::Instant;

use serde::Serialize;

use super::{
    Exit,
    flags::LlmAction,
    screen::{Screen, safe},
    session::Session,
    setup::Setup,
};
use crate::{
    backends::llm::{Llm, LlmError, Provider},
    contracts::content_classifier::LlmLog,
    domain::opinion::{self, Asked, Choice, Question, Said, Vote},
    rpc::{Error, Result, Role},
};

pub(super) async fn run(setup: &Setup, screen: &Screen, action: LlmAction) -> Result<Exit> {
    match action {
        LlmAction::Check => check(setup, screen).await,
        LlmAction::Compare { models, limit } => super::eval::compare::run(setup, screen, &models, limit).await,
        LlmAction::Log { day, limit } => log(setup, screen, day, limit).await,
    }
}

/// What one question told of a server.
#[derive(Debug, Serialize)]
struct Checked {
    url: String,
    remote: bool,
    model: String,
    /// Whether the server lists the model; nothing where it lists none.
    listed: Option<bool>,
    /// The largest context window, where the server tells.
    context_tokens: Option<u64>,
    /// Whether the answer was the object that was asked for.
    keeps_to_the_schema: bool,
    /// Whether it was right.
    right: bool,
    answer: String,
    seconds: f64,
    tokens_in: u64,
    tokens_out: u64,
}

async fn check(setup: &Setup, screen: &Screen) -> Result<Exit> {
    let settings = &setup.config.llm;
    let llm = Llm::new(settings).map_err(|error| Error::invalid(error.to_string()))?;
    let busy = screen.busy("asking the model");
    let models = llm.models().await;
    let choice = |code: &str, title: &str| Choice { code: code.into(), title: title.into(), ..Choice::default() };
    let choices = [choice("11", "Health, doctors"), choice("12", "Home, rent, repairs"), choice("13", "Travel")];
    let text = "Dear tenant, from 1 May the monthly rent of your flat is 840 euros. The heating costs are added. Your landlord";
    let question = Question { name: "rent.txt", title: "Rent", text, choices: &choices };
    let prompt = opinion::prompt(&question, settings.context_tokens.saturating_sub(settings.output_tokens_max));
    let begun = Instant::now();
    let reply = llm.ask(&prompt, &opinion::schema(&choices)).await;
    let seconds = begun.elapsed().as_secs_f64();
    busy.finish_and_clear();
    let reply =
        reply.map_err(|error| advice(&error, setup, models.as_ref().map(|it| it.0.as_slice()).unwrap_or_default()))?;
    let (names, context_tokens) = models.unwrap_or_default();
    let said = Said { model: &settings.model, text: &reply.text, cut_off: reply.cut_off };
    let opinion = opinion::read(said, &["11", "12", "13"], &prompt);
    let same = |name: &String| *name == settings.model || *name == format!("{}:latest", settings.model);
    let checked = Checked {
        url: settings.url().to_owned(),
        remote: settings.is_remote(),
        model: settings.model.clone(),
        listed: (!names.is_empty()).then(|| names.iter().any(same)),
        context_tokens,
        keeps_to_the_schema: !matches!(opinion.vote, Vote::Abstained(_)),
        right: opinion.vote == Vote::Place("12".to_owned()),
        answer: reply.text.chars().take(500).collect(),
        seconds,
        tokens_in: reply.tokens_in,
        tokens_out: reply.tokens_out,
    };
    screen.show(&checked, |screen, checked| told(setup, screen, checked))?;
    Ok(if checked.keeps_to_the_schema { Exit::Done } else { Exit::Error })
}

fn told(setup: &Setup, screen: &Screen, checked: &Checked) {
    let settings = &setup.config.llm;
    let reach = if checked.remote { "remote: documents leave this machine" } else { "local" };
    screen.line(format_args!("server   {} ({reach})", checked.url));
    let listed = match checked.listed {
        Some(false) => ", which it does not list",
        _ => "",
    };
    screen.line(format_args!("model    {}{listed}", safe(&checked.model)));
    let used = settings.context_tokens;
    match checked.context_tokens {
        Some(most) if most < used as u64 => {
            screen.line(format_args!("context  {most} tokens, and llm.context_tokens is {used}: lower it"));
        }
        Some(most) => screen.line(format_args!("context  {used} of {most} tokens are used (llm.context_tokens)")),
        None => screen.line(format_args!("context  {used} tokens are used; the server does not tell how many it has")),
    }
    #[allow(clippy::cast_precision_loss)]
    let speed = checked.tokens_out as f64 / checked.seconds.max(0.001);
    screen.line(format_args!(
        "speed    {:.1} s for {} + {} tokens ({speed:.0} tokens/s)",
        checked.seconds, checked.tokens_in, checked.tokens_out
    ));
    screen.line(match (checked.keeps_to_the_schema, checked.right) {
        (true, true) => "answer   an object as asked for, and right".to_owned(),
        (true, false) => {
            "answer   an object as asked for, but not the right place: this model may be too small".to_owned()
        }
        _ => format!("answer   not what was asked for: {}", safe(&checked.answer)),
    });
}

/// A failure with what to do about it.
fn advice(error: &LlmError, setup: &Setup, names: &[String]) -> Error {
    let settings = &setup.config.llm;
    let (model, url) = (&settings.model, settings.url());
    match (error, settings.provider) {
        (LlmError::Refused { status: 404, said }, Provider::Ollama) => Error::not_found(format!(
            "{url} has no model {model} ({said}): 'ollama pull {model}' gets it; it has {}",
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        )),
        (LlmError::Away(_), Provider::Ollama) => {
            Error::unavailable(format!("{error}; is Ollama running? 'ollama serve' starts it (llm.base_url is {url})"))
        }
        (LlmError::Refused { status: 401 | 403, .. }, _) => {
            Error::invalid(format!("{error}; look at llm.api_key (EMM_LLM__API_KEY_FILE)"))
        }
        _ => Error::unavailable(error.to_string()),
    }
}

async fn log(setup: &Setup, screen: &Screen, day: Option<String>, limit: usize) -> Result<Exit> {
    let session = Session::open(setup, screen, &[Role::ContentClassifier]).await?;
    let logged = session.tools.call(LlmLog { day, limit }).await;
    session.close().await;
    screen.show(&logged?, |screen, logged| {
        for asked in &logged.entries {
            screen.line(line(asked));
        }
        let (tokens, micros) = logged.entries.iter().fold((0, 0), |sum, it| (sum.0 + it.tokens, sum.1 + it.micros));
        screen.remark(format_args!("{} questions, {tokens} tokens, {}", logged.entries.len(), money(micros)));
    })?;
    Ok(Exit::Done)
}

fn line(asked: &Asked) -> String {
    let Asked { at, to, remote, model, name, bytes, tokens, micros, outcome, .. } = asked;
    let reach = if *remote { "remote" } else { "local" };
    let outcome = outcome.as_deref().unwrap_or("no answer is known");
    let (name, model, outcome) = (safe(name), safe(model), safe(outcome));
    format!("{at}  {reach:<6} {to} {model}  {name}  {bytes} bytes, {tokens} tokens, {}  {outcome}", money(*micros))
}

/// Millionths as people read them.
fn money(micros: u64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

//! Second opinions: a language model is asked about what the engine doubts, within its budget and its owner's privacy.
//!
//! Nothing here fails an item: whatever goes wrong is an opinion that abstains, and says why.

use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::ContentClassifier;
use crate::{
    backends::{
        llm::{self, About, Account, AccountError, LlmError, Reply},
        state::{Put, Space, State},
        store::{Label, Labels},
    },
    contracts::content_classifier::{LlmLog, LlmLogged, SecondOpinion, Weighed},
    domain::{
        jd::Structure,
        opinion::{self, Choice, Opinion, PROMPT_VERSION, Prompt, Question, Said, Trust, Vote, weigh},
    },
    life::Health,
    rpc::{Answer, Error, Result},
};

/// Places that a model is shown.
const SHORTLIST: usize = 5;

/// What opinions need, where a model is configured.
pub struct Parts {
    /// The model, and the account of what it is asked.
    pub account: Account,
    /// Where replies are kept.
    pub state: State,
    /// Where it says how the server is.
    pub health: Health,
}

/// Opinions, and how far they are trusted.
pub(super) struct Opinions {
    parts: Parts,
    trust: Mutex<Trust>,
}

/// A reply that was paid for.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    opinion: Opinion,
}

impl Opinions {
    /// With what all labels say about former votes.
    pub(super) async fn open(parts: Parts, labels: &Labels, known: u64) -> Result<Opinions> {
        let mut trust = Trust::default();
        for seq in 1..=known {
            if let Some(label) = labels.get(seq).await? {
                learn(&mut trust, &label);
            }
        }
        Ok(Opinions { parts, trust: Mutex::new(trust) })
    }

    /// Takes note of what a label says about votes.
    pub(super) fn learn(&self, label: &Label) {
        learn(&mut self.trust.lock(), label);
    }

    /// The opinion of the model about one document.
    async fn opinion(&self, request: &SecondOpinion, structure: &Structure) -> Opinion {
        let settings = self.parts.account.llm.settings();
        let abstained = |reason: String| Opinion::abstained(&settings.model, reason);
        let choices = choices(request, structure);
        if choices.is_empty() {
            return abstained("there is no place to choose from".to_owned());
        }
        if request.text.trim().is_empty() {
            return abstained("the document has no text to judge by".to_owned());
        }
        if let Some(place) = choices.iter().find(|it| structure.is_private(&it.code)).filter(|_| settings.is_remote()) {
            return abstained(format!("{} may be meant, whose documents stay here (privacy: local)", place.code));
        }
        let key = key(settings, request);
        match self.parts.state.get::<Kept>(Space::Opinions, &key).await {
            Ok(Some(Kept { opinion })) if still_listed(&opinion, &choices) => return opinion,
            Ok(_) => {}
            Err(error) => tracing::warn!("kept opinions cannot be read: {error}"),
        }
        let question = Question { name: &request.name, title: &request.title, text: &request.text, choices: &choices };
        let tokens_max = settings.context_tokens.saturating_sub(settings.output_tokens_max);
        let opinion = match self.asked(request, &opinion::prompt(&question, tokens_max), &choices).await {
            Ok(opinion) => opinion,
            Err(reason) => return abstained(reason),
        };
        // What a model cannot answer today it cannot answer tomorrow: abstentions of its own are kept as well.
        let put = Put::new(Space::Opinions, key, "", &Kept { opinion: opinion.clone() });
        if let Err(error) = self.parts.state.write(vec![put]).await {
            tracing::warn!("an opinion cannot be kept and may be paid for again: {error}");
        }
        opinion
    }

    /// Asks the server, or says why it was not asked or did not answer.
    async fn asked(&self, request: &SecondOpinion, prompt: &Prompt, choices: &[Choice]) -> Result<Opinion, String> {
        let settings = self.parts.account.llm.settings();
        let codes: Vec<&str> = choices.iter().map(|choice| choice.code.as_str()).collect();
        let read = |reply: &Reply| {
            opinion::read(Said { model: &settings.model, text: &reply.text, cut_off: reply.cut_off }, &codes, prompt)
        };
        let about = About { document: &request.hash, name: &request.name };
        let schema = opinion::schema(choices);
        let answer = self.parts.account.ask(about, prompt, &schema, |reply| told(&read(reply).vote)).await;
        let fault = match &answer {
            Err(AccountError::Llm(error)) if !matches!(error, LlmError::Busy(_)) => Some(error.to_string()),
            _ => None,
        };
        self.parts.health.report("llm", settings.required, fault);
        answer.map(|(reply, _)| read(&reply)).map_err(|error| error.to_string())
    }
}

fn learn(trust: &mut Trust, label: &Label) {
    for lesson in &label.lessons {
        trust.learn(&lesson.key, lesson.code.as_deref(), lesson.vote.as_ref());
    }
}

/// All that a reply rests on, but for the list: a vote is taken again while its place is listed.
fn key(settings: &llm::Settings, request: &SecondOpinion) -> String {
    let llm::Settings { model, context_tokens, .. } = settings;
    format!("{PROMPT_VERSION}/{}/{model}/{context_tokens}/{}/{}", settings.url(), request.structure, request.hash)
}

fn still_listed(opinion: &Opinion, choices: &[Choice]) -> bool {
    match &opinion.vote {
        Vote::Place(code) => choices.iter().any(|choice| choice.code == *code),
        Vote::Nowhere | Vote::Abstained(_) => true,
    }
}

/// The best places with what their owner says of them, and one thing that lies there.
fn choices(request: &SecondOpinion, structure: &Structure) -> Vec<Choice> {
    let shortlist = request.candidates.iter().take(SHORTLIST);
    let choice = shortlist.filter_map(|candidate| {
        let place = structure.find(&candidate.code)?;
        let about = place.about().cloned().unwrap_or_default();
        let within = place.category.filter(|_| place.id.is_some()).map(|category| category.name.as_str());
        let names: Vec<&str> = [Some(place.title()), within, Some(&place.area.name)].into_iter().flatten().collect();
        let near = candidate.nearest.first().map(|near| near.title.clone());
        Some(Choice {
            code: candidate.code.clone(),
            title: names.join(", in "),
            description: about.description.unwrap_or_else(|| about.keywords.join(", ")),
            example: near.or_else(|| about.examples.first().cloned()).unwrap_or_default(),
        })
    });
    choice.collect()
}

fn told(vote: &Vote) -> String {
    match vote {
        Vote::Place(code) => code.clone(),
        Vote::Nowhere => "none".to_owned(),
        Vote::Abstained(reason) => reason.clone(),
    }
}

impl ContentClassifier {
    fn opinions(&self) -> Result<Arc<Opinions>> {
        let missing = || Error::invalid("no language model is configured: set llm.provider and llm.model");
        self.0.opinions.clone().ok_or_else(missing)
    }
}

impl Answer<SecondOpinion> for ContentClassifier {
    async fn answer(&self, request: SecondOpinion) -> Result<Weighed> {
        let opinions = self.opinions()?;
        self.catch_up().await?;
        let structure = self.0.parts.structures.get(&request.structure).await?;
        let opinion = opinions.opinion(&request, &structure).await;
        let accuracy = opinions.trust.lock().accuracy(&opinion.model);
        let shortlist: Vec<&str> = request.candidates.iter().take(SHORTLIST).map(|it| it.code.as_str()).collect();
        let candidates = weigh(&request.candidates, &shortlist, &opinion.vote, accuracy);
        Ok(Weighed { candidates, opinion, accuracy })
    }
}

impl Answer<LlmLog> for ContentClassifier {
    async fn answer(&self, request: LlmLog) -> Result<LlmLogged> {
        let ledger = &self.0.parts.ledger;
        let days = match request.day {
            Some(day) => vec![day],
            None => ledger.days().await?,
        };
        let mut entries = Vec::new();
        for day in days.into_iter().rev() {
            let mut of_day = ledger.of(&day).await?;
            of_day.reverse();
            entries.extend(of_day);
            if entries.len() >= request.limit {
                break;
            }
        }
        entries.truncate(request.limit);
        Ok(LlmLogged { entries })
    }
}

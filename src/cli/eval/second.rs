//! The second opinion under measurement: asked as in life, about what the engine doubts, and trusted as far as it was right.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use serde::Serialize;

use super::read::Item;
use crate::{
    backends::{
        Clock,
        llm::{About, Account, Books, Llm, Reply, Settings},
        store::Ledger,
    },
    domain::{
        classify::{Candidate, Target},
        opinion::{self, Choice, Opinion, Question, Record, Said, Trust, Vote, weigh},
    },
    rpc::{Error, Result},
};

/// Places that a model is shown, as in life.
pub(super) const SHORTLIST: usize = 5;

/// A model, and what was found out about it.
pub(super) struct Second {
    llm: Llm,
    /// Where questions about documents of a home are accounted for.
    ledger: Option<Ledger>,
    /// Places whose documents do not leave.
    private: BTreeSet<String>,
    threshold: f64,
    trust: Trust,
    /// What it voted for, until it is told whether that was right.
    votes: BTreeMap<String, Record>,
    pub(super) found: Found,
}

/// What was found out about a model.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Found {
    pub(super) model: String,
    /// Documents that it was asked about, for the engine doubted them.
    pub(super) questions: usize,
    /// Votes for a place, and how many of them were right.
    pub(super) votes: usize,
    pub(super) right: usize,
    /// Questions to which it said "none", and those to which it gave no usable answer.
    pub(super) nowhere: usize,
    pub(super) abstained: usize,
    /// The first reason of those.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) first_reason: Option<String>,
    pub(super) tokens_in: u64,
    pub(super) tokens_out: u64,
    /// In the unit of the prices.
    pub(super) cost: f64,
    pub(super) seconds: f64,
}

impl Second {
    /// The model of these settings, asked below this probability.
    pub(super) fn new(settings: &Settings, threshold: f64) -> Result<Second> {
        let llm = Llm::new(settings).map_err(|error| Error::invalid(error.to_string()))?;
        let found = Found { model: settings.model.clone(), ..Found::default() };
        let (trust, votes, private) = Default::default();
        Ok(Second { llm, ledger: None, private, threshold, trust, votes, found })
    }

    /// The same, about documents of a home: in its ledger, and not about those that may belong to these places.
    pub(super) fn of_home(self, ledger: Ledger, private: BTreeSet<String>) -> Second {
        let private = if self.llm.settings().is_remote() { private } else { BTreeSet::new() };
        Second { ledger: Some(ledger), private, ..self }
    }

    /// The candidates with its vote weighed in, where the engine doubts them.
    pub(super) async fn weighed(
        &mut self,
        item: &Item,
        candidates: Vec<Candidate>,
        targets: &[Target],
    ) -> Vec<Candidate> {
        let doubted = candidates.first().is_some_and(|best| best.probability < self.threshold);
        if !doubted || item.text.trim().is_empty() && item.title.trim().is_empty() {
            return candidates;
        }
        let choices: Vec<Choice> = candidates.iter().take(SHORTLIST).map(|it| choice(it, targets)).collect();
        if choices.iter().any(|choice| self.private.contains(&choice.code)) {
            return candidates;
        }
        let opinion = self.asked(item, &choices).await;
        match &opinion.vote {
            Vote::Place(code) => {
                self.found.votes += 1;
                self.found.right += usize::from(*code == item.label);
                let record = Record { model: self.found.model.clone(), code: code.clone() };
                self.votes.insert(item.id.clone(), record);
            }
            Vote::Nowhere => self.found.nowhere += 1,
            Vote::Abstained(reason) => {
                self.found.abstained += 1;
                self.found.first_reason.get_or_insert_with(|| reason.clone());
            }
        }
        let shortlist: Vec<&str> = choices.iter().map(|choice| choice.code.as_str()).collect();
        weigh(&candidates, &shortlist, &opinion.vote, self.trust.accuracy(&self.found.model))
    }

    /// Takes note of where its owner put an item.
    pub(super) fn learn(&mut self, item: &Item) {
        let vote = self.votes.remove(&item.id);
        self.trust.learn(&item.id, Some(&item.label), vote.as_ref());
    }

    async fn asked(&mut self, item: &Item, choices: &[Choice]) -> Opinion {
        let settings = self.llm.settings().clone();
        let question = Question { name: "", title: &item.title, text: &item.text, choices };
        let tokens_max = settings.context_tokens.saturating_sub(settings.output_tokens_max);
        let prompt = opinion::prompt(&question, tokens_max);
        let codes: Vec<&str> = choices.iter().map(|choice| choice.code.as_str()).collect();
        let read = |reply: &Reply| {
            opinion::read(Said { model: &settings.model, text: &reply.text, cut_off: reply.cut_off }, &codes, &prompt)
        };
        let (begun, schema) = (Instant::now(), opinion::schema(choices));
        let reply = match self.ledger.clone() {
            Some(ledger) => {
                let books = Books { ledger, clock: Clock::System };
                let account = Account { llm: self.llm.clone(), books };
                let about = About { document: &item.id, name: &item.title };
                let asked = account.ask(about, &prompt, &schema, |_| "compared".to_owned()).await;
                asked.map(|(reply, _)| reply).map_err(|error| error.to_string())
            }
            None => self.llm.ask(&prompt, &schema).await.map_err(|error| error.to_string()),
        };
        self.found.seconds += begun.elapsed().as_secs_f64();
        self.found.questions += 1;
        let reply = match reply {
            Ok(reply) => reply,
            Err(error) => return Opinion::abstained(&settings.model, error),
        };
        self.found.tokens_in += reply.tokens_in;
        self.found.tokens_out += reply.tokens_out;
        #[allow(clippy::cast_precision_loss)]
        let cost = settings.micros(reply.tokens_in, reply.tokens_out) as f64 / 1e6;
        self.found.cost += cost;
        read(&reply)
    }
}

fn choice(candidate: &Candidate, targets: &[Target]) -> Choice {
    let target = targets.iter().find(|target| target.code == candidate.code).cloned().unwrap_or_default();
    let near = candidate.nearest.first().map(|near| near.title.clone());
    Choice {
        code: candidate.code.clone(),
        title: target.title,
        description: target.description,
        example: near.or_else(|| target.examples.first().cloned()).unwrap_or_default(),
    }
}

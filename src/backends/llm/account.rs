//! Questions to a model that are accounted for: within the budget of the day, and in the ledger before they are sent.

use serde_json::Value;

use super::{Llm, LlmError, Reply};
use crate::backends::Clock;
use crate::backends::store::{Ledger, Sent, StoreError};
use crate::domain::opinion::{Asked, Prompt, estimated_tokens};

/// A model, and the account of what it is asked.
#[derive(Clone)]
pub struct Account {
    /// The model.
    pub llm: Llm,
    /// The account.
    pub books: Books,
}

/// The account of what is sent, and the clock that it goes by.
#[derive(Clone)]
pub struct Books {
    /// The account.
    pub ledger: Ledger,
    /// The clock.
    pub clock: Clock,
}

/// What may be spent on a day.
#[derive(Debug, Clone, Copy)]
pub(in crate::backends) struct Budget {
    /// Tokens; 0 sets no bound.
    pub(in crate::backends) tokens: u64,
    /// Money, in the unit of the prices; 0 sets no bound.
    pub(in crate::backends) cost: f64,
}

/// A document that a question is about.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// Its hash, or what else it is known by.
    pub document: &'a str,
    /// Its name.
    pub name: &'a str,
}

/// Why there is no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AccountError {
    /// The budget of a day is spent.
    #[error("the budget of {0} a day is spent")]
    Spent(String),
    /// The ledger cannot be read or written: what cannot be entered is not sent.
    #[error("the ledger cannot be kept: {0}")]
    Ledger(String),
    /// The model did not answer.
    #[error(transparent)]
    Llm(#[from] LlmError),
}

impl From<StoreError> for AccountError {
    fn from(error: StoreError) -> Self {
        AccountError::Ledger(error.to_string())
    }
}

impl Account {
    /// Asks one question. The reply comes with what it cost, in millionths; `outcome` says in a word what came of it.
    ///
    /// # Errors
    /// When it is not sent, or there is no answer.
    pub async fn ask(
        &self,
        about: About<'_>,
        prompt: &Prompt,
        schema: &Value,
        outcome: impl FnOnce(&Reply) -> String,
    ) -> Result<(Reply, u64), AccountError> {
        let settings = self.llm.settings();
        let sent = format!("{}{}", prompt.system, prompt.user);
        let (tokens_in, tokens_out) = (estimated_tokens(&sent) as u64, settings.output_tokens_max as u64);
        let mut entry = Asked {
            at: self.books.clock.stamp(),
            to: settings.url().to_owned(),
            remote: settings.is_remote(),
            model: settings.model.clone(),
            document: about.document.to_owned(),
            name: about.name.to_owned(),
            bytes: sent.len() as u64,
            tokens: tokens_in + tokens_out,
            micros: settings.micros(tokens_in, tokens_out),
            outcome: None,
        };
        let budget = Budget { tokens: settings.tokens_per_day, cost: settings.cost_per_day };
        let id = self.books.open(Sent::Question, &entry, budget).await?;
        let mut answer = self.llm.ask(prompt, schema).await;
        if let Ok(reply) = &mut answer {
            // A server that does not count is believed to have taken what was estimated.
            let counted = |tokens: u64, estimated: u64| if tokens == 0 { estimated } else { tokens };
            reply.tokens_in = counted(reply.tokens_in, tokens_in);
            reply.tokens_out = counted(reply.tokens_out, estimated_tokens(&reply.text) as u64);
            entry.tokens = reply.tokens_in + reply.tokens_out;
            entry.micros = settings.micros(reply.tokens_in, reply.tokens_out);
        }
        entry.outcome = Some(match &answer {
            Ok(reply) => outcome(reply),
            Err(error) => error.to_string(),
        });
        self.books.settle(&id, &entry).await;
        Ok((answer?, entry.micros))
    }
}

impl Books {
    /// Enters what is about to be sent, if the budget of the day has room for the most that it can take; returns the id
    /// of the entry.
    pub(in crate::backends) async fn open(
        &self,
        what: Sent,
        entry: &Asked,
        budget: Budget,
    ) -> Result<String, AccountError> {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let micros_max = (budget.cost.max(0.0) * 1e6) as u64;
        if budget.tokens > 0 || micros_max > 0 {
            let spent = self.ledger.spent(&self.clock.today(), what).await?;
            let over = |most: u64, spent: u64, more: u64| most > 0 && spent.saturating_add(more) > most;
            if over(budget.tokens, spent.tokens, entry.tokens) {
                return Err(AccountError::Spent(format!("{} tokens", budget.tokens)));
            }
            if over(micros_max, spent.micros, entry.micros) {
                return Err(AccountError::Spent(budget.cost.to_string()));
            }
        }
        let id = what.id();
        self.ledger.sent(&id, entry).await?;
        Ok(id)
    }

    /// Enters what became of it.
    pub(in crate::backends) async fn settle(&self, id: &str, entry: &Asked) {
        if let Err(error) = self.ledger.used(id, entry).await {
            tracing::warn!(
                "the ledger keeps the most that a question can cost, for what it did cost cannot be entered: {error}"
            );
        }
    }
}

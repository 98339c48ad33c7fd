//! Reviews: what waits for a person, and what their answer leads to.

use futures_util::{StreamExt, stream};

use super::{
    Context, FileSystemAgent, decide,
    item::{Understood, Verdict, channel, question, record},
    sweep::thread,
};
use crate::{
    contracts::{
        content_classifier::{EarnedByCategory, ListEarned},
        file_system::{Decision, Entries, Filed, Held, History, Item},
        file_system_agent::{AnswerReview, Answered, ListAutonomy, ListReviews, Review, Reviews, Settled},
        jd_classifier::{GetStructure, Lookup, Published},
    },
    domain::{
        custody::{Chain, Standing},
        opinion::{self, Proposal, Vote, Waiting},
    },
    graph::{Checkpoint, Input, Outcome, Status, Turn},
    rpc::{Answer, Code, Error, Result},
};

/// The node that asks. It runs again with the answer.
pub(super) async fn node(context: Context, turn: Turn) -> Result<Outcome> {
    let Some(answer) = turn.answer.clone() else {
        let question = question(&turn)?;
        let standing = record(&context, &turn, Held::Review).await?;
        let item: Item = turn.state.get(channel::ITEM)?;
        // A filing that had been begun when the inbox was listed, and cannot go on, is asked about as well.
        if !waits(standing) || (standing == Standing::Filing && item.standing != Some(Standing::Filing)) {
            return Outcome::set(channel::VERDICT, &Verdict::Leave);
        }
        return Ok(Outcome::Interrupt(serde_json::to_value(question)?));
    };
    let understood: Understood = turn.state.get(channel::UNDERSTOOD)?;
    // What was not there when emm guessed, it could not know.
    let asked = Some(turn.state.get::<String>(channel::STRUCTURE)?);
    let guess = decide::guess(&turn.state.get(channel::ITEM)?, &understood);
    // A person answers by the structure of now, not by that of the question.
    let Published { hash, .. } = context.tools.call(GetStructure::default()).await?;
    let decision = |code: String, guess| Decision {
        code,
        structure: hash,
        confidence: 1.0,
        by_person: true,
        candidates: understood.candidates,
        engine: understood.engine,
        opinion: understood.opinion,
        guess,
        threshold: None,
    };
    let verdict = match serde_json::from_value(answer)? {
        Answered::Skip => Verdict::Skip,
        Answered::New { category, title } => {
            Verdict::New { decision: decision(category.clone(), None), category, title }
        }
        Answered::File { code } => {
            let place = context.tools.call(Lookup { code, structure: None }).await?;
            if !place.files {
                let message = format!("{} {} holds no documents; choose an id of it", place.code, place.title);
                return Err(Error::invalid(message));
            }
            let known = match context.tools.call(Lookup { code: place.code.clone(), structure: asked }).await {
                Err(error) if error.code != Code::NotFound => return Err(error),
                there => there.is_ok(),
            };
            Verdict::File(decision(place.code, guess.filter(|_| known)))
        }
    };
    Outcome::set(channel::VERDICT, &verdict)
}

impl Answer<ListReviews> for FileSystemAgent {
    async fn answer(&self, _: ListReviews) -> Result<Reviews> {
        // Filed, withdrawn or skipped elsewhere since, it waits no more, though its thread is there until the next sweep.
        let (shown, context) = (self.shown().await?, &self.0.context);
        let work = shown.into_iter().map(|review| async move {
            let standing = context.standing(&review.item.emm_id).await?;
            Ok(standing.is_none_or(waits).then_some(review))
        });
        let found: Vec<Result<Option<Review>>> =
            stream::iter(work).buffered(context.settings.items_in_flight.max(1)).collect().await;
        let mut reviews: Vec<Review> = found.into_iter().filter_map(Result::transpose).collect::<Result<_>>()?;
        reviews.sort_by(|a, b| a.item.place.cmp(&b.item.place));
        let proposals = self.proposals(&reviews).await?;
        Ok(Reviews { reviews, proposals })
    }
}

impl Answer<ListAutonomy> for FileSystemAgent {
    async fn answer(&self, _: ListAutonomy) -> Result<EarnedByCategory> {
        let context = &self.0.context;
        context.tools.call(ListEarned { bar: context.bar }).await
    }
}

impl Answer<AnswerReview> for FileSystemAgent {
    async fn answer(&self, request: AnswerReview) -> Result<Settled> {
        let thread = self.waiting(&request.emm_id).await?;
        let waiting = self.0.checkpoints.get(&thread).await?;
        let waiting =
            waiting.ok_or_else(|| Error::not_found(format!("item {} waits for no answer", request.emm_id)))?;
        let item: Item = waiting.state.get(channel::ITEM)?;
        let standing = self.0.context.standing(&item.emm_id).await?;
        let place = &item.place;
        match (waiting.status, standing) {
            (Status::Done, Some(Standing::Filed | Standing::Confirmed | Standing::Skipped)) => settled(&waiting),
            (Status::Interrupted, standing) if standing.is_none_or(waits) => {
                // In one go: between two, a sweep could begin the thread again.
                let answer = Input::Answer(serde_json::to_value(&request.answer)?);
                settled(&self.0.items.run(&thread, answer).await?)
            }
            (Status::Interrupted, Some(standing)) => {
                Err(Error::conflict(format!("{place} waits for no answer any more: it is {}", standing.as_str())))
            }
            _ => {
                Err(Error::conflict(format!("{place} is not asked about now: sweep again, and see what it says then")))
            }
        }
    }
}

impl FileSystemAgent {
    /// What every interrupted thread shows.
    async fn shown(&self) -> Result<Vec<Review>> {
        let waiting = self.0.checkpoints.with(Status::Interrupted).await?;
        let shown = waiting.into_iter().filter_map(|(_, at)| at.interrupt);
        Ok(shown.filter_map(|it| serde_json::from_value(it).ok()).collect())
    }

    /// The places that a language model missed.
    async fn proposals(&self, reviews: &[Review]) -> Result<Vec<Proposal>> {
        let waiting: Vec<Waiting<'_>> = reviews.iter().map(waiting_item).collect();
        if !waiting.iter().any(|it| it.nowhere) {
            return Ok(Vec::new());
        }
        let Published { structure, .. } = self.0.context.tools.call(GetStructure::default()).await?;
        Ok(opinion::proposals(&waiting, &structure))
    }

    /// The thread of the one item that waits and whose id begins so.
    async fn waiting(&self, emm_id: &str) -> Result<String> {
        let whole = self.0.checkpoints.get(&thread(emm_id)).await?;
        if whole.is_some() {
            return Ok(thread(emm_id));
        }
        let reviews = self.shown().await?;
        let mut found = reviews.iter().filter(|review| review.item.emm_id.starts_with(emm_id));
        match (found.next(), found.next()) {
            (Some(review), None) => Ok(thread(&review.item.emm_id)),
            (Some(_), Some(_)) => Err(Error::invalid(format!("several items begin with {emm_id:?}; give more digits"))),
            (None, _) => Ok(thread(emm_id)),
        }
    }
}

impl Context {
    /// What the journal says of an item; nothing if it does not know it.
    pub(super) async fn standing(&self, emm_id: &str) -> Result<Option<Standing>> {
        let request = History { item: Some(emm_id.to_owned()), limit: usize::MAX, ..History::default() };
        let mut links = match self.tools.call(request).await {
            Ok(Entries { entries }) => entries,
            Err(error) if error.code == Code::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        links.reverse();
        Ok(Chain::read(links.iter().map(|entry| &entry.link)).map(|chain| chain.standing))
    }
}

/// Whether an item of this standing can still be answered; a filing that could not go on is begun again by that.
pub(super) fn waits(standing: Standing) -> bool {
    matches!(standing, Standing::Review | Standing::Undone | Standing::Filing)
}

fn waiting_item(review: &Review) -> Waiting<'_> {
    Waiting {
        emm_id: &review.item.emm_id,
        title: &review.title,
        best: review.candidates.first().map(|best| best.code.as_str()),
        nowhere: review.opinion.as_ref().is_some_and(|opinion| opinion.vote == Vote::Nowhere),
        shown: &review.shown,
    }
}

fn settled(at: &Checkpoint) -> Result<Settled> {
    Ok(Settled { filed: at.state.find::<Filed>(channel::FILED)? })
}

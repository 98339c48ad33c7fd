//! Reviews: what waits for a person, and what their answer leads to.

use super::{
    Context, FileSystemAgent,
    item::{Understood, Verdict, channel, question, record},
    sweep::thread,
};
use crate::{
    contracts::{
        file_system::{Decision, Filed, Held},
        file_system_agent::{AnswerReview, Answered, ListReviews, Review, Reviews, Settled},
        jd_classifier::{GetStructure, Lookup, Published},
    },
    graph::{Checkpoint, Input, Outcome, Status, Turn},
    rpc::{Answer, Error, Result},
};

/// The node that asks. It runs again with the answer.
pub(super) async fn node(context: Context, turn: Turn) -> Result<Outcome> {
    let Some(answer) = turn.answer.clone() else {
        let question = question(&turn)?;
        record(&context, &turn, Held::Review).await?;
        return Ok(Outcome::Interrupt(serde_json::to_value(question)?));
    };
    let understood: Understood = turn.state.get(channel::UNDERSTOOD)?;
    // A person answers by the structure of now, not by that of the question.
    let Published { hash, .. } = context.tools.call(GetStructure::default()).await?;
    let decision = |code: String| Decision {
        code,
        structure: hash,
        confidence: 1.0,
        by_person: true,
        candidates: understood.candidates,
        engine: understood.engine,
    };
    let verdict = match serde_json::from_value(answer)? {
        Answered::Skip => Verdict::Skip,
        Answered::New { category, title } => Verdict::New { decision: decision(category.clone()), category, title },
        Answered::File { code } => {
            let place = context.tools.call(Lookup { code }).await?;
            if !place.files {
                let message = format!("{} {} holds no documents; choose an id of it", place.code, place.title);
                return Err(Error::invalid(message));
            }
            Verdict::File(decision(place.code))
        }
    };
    Outcome::set(channel::VERDICT, &verdict)
}

impl Answer<ListReviews> for FileSystemAgent {
    async fn answer(&self, _: ListReviews) -> Result<Reviews> {
        let waiting = self.0.checkpoints.with(Status::Interrupted).await?;
        let shown = waiting.into_iter().filter_map(|(_, at)| at.interrupt);
        let mut reviews: Vec<Review> = shown.filter_map(|it| serde_json::from_value(it).ok()).collect();
        reviews.sort_by(|a, b| a.item.place.cmp(&b.item.place));
        Ok(Reviews { reviews })
    }
}

impl Answer<AnswerReview> for FileSystemAgent {
    async fn answer(&self, request: AnswerReview) -> Result<Settled> {
        let thread = self.waiting(&request.emm_id).await?;
        let waiting = self.0.checkpoints.get(&thread).await?;
        let waiting =
            waiting.ok_or_else(|| Error::not_found(format!("item {} waits for no answer", request.emm_id)))?;
        if waiting.status == Status::Done {
            return settled(&waiting);
        }
        let answer = serde_json::to_value(&request.answer)?;
        match self.settle(&thread, answer).await {
            Ok(at) => settled(&at),
            Err(error) => {
                // The question stands again, as it was.
                self.0.checkpoints.put(&thread, &waiting).await?;
                Err(error)
            }
        }
    }
}

impl FileSystemAgent {
    /// The thread of the one item that waits and whose id begins so.
    async fn waiting(&self, emm_id: &str) -> Result<String> {
        let reviews = self.answer(ListReviews {}).await?.reviews;
        let mut found = reviews.iter().filter(|review| review.item.emm_id.starts_with(emm_id));
        match (found.next(), found.next()) {
            (Some(review), None) => Ok(thread(&review.item.emm_id)),
            (Some(_), Some(_)) => Err(Error::invalid(format!("several items begin with {emm_id:?}; give more digits"))),
            (None, _) => Ok(thread(emm_id)),
        }
    }

    /// Goes on with an answer, through the pauses that only a sweep needs.
    async fn settle(&self, thread: &str, answer: serde_json::Value) -> Result<Checkpoint> {
        let mut at = self.0.items.run(thread, Input::Resume(Some(answer))).await?;
        while at.status == Status::Paused {
            at = self.0.items.run(thread, Input::Resume(None)).await?;
        }
        Ok(at)
    }
}

fn settled(at: &Checkpoint) -> Result<Settled> {
    Ok(Settled { filed: at.state.find::<Filed>(channel::FILED)? })
}

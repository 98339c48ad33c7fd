//! Answers, and how the last one is taken back.

use crate::{
    contracts::{
        file_system::{Entry, Undo},
        file_system_agent::{AnswerReview, Answered, ListReviews, Review, Settled, Sweep},
    },
    domain::custody::Effect,
    rpc::{Error, Result, Tools},
};

use super::super::journal;

/// The run that undone answers belong to.
const RUN: &str = "review-undo";

pub(super) async fn give(tools: &Tools, emm_id: &str, answer: Answered) -> Result<Settled> {
    tools.call(AnswerReview { emm_id: emm_id.to_owned(), answer }).await
}

/// Takes the answer to this item back: what was filed comes back, what was skipped is asked about again.
pub(super) async fn take_back(tools: &Tools, emm_id: &str) -> Result<Review> {
    let chain = journal::chain(&journal::of_item(tools, emm_id).await?);
    let chain = chain.ok_or_else(|| Error::not_found(format!("there is no item {emm_id}")))?;
    let place = match chain.in_vault() {
        true => tools.call(Undo { emm_id: emm_id.to_owned(), run: RUN.to_owned(), dry_run: false }).await?.place,
        false => chain.origin.place,
    };
    tools.call(Sweep { places: vec![place], settled: true, dry_run: false }).await?;
    let reviews = tools.call(ListReviews {}).await?.reviews;
    let asked = reviews.into_iter().find(|review| review.item.emm_id == emm_id);
    asked.ok_or_else(|| Error::conflict(format!("item {emm_id} is not in the inbox any more; 'emm log' says why")))
}

/// As `take_back`, for the last answer that anybody gave.
pub(super) async fn undo_last(tools: &Tools) -> Result<Review> {
    let entries = journal::effects(tools, None, None).await?;
    let answered = entries.iter().filter(|entry| is_answer(entry, &entries));
    for entry in answered {
        let newest = journal::of_item(tools, &entry.emm_id).await?;
        let stands = journal::chain(&newest)
            .is_some_and(|chain| chain.in_vault() || chain.standing == crate::domain::custody::Standing::Skipped);
        if stands {
            return take_back(tools, &entry.emm_id).await;
        }
    }
    Err(Error::not_found("no answer was given that could be taken back"))
}

/// A skip, or a filing by a person of an item that had been asked about.
fn is_answer(entry: &Entry, all: &[Entry]) -> bool {
    let by_person = |number: u32| {
        let plan = all.iter().find(|it| it.emm_id == entry.emm_id && it.number == number);
        plan.is_some_and(|it| matches!(&it.link.effect, Effect::Filing { plan, .. } if plan.why.by_person))
    };
    match &entry.link.effect {
        Effect::Skipped => true,
        Effect::Filed { plan } => by_person(*plan),
        _ => false,
    }
}

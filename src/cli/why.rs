//! `emm why`: what a filing, or a question, rests on.

use console::Style;
use serde::Serialize;

use super::{
    Exit, journal,
    moment::local,
    screen::{Screen, percent, safe},
    session::Session,
    setup::Setup,
};
use crate::{
    contracts::{
        file_system::Entry,
        file_system_agent::{ListReviews, Review},
        jd_classifier::GetStructure,
    },
    domain::{
        classify::Candidate,
        custody::Why,
        jd::Structure,
        opinion::{Opinion, Vote},
    },
    rpc::{Error, Result, Role, Tools},
};

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Reasons {
    /// What the filing rests on.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<Why>,
    /// The question that waits for an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    review: Option<Review>,
    /// Every effect, newest first.
    history: Vec<Entry>,
    #[serde(skip)]
    structure: Option<Structure>,
}

pub(super) async fn run(setup: &Setup, screen: &Screen, item: &str) -> Result<Exit> {
    let session = Session::open(setup, screen, &Role::ALL).await?;
    let reasons = reasons(setup, &session.tools, item).await;
    session.close().await;
    screen.show(&reasons?, told)?;
    Ok(Exit::Done)
}

async fn reasons(setup: &Setup, tools: &Tools, item: &str) -> Result<Reasons> {
    let reviews = tools.call(ListReviews {}).await?.reviews;
    let in_inbox = std::fs::canonicalize(item).ok().and_then(|path| {
        let inbox = std::fs::canonicalize(setup.home.inbox.folder()?).ok()?;
        Some(path.strip_prefix(inbox).ok()?.to_string_lossy().into_owned())
    });
    let place = in_inbox.as_deref().unwrap_or(item);
    let review = reviews
        .into_iter()
        .find(|review| review.item.place == place || (item.len() >= 4 && review.item.emm_id.starts_with(item)));
    let name = review.as_ref().map_or_else(|| journal::named(setup, item), |review| review.item.emm_id.clone());
    let history = journal::of_item(tools, &name).await?;
    let missing = || {
        Error::not_found(format!("emm knows no item {item:?}: give a note, an id of 'emm log', or a file in the inbox"))
    };
    let chain = journal::chain(&history).ok_or_else(missing)?;
    let why = chain.plan.filter(|_| review.is_none()).map(|(_, plan)| plan.why);
    // By the structure of then, where it is still known: titles may have changed since.
    let hash = why.as_ref().map(|why| why.structure.clone()).filter(|hash| !hash.is_empty());
    let published = match tools.call(GetStructure { hash }).await {
        Ok(published) => Ok(published),
        Err(_) => tools.call(GetStructure::default()).await,
    };
    Ok(Reasons { why, review, history, structure: published.ok().map(|it| it.structure) })
}

fn told(screen: &Screen, reasons: &Reasons) {
    let bold = screen.style(Style::new().bold());
    if let Some(review) = &reasons.review {
        screen.line(bold.apply_to(safe(&review.title)));
        screen.line(format_args!("waits in the inbox as {}: {}", safe(&review.item.place), safe(&review.reason)));
        opinion(screen, review.opinion.as_ref());
        candidates(screen, &review.candidates, reasons.structure.as_ref());
    }
    if let Some(why) = &reasons.why {
        screen.line(bold.apply_to(safe(&why.title)));
        let engine = if why.engine.is_empty() { String::new() } else { format!("; engine {}", why.engine) };
        let who = if why.by_person {
            "decided by a person".to_owned()
        } else {
            let from = why.threshold.map(|it| format!(", which files there from {}", percent(it))).unwrap_or_default();
            format!("decided by emm, {}{from}", percent(why.confidence))
        };
        screen.line(format_args!("{who}{engine}; structure {}", why.structure.chars().take(12).collect::<String>()));
        opinion(screen, why.opinion.as_ref());
        candidates(screen, &why.candidates, reasons.structure.as_ref());
    }
    if reasons.why.is_none() && reasons.review.is_none() {
        screen.line("it is not in the vault, and nothing is asked about it");
    }
    screen.line("\nhistory");
    for entry in reasons.history.iter().rev() {
        let (what, about) = journal::told(&entry.link.effect);
        screen.line(format_args!("  {}  {what:<11} {}", local(&entry.link.at), safe(&about)));
    }
}

/// What a language model said, if one was asked; its vote is weighed into the candidates.
fn opinion(screen: &Screen, opinion: Option<&Opinion>) {
    let Some(Opinion { model, vote, .. }) = opinion else { return };
    let model = if model.is_empty() { "the language model".to_owned() } else { safe(model) };
    screen.line(match vote {
        Vote::Place(code) => format!("{model} voted for {}", safe(code)),
        Vote::Nowhere => format!("{model} voted for none of the best places"),
        Vote::Abstained(reason) => format!("{model} gave no vote: {}", safe(reason)),
    });
}

fn candidates(screen: &Screen, candidates: &[Candidate], structure: Option<&Structure>) {
    screen.line("\ncandidates");
    for candidate in candidates {
        let title = structure.and_then(|it| it.find(&candidate.code)).map_or("", |place| place.title());
        screen.line(format_args!("  {:>5}  {} {}", percent(candidate.probability), candidate.code, safe(title)));
        let words: Vec<String> =
            candidate.words.iter().map(|it| format!("{} {:.2}", safe(&it.word), it.weight)).collect();
        if !words.is_empty() {
            screen.line(format_args!("         words: {}", words.join(", ")));
        }
        if let Some(meaning) = candidate.meaning {
            screen.line(format_args!("         meaning, and not words: {} of what speaks for it", percent(meaning)));
        }
        for near in &candidate.nearest {
            screen.line(format_args!("         like:  {} ({})", safe(&near.title), percent(near.similarity)));
        }
    }
    if candidates.is_empty() {
        screen.line("  none");
    }
}

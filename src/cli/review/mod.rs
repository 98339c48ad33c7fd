//! `emm review`: what emm was not sure of, as a list, for scripts, and one after the other in a terminal.

mod answer;
mod draw;
mod missing;
mod pick;
mod terminal;

use std::io::{self, IsTerminal};

use super::{
    Exit,
    flags::ReviewAnswer,
    screen::{Screen, percent, safe},
    session::Session,
    setup::Setup,
};
use crate::{
    contracts::{
        file_system_agent::{Answered, ListReviews, Review, Reviews},
        jd_classifier::{GetStructure, Published},
    },
    rpc::{Error, Result, Role, Tools},
};

pub(super) async fn run(setup: &Setup, screen: &Screen, answer: Option<ReviewAnswer>) -> Result<Exit> {
    let session = Session::open(setup, screen, &Role::ALL).await?;
    let done = match answer {
        Some(answer) => by_script(setup, screen, &session, answer).await,
        None => look(setup, screen, &session).await,
    };
    session.close().await;
    done
}

async fn look(setup: &Setup, screen: &Screen, session: &Session) -> Result<Exit> {
    let reviews = session.tools.call(ListReviews {}).await?;
    let in_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    if in_terminal && !screen.json && !setup.global.dry_run && !reviews.reviews.is_empty() {
        session.caught_up(screen).await?;
        return terminal::run(setup, screen, session, reviews).await;
    }
    let structure = session.tools.call(GetStructure::default()).await?.structure;
    screen.show(&reviews, |screen, Reviews { reviews, proposals }| {
        for (at, review) in reviews.iter().enumerate() {
            screen.line(format_args!("{}  {}  {}", at + 1, short(&review.item.emm_id), safe(&review.item.place)));
            screen.line(format_args!("   {}", safe(&review.title)));
            screen.line(format_args!("   {}", safe(&review.reason)));
            for (at, candidate) in review.candidates.iter().enumerate() {
                let title = structure.find(&candidate.code).map_or("", |place| place.title());
                let likely = percent(candidate.probability);
                screen.line(format_args!("   {}) {likely:>5}  {} {}", at + 1, candidate.code, safe(title)));
            }
        }
        for (at, proposal) in proposals.iter().enumerate() {
            screen.line(format_args!("proposal {}: {}", at + 1, missing::headline(proposal)));
            missing::evidence(proposal).iter().for_each(|line| screen.line(format_args!("   {line}")));
            let adopt = format!("'{} review adopt {}' files them there", setup.again(), at + 1);
            screen.remark(missing::by_hand(proposal).unwrap_or(adopt));
        }
        screen.remark(match reviews.len() {
            0 => "nothing waits for review".to_owned(),
            count => {
                format!("{count} for review: '{0} review accept ITEM N|CODE', '{0} review skip ITEM'", setup.again())
            }
        });
    })?;
    Ok(if reviews.reviews.is_empty() { Exit::Done } else { Exit::Review })
}

async fn by_script(setup: &Setup, screen: &Screen, session: &Session, answer: ReviewAnswer) -> Result<Exit> {
    let dry = setup.global.dry_run;
    match answer {
        ReviewAnswer::Undo if dry => Err(Error::invalid("emm review undo has no --dry-run: see 'emm log'")),
        ReviewAnswer::Undo => {
            session.caught_up(screen).await?;
            let undone = answer::undo_last(&session.tools).await?;
            screen.show(&undone, |screen, undone| {
                screen.line(format_args!("{} is asked about again", safe(&undone.item.place)));
            })?;
            Ok(Exit::Review)
        }
        ReviewAnswer::Adopt { proposal, title } => missing::by_script(setup, screen, session, &proposal, title).await,
        ReviewAnswer::Accept { item, place } => {
            let review = find(&session.tools, &item).await?;
            let code = code(&review, &place)?;
            if dry {
                screen.line(format_args!("would file {} under {code}", safe(&review.item.place)));
                return Ok(Exit::Done);
            }
            give(screen, session, &review, Answered::File { code }).await
        }
        ReviewAnswer::Skip { item } => {
            let review = find(&session.tools, &item).await?;
            if dry {
                screen.line(format_args!("would leave {} where it is", safe(&review.item.place)));
                return Ok(Exit::Done);
            }
            give(screen, session, &review, Answered::Skip).await
        }
    }
}

async fn give(screen: &Screen, session: &Session, review: &Review, answer: Answered) -> Result<Exit> {
    let settled = answer::give(&session.tools, &review.item.emm_id, answer).await?;
    screen.show(&settled, |screen, settled| {
        let place = safe(&review.item.place);
        match &settled.filed {
            Some(filed) => screen.line(format_args!("+ {place} -> {}", safe(&filed.note))),
            None => screen.line(format_args!("- {place} stays where it is")),
        }
    })?;
    Ok(Exit::Done)
}

/// The item with this number in the list, or the one whose id begins so.
async fn find(tools: &Tools, item: &str) -> Result<Review> {
    let reviews = tools.call(ListReviews {}).await?.reviews;
    let count = reviews.len();
    let number = item.parse::<usize>().ok().filter(|_| item.len() < 4);
    if let Some(number) = number {
        let found = number.checked_sub(1).and_then(|at| reviews.into_iter().nth(at));
        return found.ok_or_else(|| Error::not_found(format!("there is no item {number}: {count} wait for review")));
    }
    let mut found = reviews.into_iter().filter(|it| it.item.emm_id.starts_with(item) || it.item.place == item);
    match (found.next(), found.next()) {
        (Some(review), None) => Ok(review),
        (Some(_), Some(_)) => Err(Error::invalid(format!("several items begin with {item:?}; give more digits"))),
        (None, _) => Err(Error::not_found(format!("no item {item:?} waits for review; 'emm review' lists them"))),
    }
}

/// The code of a candidate by its number, or the code itself.
fn code(review: &Review, place: &str) -> Result<String> {
    match place.parse::<usize>() {
        Ok(number @ 1..=9) => {
            let candidate = review.candidates.get(number - 1);
            let count = review.candidates.len();
            let missing = || Error::not_found(format!("there is no candidate {number}: the item has {count}"));
            Ok(candidate.ok_or_else(missing)?.code.clone())
        }
        _ => Ok(place.to_owned()),
    }
}

/// The structure as it is now.
async fn structure(tools: &Tools) -> Result<Published> {
    tools.call(GetStructure::default()).await
}

/// The first digits of an id.
fn short(emm_id: &str) -> String {
    emm_id.chars().take(8).collect()
}

//! Places that are missing: shown with their evidence, and made if a person says so.

use console::{Style, Term};
use serde::Serialize;

use super::{
    super::{
        Exit,
        screen::{Screen, safe},
        session::Session,
        setup::Setup,
    },
    answer, draw,
};
use crate::{
    contracts::{
        file_system::{Filed, Problem},
        file_system_agent::{Answered, ListReviews},
        jd_classifier::{GetStructure, Published},
    },
    domain::{
        jd::{self, Level},
        opinion::Proposal,
    },
    rpc::{Error, Result, Tools},
};

/// What became of a proposal.
#[derive(Debug, Serialize)]
pub(super) struct Adopted {
    /// The place, if anything was filed there.
    code: Option<String>,
    filed: Vec<Filed>,
    failed: Vec<Problem>,
}

/// A proposal in one line: "14 items would fit 13.24 Solar panels".
pub(super) fn headline(proposal: &Proposal) -> String {
    let Proposal { code, title, exists, items, .. } = proposal;
    let which = if *exists { "" } else { "a new " };
    format!("{} items would fit {which}{code} {}", items.len(), safe(title))
}

/// The titles that speak for it.
pub(super) fn evidence(proposal: &Proposal) -> Vec<String> {
    let more = proposal.items.len().saturating_sub(proposal.examples.len());
    let examples = proposal.examples.iter().map(|title| safe(title));
    examples.chain((more > 0).then(|| format!("\u{2026} {more} more"))).collect()
}

/// How it looks in a terminal.
pub(super) fn draw(screen: &Screen, proposal: &Proposal, term: &Term) -> String {
    let width = draw::width(term.size().1);
    let (bold, dim) = (screen.style(Style::new().bold()), screen.style(Style::new().dim()));
    let mut lines = vec![dim.apply_to("\u{2500}".repeat(width)).to_string()];
    lines.push(bold.apply_to(draw::fit(&headline(proposal), width)).to_string());
    lines.extend(evidence(proposal).iter().map(|line| format!("  {}", draw::fit(line, width - 2))));
    lines.push(String::new());
    lines.push(match by_hand(proposal) {
        Some(how) => draw::wrap(&how, width).join("\n"),
        None => dim.apply_to("y file them there   n one by one   q quit").to_string(),
    });
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// What a person has to do where emm makes nothing: categories are their owner's.
pub(super) fn by_hand(proposal: &Proposal) -> Option<String> {
    let Proposal { code, title, exists, .. } = proposal;
    let category = !exists && jd::level(code) == Some(Level::Category);
    category
        .then(|| format!("write \"{code}\": {} into jd.yaml; then they are looked at again by themselves", safe(title)))
}

/// Files all its documents there; the first of them makes the place if it is new.
pub(super) async fn adopt(tools: &Tools, proposal: &Proposal, title: &str) -> Result<Adopted> {
    let category = jd::category_of(&proposal.code).unwrap_or_default();
    let code = proposal.exists.then(|| proposal.code.clone());
    let mut adopted = Adopted { code, filed: Vec::new(), failed: Vec::new() };
    for emm_id in &proposal.items {
        let answer = match adopted.code.clone() {
            Some(code) => Answered::File { code },
            None => Answered::New { category: category.clone(), title: title.to_owned() },
        };
        match answer::give(tools, emm_id, answer).await {
            Ok(settled) => adopted.filed.extend(settled.filed),
            // Answered elsewhere or taken back meanwhile: the others are none the worse for it.
            Err(error) => adopted.failed.push(Problem { place: emm_id.clone(), reason: error.message }),
        }
        if adopted.code.is_none() {
            // The place is made before anything is filed there, and is there though that failed: never a second one.
            adopted.code = match adopted.filed.first() {
                Some(filed) => Some(filed.code.clone()),
                None => made(tools, &category, title).await?,
            };
        }
        if adopted.code.is_none() && !adopted.failed.is_empty() {
            // Without a place the others would fail in the same way.
            break;
        }
    }
    Ok(adopted)
}

/// The id of this title in a category, if there is one.
async fn made(tools: &Tools, category: &str, title: &str) -> Result<Option<String>> {
    let Published { structure, .. } = tools.call(GetStructure::default()).await?;
    let ids = structure.category(category).map(|category| category.ids.as_slice()).unwrap_or_default();
    Ok(ids.iter().find(|id| id.title == title).map(|id| id.code.clone()))
}

/// The proposal with this number in the list, this title, or this code.
fn find<'a>(proposals: &'a [Proposal], wanted: &str) -> Result<&'a Proposal> {
    let number = wanted.parse::<usize>().ok();
    let mut named = proposals.iter().enumerate().filter(|(at, it)| {
        number == Some(at + 1) || it.code == wanted || it.title.to_lowercase() == wanted.to_lowercase()
    });
    let missing = || format!("there is no proposal {wanted:?}: 'emm review' lists {}", proposals.len());
    named.next().map(|(_, proposal)| proposal).ok_or_else(|| Error::not_found(missing()))
}

/// `emm review adopt`.
pub(super) async fn by_script(
    setup: &Setup,
    screen: &Screen,
    session: &Session,
    wanted: &str,
    title: Option<String>,
) -> Result<Exit> {
    let proposals = session.tools.call(ListReviews {}).await?.proposals;
    let proposal = find(&proposals, wanted)?;
    if let Some(how) = by_hand(proposal) {
        return Err(Error::invalid(how));
    }
    if title.is_some() && proposal.exists {
        return Err(Error::invalid(format!(
            "{} is there already, as {}: leave --title out",
            proposal.code, proposal.title
        )));
    }
    // The list may have changed since it was looked at.
    screen.remark(headline(proposal));
    if setup.global.dry_run {
        screen.line(format_args!("would file {} items under {}", proposal.items.len(), proposal.code));
        return Ok(Exit::Done);
    }
    session.caught_up(screen).await?;
    let adopted = adopt(&session.tools, proposal, title.as_deref().unwrap_or(&proposal.title)).await?;
    screen.show(&adopted, |screen, adopted| {
        said(adopted).iter().for_each(|line| screen.line(line));
    })?;
    Ok(if adopted.failed.is_empty() { Exit::Done } else { Exit::Error })
}

/// What was done, line by line.
pub(super) fn said(adopted: &Adopted) -> Vec<String> {
    let filed = adopted.filed.iter().map(|filed| format!("+ {}", safe(&filed.note)));
    let failed = adopted.failed.iter().map(|it| format!("! {}: {}", safe(&it.place), safe(&it.reason)));
    filed.chain(failed).collect()
}

impl Adopted {
    /// The items that were filed, by their ids.
    pub(super) fn filed(&self) -> impl Iterator<Item = &str> {
        self.filed.iter().map(|filed| filed.emm_id.as_str())
    }
}

//! The decision: file where the owner said so or where emm is sure enough, else ask.

use super::{
    Settings,
    item::{Understood, Verdict},
};
use crate::{
    contracts::{
        file_system::{Decision, Item},
        jd_classifier::{Lookup, Place},
    },
    domain::{
        classify::{Guess, category},
        custody::Standing,
        inbox::Hints,
    },
    rpc::{Code, Result, Tools},
};

/// What the owner forced by the name of a folder.
pub(super) enum Forced {
    /// Nothing.
    No,
    /// This place.
    Place(Place),
    /// A number that the structure does not have.
    Unknown(String),
}

/// Looks up the id, or the category, that the item's folders name, in the structure of the sweep: another batch may be getting
/// new ids just now.
pub(super) async fn lookup(tools: &Tools, hints: &Hints, structure: &str) -> Result<Forced> {
    let Some(code) = hints.forced_id.clone().or_else(|| hints.category.clone()) else { return Ok(Forced::No) };
    match tools.call(Lookup { code: code.clone(), structure: Some(structure.to_owned()) }).await {
        Ok(place) => Ok(Forced::Place(place)),
        Err(error) if error.code == Code::NotFound => Ok(Forced::Unknown(code)),
        Err(error) => Err(error),
    }
}

/// What emm takes for the best place, for a person to say whether it is. Where a folder said something, it is no guess.
pub(super) fn guess(item: &Item, understood: &Understood) -> Option<Guess> {
    let best = understood.candidates.first()?;
    let said = item.hints.forced_id.is_some() || item.hints.category.is_some();
    (!said).then(|| Guess { code: best.code.clone(), confidence: best.probability })
}

/// What to do with an item.
pub(super) fn verdict(
    item: &Item,
    understood: &Understood,
    structure: &str,
    forced: Forced,
    settings: &Settings,
    may_consult: bool,
) -> Verdict {
    let decision = |code: &str, confidence: f64, by_person: bool| Decision {
        code: code.to_owned(),
        structure: structure.to_owned(),
        confidence,
        by_person,
        candidates: understood.candidates.clone(),
        engine: understood.engine.clone(),
        opinion: understood.opinion.clone(),
        guess: guess(item, understood),
        threshold: (!by_person).then(|| threshold(code, understood, settings)),
    };
    if matches!(item.standing, Some(Standing::Filed | Standing::Confirmed)) {
        // The same bytes are in the vault: nothing is to be decided, only to be recorded as dropped again.
        let code = understood.candidates.first().map_or("", |best| best.code.as_str());
        return Verdict::File(decision(code, 1.0, false));
    }
    if let Some(reason) = &item.folder {
        return Verdict::Ask(format!("it is a folder that is one thing ({reason})"));
    }
    if item.standing == Some(Standing::Undone) {
        return Verdict::Ask("it was filed before, and that was undone".to_owned());
    }
    match forced {
        Forced::Unknown(code) => {
            return Verdict::Ask(format!("its folder says {code}, which the structure does not have"));
        }
        Forced::Place(place) if place.files => return Verdict::File(decision(&place.code, 1.0, true)),
        // A standard zero or a header; of a category that has ids, one of these is chosen below.
        Forced::Place(Place { code, title, .. }) if item.hints.forced_id.is_some() => {
            return Verdict::Ask(format!("its folder says {code} {title}, which holds no documents"));
        }
        Forced::Place(_) | Forced::No => {}
    }
    let Some(best) = understood.candidates.first() else {
        return Verdict::Ask("nothing in the structure resembles it".to_owned());
    };
    let needed = threshold(&best.code, understood, settings);
    if best.probability >= needed {
        return Verdict::File(decision(&best.code, best.probability, false));
    }
    let clear = clear_category(understood).filter(|_| settings.new_ids);
    if let Some((category, probability)) = clear.filter(|(code, it)| *it >= threshold(code, understood, settings)) {
        let decision = decision(&category, probability, false);
        let guess = decision.guess.as_ref().map(|_| Guess { code: category.clone(), confidence: probability });
        let decision = Decision { guess, ..decision };
        return Verdict::New { category, title: understood.title.clone(), decision };
    }
    if may_consult && understood.opinion.is_none() {
        return Verdict::Doubt;
    }
    // Rounded down: 79.6 % must not read as the 80 % that it does not reach.
    let percent = |probability: f64| (probability * 100.0 + 1e-6).floor();
    let (place, category) = (&best.code, category(&best.code));
    let from = match percent(needed) {
        _ if needed == settings.threshold => format!("emm files by itself from {} %", percent(needed)),
        never if never > 100.0 => format!("emm was corrected too often to file in {category} by itself"),
        earned => format!("by what you said of {category}, emm files there by itself from {earned} %"),
    };
    Verdict::Ask(format!("the best place, {place}, is {} % likely; {from}", percent(best.probability)))
}

/// The confidence from which emm files by itself what it takes for something of this code.
fn threshold(code: &str, understood: &Understood, settings: &Settings) -> f64 {
    understood.thresholds.get(category(code)).copied().unwrap_or(settings.threshold)
}

/// The category that the candidates with ids add up to most, and their sum.
fn clear_category(understood: &Understood) -> Option<(String, f64)> {
    let mut sums = std::collections::BTreeMap::<&str, f64>::new();
    for candidate in &understood.candidates {
        if let Some((category, _)) = candidate.code.split_once('.') {
            *sums.entry(category).or_default() += candidate.probability;
        }
    }
    sums.into_iter().max_by(|a, b| a.1.total_cmp(&b.1)).map(|(category, sum)| (category.to_owned(), sum))
}

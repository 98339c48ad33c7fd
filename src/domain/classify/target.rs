//! What a structure has to say to the engine.

use super::Target;
use crate::domain::jd::{Level, Structure};

/// The places that may receive documents, with what the owner says of them.
#[must_use]
pub fn targets(structure: &Structure) -> Vec<Target> {
    let title = |code: Option<&str>| {
        code.and_then(|code| structure.find(code)).map(|place| place.title().to_owned()).unwrap_or_default()
    };
    structure
        .targets()
        .into_iter()
        .map(|place| {
            let about = place.about().cloned().unwrap_or_default();
            let category = match place.level() {
                Level::Id => place.code().split_once('.').map(|(category, _)| category),
                _ => Some(place.code()),
            };
            let area =
                structure.areas.iter().find(|area| area.categories.iter().any(|it| Some(it.code.as_str()) == category));
            Target {
                code: place.code().to_owned(),
                title: place.title().to_owned(),
                category_title: title(category),
                area_title: area.map(|area| area.name.clone()).unwrap_or_default(),
                description: about.description.unwrap_or_default(),
                keywords: about.keywords,
                examples: about.examples,
                not: about.not,
                aliases: about.aliases,
            }
        })
        .collect()
}

//! The ids of `config/starter-jd.yaml` as targets, read without the room of Johnny.Decimal.

use emm::domain::classify::Target;

use super::at;

/// Reads the ids of the starter structure: one key a line, lists in brackets.
pub(super) fn starter() -> Vec<Target> {
    let text = std::fs::read_to_string(at("config/starter-jd.yaml")).expect("the starter structure is there");
    let mut targets: Vec<Target> = Vec::new();
    let (mut category, mut area) = (String::new(), String::new());
    let mut depth = "";
    for line in text.lines() {
        let Some((key, value)) = line.trim().split_once(':') else { continue };
        let (key, value) = (key.trim_matches('"'), value.trim());
        let list = || {
            value.trim_matches(['[', ']']).split(", ").map(|item| item.trim_matches('"').to_owned()).collect::<Vec<_>>()
        };
        match (key, key.len()) {
            (_, 5) if key.contains('-') => depth = "area",
            (_, 2) if key.bytes().all(|b| b.is_ascii_digit()) => depth = "category",
            (_, 5) if key.contains('.') => {
                depth = "id";
                targets.push(Target {
                    code: key.to_owned(),
                    category_title: category.clone(),
                    area_title: area.clone(),
                    ..Target::default()
                });
            }
            ("name", _) if depth == "area" => area = value.to_owned(),
            ("name", _) => category = value.to_owned(),
            _ => {}
        }
        let Some(target) = targets.last_mut().filter(|_| depth == "id") else { continue };
        match key {
            "title" => target.title = value.to_owned(),
            "description" => target.description = value.to_owned(),
            "keywords" => target.keywords = list(),
            "examples" => target.examples = list(),
            "not" => target.not = list(),
            _ => {}
        }
    }
    assert!(targets.len() > 20, "the starter structure was read");
    targets
}

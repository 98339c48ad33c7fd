//! Codes that are malformed, and what they probably were before a YAML tool took them for numbers.

use super::code;
use super::fields::at;
use super::finding::{Edit, Finding, Rule};
use super::yaml::Node;

/// What a tool that reads numbers would write for a code: `11.10` gives `11.1`, `08` gives `8`.
pub(super) fn as_number(code: &str) -> String {
    let short = code.trim_start_matches('0');
    let short = if short.contains('.') { short.trim_end_matches('0') } else { short };
    match short {
        "" | "." => "0".to_owned(),
        short => {
            let zero = if short.starts_with('.') { "0" } else { "" };
            let tail = if short.ends_with('.') { "0" } else { "" };
            format!("{zero}{short}{tail}")
        }
    }
}

/// The finding for a key that is no code of its level, and the code it surely stands for if there is one. `siblings`
/// are all keys of the map, `index` is this one's place.
pub(super) fn malformed(
    owner: &str,
    rule: Rule,
    key: &Node,
    code: &str,
    index: usize,
    siblings: &[&str],
) -> (Finding, Option<String>) {
    let shown: String = code.chars().take(40).collect();
    let tidy = tidied(code);
    let (wants, is_code): (&str, fn(&str) -> bool) = match rule {
        Rule::MalformedArea => ("an area such as \"10-19\"", |code| code::area_number(code).is_some()),
        Rule::MalformedCategory => {
            ("a category of two digits such as \"11\"", |code| code::category_number(code).is_some())
        }
        _ => ("an id such as \"11.02\"", |code| code::id_numbers(code).is_some()),
    };
    if let Some(was) = shortened(rule, &tidy, index, siblings) {
        let message = format!(
            "{owner}: `{shown}` has lost a zero, as YAML tools do to unquoted numbers; it was {}",
            was.join(" or ")
        );
        return match was.as_slice() {
            [sure] => repaired(at(Rule::EatenId, key, message), key, sure, siblings),
            _ => (at(Rule::EatenId, key, message), None),
        };
    }
    let finding = at(rule, key, format!("{owner}: `{shown}` is not {wants}{}", advice(rule, &tidy)));
    if is_code(&tidy) { repaired(finding, key, &tidy, siblings) } else { (finding, None) }
}

/// The finding with its repair, unless the code exists already beside it.
fn repaired(finding: Finding, key: &Node, code: &str, siblings: &[&str]) -> (Finding, Option<String>) {
    if siblings.contains(&code) {
        return (finding, None);
    }
    let edit = Edit { range: key.start..key.end, text: format!("\"{code}\"") };
    (finding.fixed_by(format!("write \"{code}\""), vec![edit]), Some(code.to_owned()))
}

/// Dashes of typography and stray spaces made plain: `10 – 19` gives `10-19`.
fn tidied(code: &str) -> String {
    let plain = |letter: char| if matches!(letter, '\u{2010}'..='\u{2015}' | '\u{2212}') { '-' } else { letter };
    code.chars().map(plain).filter(|letter| !letter.is_whitespace()).collect()
}

/// What a code was before it lost a zero. One answer is sure, two are not. `None`: it has not lost one.
fn shortened(rule: Rule, code: &str, index: usize, siblings: &[&str]) -> Option<Vec<String>> {
    let one_digit = |text: &str| text.len() == 1 && text.bytes().all(|byte| byte.is_ascii_digit());
    match rule {
        Rule::MalformedCategory if one_digit(code) => Some(vec![format!("0{code}")]),
        Rule::MalformedArea if code == "0-9" => Some(vec!["00-09".to_owned()]),
        Rule::MalformedId => {
            let (category, id) = code.split_once('.')?;
            let category = if one_digit(category) { format!("0{category}") } else { category.to_owned() };
            code::category_number(&category)?;
            if id.len() == 2 && id.bytes().all(|byte| byte.is_ascii_digit()) {
                return Some(vec![format!("{category}.{id}")]);
            }
            if !one_digit(id) {
                return None;
            }
            // `11.1` is `11.10` shortened, or `11.01` written carelessly: the neighbours tell, if they can.
            if id == "0" {
                return Some(vec![format!("{category}.00")]);
            }
            let readings = vec![format!("{category}.{id}0"), format!("{category}.0{id}")];
            let fitting: Vec<String> = readings.iter().filter(|code| fits(code, index, siblings)).cloned().collect();
            Some(if fitting.len() == 1 { fitting } else { readings })
        }
        _ => None,
    }
}

/// Whether a code would stand in order between the nearest well-formed neighbours, of which there must be one.
fn fits(code: &str, index: usize, siblings: &[&str]) -> bool {
    let Some(own) = code::id_numbers(code) else { return false };
    let before = siblings.iter().take(index).rev().find_map(|other| code::id_numbers(other));
    let after = siblings.iter().skip(index + 1).find_map(|other| code::id_numbers(other));
    (before.is_some() || after.is_some())
        && before.is_none_or(|before| before < own)
        && after.is_none_or(|after| own < after)
}

/// A word of advice for common slips.
fn advice(rule: Rule, code: &str) -> String {
    let digits: String = code.chars().take_while(char::is_ascii_digit).collect();
    let digits_only = digits.len() == code.len();
    match (rule, digits.parse::<u16>()) {
        (Rule::MalformedArea, Ok(first)) if code.contains('-') && first < 1000 => {
            format!("; an area runs from a ten to its nine, here {}", code::area_code(first / 10))
        }
        (Rule::MalformedArea, Ok(first)) if digits_only && first < 1000 => {
            format!("; a category belongs under `categories:` of area {}", code::area_code(first / 10))
        }
        (Rule::MalformedId, Ok(_)) if digits_only => "; an id has its category, a point and two digits".to_owned(),
        (_, Ok(_)) if code.chars().any(char::is_alphabetic) => {
            "; the code alone is the key, the title is the value".to_owned()
        }
        _ => String::new(),
    }
}

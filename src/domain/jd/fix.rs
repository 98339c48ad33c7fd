//! Repairs of `jd.yaml` as patches of its text: comments and layout are the owner's and stay.

use std::collections::BTreeMap;

use super::finding::{Edit, Finding, Report, Rule, apply};
use super::lint::lint;
use super::yaml;

/// Sorting nests three deep (areas, categories, ids), and a repair may bring the next to light.
const ROUNDS_MAX: usize = 16;
const SINGLE_SORTS_MAX: usize = 20;

/// A repair of the whole text.
type Repair = fn(&str) -> Option<String>;
const WHOLE: [(Rule, Repair); 2] = [(Rule::Crlf, without_returns), (Rule::Tab, without_tabs)];

/// Repairs what can be repaired safely and says what that was; what `lint` still finds afterwards wants a person.
///
/// Only quotes, zeros that are surely missing, line ends, byte-order marks, tabs and the order of lines change: no
/// line, name or comment is ever lost, and a structure that was usable stays the same. Fixing a fixed text changes
/// nothing.
pub fn fix(text: &str) -> (String, Vec<Finding>) {
    let mut text = text.to_owned();
    let mut fixed = Vec::new();
    for _ in 0..ROUNDS_MAX {
        let Some((better, findings)) = round(&text) else { break };
        text = better;
        fixed.extend(findings);
    }
    (text, fixed)
}

/// One round: all repairs that do not get in each other's way. `None` when there is nothing left to do.
fn round(text: &str) -> Option<(String, Vec<Finding>)> {
    let report = lint(text);
    for (rule, repair) in WHOLE {
        let mut findings: Vec<Finding> =
            report.findings.iter().filter(|finding| finding.rule == rule).cloned().collect();
        findings.retain(|finding| finding.fix.is_some());
        if !findings.is_empty()
            && let Some(better) = repair(text)
        {
            return Some((better, findings));
        }
    }
    let repairable = || report.findings.iter().filter(|finding| !finding.edits.is_empty());
    let sorts = repairable().filter(|finding| finding.rule == Rule::Order);
    // Should one sorting not stand its check, the other repairs must not suffer from it.
    let mut attempts =
        vec![repairable().collect::<Vec<_>>(), repairable().filter(|finding| finding.rule != Rule::Order).collect()];
    attempts.extend(sorts.take(SINGLE_SORTS_MAX).map(|finding| vec![finding]));
    attempts.into_iter().find_map(|findings| checked(text, &report, findings))
}

/// Applies those of the repairs that do not overlap, and checks our own work: a usable structure must come out
/// unchanged, and there must be less to find.
fn checked(text: &str, before: &Report, findings: Vec<&Finding>) -> Option<(String, Vec<Finding>)> {
    let mut taken: BTreeMap<usize, usize> = BTreeMap::new();
    let mut fixed = Vec::new();
    for finding in findings {
        let overlaps =
            |edit: &Edit| taken.range(..edit.range.end).next_back().is_some_and(|(_, &end)| end > edit.range.start);
        if !finding.edits.iter().any(overlaps) {
            taken.extend(finding.edits.iter().map(|edit| (edit.range.start, edit.range.end)));
            fixed.push(finding.clone());
        }
    }
    if fixed.is_empty() {
        return None;
    }
    let better = apply(text, fixed.iter().flat_map(|finding| finding.edits.clone()).collect())?;
    let after = lint(&better);
    let unchanged = before.structure.is_none() || before.structure == after.structure;
    (unchanged && after.count() < before.count()).then_some((better, fixed))
}

fn without_returns(text: &str) -> Option<String> {
    Some(text.replace("\r\n", "\n").replace('\r', "\n"))
}

/// Two spaces for each tab of the indentation, if all indentation is of tabs alone and YAML comes out.
pub(super) fn without_tabs(text: &str) -> Option<String> {
    let mut better = String::with_capacity(text.len() + 64);
    for line in text.split_inclusive('\n') {
        let rest = line.trim_start_matches('\t');
        if rest.starts_with(' ') && !rest.trim().is_empty() {
            return None;
        }
        better.push_str(&"  ".repeat(line.len() - rest.len()));
        better.push_str(rest);
    }
    let body = better.strip_prefix('\u{feff}').unwrap_or(&better);
    matches!(yaml::parse(body), Ok(Some(_))).then_some(better)
}

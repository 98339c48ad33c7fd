//! Lint: `jd.yaml` read into a structure, with everything that is wrong or doubtful in it, by line.

use super::finding::{Edit, Finding, Report, Rule, Severity};
use super::read;
use super::yaml;

/// Reads the text of a `jd.yaml`. Never fails: what is wrong is a finding, and with an error there is no structure.
pub fn lint(text: &str) -> Report {
    let mut findings = surface(text);
    // A byte-order mark moves the first column and nothing else.
    let (body, base) = match text.strip_prefix('\u{feff}') {
        Some(body) => (body, '\u{feff}'.len_utf8()),
        None => (text, 0),
    };
    let mut structure = None;
    let (mut errors, mut more) = (0, 0);
    match yaml::parse(body) {
        Err(finding) => {
            errors = 1;
            let tabs = if finding.rule == Rule::Syntax { tabs(body) } else { Vec::new() };
            findings.extend(if tabs.is_empty() { vec![finding] } else { tabs });
        }
        Ok(root) => {
            let mut read = read::structure(body, root.as_ref());
            for edit in read.findings.list.iter_mut().flat_map(|finding| finding.edits.iter_mut()) {
                edit.range = edit.range.start + base..edit.range.end + base;
            }
            errors += read.findings.errors;
            more = read.findings.more;
            findings.extend(read.findings.list);
            structure = Some(read.structure);
        }
    }
    errors += findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    findings.sort_by_key(|finding| (finding.line, finding.column, finding.rule));
    Report { structure: structure.filter(|_| errors == 0), findings, more }
}

/// What is wrong with the text before it is YAML.
fn surface(text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if text.starts_with('\u{feff}') {
        let finding =
            Finding::new(Rule::Bom, 1, "the file begins with a byte-order mark, which other tools take for text");
        let edit = Edit { range: 0..'\u{feff}'.len_utf8(), text: String::new() };
        findings.push(finding.fixed_by("remove it", vec![edit]));
    }
    if let Some(line) = text.split_inclusive(['\n', '\r']).position(|line| line.ends_with('\r')) {
        let finding = Finding::new(
            Rule::Crlf,
            line + 1,
            "lines end in carriage returns (CRLF); the house style is a line feed alone",
        );
        // The repair touches every line, so `fix` does it as a whole and not as edits.
        findings.push(finding.fixed_by("end lines in line feeds", Vec::new()));
    }
    findings
}

const TABS_MAX: usize = 20;

/// Lines indented with tabs, in a text that is not YAML: the likely reason.
fn tabs(text: &str) -> Vec<Finding> {
    let indented = |line: &str| line.chars().take_while(|letter| letter.is_whitespace()).any(|letter| letter == '\t');
    let lines = text.lines().enumerate().filter(|(_, line)| indented(line) && !line.trim().is_empty());
    let words = "the line is indented with a tab, which YAML forbids; use spaces";
    let mut findings: Vec<Finding> =
        lines.take(TABS_MAX).map(|(at, _)| Finding::new(Rule::Tab, at + 1, words)).collect();
    if super::fix::without_tabs(text).is_some() {
        for finding in &mut findings {
            finding.fix = Some("indent with two spaces for each tab".to_owned());
        }
    }
    findings
}

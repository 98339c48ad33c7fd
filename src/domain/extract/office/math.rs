//! Office mathematics (OMML) as LaTeX, as far as people write it.

use super::super::xml::Element;

/// The formula below an `m:oMath`.
pub(super) fn latex(element: Element<'_>) -> String {
    element.children().map(piece).collect()
}

fn part(element: Element<'_>, name: &str) -> String {
    element.child(name).map(latex).unwrap_or_default()
}

/// Signs by their names in LaTeX, where a renderer of formulas wants them.
fn symbols(text: &str) -> String {
    const NAMES: &[(char, &str)] = &[
        ('α', "alpha"),
        ('β', "beta"),
        ('γ', "gamma"),
        ('δ', "delta"),
        ('ε', "varepsilon"),
        ('ϵ', "epsilon"),
        ('θ', "theta"),
        ('λ', "lambda"),
        ('μ', "mu"),
        ('π', "pi"),
        ('ρ', "rho"),
        ('σ', "sigma"),
        ('τ', "tau"),
        ('φ', "varphi"),
        ('ω', "omega"),
        ('Δ', "Delta"),
        ('Σ', "Sigma"),
        ('Ω', "Omega"),
        ('∞', "infty"),
        ('×', "times"),
        ('⋅', "cdot"),
        ('±', "pm"),
        ('≤', "leq"),
        ('≥', "geq"),
        ('≠', "neq"),
        ('≈', "approx"),
        ('∈', "in"),
        ('→', "to"),
        ('∂', "partial"),
        ('∇', "nabla"),
    ];
    let mut out = String::new();
    for character in text.chars() {
        match NAMES.iter().find(|(sign, _)| *sign == character) {
            Some((_, name)) => out.push_str(&format!(" \\{name} ")),
            None => out.push(character),
        }
    }
    out
}

/// A property of an element: `m:naryPr/m:chr`.
fn property<'a>(element: Element<'a>, properties: &str, name: &str) -> Option<&'a str> {
    element.path(&[properties, name])?.attr("val")
}

fn piece(element: Element<'_>) -> String {
    let (base, sup, sub) = (|| part(element, "e"), || part(element, "sup"), || part(element, "sub"));
    match element.name() {
        "r" => element.collect("t").into_iter().map(|text| symbols(&text.text())).collect(),
        "f" => format!("\\frac{{{}}}{{{}}}", part(element, "num"), part(element, "den")),
        "sSup" => format!("{}^{{{}}}", base(), sup()),
        "sSub" => format!("{}_{{{}}}", base(), sub()),
        "sSubSup" => format!("{}_{{{}}}^{{{}}}", base(), sub(), sup()),
        "sPre" => format!("_{{{}}}^{{{}}}{}", sub(), sup(), base()),
        "rad" => match part(element, "deg") {
            degree if degree.is_empty() => format!("\\sqrt{{{}}}", base()),
            degree => format!("\\sqrt[{degree}]{{{}}}", base()),
        },
        "nary" => {
            let sign = match property(element, "naryPr", "chr").unwrap_or("∫") {
                "∑" => "\\sum",
                "∏" => "\\prod",
                "∫" => "\\int",
                other => other,
            };
            format!("{sign}_{{{}}}^{{{}}}{}", sub(), sup(), base())
        }
        "d" => {
            let open = property(element, "dPr", "begChr").unwrap_or("(");
            let close = property(element, "dPr", "endChr").unwrap_or(")");
            let inner: Vec<String> = element.children().filter(|child| child.name() == "e").map(latex).collect();
            format!("\\left{open}{}\\right{close}", inner.join(","))
        }
        "func" => format!("\\{}({})", part(element, "fName").trim_start_matches('\\'), base()),
        "m" => {
            let rows = element.children().filter(|child| child.name() == "mr");
            let line = |row: Element<'_>| {
                row.children().filter(|child| child.name() == "e").map(latex).collect::<Vec<_>>().join(" & ")
            };
            rows.map(line).collect::<Vec<_>>().join(" \\\\ ")
        }
        "limLow" => format!("{}_{{{}}}", base(), part(element, "lim")),
        "limUpp" => format!("{}^{{{}}}", base(), part(element, "lim")),
        name if name.ends_with("Pr") => String::new(),
        _ => latex(element),
    }
}

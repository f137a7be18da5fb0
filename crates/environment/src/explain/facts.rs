//! The facts in `uv`'s derivation of why nothing fits, without the
//! derivation.

use domain::Text;

/// One fact that a derivation starts from, in the order of telling.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fact {
    /// The author requires this.
    Required(String),
    /// The first needs the second.
    Needs(String, String),
    /// These versions have no wheel that fits.
    NoWheel { versions: String, missing: Missing },
    /// There is no such version.
    NoVersion(String),
    /// Only these versions exist.
    Only(String),
    /// There is no such package.
    Unknown(String),
    /// Something else, in `uv`'s words.
    Other(String),
}

/// What wheels lack that don't fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Missing {
    /// The package has none at all, or it is not told why none fits.
    Any,
    /// One for this Python version.
    Python,
    /// One for this kind of machine.
    Platform,
}

/// Reads the facts, each once, first what was required. The conclusions
/// between them are left out: people find those by themselves.
pub(super) fn read(said: &str) -> Vec<Fact> {
    let mut facts: Vec<Fact> = Vec::new();
    for premise in premises(said) {
        for clause in clauses(&premise) {
            let fact = classify(&clause, facts.last());
            if let Some(fact) = fact.filter(|fact| !facts.contains(fact)) {
                facts.push(fact);
            }
        }
    }
    // `uv` derives the same thing in different orders from run to run.
    facts.sort();
    facts
}

/// The texts between each "because" and its conclusion.
fn premises(said: &str) -> Vec<String> {
    let start = said.find("ecause ").unwrap_or(said.len());
    let told = said[start..].split("hint:").next().unwrap_or_default();
    let flat = told.split_whitespace().collect::<Vec<_>>().join(" ");
    flat.split("ecause ")
        .skip(1)
        .map(|part| {
            let premise = part.split("we can conclude").next().unwrap_or_default();
            premise.trim().trim_end_matches(',').to_owned()
        })
        .collect()
}

/// Cuts at each "and" outside of braces, which hold markers.
fn clauses(premise: &str) -> Vec<String> {
    let mut clauses = vec![String::new()];
    let mut depth = 0_u32;
    for word in premise.split(' ') {
        if word == "and" && depth == 0 {
            clauses.push(String::new());
            continue;
        }
        for c in word.chars() {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        if let Some(clause) = clauses.last_mut() {
            if !clause.is_empty() {
                clause.push(' ');
            }
            clause.push_str(word);
        }
    }
    clauses
}

fn classify(clause: &str, before: Option<&Fact>) -> Option<Fact> {
    let clause = without_markers(clause);
    let clause = clause.trim().trim_end_matches(',');
    if clause.is_empty() || clause.starts_with("only the following versions") {
        return None;
    }
    if let Some(required) = clause.strip_prefix("you require ") {
        return Some(Fact::Required(required.to_owned()));
    }
    for verb in [" depends on ", " depend on "] {
        if let Some((package, needed)) = clause.split_once(verb) {
            let package = package.strip_prefix("all versions of ").unwrap_or(package);
            return Some(Fact::Needs(package.to_owned(), needed.to_owned()));
        }
    }
    if let Some(version) = clause.strip_prefix("there is no version of ") {
        return Some(Fact::NoVersion(version.to_owned()));
    }
    if let Some(only) = clause.strip_prefix("only ").and_then(|c| c.strip_suffix(" is available")) {
        return Some(Fact::Only(only.to_owned()));
    }
    for place in [
        " was not found in the package registry",
        " was not found in the provided package locations",
    ] {
        if let Some(name) = clause.strip_suffix(place) {
            return Some(Fact::Unknown(name.to_owned()));
        }
    }
    for (words, missing) in [
        ("no usable wheels", Missing::Any),
        ("no wheels with a matching Python", Missing::Python),
        ("no wheels with a matching platform tag", Missing::Platform),
    ] {
        for verb in ["has", "have"] {
            if let Some((versions, _)) = clause.split_once(&format!(" {verb} {words}")) {
                return Some(Fact::NoWheel { versions: versions.to_owned(), missing });
            }
        }
    }
    // "you require a and b": the second half has no verb of its own.
    match before {
        Some(Fact::Required(_)) if !clause.contains(' ') => Some(Fact::Required(clause.to_owned())),
        Some(Fact::Needs(package, _)) if !clause.contains(' ') => {
            Some(Fact::Needs(package.clone(), clause.to_owned()))
        }
        _ => Some(Fact::Other(clause.to_owned())),
    }
}

/// `numpy{python_full_version < '3.14'}>=2` without what stands in braces.
fn without_markers(clause: &str) -> String {
    let mut depth = 0_u32;
    clause
        .chars()
        .filter(|c| match c {
            '{' => {
                depth += 1;
                false
            }
            '}' => {
                depth = depth.saturating_sub(1);
                false
            }
            _ => depth == 0,
        })
        .collect()
}

/// The facts in one line, for both languages. `given_by` names the base image
/// for packages that the author did not ask for.
pub(super) fn told(
    facts: &[Fact],
    python: &str,
    given_by: impl Fn(&str) -> Option<String>,
) -> Text {
    let given = |fact: &&Fact| match fact {
        Fact::Required(what) => given_by(what).is_some(),
        _ => false,
    };
    let asked: Vec<String> = facts
        .iter()
        .filter(|fact| !given(fact))
        .filter_map(|fact| match fact {
            Fact::Required(what) => Some(format!("`{what}`")),
            _ => None,
        })
        .collect();
    let mut told = Vec::new();
    if !asked.is_empty() {
        told.push(Text::new(
            format!("you require {}", asked.join(" and ")),
            format!("vous demandez {}", asked.join(" et ")),
        ));
    }
    let others = facts.iter().filter(|fact| given(fact) || !matches!(fact, Fact::Required(_)));
    told.extend(others.map(|fact| fact.text(python, &given_by)));
    let join = |pick: fn(&Text) -> &str, separator: &str| {
        told.iter().map(pick).collect::<Vec<_>>().join(separator)
    };
    Text::new(join(|text| &text.en, "; "), join(|text| &text.fr, " ; "))
}

impl Fact {
    fn text(&self, python: &str, given_by: impl Fn(&str) -> Option<String>) -> Text {
        match self {
            Self::Required(what) => match given_by(what) {
                Some(image) => Text::new(
                    format!("{image} holds `{what}`"),
                    format!("{image} contient `{what}`"),
                ),
                None => {
                    Text::new(format!("you require `{what}`"), format!("vous demandez `{what}`"))
                }
            },
            Self::Needs(package, needed) => Text::new(
                format!("`{package}` needs `{needed}`"),
                format!("`{package}` a besoin de `{needed}`"),
            ),
            Self::NoWheel { versions, missing } => no_wheel(versions, *missing, python),
            Self::NoVersion(version) => Text::new(
                format!("there is no `{version}` on the index"),
                format!("`{version}` n'existe pas sur l'index"),
            ),
            Self::Only(only) => Text::new(
                format!("the index has only `{only}`"),
                format!("l'index n'a que `{only}`"),
            ),
            Self::Unknown(name) => Text::new(
                format!("there is no package `{name}` on the index"),
                format!("le paquet `{name}` n'existe pas sur l'index"),
            ),
            Self::Other(words) => Text::same(words.clone()),
        }
    }
}

fn no_wheel(versions: &str, missing: Missing, python: &str) -> Text {
    let (for_en, for_fr) = match missing {
        Missing::Platform => {
            (" for this kind of machine".to_owned(), " pour ce type de machine".to_owned())
        }
        Missing::Any | Missing::Python => {
            (format!(" for Python {python}"), format!(" pour Python {python}"))
        }
    };
    match versions.strip_prefix("all versions of ") {
        Some(name) => Text::new(
            format!("no version of `{name}` has a wheel{for_en}"),
            format!("aucune version de `{name}` n'a de wheel{for_fr}"),
        ),
        None => Text::new(
            format!("`{versions}` has no wheel{for_en}"),
            format!("`{versions}` n'a pas de wheel{for_fr}"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn english(said: &str) -> String {
        told(&read(said), "3.12", |what| (what == "scipy").then(|| "python-scientific".into())).en
    }

    #[test]
    fn a_derivation_is_reduced_to_its_facts() {
        let said = "error: No solution found when resolving dependencies
  cause: Because matplotlib<=3.7.2 has no usable wheels and matplotlib>=3.7.3,<=3.7.5 depends on \
numpy>=1.20,<2, we can conclude that matplotlib<=3.7.5 depends on numpy>=1.20,<2.
         And because you require matplotlib<3.8 and numpy>=2, we can conclude that your \
requirements are unsatisfiable.

hint: Wheels are required for `matplotlib` because building from source is disabled";
        assert_eq!(
            english(said),
            "you require `matplotlib<3.8` and `numpy>=2`; `matplotlib>=3.7.3,<=3.7.5` needs \
             `numpy>=1.20,<2`; `matplotlib<=3.7.2` has no wheel for Python 3.12"
        );
    }

    #[test]
    fn lists_of_versions_and_markers_are_left_out() {
        let said = "Because pywin32<=305 has no wheels with a matching Python ABI tag (e.g., \
`cp312`) and only the following versions of pywin32 are available:
             pywin32<=305
             pywin32>=306
         we can conclude that pywin32<306 cannot be used.
         And because pywin32>=306 has no wheels with a matching platform tag (e.g., \
`manylinux_2_36_x86_64`) and you require pywin32, we can conclude that your requirements are \
unsatisfiable.";
        assert_eq!(
            english(said),
            "you require `pywin32`; `pywin32<=305` has no wheel for Python 3.12; `pywin32>=306` has \
             no wheel for this kind of machine"
        );
        let said = "Because pandas>=3.1.0 depends on numpy{python_full_version < '3.14' and x}>=2.0.2 \
and you require scipy, we can conclude that nothing is.";
        assert_eq!(
            english(said),
            "python-scientific holds `scipy`; `pandas>=3.1.0` needs `numpy>=2.0.2`"
        );
    }

    #[test]
    fn every_kind_of_fact_is_told_in_french() {
        let said = "Because there is no version of six==9 and all versions of docopt have no \
usable wheels and nope was not found in the package registry and only a<=1 is available and a==1 \
is cursed, we can conclude that no.";
        let told = told(&read(said), "3.12", |_| None).fr;
        assert_eq!(
            told,
            "aucune version de `docopt` n'a de wheel pour Python 3.12 ; `six==9` n'existe pas sur \
             l'index ; l'index n'a que `a<=1` ; le paquet `nope` n'existe pas sur l'index ; a==1 \
             is cursed"
        );
    }
}

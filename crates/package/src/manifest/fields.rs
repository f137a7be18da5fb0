//! Reads single fields of the manifest's tree and notes what is wrong.

use std::collections::HashMap;

use domain::limits::Limits;
use domain::{Fault, Text};

use crate::code;
use crate::source::{Entry, Node, Place, Value, is_number, nearest};

/// The faults of one manifest as they are found, and what is needed to name
/// their places.
pub(super) struct Fields<'a> {
    pub(super) file: &'static str,
    /// What stands before each key in this file: `tool.mecapy.`.
    pub(super) base: &'static str,
    pub(super) limits: &'a Limits,
    pub(super) faults: Vec<Fault>,
    /// Keys that stand under another name in this file: `metadata.name` is
    /// `project.name`.
    pub(super) renamed: HashMap<&'static str, &'static str>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(file: &'static str, base: &'static str, limits: &'a Limits) -> Self {
        Self { file, base, limits, faults: Vec::new(), renamed: HashMap::new() }
    }

    /// Notes an error at a key of the manifest.
    pub(super) fn error(&mut self, at: Place, key: &str, code: &str, text: Text) {
        let shown = self.shown(key);
        let fault = Fault::error(code, text).in_file(self.file).at(at.line, at.column);
        self.faults.push(fault.at_key(shown));
    }

    /// Notes a warning at a key of the manifest.
    pub(super) fn warning(&mut self, at: Place, key: &str, code: &str, text: Text) {
        let shown = self.shown(key);
        let fault = Fault::warning(code, text).in_file(self.file).at(at.line, at.column);
        self.faults.push(fault.at_key(shown));
    }

    fn shown(&self, key: &str) -> String {
        let renamed = self.renamed.iter().find_map(|(from, to)| {
            let rest = key.strip_prefix(from)?;
            (rest.is_empty() || rest.starts_with(['.', '['])).then(|| format!("{to}{rest}"))
        });
        renamed.unwrap_or_else(|| {
            if key.is_empty() {
                self.base.trim_end_matches('.').to_owned()
            } else {
                format!("{}{key}", self.base)
            }
        })
    }

    /// The member `key` of a section; an empty one counts as absent.
    pub(super) fn get<'n>(&self, section: Option<&'n Node>, key: &str) -> Option<&'n Entry> {
        section?.get(key).filter(|entry| entry.node.value != Value::Null)
    }

    /// The subsection `key`, with its unknown keys noted.
    pub(super) fn section<'n>(
        &mut self,
        parent: Option<&'n Node>,
        path: &str,
        known: &[&str],
    ) -> Option<&'n Node> {
        let key = path.rsplit('.').next().unwrap_or(path);
        let entry = self.get(parent, key)?;
        if !matches!(entry.node.value, Value::Map(_)) {
            self.wrong_type(&entry.node, path, "a section with keys", "une section avec des clés");
            return None;
        }
        self.known_keys(&entry.node, path, known);
        Some(&entry.node)
    }

    /// Notes every key of `section` that is not known.
    pub(super) fn known_keys(&mut self, section: &Node, path: &str, known: &[&str]) {
        let Value::Map(entries) = &section.value else { return };
        for entry in entries {
            if known.contains(&entry.key.as_str()) {
                continue;
            }
            let hint = if let Some(near) = nearest(&entry.key, known.iter().copied()) {
                Text::new(
                    format!("did you mean `{near}`?"),
                    format!("vouliez-vous dire `{near}` ?"),
                )
            } else if let Some(home) = home_of(&entry.key) {
                Text::new(
                    format!("did you mean `{home}`?"),
                    format!("vouliez-vous dire `{home}` ?"),
                )
            } else {
                let list = known.join("`, `");
                Text::new(
                    format!("the keys here are `{list}`"),
                    format!("les clés sont ici `{list}`"),
                )
            };
            let full = join(path, &entry.key);
            self.error(
                entry.at,
                &full,
                code::MANIFEST_UNKNOWN_KEY,
                Text::new(
                    format!("unknown key `{}`; {}", entry.key, hint.en),
                    format!("clé inconnue `{}` ; {}", entry.key, hint.fr),
                ),
            );
        }
    }

    pub(super) fn missing(&mut self, at: Place, path: &str, example: &str) {
        let key = path.rsplit('.').next().unwrap_or(path);
        self.error(
            at,
            path,
            code::MANIFEST_MISSING_KEY,
            Text::new(
                format!("the mandatory key `{key}` is missing; for example `{example}`"),
                format!("la clé obligatoire `{key}` manque ; par exemple `{example}`"),
            ),
        );
    }

    /// A text of at most `longest` characters.
    pub(super) fn text(
        &mut self,
        section: Option<&Node>,
        path: &str,
        longest: usize,
    ) -> Option<String> {
        let key = path.rsplit('.').next().unwrap_or(path);
        let entry = self.get(section, key)?;
        self.text_of(&entry.node, path, longest)
    }

    pub(super) fn text_of(&mut self, node: &Node, path: &str, longest: usize) -> Option<String> {
        let Value::Text(text) = &node.value else {
            self.wrong_type(node, path, "a text", "un texte");
            return None;
        };
        let found = text.chars().count();
        if found > longest {
            self.error(
                node.at,
                path,
                code::MANIFEST_RANGE,
                Text::new(
                    format!("expected at most {longest} characters, found {found}"),
                    format!("au plus {longest} caractères sont attendus, trouvé {found}"),
                ),
            );
            return None;
        }
        if let Some(control) =
            text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\t' | '\r'))
        {
            let shown = control.escape_debug();
            self.error(node.at, path, code::MANIFEST_VALUE, Text::new(
                format!("expected a text without control characters, found `{shown}`; take it out"),
                format!("un texte sans caractères de contrôle est attendu, trouvé `{shown}` ; retirez-le"),
            ));
            return None;
        }
        Some(text.clone())
    }

    pub(super) fn truth(&mut self, section: Option<&Node>, path: &str) -> Option<bool> {
        let key = path.rsplit('.').next().unwrap_or(path);
        let entry = self.get(section, key)?;
        match entry.node.value {
            Value::Bool(truth) => Some(truth),
            _ => {
                self.wrong_type(&entry.node, path, "`true` or `false`", "`true` ou `false`");
                None
            }
        }
    }

    /// A whole number in a range; `unit` is shown beside it.
    pub(super) fn integer(
        &mut self,
        section: Option<&Node>,
        path: &str,
        range: std::ops::RangeInclusive<u32>,
        unit: &str,
    ) -> Option<u32> {
        let number =
            self.number(section, path, f64::from(*range.start())..=f64::from(*range.end()), unit)?;
        if number.fract() == 0.0 {
            // In range and whole, so the conversion is exact.
            return Some(number as u32);
        }
        let at = self.get(section, path.rsplit('.').next().unwrap_or(path))?.node.at;
        self.error(
            at,
            path,
            code::MANIFEST_TYPE,
            Text::new(
                format!("expected a whole number, found {number}"),
                format!("un nombre entier est attendu, trouvé {number}"),
            ),
        );
        None
    }

    /// A finite number in a range.
    pub(super) fn number(
        &mut self,
        section: Option<&Node>,
        path: &str,
        range: std::ops::RangeInclusive<f64>,
        unit: &str,
    ) -> Option<f64> {
        let key = path.rsplit('.').next().unwrap_or(path);
        let entry = self.get(section, key)?;
        let Value::Number { raw, json } = &entry.node.value else {
            self.wrong_type(&entry.node, path, "a number", "un nombre");
            return None;
        };
        let number = json.parse::<f64>().ok().filter(|number| range.contains(number));
        if number.is_none() {
            let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
            let (low, high) = (range.start(), range.end());
            let (en, fr) = if high.is_finite() {
                (format!("from {low} to {high}{unit}"), format!("de {low} à {high}{unit}"))
            } else {
                (format!("of at least {low}{unit}"), format!("d’au moins {low}{unit}"))
            };
            self.error(
                entry.node.at,
                path,
                code::MANIFEST_RANGE,
                Text::new(
                    format!("expected a number {en}, found {raw}"),
                    format!("un nombre {fr} est attendu, trouvé {raw}"),
                ),
            );
        }
        number
    }

    /// The items of a list.
    pub(super) fn list<'n>(&mut self, section: Option<&'n Node>, path: &str) -> Option<&'n [Node]> {
        let key = path.rsplit('.').next().unwrap_or(path);
        let entry = self.get(section, key)?;
        match &entry.node.value {
            Value::List(items) => Some(items),
            _ => {
                self.wrong_type(&entry.node, path, "a list", "une liste");
                None
            }
        }
    }

    pub(super) fn wrong_type(&mut self, node: &Node, path: &str, en: &str, fr: &str) {
        let (found_en, found_fr, hint) = match &node.value {
            Value::Null => ("nothing".to_owned(), "rien".to_owned(), None),
            Value::Bool(truth) => (format!("`{truth}`"), format!("`{truth}`"), Some(Hint::Quote)),
            Value::Number { raw, .. } => {
                (format!("the number {raw}"), format!("le nombre {raw}"), Some(Hint::Quote))
            }
            Value::NonFinite(name) => (format!("`{name}`"), format!("`{name}`"), None),
            Value::Text(text) => {
                let short: String = text.chars().take(60).collect();
                let unquotable = is_number(text) || matches!(text.as_str(), "true" | "false");
                let comma = is_number(&text.replacen(',', ".", 1)).then_some(Hint::Point);
                let hint = if unquotable { Some(Hint::Unquote) } else { comma };
                (format!("the text \"{short}\""), format!("le texte \"{short}\""), hint)
            }
            Value::List(_) => ("a list".to_owned(), "une liste".to_owned(), None),
            Value::Map(_) => ("a section".to_owned(), "une section".to_owned(), None),
        };
        let (hint_en, hint_fr) = match hint {
            Some(Hint::Quote) if en == "a text" => {
                ("; put it in quotes", " ; mettez-le entre guillemets")
            }
            Some(Hint::Unquote) => ("; take off the quotes", " ; ôtez les guillemets"),
            Some(Hint::Point) if en == "a number" => {
                ("; decimals have a point", " ; les décimales ont un point")
            }
            _ => ("", ""),
        };
        self.error(
            node.at,
            path,
            code::MANIFEST_TYPE,
            Text::new(
                format!("expected {en}, found {found_en}{hint_en}"),
                format!("attendu : {fr} ; trouvé : {found_fr}{hint_fr}"),
            ),
        );
    }
}

/// What would make a value of a wrong type a right one.
enum Hint {
    Quote,
    Unquote,
    Point,
}

/// `section.key`, or `key` at the top.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// The full path of a key that stands in the wrong section.
fn home_of(key: &str) -> Option<String> {
    super::sections::SECTIONS.iter().find_map(|(section, keys)| {
        (!section.is_empty() && keys.contains(&key)).then(|| format!("{section}.{key}"))
    })
}

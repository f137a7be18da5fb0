//! What a schema must keep before it is compiled: bounds, local references,
//! linear patterns, the meta-schema.

use domain::json::Pointer;
use domain::{Fault, Severity, Text};
use serde_json::Value;

use super::patterns::Weight;
use super::{Problem, Section, cost, keywords};
use crate::code;
use crate::json::{is_integer_text, shortened};

const DEEPEST: usize = 64;
const MOST_NODES: usize = 20_000;
/// Bytes of the JSON Pointers of all values together: each is written many
/// times, and a key that many values lie under stands in all of theirs.
const MOST_PLACES: usize = 4 << 20;
/// Ranges of characters in all patterns together; compiling takes about half
/// a microsecond for each.
const MOST_PATTERNS: u64 = 2_000_000;
/// Violations of the meta-schema beyond this many add nothing for whoever
/// reads them.
const MOST_INVALID: usize = 100;
const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Reports everything that would keep `schema` from being compiled safely.
pub(super) fn lint(section: Section, schema: &Value, problems: &mut Vec<Problem>) {
    let mut lint = Lint { section, root: schema, targets: None, problems, patterns: 0 };
    if !lint.bounds(schema) {
        return;
    }
    lint.targets = Some(keywords::Targets::of(schema));
    let before = lint.problems.len();
    lint.dialect();
    lint.meta_schema();
    lint.walk(&Pointer::root(), schema);
    let is_error = |problem: &Problem| problem.fault.severity == Severity::Error;
    // A warning must not keep a cycle from being found: following one ends
    // the whole program.
    if !lint.problems[before..].iter().any(is_error) {
        cost::check(section, schema, problems);
    }
}

struct Lint<'a> {
    section: Section,
    root: &'a Value,
    /// Looked for once the schema is known to be bounded.
    targets: Option<keywords::Targets<'a>>,
    problems: &'a mut Vec<Problem>,
    /// The size of the patterns so far.
    patterns: u64,
}

impl Lint<'_> {
    /// Depth and size, before anything recursive runs over the schema.
    fn bounds(&mut self, schema: &Value) -> bool {
        let mut open = vec![(schema, Pointer::root(), 0)];
        let mut nodes = 0;
        let mut places = 0;
        while let Some((value, at, depth)) = open.pop() {
            nodes += 1;
            // Counted before they are written.
            places += match value {
                Value::Object(members) => {
                    members.keys().map(|key| at.as_str().len() + key.len() + 1).sum()
                }
                Value::Array(items) => items.len() * (at.as_str().len() + 6),
                _ => 0,
            };
            if places > MOST_PLACES {
                self.error(&at, code::SCHEMA_TOO_COMPLEX, Text::new(
                    format!("the paths to the values of a schema have at most {MOST_PLACES} bytes together, those of this one have more. Shorten its keys"),
                    format!("les chemins des valeurs d’un schéma ont au plus {MOST_PLACES} octets en tout, ceux-ci en ont plus. Raccourcissez les clés"),
                ));
                return false;
            }
            if depth > DEEPEST || nodes > MOST_NODES {
                self.error(&at, code::SCHEMA_TOO_COMPLEX, Text::new(
                    format!("a schema has at most {DEEPEST} levels and {MOST_NODES} values, this one has more. Move repeated parts to `$defs` and refer to them by `$ref`"),
                    format!("un schéma a au plus {DEEPEST} niveaux et {MOST_NODES} valeurs, celui-ci en a plus. Placez les parties répétées dans `$defs` et référez-y par `$ref`"),
                ));
                return false;
            }
            match value {
                Value::Object(members) => {
                    open.extend(members.iter().map(|(key, child)| (child, at.key(key), depth + 1)));
                }
                Value::Array(items) => {
                    let items = items.iter().enumerate();
                    open.extend(items.map(|(i, child)| (child, at.index(i), depth + 1)));
                }
                Value::Number(number) => self.number(&at, number.as_str()),
                _ => {}
            }
        }
        true
    }

    fn number(&mut self, at: &Pointer, raw: &str) {
        let exponent = raw.split(['e', 'E']).nth(1).map_or(0, |e| e.parse::<i64>().unwrap_or(9999));
        let float = raw.parse::<f64>().unwrap_or(f64::INFINITY);
        if raw.len() > 400 || exponent.abs() > 400 || (!is_integer_text(raw) && float.is_infinite())
        {
            self.error(at, code::SCHEMA_INVALID, Text::new(
                "this number is beyond the range of a 64-bit float (about ±1.8e308); give a smaller one",
                "ce nombre dépasse les limites d’un flottant de 64 bits (environ ±1,8e308) ; donnez-en un plus petit",
            ));
        }
    }

    fn dialect(&mut self) {
        let Some(found) = self.root.get("$schema") else { return };
        if found.as_str().map(|uri| uri.trim_end_matches('#')) != Some(DRAFT) {
            self.error(
                &Pointer::root().key("$schema"),
                code::SCHEMA_INVALID,
                Text::new(
                    format!("expected \"{DRAFT}\" or no `$schema` at all, found {found}"),
                    format!("\"{DRAFT}\" est attendu, ou aucun `$schema`, trouvé {found}"),
                ),
            );
        }
    }

    fn meta_schema(&mut self) {
        let validator = jsonschema::draft202012::meta::validator();
        let mut found: Vec<(String, Text)> = Vec::new();
        for error in validator.iter_errors(self.root) {
            let at = error.instance_path().as_str().to_owned();
            // The meta-schema asks `anyOf` for each type; one sentence will do.
            if !found.iter().any(|(known, _)| *known == at) {
                found.push((at, super::message::of(&error)));
            }
            if found.len() == MOST_INVALID {
                break;
            }
        }
        for (at, text) in found {
            let text = Text::new(
                format!("not valid in a JSON Schema: {}", text.en),
                format!("non valable dans un JSON Schema : {}", text.fr),
            );
            let fault = Fault::error(code::SCHEMA_INVALID, text);
            self.problems.push(Problem::new(self.section, &at, fault));
        }
    }

    fn walk(&mut self, at: &Pointer, schema: &Value) {
        if let Value::Object(members) = schema {
            for (keyword, value) in members {
                self.keyword(&at.key(keyword), keyword, value);
            }
        }
        if let Some(Value::Object(entries)) = schema.get("patternProperties") {
            let here = at.key("patternProperties");
            for pattern in entries.keys() {
                self.pattern(&here.key(pattern), pattern);
            }
        }
        for (_, _, place, child) in keywords::children(schema, at) {
            self.walk(&place, child);
        }
    }

    fn keyword(&mut self, at: &Pointer, keyword: &str, value: &Value) {
        match (keyword, value) {
            ("$ref" | "$dynamicRef", Value::String(reference)) => self.reference(at, reference),
            ("pattern", Value::String(pattern)) => self.pattern(at, pattern),
            ("$id", _) if at.as_str() != "/$id" => self.error(at, code::SCHEMA_REF, Text::new(
                "`$id` inside a schema changes what its references mean; use `$defs` and `$ref: \"#/$defs/…\"`",
                "`$id` à l’intérieur d’un schéma change le sens de ses références ; employez `$defs` et `$ref: \"#/$defs/…\"`",
            )),
            ("format", Value::String(format)) => self.format(at, format),
            _ => self.misspelt(at, keyword),
        }
    }

    fn reference(&mut self, at: &Pointer, reference: &str) {
        if !reference.starts_with('#') {
            self.error(at, code::SCHEMA_REF, Text::new(
                format!("expected a reference inside this schema, such as \"#/$defs/load\", found \"{reference}\". Schemas are never fetched from a URL or a file; copy it under `$defs`"),
                format!("une référence interne au schéma est attendue, comme \"#/$defs/charge\", trouvé \"{reference}\". Aucun schéma n’est pris d’une URL ou d’un fichier ; copiez-le sous `$defs`"),
            ));
        } else if self.targets.as_ref().is_none_or(|all| all.target(reference).is_none()) {
            self.error(
                at,
                code::SCHEMA_REF,
                Text::new(
                    format!("\"{reference}\" leads nowhere in this schema"),
                    format!("\"{reference}\" ne mène nulle part dans ce schéma"),
                ),
            );
        }
    }

    fn pattern(&mut self, at: &Pointer, pattern: &str) {
        if self.patterns > MOST_PATTERNS {
            return;
        }
        self.patterns = self.patterns.saturating_add(Weight::of(pattern).size);
        if self.patterns > MOST_PATTERNS {
            self.error(at, code::SCHEMA_PATTERN, Text::new(
                format!("the patterns of a schema have at most {MOST_PATTERNS} ranges of characters together, repetitions written out; with this one there are more. Use `[A-Za-z0-9_]` in place of `\\w`, and `maxLength` in place of `{{0,100}}`"),
                format!("les motifs d’un schéma ont au plus {MOST_PATTERNS} plages de caractères en tout, répétitions développées ; celui-ci en fait trop. Utilisez `[A-Za-z0-9_]` au lieu de `\\w`, et `maxLength` au lieu de `{{0,100}}`"),
            ));
            return;
        }
        let built = regex::RegexBuilder::new(pattern).size_limit(1 << 20).build();
        if let Err(error) = built {
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
            let shown = shortened(pattern);
            self.error(at, code::SCHEMA_PATTERN, Text::new(
                format!("\"{shown}\" is no regular expression that runs in linear time ({reason}); look-around and back-references are not available"),
                format!("\"{shown}\" n’est pas une expression régulière qui s’exécute en temps linéaire ({reason}) ; ni assertions avant/arrière ni références arrière ne sont disponibles"),
            ));
        }
    }

    fn format(&mut self, at: &Pointer, format: &str) {
        const KNOWN: [&str; 19] = [
            "file",
            "date",
            "date-time",
            "time",
            "duration",
            "email",
            "idn-email",
            "hostname",
            "idn-hostname",
            "ipv4",
            "ipv6",
            "uri",
            "uri-reference",
            "iri",
            "iri-reference",
            "uuid",
            "json-pointer",
            "relative-json-pointer",
            "regex",
        ];
        if !KNOWN.contains(&format) && format != "uri-template" {
            self.warn(
                at,
                Text::new(
                    format!(
                        "the format \"{format}\" is not known and checks nothing{}",
                        did_you_mean(format, KNOWN).en
                    ),
                    format!(
                        "le format \"{format}\" n’est pas connu et ne vérifie rien{}",
                        did_you_mean(format, KNOWN).fr
                    ),
                ),
            );
        }
    }

    fn misspelt(&mut self, at: &Pointer, keyword: &str) {
        if keywords::known().any(|known| known == keyword) || keyword.starts_with("x-") {
            return;
        }
        let near = did_you_mean(keyword, keywords::known());
        if !near.en.is_empty() {
            self.warn(
                at,
                Text::new(
                    format!(
                        "\"{keyword}\" is no keyword of JSON Schema and checks nothing{}",
                        near.en
                    ),
                    format!(
                        "\"{keyword}\" n’est pas un mot-clé de JSON Schema et ne vérifie rien{}",
                        near.fr
                    ),
                ),
            );
        }
    }

    fn error(&mut self, at: &Pointer, code: &str, text: Text) {
        self.problems.push(Problem::new(self.section, at.as_str(), Fault::error(code, text)));
    }

    fn warn(&mut self, at: &Pointer, text: Text) {
        let fault = Fault::warning(code::SCHEMA_KEYWORD, text);
        self.problems.push(Problem::new(self.section, at.as_str(), fault));
    }
}

fn did_you_mean(word: &str, known: impl IntoIterator<Item = &'static str>) -> Text {
    crate::source::nearest(word, known).map_or_else(
        || Text::same(""),
        |near| {
            Text::new(
                format!("; did you mean `{near}`?"),
                format!(" ; vouliez-vous dire `{near}` ?"),
            )
        },
    )
}

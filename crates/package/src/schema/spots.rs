//! Where a schema says more than what is valid: units, files and defaults.
//!
//! Only what always applies counts: under `properties`, `items`,
//! `prefixItems`, `additionalProperties` and `allOf`, and through `$ref`. A
//! unit in a branch of `anyOf` would have to be known before it is known
//! which branch holds.

use std::collections::{HashMap, HashSet};

use domain::json::Pointer;
use domain::units::Unit;
use domain::{Fault, Text};
use serde_json::Value;

use super::keywords::{self, Relation};
use super::{Problem, Section};
use crate::code;
use crate::json::type_name;

/// What is to be done at one place of a document.
#[derive(Debug, Default)]
pub(super) struct Spot {
    /// JSON Pointer into the schema.
    pub(super) place: String,
    pub(super) unit: Option<Unit>,
    /// The property admits integers only.
    pub(super) integer: bool,
    pub(super) file: bool,
    /// JSON text.
    pub(super) default: Option<String>,
    /// Further spots for the same value.
    also: Vec<usize>,
    pub(super) properties: Vec<(String, usize)>,
    prefix: Vec<usize>,
    items: Option<usize>,
    additional: Option<usize>,
}

/// All spots of a schema; the first is the root's.
#[derive(Debug)]
pub(super) struct Spots {
    all: Vec<Spot>,
    /// Whether any spot asks for anything.
    pub(super) any: bool,
}

/// The spots of one value: the one its parent leads to and all it brings.
pub(super) type Here = Vec<usize>;

impl Spots {
    pub(super) fn root(&self) -> Here {
        self.with_also(vec![0])
    }

    /// Every spot that has a default, with what applies to its value.
    pub(super) fn defaults(&self) -> impl Iterator<Item = (Here, &str, &str)> {
        self.all.iter().enumerate().filter_map(|(index, spot)| {
            let default = spot.default.as_deref()?;
            Some((self.with_also(vec![index]), spot.place.as_str(), default))
        })
    }

    pub(super) fn get(&self, here: &Here) -> impl Iterator<Item = &Spot> {
        here.iter().map(|index| &self.all[*index])
    }

    pub(super) fn member(&self, here: &Here, key: &str) -> Here {
        let mut found = Vec::new();
        for spot in self.get(here) {
            match spot.properties.iter().find(|(name, _)| name == key) {
                Some((_, child)) => found.push(*child),
                None => found.extend(spot.additional),
            }
        }
        self.with_also(found)
    }

    pub(super) fn item(&self, here: &Here, index: usize) -> Here {
        let child = |spot: &Spot| spot.prefix.get(index).copied().or(spot.items);
        self.with_also(self.get(here).filter_map(child).collect())
    }

    /// How many items at the beginning of a list have spots of their own.
    pub(super) fn prefixed(&self, here: &Here) -> usize {
        self.get(here).map(|spot| spot.prefix.len()).max().unwrap_or(0)
    }

    /// The names of the properties that the schema describes at a JSON Pointer.
    pub(super) fn names_at(&self, pointer: &str) -> Vec<&str> {
        let mut here = self.root();
        for part in pointer.split('/').skip(1) {
            here = match part.parse() {
                Ok(index) => self.item(&here, index),
                Err(_) => self.member(&here, &part.replace("~1", "/").replace("~0", "~")),
            };
        }
        here.iter()
            .flat_map(|index| &self.all[*index].properties)
            .map(|(name, _)| name.as_str())
            .collect()
    }

    fn with_also(&self, mut here: Here) -> Here {
        let mut at = 0;
        while let Some(&index) = here.get(at) {
            for &more in &self.all[index].also {
                if !here.contains(&more) {
                    here.push(more);
                }
            }
            at += 1;
        }
        here
    }

    /// Collects the spots, and reports what stands where it can't apply.
    pub(super) fn of(section: Section, schema: &Value, problems: &mut Vec<Problem>) -> Self {
        let mut collector = Collector {
            section,
            root: schema,
            targets: keywords::Targets::of(schema),
            places: HashMap::new(),
            spots: Vec::new(),
            problems,
            seen_keywords: HashSet::new(),
        };
        collector.visit(&Pointer::root(), schema);
        collector.unreached(&Pointer::root(), schema);
        let all = collector.spots;
        let any = all.iter().any(|s| s.unit.is_some() || s.file || s.default.is_some());
        Self { all, any }
    }
}

struct Collector<'a> {
    section: Section,
    root: &'a Value,
    targets: keywords::Targets<'a>,
    places: HashMap<String, usize>,
    spots: Vec<Spot>,
    problems: &'a mut Vec<Problem>,
    seen_keywords: HashSet<String>,
}

impl<'a> Collector<'a> {
    /// The index of the spot at `at`, made where it is new. Depth is bounded
    /// by the lint that ran before.
    fn visit(&mut self, at: &Pointer, schema: &'a Value) -> usize {
        if let Some(&index) = self.places.get(at.as_str()) {
            return index;
        }
        let index = self.spots.len();
        self.places.insert(at.to_string(), index);
        self.spots.push(Spot::default());
        let mut spot = self.own(at, schema);
        for (relation, keyword, place, child) in keywords::children(schema, at) {
            // Which members are additional then depends on the patterns.
            let unsure =
                keyword == "additionalProperties" && schema.get("patternProperties").is_some();
            if unsure || !matches!(relation, Relation::Also | Relation::Child) {
                continue;
            }
            let child = self.visit(&place, child);
            match keyword {
                "allOf" => spot.also.push(child),
                "prefixItems" => spot.prefix.push(child),
                "items" => spot.items = Some(child),
                "additionalProperties" => spot.additional = Some(child),
                _ => {
                    let name = place.as_str().rsplit('/').next().unwrap_or_default();
                    spot.properties.push((name.replace("~1", "/").replace("~0", "~"), child));
                }
            }
        }
        let reference = schema.get("$ref").and_then(Value::as_str);
        if let Some(pointer) = reference.and_then(|text| self.targets.target(text))
            && let Some(target) = self.root.pointer(&pointer)
        {
            let place = pointer_of(&pointer);
            spot.also.push(self.visit(&place, target));
        }
        self.spots[index] = spot;
        index
    }

    /// What the schema at `at` itself asks for.
    fn own(&mut self, at: &Pointer, schema: &Value) -> Spot {
        let mut spot = Spot { place: at.to_string(), ..Spot::default() };
        let types = types_of(schema);
        if let Some(unit) = schema.get("unit") {
            self.seen_keywords.insert(at.key("unit").to_string());
            spot.unit = self.unit(&at.key("unit"), unit, &types);
            spot.integer = types.contains(&"integer") && !types.contains(&"number");
        }
        if schema.get("format").and_then(Value::as_str) == Some("file") {
            self.seen_keywords.insert(at.key("format").to_string());
            if types.iter().any(|name| !matches!(*name, "string" | "null")) || types.is_empty() {
                self.report(&at.key("format"), code::SCHEMA_FILE, Text::new(
                    "`format: file` needs `type: string` beside it, as the value is the reference of an uploaded file",
                    "`format: file` demande `type: string` à côté, car la valeur est la référence d’un fichier déposé",
                ));
            }
            spot.file = true;
        }
        if let Some(default) = schema.get("default") {
            self.seen_keywords.insert(at.key("default").to_string());
            if self.section == Section::Inputs {
                spot.default = Some(default.to_string());
            }
        }
        spot
    }

    fn unit(&mut self, at: &Pointer, unit: &Value, types: &[&str]) -> Option<Unit> {
        let Value::String(text) = unit else {
            let found = type_name(unit);
            self.report(at, code::SCHEMA_UNIT, Text::new(
                format!("expected a unit as text, such as `unit: \"mm²\"`, found a value of type {found}"),
                format!("une unité est attendue sous forme de texte, comme `unit: \"mm²\"`, trouvé une valeur de type {found}"),
            ));
            return None;
        };
        let numeric = |name: &&str| matches!(*name, "number" | "integer" | "null");
        if !types.iter().all(numeric) || types.iter().all(|name| *name == "null") {
            self.report(at, code::SCHEMA_UNIT, Text::new(
                "`unit` needs `type: number` or `type: integer` beside it; a list carries the unit in its `items`",
                "`unit` demande `type: number` ou `type: integer` à côté ; une liste porte l’unité dans ses `items`",
            ));
        }
        match Unit::parse(text) {
            Ok(unit) => Some(unit),
            Err(error) => {
                self.report(at, code::SCHEMA_UNIT, error.text().clone());
                None
            }
        }
    }

    /// Units, files and defaults that no certain path leads to.
    fn unreached(&mut self, at: &Pointer, schema: &Value) {
        for (keyword, applies) in [("unit", true), ("format", false), ("default", true)] {
            let counts = match schema.get(keyword) {
                None => false,
                Some(value) => applies || value.as_str() == Some("file"),
            };
            let place = at.key(keyword);
            if !counts || self.seen_keywords.contains(place.as_str()) {
                continue;
            }
            let what = if keyword == "format" { "format: file" } else { keyword };
            let text = Text::new(
                format!(
                    "`{what}` has no effect here, because this part of the schema does not always apply; put it under `properties`, `items`, `prefixItems`, `additionalProperties` or `allOf`, or refer to it from there by `$ref`"
                ),
                format!(
                    "`{what}` n’a pas d’effet ici, car cette partie du schéma ne s’applique pas toujours ; placez-le sous `properties`, `items`, `prefixItems`, `additionalProperties` ou `allOf`, ou référez-y par `$ref`"
                ),
            );
            if keyword == "default" {
                let fault = Fault::warning(code::SCHEMA_KEYWORD, text);
                self.problems.push(Problem::new(self.section, place.as_str(), fault));
            } else {
                let code = if keyword == "unit" { code::SCHEMA_UNIT } else { code::SCHEMA_FILE };
                self.report(&place, code, text);
            }
        }
        for (_, _, place, child) in keywords::children(schema, at) {
            self.unreached(&place, child);
        }
    }

    fn report(&mut self, at: &Pointer, code: &str, text: Text) {
        self.problems.push(Problem::new(self.section, at.as_str(), Fault::error(code, text)));
    }
}

/// The names in `type`, whether one or several.
pub(super) fn types_of(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// A pointer's text as a [`Pointer`], part by part.
fn pointer_of(text: &str) -> Pointer {
    text.split('/').skip(1).fold(Pointer::root(), |pointer, part| {
        pointer.key(&part.replace("~1", "/").replace("~0", "~"))
    })
}

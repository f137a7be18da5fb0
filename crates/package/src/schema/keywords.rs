//! Where the subschemas of a JSON Schema stand.

use std::collections::HashMap;

use domain::json::Pointer;
use serde_json::Value;

/// How a subschema relates to the schema that holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    /// Applies to the same value, always.
    Also,
    /// Applies to the same value, or is asked whether it would.
    Maybe,
    /// Applies to a member or item, always.
    Child,
    /// Applies to members or items that something else decides.
    MaybeChild,
    /// Applies only where a `$ref` leads to it.
    Definition,
}

const SINGLE: [(&str, Relation); 11] = [
    ("not", Relation::Maybe),
    ("if", Relation::Maybe),
    ("then", Relation::Maybe),
    ("else", Relation::Maybe),
    ("items", Relation::Child),
    ("additionalProperties", Relation::Child),
    ("contains", Relation::MaybeChild),
    ("propertyNames", Relation::MaybeChild),
    ("unevaluatedItems", Relation::MaybeChild),
    ("unevaluatedProperties", Relation::MaybeChild),
    ("contentSchema", Relation::Definition),
];
const LISTS: [(&str, Relation); 4] = [
    ("allOf", Relation::Also),
    ("anyOf", Relation::Maybe),
    ("oneOf", Relation::Maybe),
    ("prefixItems", Relation::Child),
];
const MAPS: [(&str, Relation); 5] = [
    ("properties", Relation::Child),
    ("patternProperties", Relation::MaybeChild),
    ("dependentSchemas", Relation::Maybe),
    ("$defs", Relation::Definition),
    ("definitions", Relation::Definition),
];

/// Keywords that hold no subschema.
const PLAIN: [&str; 40] = [
    "$schema",
    "$id",
    "$anchor",
    "$ref",
    "$dynamicRef",
    "$dynamicAnchor",
    "$comment",
    "$vocabulary",
    "type",
    "enum",
    "const",
    "multipleOf",
    "maximum",
    "exclusiveMaximum",
    "minimum",
    "exclusiveMinimum",
    "maxLength",
    "minLength",
    "pattern",
    "maxItems",
    "minItems",
    "uniqueItems",
    "maxContains",
    "minContains",
    "maxProperties",
    "minProperties",
    "required",
    "dependentRequired",
    "format",
    "contentEncoding",
    "contentMediaType",
    "title",
    "description",
    "default",
    "deprecated",
    "readOnly",
    "writeOnly",
    "examples",
    "unit",
    "dependencies",
];

/// Every keyword that is known here.
pub(super) fn known() -> impl Iterator<Item = &'static str> {
    let with_subschemas = SINGLE.iter().chain(&LISTS).chain(&MAPS).map(|(name, _)| *name);
    with_subschemas.chain(PLAIN)
}

/// The direct subschemas of `schema`, each with its keyword and pointer.
pub(crate) fn children<'a>(
    schema: &'a Value,
    at: &Pointer,
) -> Vec<(Relation, &'static str, Pointer, &'a Value)> {
    let Value::Object(members) = schema else { return Vec::new() };
    let mut found = Vec::new();
    for (keyword, relation) in SINGLE {
        if let Some(child) = members.get(keyword) {
            found.push((relation, keyword, at.key(keyword), child));
        }
    }
    for (keyword, relation) in LISTS {
        if let Some(Value::Array(items)) = members.get(keyword) {
            let here = at.key(keyword);
            let items = items.iter().enumerate();
            found.extend(items.map(|(i, child)| (relation, keyword, here.index(i), child)));
        }
    }
    for (keyword, relation) in MAPS {
        if let Some(Value::Object(entries)) = members.get(keyword) {
            let here = at.key(keyword);
            let entries = entries.iter();
            found.extend(entries.map(|(key, child)| (relation, keyword, here.key(key), child)));
        }
    }
    found
}

/// Where the references of a schema lead.
pub(super) struct Targets<'a> {
    root: &'a Value,
    /// Each `$anchor` with its place; looked for once, because there may be
    /// thousands of references to it.
    anchors: HashMap<&'a str, Pointer>,
}

impl<'a> Targets<'a> {
    pub(super) fn of(root: &'a Value) -> Self {
        let mut anchors = HashMap::new();
        let mut open = vec![(Pointer::root(), root)];
        while let Some((at, schema)) = open.pop() {
            for keyword in ["$anchor", "$dynamicAnchor"] {
                if let Some(name) = schema.get(keyword).and_then(Value::as_str) {
                    anchors.entry(name).or_insert_with(|| at.clone());
                }
            }
            open.extend(children(schema, &at).into_iter().map(|(_, _, at, child)| (at, child)));
        }
        Self { root, anchors }
    }

    /// The pointer that a local `$ref` leads to: `#`, `#/…` with percent
    /// escapes read, or the place of the `$anchor` that it names.
    pub(super) fn target(&self, reference: &str) -> Option<String> {
        let fragment = percent_decoded(reference.strip_prefix('#')?)?;
        if fragment.is_empty() || fragment.starts_with('/') {
            return self.root.pointer(&fragment).is_some().then_some(fragment);
        }
        self.anchors.get(fragment.as_str()).map(Pointer::to_string)
    }
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'%' {
            let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

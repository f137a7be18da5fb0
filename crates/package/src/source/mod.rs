//! A manifest as a tree in which every key and value knows its place, the
//! same for YAML and for TOML.

mod number;
mod suggest;
mod toml;
mod yaml;

pub use suggest::nearest;
pub(crate) use toml::parse as parse_toml;
pub(crate) use yaml::parse as parse_yaml;

use domain::{Fault, Text};
use serde_json::{Map, Value as Json};

use crate::code;

/// Largest manifest, in bytes.
pub(crate) const LARGEST: usize = 1 << 20;
/// Most values in a manifest, aliases counted each time they are used.
const MOST_NODES: usize = 50_000;
/// Deepest nesting; a schema alone may have 64 levels.
const DEEPEST: usize = 90;

/// Line and column, both from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

impl Place {
    pub(crate) fn of(line: usize, column: usize) -> Self {
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self { line: number(line), column: number(column) }
    }
}

/// A value and where it begins.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) at: Place,
    pub(crate) value: Value,
}

/// What a manifest can hold.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    /// The number as it was written, and as JSON writes it.
    Number {
        raw: String,
        json: String,
    },
    /// `NaN`, `Infinity` or `-Infinity`.
    NonFinite(&'static str),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key, where it begins, and its value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) at: Place,
    pub(crate) node: Node,
}

impl Node {
    /// The value as JSON; numbers keep their digits, and those that are not
    /// finite become the strings that stand for them.
    pub(crate) fn to_json(&self) -> Json {
        match &self.value {
            Value::Null => Json::Null,
            Value::Bool(truth) => Json::Bool(*truth),
            Value::Number { json, .. } => Json::Number(crate::json::number(json)),
            Value::NonFinite(name) => Json::String((*name).to_owned()),
            Value::Text(text) => Json::String(text.clone()),
            Value::List(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Value::Map(entries) => Json::Object(
                entries
                    .iter()
                    .map(|entry| (entry.key.clone(), entry.node.to_json()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }

    /// The member of a map.
    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// The place of the key or item that a JSON Pointer names, or of the
    /// nearest one above it.
    pub(crate) fn place(&self, pointer: &str) -> Place {
        let (mut node, mut place) = (self, self.at);
        for part in pointer.split('/').skip(1) {
            let part = part.replace("~1", "/").replace("~0", "~");
            let next = match &node.value {
                Value::List(items) => {
                    part.parse().ok().and_then(|i: usize| items.get(i)).map(|item| (item.at, item))
                }
                _ => node.get(&part).map(|entry| (entry.at, &entry.node)),
            };
            let Some(next) = next else { break };
            (place, node) = next;
        }
        place
    }
}

/// What reading a manifest gives: the tree, unless it is beyond reading, and
/// faults such as keys that stand twice.
pub(crate) struct Parsed {
    pub(crate) root: Option<Node>,
    pub(crate) faults: Vec<Fault>,
}

fn too_large(found: usize) -> Fault {
    Fault::error(
        code::MANIFEST_TOO_LARGE,
        Text::new(
            format!(
                "the manifest has {found} bytes, the limit is {LARGEST}. Move tables to `data/`"
            ),
            format!(
                "le manifeste fait {found} octets, la limite est de {LARGEST}. Placez les tableaux dans `data/`"
            ),
        ),
    )
}

fn too_complex(at: Place) -> Fault {
    Fault::error(
        code::MANIFEST_TOO_LARGE,
        Text::new(
            format!("the manifest expands to more than {MOST_NODES} values or {DEEPEST} levels here, aliases counted each time. Move tables to `data/`, and repeated parts of a schema to `$defs`"),
            format!("le manifeste atteint ici plus de {MOST_NODES} valeurs ou {DEEPEST} niveaux, chaque alias comptant à chaque emploi. Placez les tableaux dans `data/` et les parties répétées d’un schéma dans `$defs`"),
        ),
    )
    .at(at.line, at.column)
}

fn not_utf8(at: Place) -> Fault {
    Fault::error(
        code::MANIFEST_SYNTAX,
        Text::new(
            "expected UTF-8 text, found other bytes. Save the file as UTF-8",
            "du texte UTF-8 est attendu, trouvé d’autres octets. Enregistrez le fichier en UTF-8",
        ),
    )
    .at(at.line, at.column)
}

fn duplicate(path: &str, first: Place, at: Place) -> Fault {
    let line = first.line;
    let key = path.rsplit('.').next().unwrap_or(path);
    Fault::error(
        code::MANIFEST_DUPLICATE_KEY,
        Text::new(
            format!("`{key}` stands twice here, first on line {line}; keep one"),
            format!("`{key}` figure deux fois ici, d’abord à la ligne {line} ; n’en gardez qu’un"),
        ),
    )
    .at(at.line, at.column)
    .at_key(path)
}

/// Whether a text would be a number without its quotes.
pub(crate) fn is_number(text: &str) -> bool {
    number::to_json(text).is_some()
}

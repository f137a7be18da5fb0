//! TOML to the tree, with places from the parser's spans.

use domain::{Fault, Text};
use toml_edit::{Document, Item, TableLike, Value as Toml};

use super::{Entry, LARGEST, Node, Parsed, Place, Value, number};
use crate::code;

/// Reads a file.
pub(crate) fn parse(bytes: &[u8]) -> Parsed {
    let fail = |fault| Parsed { root: None, faults: vec![fault] };
    if bytes.len() > LARGEST {
        return fail(super::too_large(bytes.len()));
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            return fail(super::not_utf8(place(&before, before.len())));
        }
    };
    match Document::parse(text) {
        Ok(document) => {
            let lines = Lines::of(text);
            let root = lines.table(document.as_table(), Place::of(1, 1));
            Parsed { root: Some(root), faults: Vec::new() }
        }
        Err(error) => {
            let at = place(text, error.span().map_or(0, |span| span.start));
            let what = error.message();
            fail(
                Fault::error(
                    code::MANIFEST_SYNTAX,
                    Text::new(
                        format!("not valid TOML: {what}"),
                        format!("TOML non valable : {what}"),
                    ),
                )
                .at(at.line, at.column),
            )
        }
    }
}

fn place(text: &str, offset: usize) -> Place {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    Place::of(before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1));
        Self { text, starts: starts.collect() }
    }

    fn place(&self, span: Option<std::ops::Range<usize>>, otherwise: Place) -> Place {
        let Some(offset) = span.map(|span| span.start) else { return otherwise };
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts[line - 1];
        let column = self.text.get(start..offset).map_or(0, |before| before.chars().count());
        Place::of(line, column + 1)
    }

    fn table(&self, table: &dyn TableLike, at: Place) -> Node {
        let entries = table.iter().map(|(key, item)| {
            let span = table.key(key).and_then(toml_edit::Key::span);
            let at = self.place(span.or_else(|| item.span()), at);
            Entry { key: key.to_owned(), at, node: self.item(item, at) }
        });
        Node { at, value: Value::Map(entries.collect()) }
    }

    fn item(&self, item: &Item, otherwise: Place) -> Node {
        let at = self.place(item.span(), otherwise);
        match item {
            Item::None => Node { at, value: Value::Null },
            Item::Table(table) => self.table(table, at),
            Item::ArrayOfTables(tables) => {
                let items =
                    tables.iter().map(|table| self.table(table, self.place(table.span(), at)));
                Node { at, value: Value::List(items.collect()) }
            }
            Item::Value(value) => self.value(value, at),
        }
    }

    fn value(&self, value: &Toml, otherwise: Place) -> Node {
        let at = self.place(value.span(), otherwise);
        let raw = || value.span().and_then(|span| self.text.get(span)).unwrap_or_default();
        let value = match value {
            Toml::String(text) => Value::Text(text.value().clone()),
            Toml::Boolean(truth) => Value::Bool(*truth.value()),
            Toml::Datetime(instant) => Value::Text(instant.value().to_string()),
            Toml::Integer(integer) => match number::to_json(&raw().replace('_', "")) {
                Some(json) => Value::Number { raw: raw().to_owned(), json },
                None => {
                    let json = integer.value().to_string();
                    Value::Number { raw: json.clone(), json }
                }
            },
            Toml::Float(float) if float.value().is_nan() => Value::NonFinite("NaN"),
            Toml::Float(float) => match number::to_json(&raw().replace('_', "")) {
                Some(json) => Value::Number { raw: raw().to_owned(), json },
                None if *float.value() > 0.0 => Value::NonFinite("Infinity"),
                None => Value::NonFinite("-Infinity"),
            },
            Toml::Array(items) => {
                Value::List(items.iter().map(|item| self.value(item, at)).collect())
            }
            Toml::InlineTable(table) => return self.table(table, at),
        };
        Node { at, value }
    }
}

//! YAML 1.2 to the tree, from the parser's events, so that numbers keep
//! their digits and aliases are counted before they are copied.

use std::collections::HashMap;

use domain::{Fault, Text};
use serde_saphyr::granit_parser::{Event, Marker, Parser, ScalarStyle, Tag, options};

use super::{DEEPEST, Entry, LARGEST, MOST_NODES, Node, Parsed, Place, Value, number};
use crate::code;

/// Bytes of text that count as one more value.
const TEXT_OF_A_NODE: usize = 100;
/// What the parser says beyond its own bound on nesting.
const TOO_DEEP: &str = "recursion limit";

/// Reads the one document of a file.
pub(crate) fn parse(bytes: &[u8]) -> Parsed {
    let mut builder = Builder::default();
    let root = builder.read(bytes);
    let mut faults = builder.faults;
    let root = root.unwrap_or_else(|fatal| {
        faults.push(*fatal);
        None
    });
    Parsed { root, faults }
}

/// Ends the reading.
type Fatal = Box<Fault>;

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    root: Option<Node>,
    anchors: HashMap<usize, (Node, Size)>,
    nodes: usize,
    faults: Vec<Fault>,
}

/// A collection that is being filled.
struct Open {
    at: Place,
    anchor: usize,
    nodes_before: usize,
    depth: usize,
    kind: OpenKind,
}

enum OpenKind {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, key: Option<(String, Place)> },
}

/// What copying an anchored node costs.
#[derive(Clone, Copy)]
struct Size {
    nodes: usize,
    depth: usize,
}

impl Builder {
    fn read(&mut self, bytes: &[u8]) -> Result<Option<Node>, Fatal> {
        if bytes.len() > LARGEST {
            return Err(Box::new(super::too_large(bytes.len())));
        }
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            // A carriage return alone ends a line, too.
            let before = before.replace("\r\n", "\n").replace('\r', "\n");
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            Box::new(super::not_utf8(Place::of(line, column)))
        })?;
        let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
        let options =
            options! { emit_comments: false, flow_nesting_limit: 100, block_nesting_limit: 100 };
        let mut documents = 0;
        for event in Parser::new_from_str_with_options(text, options) {
            let (event, span) = event.map_err(|error| {
                if error.info().contains(TOO_DEEP) {
                    return Box::new(super::too_complex(place(error.marker())));
                }
                syntax(error.marker(), &error.info())
            })?;
            let at = place(&span.start);
            match event {
                Event::DocumentStart(..) => {
                    documents += 1;
                    if documents > 1 {
                        return Err(syntax(
                            &span.start,
                            "one document only, take out the second `---`",
                        ));
                    }
                }
                Event::Alias(id) => {
                    let (node, size) = self.anchors.get(&id).cloned().ok_or_else(|| {
                        // An anchor inside itself is not complete yet.
                        syntax(&span.start, "an alias may not refer to a value that holds it")
                    })?;
                    self.count(size.nodes, self.open.len() + size.depth, at)?;
                    self.add(node, size.depth)?;
                }
                Event::Scalar(text, style, anchor, tag) => {
                    let value = self.scalar(&text, style, tag.as_deref(), at);
                    let node = Node { at, value };
                    // An alias to a long text is as much a bomb as one to a list.
                    let nodes = 1 + text.len() / TEXT_OF_A_NODE;
                    self.count(nodes, self.open.len(), at)?;
                    if anchor > 0 {
                        self.anchors.insert(anchor, (node.clone(), Size { nodes, depth: 0 }));
                    }
                    self.add(node, 0)?;
                }
                Event::SequenceStart(_, anchor, tag) => {
                    self.tag(tag.as_deref(), "seq", at);
                    self.open(at, anchor, OpenKind::List(Vec::new()))?;
                }
                Event::MappingStart(_, anchor, tag) => {
                    self.tag(tag.as_deref(), "map", at);
                    self.open(at, anchor, OpenKind::Map { entries: Vec::new(), key: None })?;
                }
                Event::SequenceEnd | Event::MappingEnd => self.close()?,
                _ => {}
            }
        }
        // A file of comments alone has no value; `null` says the same.
        Ok(Some(self.root.take().unwrap_or(Node { at: Place::of(1, 1), value: Value::Null })))
    }

    fn open(&mut self, at: Place, anchor: usize, kind: OpenKind) -> Result<(), Fatal> {
        if let Some(Open { kind: OpenKind::Map { key: None, .. }, .. }) = self.open.last() {
            return Err(fatal(
                at,
                "a key must be text, not a list or a section",
                "une clé doit être du texte, pas une liste ni une section",
            ));
        }
        self.count(1, self.open.len(), at)?;
        let nodes_before = self.nodes - 1;
        self.open.push(Open { at, anchor, nodes_before, depth: 0, kind });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Fatal> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let value = match open.kind {
            OpenKind::List(items) => Value::List(items),
            OpenKind::Map { entries, .. } => Value::Map(entries),
        };
        let node = Node { at: open.at, value };
        if open.anchor > 0 {
            let size = Size { nodes: self.nodes - open.nodes_before, depth: open.depth };
            self.anchors.insert(open.anchor, (node.clone(), size));
        }
        self.add(node, open.depth)
    }

    /// Puts a finished value into the collection that is open.
    fn add(&mut self, node: Node, depth: usize) -> Result<(), Fatal> {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        open.depth = open.depth.max(depth + 1);
        let (mut twice, at) = (None, node.at);
        match &mut open.kind {
            OpenKind::List(items) => items.push(node),
            OpenKind::Map { entries, key } => match key.take() {
                Some((key, at)) => entries.push(Entry { key, at, node }),
                None => {
                    let Some(name) = key_text(&node.value) else {
                        return Err(fatal(
                            at,
                            "a key must be text, not a list or a section",
                            "une clé doit être du texte, pas une liste ni une section",
                        ));
                    };
                    if name == "<<" {
                        return Err(fatal(
                            at,
                            "`<<` (merge keys) is not part of YAML 1.2; write the keys out",
                            "`<<` (fusion de clés) ne fait pas partie de YAML 1.2 ; écrivez les clés",
                        ));
                    }
                    twice = entries.iter().find(|entry| entry.key == name).map(|first| first.at);
                    *key = Some((name, at));
                }
            },
        }
        if let Some(first) = twice {
            self.faults.push(super::duplicate(&self.path(), first, at));
        }
        Ok(())
    }

    /// The path of the key that was read last.
    fn path(&self) -> String {
        let keys = self.open.iter().filter_map(|open| match &open.kind {
            OpenKind::Map { key: Some((key, _)), .. } => Some(key.as_str()),
            _ => None,
        });
        keys.collect::<Vec<_>>().join(".")
    }

    fn count(&mut self, nodes: usize, depth: usize, at: Place) -> Result<(), Fatal> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MOST_NODES || depth > DEEPEST {
            return Err(Box::new(super::too_complex(at)));
        }
        Ok(())
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, at: Place) -> Value {
        let Some(tag) = tag else {
            return if style == ScalarStyle::Plain {
                number::resolve(text)
            } else {
                Value::Text(text.to_owned())
            };
        };
        match tag.core_suffix() {
            Some("str") => Value::Text(text.to_owned()),
            Some("int" | "float" | "bool" | "null") => number::resolve(text),
            _ if !tag.is_custom() && tag.suffix().is_empty() => Value::Text(text.to_owned()),
            _ => {
                self.unknown_tag(tag, at);
                Value::Text(text.to_owned())
            }
        }
    }

    fn tag(&mut self, tag: Option<&Tag>, expected: &str, at: Place) {
        if let Some(tag) = tag.filter(|tag| tag.core_suffix() != Some(expected)) {
            self.unknown_tag(tag, at);
        }
    }

    fn unknown_tag(&mut self, tag: &Tag, at: Place) {
        let tag = tag.original();
        self.faults.push(*fatal(
            at,
            &format!("the tag `{tag}` has no meaning here; take it out"),
            &format!("l’étiquette `{tag}` n’a pas de sens ici ; retirez-la"),
        ));
    }
}

fn key_text(value: &Value) -> Option<String> {
    Some(match value {
        Value::Text(text) => text.clone(),
        Value::Number { raw, .. } => raw.clone(),
        Value::Bool(truth) => truth.to_string(),
        Value::Null => "null".to_owned(),
        Value::NonFinite(name) => (*name).to_owned(),
        Value::List(_) | Value::Map(_) => return None,
    })
}

fn place(marker: &Marker) -> Place {
    Place::of(marker.line(), marker.col() + 1)
}

fn syntax(marker: &Marker, what: &str) -> Fatal {
    let (en, fr) = match FAULTS.iter().find(|(said, ..)| what.contains(said)) {
        Some((_, en, fr)) => (format!("{what}{en}"), (*fr).to_owned()),
        None => (what.to_owned(), format!("(en anglais) {what}")),
    };
    fatal(
        place(marker),
        &format!("not valid YAML 1.2: {en}"),
        &format!("YAML 1.2 non valable : {fr}"),
    )
}

/// What the parser says, with what to do about it, and in French.
const FAULTS: &[(&str, &str, &str)] = &[
    (
        "mapping values are not allowed",
        "; a text with `: ` in it stands in quotes: key: \"a: b\"",
        "un second « : » sur cette ligne ; un texte qui contient « : » se met entre guillemets : clé: \"a: b\"",
    ),
    ("one document only", "", "un seul document est attendu, retirez le second `---`"),
    ("an alias may not refer", "", "un alias ne peut pas renvoyer à une valeur qui le contient"),
    (
        "unknown anchor",
        "; `*name` needs an `&name` above; a text that begins with `*` stands in quotes",
        "ancre inconnue ; `*nom` demande un `&nom` plus haut ; un texte qui commence par `*` se met entre guillemets",
    ),
    ("tab", "; indent with spaces", "une tabulation ; indentez par des espaces"),
    (
        "did not find expected",
        "; check the indentation and the brackets above",
        "la structure s’arrête ici ; vérifiez l’indentation et les crochets au-dessus",
    ),
];

fn fatal(at: Place, en: &str, fr: &str) -> Fatal {
    Box::new(Fault::error(code::MANIFEST_SYNTAX, Text::new(en, fr)).at(at.line, at.column))
}

//! Checks a caller's inputs: units converted, defaults filled in, every
//! violation reported, and every other byte left as it came.

use std::borrow::Cow;

use domain::json::Pointer;
use domain::units::{Quantity, Unit};
use domain::{Fault, Text};
use serde_json::Value;

use super::patterns::Bytes;
use super::spots::Here;
use super::violations::violations;
use super::{Compiled, Schemas};
use crate::code;
use crate::json::{DEEPEST, ErrorKind, Json, Kind, Splices, parse, shortened};

/// Faults beyond this many add nothing for whoever reads them.
const MOST_FAULTS: usize = 100;
/// Defaults that one set of inputs may bring in; a recursive schema could
/// otherwise grow without end.
const MOST_DEFAULTS: usize = 10_000;

/// Quantities that one set of inputs may have converted; each takes about 20
/// microseconds, a plain number takes none.
const MOST_CONVERSIONS: usize = 50_000;

/// Files that one set of inputs may name; each is looked up and copied.
const MOST_FILES: usize = 1000;
/// Bytes that the places of those files may take together.
const MOST_FILE_PLACES: usize = 1 << 20;

/// Inputs that satisfy their schema.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckedInputs<'a> {
    /// The caller's own bytes where nothing was to be filled in or converted.
    pub json: Cow<'a, [u8]>,
    /// Every value of `format: file`, in the order of the document.
    pub files: Vec<FileRef>,
}

/// A value that refers to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRef {
    /// JSON Pointer of the value.
    pub pointer: String,
    /// The value.
    pub reference: String,
}

impl Schemas {
    /// Whether checking texts like these, one after another, could take too
    /// long.
    pub(crate) fn too_long<'a>(&self, inputs: impl Iterator<Item = &'a Value>) -> bool {
        let texts = inputs.map(Bytes::of_value).fold(Bytes::default(), Bytes::and);
        self.inputs.patterns.too_long(texts)
    }

    /// Checks the JSON text of a task's inputs.
    ///
    /// # Errors
    /// Every violation, with its JSON Pointer as key.
    pub fn check_inputs<'a>(&self, inputs: &'a [u8]) -> Result<CheckedInputs<'a>, Vec<Fault>> {
        let document = parse(inputs).map_err(|errors| {
            errors.into_iter().map(|error| syntax_fault(inputs, error)).collect::<Vec<_>>()
        })?;
        if !matches!(document.kind, Kind::Object(_)) {
            return Err(vec![not_an_object(&document.to_value())]);
        }
        if self.inputs.patterns.any() {
            let texts = Bytes::of(&document);
            if self.inputs.patterns.too_long(texts) {
                return Err(vec![too_much_text(texts)]);
            }
        }
        let mut filling = Filling::new(&self.inputs);
        let mut splices = Splices::default();
        if self.inputs.spots.any {
            filling.value(&Path::Root, &self.inputs.spots.root(), &document, &mut splices);
        }
        let Filling { mut faults, files, conversions, .. } = filling;
        // What was left unconverted would only be reported again as no number.
        if faults.len() >= MOST_FAULTS || conversions > MOST_CONVERSIONS {
            return Err(faults);
        }
        let json = if splices.is_empty() {
            Cow::Borrowed(inputs)
        } else {
            Cow::Owned(splices.apply(inputs))
        };
        let value = match &json {
            Cow::Borrowed(_) => document.to_value(),
            Cow::Owned(changed) => parse(changed).map_or(Value::Null, |changed| changed.to_value()),
        };
        let converted: Vec<String> = faults.iter().filter_map(|fault| fault.key.clone()).collect();
        for (at, text) in violations(&self.inputs, &value, json.len(), MOST_FAULTS, |_| true) {
            // A quantity that could not be converted has had its sentence.
            let told = |known: &String| {
                at.strip_prefix(known.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            if !converted.iter().any(told) {
                faults.push(Fault::error(code::INPUT_VIOLATION, text).at_key(at));
            }
        }
        if faults.is_empty() { Ok(CheckedInputs { json, files }) } else { Err(faults) }
    }
}

/// Where a walk is, as a list from the leaf to the root, so that a pointer is
/// only written where somebody reads it.
#[derive(Clone, Copy)]
pub(super) enum Path<'a> {
    Root,
    Key(&'a Path<'a>, &'a str),
    Index(&'a Path<'a>, usize),
}

impl Path<'_> {
    pub(super) fn pointer(&self) -> Pointer {
        match self {
            Self::Root => Pointer::root(),
            Self::Key(parent, key) => parent.pointer().key(key),
            Self::Index(parent, index) => parent.pointer().index(*index),
        }
    }

    /// The place as a fault shows it.
    fn shown(&self) -> String {
        match self {
            Self::Root => String::new(),
            Self::Key(parent, key) => {
                let last = Pointer::root().key(&shortened(key));
                parent.shown() + last.as_str()
            }
            Self::Index(parent, index) => format!("{}/{index}", parent.shown()),
        }
    }

    /// About how long the pointer is, in bytes.
    fn len(&self) -> usize {
        match self {
            Self::Root => 0,
            Self::Key(parent, key) => parent.len() + 1 + key.len(),
            Self::Index(parent, _) => parent.len() + 2,
        }
    }

    fn depth(&self) -> usize {
        match self {
            Self::Root => 0,
            Self::Key(parent, _) | Self::Index(parent, _) => 1 + parent.depth(),
        }
    }
}

/// The walk over a document that notes what to change.
pub(super) struct Filling<'a> {
    compiled: &'a Compiled,
    pub(super) faults: Vec<Fault>,
    files: Vec<FileRef>,
    file_places: usize,
    defaults: usize,
    conversions: usize,
}

impl<'a> Filling<'a> {
    pub(super) fn new(compiled: &'a Compiled) -> Self {
        Self {
            compiled,
            faults: Vec::new(),
            files: Vec::new(),
            file_places: 0,
            defaults: 0,
            conversions: 0,
        }
    }

    fn value(&mut self, at: &Path<'_>, here: &Here, value: &Json<'_>, splices: &mut Splices) {
        if here.is_empty() || self.faults.len() >= MOST_FAULTS {
            return;
        }
        let spots = &self.compiled.spots;
        let integer = spots.get(here).any(|spot| spot.integer);
        if let Some(unit) = spots.get(here).find_map(|spot| spot.unit.as_ref()) {
            return self.quantity(at, unit, integer, value, splices);
        }
        match &value.kind {
            Kind::Text(text) if spots.get(here).any(|spot| spot.file) => {
                self.file_places += at.len();
                if self.files.len() == MOST_FILES || self.file_places > MOST_FILE_PLACES {
                    self.faults.push(too_many_files().at_key(at.shown()));
                    return;
                }
                let pointer = at.pointer().to_string();
                self.files.push(FileRef { pointer, reference: text.to_string() });
            }
            Kind::List(items) => {
                let rest = spots.item(here, usize::MAX);
                let prefixed = spots.prefixed(here);
                for (index, item) in items.iter().enumerate() {
                    let at = Path::Index(at, index);
                    if index < prefixed {
                        self.value(&at, &spots.item(here, index), item, splices);
                    } else {
                        self.value(&at, &rest, item, splices);
                    }
                }
            }
            Kind::Object(members) => {
                for (key, member) in members {
                    self.value(&Path::Key(at, key), &spots.member(here, key), member, splices);
                }
                self.defaults(at, here, value, members, splices);
            }
            _ => {}
        }
    }

    fn quantity(
        &mut self,
        at: &Path<'_>,
        unit: &Unit,
        integer: bool,
        value: &Json<'_>,
        splices: &mut Splices,
    ) {
        if matches!(&value.kind, Kind::Text(text) if is_non_finite(text)) {
            return;
        }
        if matches!(value.kind, Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::List(_)) {
            return;
        }
        self.conversions += 1;
        if self.conversions > MOST_CONVERSIONS {
            if self.conversions == MOST_CONVERSIONS + 1 {
                let fault = Fault::error(code::INPUT_TOO_LARGE, too_many_conversions(unit));
                self.faults.push(fault.at_key(at.shown()));
            }
            return;
        }
        let converted = Quantity::from_json(&value.to_value())
            .unwrap_or_else(|| Quantity::parse(""))
            .and_then(|quantity| quantity.to(unit)?.to_json(integer));
        match converted {
            Ok(number) => splices.push(value.span.clone(), number.to_string()),
            Err(error) => {
                let expected = match &value.kind {
                    Kind::Text(text) if text.trim().parse::<f64>().is_ok() => no_unit(text, unit),
                    _ => no_quantity(error.text(), unit),
                };
                let fault = Fault::error(code::INPUT_UNIT, expected);
                self.faults.push(fault.at_key(at.shown()));
            }
        }
    }

    /// Inserts the members that are missing and have a default.
    fn defaults(
        &mut self,
        at: &Path<'_>,
        here: &Here,
        object: &Json<'_>,
        members: &[(Cow<'_, str>, Json<'_>)],
        splices: &mut Splices,
    ) {
        let spots = &self.compiled.spots;
        let mut added: Vec<&str> = Vec::new();
        let mut text = String::new();
        for (key, _) in spots.get(here).flat_map(|spot| &spot.properties) {
            if added.contains(&key.as_str()) || members.iter().any(|(name, _)| name == key) {
                continue;
            }
            let child = spots.member(here, key);
            let Some(default) = spots.get(&child).find_map(|spot| spot.default.as_deref()) else {
                continue;
            };
            self.defaults += 1;
            if self.defaults > MOST_DEFAULTS || at.depth() >= DEEPEST {
                self.faults.push(endless_defaults().at_key(at.shown()));
                return;
            }
            if !(members.is_empty() && added.is_empty()) {
                text.push_str(", ");
            }
            added.push(key);
            text.push_str(&Value::String(key.clone()).to_string());
            text.push_str(": ");
            text.push_str(&self.filled(&Path::Key(at, key), &child, default));
        }
        if !text.is_empty() {
            let end = object.span.end - 1;
            splices.push(end..end, text);
        }
    }

    /// A default with its own units converted and its own defaults filled in.
    pub(super) fn filled(&mut self, at: &Path<'_>, here: &Here, default: &str) -> String {
        let Ok(value) = parse(default.as_bytes()) else { return default.to_owned() };
        let mut splices = Splices::default();
        self.value(at, here, &value, &mut splices);
        if splices.is_empty() {
            return default.to_owned();
        }
        String::from_utf8(splices.apply(default.as_bytes())).unwrap_or_else(|_| default.to_owned())
    }
}

fn no_unit(text: &str, unit: &Unit) -> Text {
    let shown = Value::String(text.chars().take(60).collect());
    let number = text.trim().chars().take(60).collect::<String>();
    Text::new(
        format!(
            "expected a number in {unit} or a quantity, found {shown} without a unit. Take off the quotes or write \"{number} {unit}\""
        ),
        format!(
            "un nombre en {unit} ou une grandeur est attendu, trouvé {shown} sans unité. Ôtez les guillemets ou écrivez \"{number} {unit}\""
        ),
    )
}

fn too_many_conversions(unit: &Unit) -> Text {
    Text::new(
        format!(
            "expected at most {MOST_CONVERSIONS} quantities with a unit in one set of inputs, found more; give plain numbers in {unit}"
        ),
        format!(
            "au plus {MOST_CONVERSIONS} grandeurs avec unité sont attendues dans un jeu d’entrées, trouvé davantage ; donnez de simples nombres en {unit}"
        ),
    )
}

fn too_much_text(texts: Bytes) -> Fault {
    let bytes = texts.all();
    Fault::error(
        code::INPUT_TOO_LARGE,
        Text::new(
            format!(
                "these inputs hold {bytes} bytes of text, and matching them with the patterns of the schema could take minutes; shorten the texts, pass them as a file, or ask the author for patterns with fewer repetitions"
            ),
            format!(
                "ces entrées contiennent {bytes} octets de texte, dont la comparaison aux motifs du schéma pourrait prendre des minutes ; raccourcissez les textes, passez-les en fichier, ou demandez à l’auteur des motifs avec moins de répétitions"
            ),
        ),
    )
    .at_key("")
}

fn too_many_files() -> Fault {
    Fault::error(
        code::INPUT_TOO_LARGE,
        Text::new(
            format!(
                "expected at most {MOST_FILES} files in one set of inputs, at places of {MOST_FILE_PLACES} bytes together, found more; put them into one ZIP"
            ),
            format!(
                "au plus {MOST_FILES} fichiers sont attendus dans un jeu d’entrées, à des endroits de {MOST_FILE_PLACES} octets en tout, trouvé davantage ; réunissez-les dans un ZIP"
            ),
        ),
    )
}

fn no_quantity(why: &Text, unit: &Unit) -> Text {
    let stop = |text: &str| if text.ends_with('?') { "" } else { "." };
    Text::new(
        format!(
            "{}{} Give a number in {unit}, {{\"value\": 12, \"unit\": \"{unit}\"}} or \"12 {unit}\"",
            why.en,
            stop(&why.en)
        ),
        format!(
            "{}{} Donnez un nombre en {unit}, {{\"value\": 12, \"unit\": \"{unit}\"}} ou \"12 {unit}\"",
            why.fr,
            stop(&why.fr)
        ),
    )
}

/// The strings that stand for numbers which JSON has not.
pub(super) fn is_non_finite(text: &str) -> bool {
    matches!(text, "NaN" | "Infinity" | "-Infinity")
}

fn not_an_object(found: &Value) -> Fault {
    let name = crate::json::type_name(found);
    Fault::error(
        code::INPUT_SYNTAX,
        Text::new(
            format!("expected a JSON object such as {{\"force\": 1000}}, found a value of type {name}"),
            format!("un objet JSON est attendu, comme {{\"force\": 1000}}, trouvé une valeur de type {name}"),
        ),
    )
    .at_key("")
}

fn endless_defaults() -> Fault {
    Fault::error(
        code::INPUT_TOO_LARGE,
        Text::new(
            "the defaults of the schema bring in further defaults without end; give this value explicitly",
            "les valeurs par défaut du schéma en amènent d’autres sans fin ; donnez explicitement cette valeur",
        ),
    )
}

fn syntax_fault(text: &[u8], error: crate::json::Error) -> Fault {
    let fault = match error.kind {
        ErrorKind::Syntax(en, fr) => {
            let found = match std::str::from_utf8(&text[error.offset..]) {
                Ok(rest) => rest.chars().next().map_or_else(
                    || Text::new("the end", "la fin"),
                    |c| Text::same(format!("`{}`", c.escape_debug())),
                ),
                Err(_) => Text::new("other bytes", "d’autres octets"),
            };
            Fault::error(
                code::INPUT_SYNTAX,
                Text::new(
                    format!("expected {en}, found {}", found.en),
                    format!("attendu : {fr} ; trouvé : {}", found.fr),
                ),
            )
        }
        ErrorKind::TooDeep => Fault::error(
            code::INPUT_TOO_DEEP,
            Text::new(
                format!("expected at most {DEEPEST} levels of nesting, found more"),
                format!("au plus {DEEPEST} niveaux d’imbrication sont attendus, trouvé davantage"),
            ),
        ),
        ErrorKind::DuplicateKey(key) => Fault::error(
            code::INPUT_DUPLICATE_KEY,
            Text::new(
                format!("the key \"{key}\" stands twice in this object; keep one"),
                format!("la clé \"{key}\" figure deux fois dans cet objet ; n’en gardez qu’une"),
            ),
        ),
        ErrorKind::BeyondFloat(raw) => Fault::error(
            code::INPUT_NUMBER_RANGE,
            Text::new(
                format!(
                    "{raw} is beyond the range of a 64-bit float (about ±1.8e308); give a smaller number"
                ),
                format!(
                    "{raw} dépasse les limites d’un flottant de 64 bits (environ ±1,8e308) ; donnez un nombre plus petit"
                ),
            ),
        ),
    };
    let before = String::from_utf8_lossy(&text[..error.offset]);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let place = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    fault.at(place(line), place(column)).at_key(error.pointer.as_str())
}

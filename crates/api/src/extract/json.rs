//! JSON bodies, field by field: every fault at once with its line and column,
//! and fields that must stay the caller's exact bytes left alone.

use std::fmt;

use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use domain::{Fault, Text};
use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::place::Places;
use super::{body, place};
use crate::app::App;
use crate::problem::{Code, Problem, counted};

/// Room for the fields beside `inputs`.
const BESIDE_INPUTS: u64 = 64 << 10;
/// How many unknown fields are reported at most.
const REPORTED: usize = 20;
/// The most fields of a body. No route knows more than ten, and a million of
/// them would keep a thread from its other requests.
const FIELDS: usize = 100;
/// What the reader of a body says where it has more.
const TOO_MANY: &str = "too many fields";

/// How a field that holds any text is asked for.
pub(crate) const TEXT: (&str, &str) = ("a text", "un texte");

/// The body of a request that speaks JSON, with so much room beside its inputs;
/// an empty one means `{}`.
#[derive(Clone, Debug)]
pub(crate) struct JsonBody<const BESIDE: u64 = BESIDE_INPUTS>(Bytes);

impl<const BESIDE: u64> FromRequest<App> for JsonBody<BESIDE> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let bounds = body::Bounds {
            what: "body",
            limit: app.settings.limits.inputs_bytes + BESIDE,
            pause: app.settings.body_pause,
        };
        let bytes = body::read(&parts.headers, body, bounds).await?;
        Self::of(&parts.headers, bytes)
    }
}

impl<const BESIDE: u64> JsonBody<BESIDE> {
    /// A body that was read, where its headers say that it is JSON.
    pub(crate) fn of(headers: &HeaderMap, bytes: Bytes) -> Result<Self, Problem> {
        if !is_json(headers) && !bytes.is_empty() {
            return Err(unsupported("application/json"));
        }
        Ok(Self(bytes))
    }
}

impl JsonBody {
    /// The fields of a form as the texts of an object.
    pub(crate) async fn of_form(request: Request, app: &App) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let (limit, pause) = (BESIDE_INPUTS, app.settings.body_pause);
        let bounds = body::Bounds { what: "body", limit, pause };
        let form = body::read(&parts.headers, body, bounds).await?;
        let fields = form_urlencoded::parse(&form).map(|(name, value)| {
            format!("{}:{}", serde_json::Value::from(name), serde_json::Value::from(value))
        });
        Ok(Self(format!("{{{}}}", fields.collect::<Vec<_>>().join(",")).into()))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let sent = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media = sent.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    media.eq_ignore_ascii_case("application/json")
        || media
            .get(media.len().saturating_sub(5)..)
            .is_some_and(|end| end.eq_ignore_ascii_case("+json"))
}

/// A body of another type than `expected`.
pub(crate) fn unsupported(expected: &str) -> Problem {
    Problem::new(
        Code::UnsupportedMediaType,
        Text::new(
            format!("Send the body as {expected}, and say so in Content-Type."),
            format!("Envoyez le corps en {expected}, et indiquez-le dans Content-Type."),
        ),
    )
}

impl<const BESIDE: u64> JsonBody<BESIDE> {
    /// The bytes that came.
    pub(crate) fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// The fields of the object that came.
    pub(crate) fn fields(&self) -> Result<Fields<'_>, Problem> {
        let text = match std::str::from_utf8(&self.0) {
            Ok("") => "{}",
            Ok(text) => text,
            Err(error) => {
                let valid = String::from_utf8_lossy(&self.0[..error.valid_up_to()]);
                let at = place::of_offset(&valid, valid.len());
                return Err(malformed(at, "invalid UTF-8", "UTF-8 invalide"));
            }
        };
        let entries = match serde_json::from_str::<Entries<'_>>(text) {
            Ok(Entries(entries)) => entries,
            Err(error) if error.to_string().starts_with(TOO_MANY) => {
                let fault = Fault::error(
                    "body_too_many_fields",
                    Text::new(
                        format!(
                            "expected at most {FIELDS} fields, found more; what a function is given goes into `inputs`"
                        ),
                        format!(
                            "attendu : au plus {FIELDS} champs ; reçu davantage ; ce que reçoit une fonction va dans `inputs`"
                        ),
                    ),
                );
                let (line, column) = place::of_error(text, &error);
                return Err(refused(vec![fault.at(line, column)]));
            }
            Err(error) if error.is_data() => {
                let fault = Fault::error(
                    "body_type",
                    Text::new("expected a JSON object", "attendu : un objet JSON"),
                );
                let (line, column) = place::of_error(text, &error);
                return Err(refused(vec![fault.at(line, column)]));
            }
            Err(error) => {
                let reason = error.to_string();
                let reason = reason.split(" at line ").next().unwrap_or(&reason);
                return Err(malformed(place::of_error(text, &error), reason, french(reason)));
            }
        };
        let taken = vec![false; entries.len()];
        let mut fields = Fields {
            bytes: &self.0,
            text,
            places: Places::of(text),
            entries,
            taken,
            known: Vec::new(),
            faults: Vec::new(),
        };
        fields.refuse_duplicates();
        Ok(fields)
    }
}

fn malformed((line, column): (u32, u32), en: &str, fr: &str) -> Problem {
    let detail = Text::new(
        format!("Line {line}, column {column}: {en}."),
        format!("Ligne {line}, colonne {column} : {fr}."),
    );
    let fault = Fault::error("json_syntax", Text::new(en, fr)).at(line, column);
    Problem::new(Code::MalformedJson, detail).with_faults(vec![fault])
}

/// What is wrong with JSON, in French; the parser's own words where they are
/// new.
fn french(reason: &str) -> &str {
    match reason {
        "EOF while parsing a list" => "fin du texte dans une liste",
        "EOF while parsing an object" => "fin du texte dans un objet",
        "EOF while parsing a string" => "fin du texte dans une chaîne",
        "EOF while parsing a value" => "fin du texte à la place d'une valeur",
        "expected `:`" => "`:` attendu",
        "expected `,` or `]`" => "`,` ou `]` attendu",
        "expected `,` or `}`" => "`,` ou `}` attendu",
        "expected ident" => "`true`, `false` ou `null` attendu",
        "expected value" => "valeur attendue",
        "expected `\"`" => "`\"` attendu",
        "invalid escape" => "séquence d'échappement invalide",
        "invalid number" => "nombre invalide",
        "number out of range" => "nombre hors limites",
        "invalid unicode code point" => "point de code Unicode invalide",
        "control character (\\u0000-\\u001F) found while parsing a string" => {
            "caractère de contrôle (\\u0000-\\u001F) dans une chaîne"
        }
        "key must be a string" => "une clé doit être une chaîne",
        "lone leading surrogate in hex escape" => "demi-codet isolé dans une séquence \\u",
        "trailing comma" => "virgule de trop",
        "trailing characters" => "texte de trop après la valeur",
        "unexpected end of hex escape" => "séquence \\u inachevée",
        other => other,
    }
}

fn refused(faults: Vec<Fault>) -> Problem {
    Problem::new(Code::InvalidBody, counted(faults.len())).with_faults(faults)
}

/// The fields of a body. Each is asked for once; what nobody asked for is
/// refused by [`Fields::finish`].
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    bytes: &'a Bytes,
    text: &'a str,
    places: Places<'a>,
    entries: Vec<(String, &'a RawValue)>,
    taken: Vec<bool>,
    known: Vec<&'static str>,
    faults: Vec<Fault>,
}

impl<'a> Fields<'a> {
    /// The exact bytes of a field's value, sharing the body's memory.
    pub(crate) fn raw(&mut self, name: &'static str) -> Option<Bytes> {
        let value = self.take(name)?;
        Some(self.bytes.slice_ref(value.get().as_bytes()))
    }

    /// A field that may be missing or null.
    pub(crate) fn optional<T: DeserializeOwned>(
        &mut self,
        name: &'static str,
        expected: (&str, &str),
    ) -> Option<T> {
        let value = self.take(name)?;
        if value.get() == "null" {
            return None;
        }
        match serde_json::from_str(value.get()) {
            Ok(read) => Some(read),
            Err(_) => {
                self.unexpected(name, expected, &shorten(value.get()));
                None
            }
        }
    }

    fn unexpected(&mut self, name: &'static str, expected: (&str, &str), found: &str) {
        self.refuse(
            name,
            "body_value",
            Text::new(
                format!("expected {}, found {found}", expected.0),
                format!("attendu : {} ; reçu : {found}", expected.1),
            ),
        );
    }

    /// A whole number that may be missing or null, also where it is written as
    /// `5.0`: in JSON that is the same number.
    pub(crate) fn whole<T: TryFrom<u64>>(
        &mut self,
        name: &'static str,
        expected: (&str, &str),
    ) -> Option<T> {
        let number = self.optional::<serde_json::Number>(name, expected)?;
        let float = number.as_f64().filter(|value| value.fract() == 0.0 && *value >= 0.0);
        // Beyond 2⁵³ a float stands for several numbers.
        let float = float.filter(|value| *value < 9_007_199_254_740_992.0);
        let read = number.as_u64().or(float.map(|value| value as u64));
        let read = read.and_then(|value| T::try_from(value).ok());
        if read.is_none() {
            self.unexpected(name, expected, &number.to_string());
        }
        read
    }

    /// A field that must be there.
    pub(crate) fn required<T: DeserializeOwned>(
        &mut self,
        name: &'static str,
        expected: (&str, &str),
    ) -> Option<T> {
        let before = self.faults.len();
        let value = self.optional(name, expected);
        if value.is_none() && self.faults.len() == before {
            let message = Text::new(
                format!("the field `{name}` is missing: {}", expected.0),
                format!("le champ `{name}` manque : {}", expected.1),
            );
            self.faults.push(Fault::error("body_missing", message).at_key(format!("/{name}")));
        }
        value
    }

    /// A text that must be there; empty where it is not, which is refused.
    pub(crate) fn text(&mut self, name: &'static str) -> String {
        self.required(name, TEXT).unwrap_or_default()
    }

    /// Whether a field that is not offered is there with something in it;
    /// nobody is told to write it.
    pub(crate) fn has(&mut self, name: &'static str) -> bool {
        let is_there = self.take(name).is_some_and(|value| value.get() != "null");
        self.known.retain(|known| *known != name);
        is_there
    }

    /// Adds a fault of a field.
    pub(crate) fn refuse(&mut self, name: &str, code: &str, message: Text) {
        let fault = Fault::error(code, message).at_key(format!("/{}", shorten(name)));
        let found = self.entries.iter().find(|(key, _)| key == name);
        let fault = match found.map(|(_, value)| self.place(value)) {
            Some((line, column)) => fault.at(line, column),
            None => fault,
        };
        self.faults.push(fault);
    }

    /// Refuses the body where a field was wrong or unknown.
    pub(crate) fn finish(mut self) -> Result<(), Problem> {
        let unknown: Vec<usize> =
            (0..self.entries.len()).filter(|at| !self.taken[*at]).take(REPORTED).collect();
        for at in unknown {
            let name = shorten(&self.entries[at].0);
            let known = self.known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>();
            let (en, fr) = match nearest(&name, &self.known) {
                Some(near) => {
                    (format!("did you mean `{near}`?"), format!("vouliez-vous dire `{near}` ?"))
                }
                None => (
                    format!("expected {}", known.join(", ")),
                    format!("attendu : {}", known.join(", ")),
                ),
            };
            let message = Text::new(
                format!("unknown field `{name}`; {en}"),
                format!("champ inconnu `{name}` ; {fr}"),
            );
            let key = self.entries[at].0.clone();
            self.refuse(&key, "body_unknown_field", message);
        }
        if self.faults.is_empty() {
            return Ok(());
        }
        if self.faults.iter().all(|fault| fault.code == Code::NotOffered.as_str()) {
            let detail = counted(self.faults.len());
            return Err(Problem::new(Code::NotOffered, detail).with_faults(self.faults));
        }
        Err(refused(self.faults))
    }

    fn take(&mut self, name: &'static str) -> Option<&'a RawValue> {
        self.known.push(name);
        let at = self.entries.iter().position(|(key, _)| key == name)?;
        self.taken[at] = true;
        Some(self.entries[at].1)
    }

    fn place(&self, value: &RawValue) -> (u32, u32) {
        let offset = value.get().as_ptr() as usize - self.text.as_ptr() as usize;
        self.places.at(offset)
    }

    /// A field that stands twice would mean one thing to a proxy and another
    /// to us.
    fn refuse_duplicates(&mut self) {
        let mut seen = std::collections::HashSet::new();
        let twice: Vec<usize> = (0..self.entries.len())
            .filter(|at| !seen.insert(self.entries[*at].0.clone()))
            .take(REPORTED)
            .collect();
        for at in twice {
            self.taken[at] = true;
            let name = shorten(&self.entries[at].0);
            let (line, column) = self.place(self.entries[at].1);
            let message = Text::new(
                format!("the field `{name}` stands twice"),
                format!("le champ `{name}` figure deux fois"),
            );
            self.faults.push(
                Fault::error("body_duplicate_field", message)
                    .at(line, column)
                    .at_key(format!("/{name}")),
            );
        }
    }
}

/// The name among `known` that a mistyped one most likely meant.
pub(crate) fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let near = known.iter().map(|known| (strsim::jaro_winkler(name, known), *known));
    near.filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

/// A value for a message: what is long or unprintable says nothing.
fn shorten(text: &str) -> String {
    let mut short: String =
        text.chars().take(60).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(60).is_some() {
        short.push('…');
    }
    short
}

/// An object's members in their order, duplicates included.
struct Entries<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    if entries.len() == FIELDS {
                        return Err(serde::de::Error::custom(TOO_MANY));
                    }
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_is_one_however_it_is_written() {
        const COUNT: (&str, &str) = ("a count", "un nombre");
        let body = |text: &'static str| JsonBody::<0>(Bytes::from_static(text.as_bytes()));
        for (text, read) in [("5", Some(5)), ("5.0", Some(5)), ("5e1", Some(50)), ("null", None)] {
            let text = format!("{{\"n\": {text}}}");
            let body = JsonBody::<0>(Bytes::from(text.clone()));
            let mut fields = body.fields().unwrap();
            assert_eq!(fields.whole::<u32>("n", COUNT), read, "{text}");
            assert!(fields.finish().is_ok(), "{text}");
        }
        for text in [r#"{"n": 5.5}"#, r#"{"n": -1}"#, r#"{"n": 1e300}"#, r#"{"n": 4294967296}"#] {
            let body = body(text);
            let mut fields = body.fields().unwrap();
            assert_eq!(fields.whole::<u32>("n", COUNT), None, "{text}");
            let problem = fields.finish().unwrap_err();
            let message = &problem.faults()[0].message.en;
            assert!(message.starts_with("expected a count, found "), "{message}");
        }
    }

    fn body(text: impl Into<Bytes>) -> JsonBody {
        JsonBody(text.into())
    }

    #[test]
    fn a_raw_field_keeps_the_callers_exact_bytes() {
        let body =
            body("{\"inputs\": { \"a\" : 1.000,\n \"b\":1e400, \"a\":-0.0 } , \"priority\":3}");
        let mut fields = body.fields().unwrap();
        let raw = fields.raw("inputs").unwrap();
        assert_eq!(raw, "{ \"a\" : 1.000,\n \"b\":1e400, \"a\":-0.0 }");
        assert_eq!(fields.optional::<u8>("priority", ("", "")), Some(3));
        assert!(fields.finish().is_ok());
    }

    #[test]
    fn every_wrong_field_is_reported_with_its_place() {
        let body = body("{\n  \"inptus\": {},\n  \"priority\": \"high\", \"priority\": 1}");
        let mut fields = body.fields().unwrap();
        assert_eq!(fields.raw("inputs"), None);
        assert_eq!(fields.optional::<u8>("priority", ("an integer", "un entier")), None);
        let problem = fields.finish().unwrap_err();
        let shown: Vec<String> = problem
            .faults()
            .iter()
            .map(|fault| fault.display(domain::Lang::En).to_string())
            .collect();
        assert_eq!(
            shown,
            [
                "3:35 /priority: the field `priority` stands twice",
                "3:15 /priority: expected an integer, found \"high\"",
                "2:13 /inptus: unknown field `inptus`; did you mean `inputs`?",
            ]
        );
    }

    #[test]
    fn what_is_no_json_says_where() {
        for (text, code, place) in [
            ("{\"inputs\": {\n  \"a\": 1,}}", Code::MalformedJson, (2, 10)),
            ("[1]", Code::InvalidBody, (1, 1)),
            ("{\"a\":", Code::MalformedJson, (1, 5)),
        ] {
            let problem = body(text).fields().unwrap_err();
            assert_eq!(problem.code(), code, "{text}");
            let fault = &problem.faults()[0];
            assert_eq!((fault.line, fault.column), (Some(place.0), Some(place.1)), "{text}");
        }
        let many: String = (0..1_000_000).map(|number| format!("\"k{number}\": 1,")).collect();
        let many = body(format!("{{{many}"));
        let problem = many.fields().unwrap_err();
        assert_eq!(problem.faults()[0].code, "body_too_many_fields");
        let broken = body(&b"{\"a\": \"\xff\"}"[..]).fields().unwrap_err();
        assert_eq!((broken.faults()[0].line, broken.faults()[0].column), (Some(1), Some(8)));
    }

    #[test]
    fn nesting_costs_no_stack() {
        let deep = format!("{{\"inputs\": {}{}}}", "[".repeat(1_000_000), "]".repeat(1_000_000));
        let body = body(deep);
        let mut fields = body.fields().unwrap();
        assert_eq!(fields.raw("inputs").map(|raw| raw.len()), Some(2_000_000));
    }

    #[test]
    fn an_empty_body_is_an_empty_object() {
        let body = body("");
        assert!(body.fields().unwrap().finish().is_ok());
    }
}

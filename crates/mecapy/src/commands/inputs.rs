//! Inputs from the command line: `key=value`, a file, uploaded files.
//!
//! Numbers keep their text: what is JSON is sent as it was written, so no
//! digit of `0.1000000000000000055` or of a forty-digit integer is lost.

use std::collections::HashSet;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use domain::Text;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::follow;
use crate::client::{Client, unreadable};
use crate::console::Console;
use crate::exit::Failure;

/// The arguments that give inputs.
#[derive(Debug, Default, Args)]
pub struct Inputs {
    /// Inputs: JSON where it is JSON, else text, e.g. force=1000 section="10 cm²"
    #[arg(value_name = "KEY=VALUE")]
    pub pairs: Vec<String>,
    /// JSON file with inputs, `-` for standard input; pairs come on top
    #[arg(long, value_name = "FILE")]
    pub inputs: Option<PathBuf>,
    /// File to upload as an input; may be repeated
    #[arg(long = "file", value_name = "KEY=PATH")]
    pub files: Vec<String>,
}

impl Inputs {
    /// One JSON object.
    ///
    /// # Errors
    /// When a pair has no `=`, a file can't be read or is no JSON object, or
    /// an upload is refused.
    pub fn read(&self, client: &Client, console: Console) -> Result<Box<RawValue>, Failure> {
        let mut base = match &self.inputs {
            Some(path) => Some(document(path)?),
            None => None,
        };
        if self.pairs.is_empty() && self.files.is_empty() {
            // The caller's own bytes, spaces included.
            return Ok(base.take().unwrap_or_else(|| raw("{}".to_owned())));
        }
        let mut members = match &base {
            Some(base) => members(base, self.inputs.as_deref().unwrap_or(Path::new("-")))?,
            None => Members::default(),
        };
        let mut given = HashSet::new();
        for pair in self.pairs.iter().chain(&self.files) {
            let (key, _) = split(pair)?;
            if !given.insert(key) {
                return Err(twice(key));
            }
        }
        for pair in &self.pairs {
            let (key, value) = split(pair)?;
            members.put(key, value_of(value));
        }
        for pair in &self.files {
            let (key, path) = split(pair)?;
            let bar = |bytes| follow::upload(console, bytes);
            let reference = client.upload_file(Path::new(path), bar)?;
            members.put(key, text(&reference));
        }
        Ok(members.join())
    }

    /// The inputs that a server refused, with numbers and `true` as the texts
    /// that they were written as, where the function takes nothing but a text
    /// there: `grade=8.8` of a class of bolts. `None` where that changes
    /// nothing.
    #[must_use]
    pub fn as_texts(&self, sent: &RawValue, schema: &Value) -> Option<Box<RawValue>> {
        let mut members: Members = serde_json::from_str(sent.get()).ok()?;
        let mut changed = false;
        for (key, written) in self.pairs.iter().filter_map(|pair| split(pair).ok()) {
            let is_scalar =
                matches!(serde_json::from_str(written), Ok(Value::Number(_) | Value::Bool(_)));
            if is_scalar && takes_only_texts(&schema["properties"][key]) {
                members.put(key, text(written));
                changed = true;
            }
        }
        changed.then(|| members.join())
    }

    /// What to say of a text that was given where a file is expected.
    #[must_use]
    pub fn files_to_send(&self, schema: &Value) -> Vec<Text> {
        let pairs = self.pairs.iter().filter_map(|pair| split(pair).ok());
        pairs
            .filter(|(key, _)| schema["properties"][*key]["format"] == "file")
            .map(|(key, value)| {
                Text::new(
                    format!("`--file {key}={value}` sends the file and gives its reference"),
                    format!("`--file {key}={value}` envoie le fichier et donne sa référence"),
                )
            })
            .collect()
    }
}

/// Whether a property admits texts and nothing else.
fn takes_only_texts(property: &Value) -> bool {
    let all_texts = |options: &Value| {
        options.as_array().is_some_and(|options| options.iter().all(Value::is_string))
    };
    match property.get("type") {
        Some(kind) => kind == "string",
        None => property.get("enum").is_some_and(all_texts),
    }
}

fn twice(key: &str) -> Failure {
    Failure::usage(
        format!("`{key}` is given twice; give it once"),
        format!("`{key}` est donnée deux fois ; donnez-la une fois"),
    )
}

fn split(pair: &str) -> Result<(&str, &str), Failure> {
    pair.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or_else(|| {
        Failure::usage(
            format!("expected an input as KEY=VALUE, found `{pair}`"),
            format!("une entrée sous la forme CLÉ=VALEUR était attendue, trouvé : `{pair}`"),
        )
    })
}

/// What is JSON is taken as it is written, everything else is a text.
fn value_of(written: &str) -> Box<RawValue> {
    match serde_json::from_str::<&RawValue>(written) {
        Ok(value) => value.to_owned(),
        Err(_) => text(written),
    }
}

fn text(value: &str) -> Box<RawValue> {
    raw(serde_json::to_string(value).expect("a text has a JSON form"))
}

fn raw(json: String) -> Box<RawValue> {
    RawValue::from_string(json).expect("these texts are written as JSON")
}

fn document(path: &Path) -> Result<Box<RawValue>, Failure> {
    let content = if path == Path::new("-") {
        let mut content = Vec::new();
        std::io::stdin().read_to_end(&mut content).map(|_| content)
    } else {
        std::fs::read(path)
    };
    let content = content.map_err(|error| unreadable(path, &error))?;
    let value = serde_json::from_slice::<Box<RawValue>>(&content);
    let value = value.map_err(|error| no_object(path, &error.to_string()))?;
    if value.get().starts_with('{') {
        Ok(value)
    } else {
        let start: String = value.get().chars().take(40).collect();
        Err(no_object(path, &start))
    }
}

fn members(base: &RawValue, path: &Path) -> Result<Members, Failure> {
    serde_json::from_str(base.get()).map_err(|error| no_object(path, &error.to_string()))
}

fn no_object(path: &Path, found: &str) -> Failure {
    let shown = path.display();
    Failure::usage(
        format!("{shown}: expected one JSON object with the inputs, found: {found}"),
        format!("{shown} : un objet JSON avec les entrées était attendu, trouvé : {found}"),
    )
}

/// An object's members in order, each value with its own bytes.
#[derive(Debug, Default)]
struct Members(Vec<(String, Box<RawValue>)>);

impl Members {
    fn put(&mut self, key: &str, value: Box<RawValue>) {
        self.0.retain(|(known, _)| known != key);
        self.0.push((key.to_owned(), value));
    }

    fn join(&self) -> Box<RawValue> {
        let members: Vec<String> =
            self.0.iter().map(|(key, value)| format!("{}:{}", text(key), value)).collect();
        raw(format!("{{{}}}", members.join(",")))
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Members::default();
                while let Some((key, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    members.put(&key, value);
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::settings::Variables;

    fn read(pairs: &[&str], file: Option<&str>) -> Result<String, Failure> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("inputs.json");
        let inputs = Inputs {
            pairs: pairs.iter().map(|pair| (*pair).to_owned()).collect(),
            inputs: file.map(|content| {
                std::fs::write(&path, content).unwrap();
                path.clone()
            }),
            files: Vec::new(),
        };
        let client = Client::at("http://127.0.0.1:1".into(), None, domain::Lang::En);
        let console = Console::new(domain::Lang::En, true, &Variables::default());
        inputs.read(&client, console).map(|value| value.get().to_owned())
    }

    #[test]
    fn numbers_keep_every_digit_and_what_is_no_json_is_a_text() {
        let sent = read(
            &[
                "a=0.1000000000000000055511151231257827",
                "b=-0.0",
                "c=1E400",
                "d=10 cm²",
                "e=true",
                "f=[1, 2]",
                "g=",
                "h=x=y",
                "i=1,5",
            ],
            None,
        )
        .unwrap();
        assert_eq!(
            sent,
            r#"{"a":0.1000000000000000055511151231257827,"b":-0.0,"c":1E400,"d":"10 cm²","e":true,"f":[1, 2],"g":"","h":"x=y","i":"1,5"}"#
        );
    }

    #[test]
    fn a_file_is_sent_as_it_is_and_pairs_replace_its_members() {
        let file = "{ \"force\" : 1.0e3,\n \"section\": 10 }";
        assert_eq!(read(&[], Some(file)).unwrap(), file);
        assert_eq!(read(&["force=2.50"], Some(file)).unwrap(), r#"{"section":10,"force":2.50}"#);
        assert_eq!(read(&[], None).unwrap(), "{}");
    }

    #[test]
    fn wrong_inputs_are_refused_in_both_languages() {
        let failure = read(&["force"], None).unwrap_err();
        assert_eq!(failure.text.en, "expected an input as KEY=VALUE, found `force`");
        assert!(failure.text.fr.contains("CLÉ=VALEUR"));
        let failure = read(&[], Some("[1]")).unwrap_err();
        assert!(failure.text.en.ends_with("expected one JSON object with the inputs, found: [1]"));
        assert!(read(&[], Some("{")).is_err());
    }

    #[test]
    fn what_is_given_twice_is_refused() {
        let failure = read(&["force=1", "section=1", "force=2"], None).unwrap_err();
        assert_eq!(failure.text.en, "`force` is given twice; give it once");
        assert_eq!(failure.text.fr, "`force` est donnée deux fois ; donnez-la une fois");
    }

    #[test]
    fn a_number_becomes_a_text_where_only_texts_are_taken() {
        let schema = serde_json::json!({"properties": {
            "grade": {"type": "string", "enum": ["8.8", "10.9"]},
            "class": {"enum": ["4.6", "5.6"]},
            "force": {"type": "number"},
            "either": {"type": ["string", "number"]},
        }});
        let pairs = ["grade=8.80", "class=4.6", "force=1.0", "either=1", "other=1"];
        let inputs = Inputs { pairs: pairs.map(str::to_owned).to_vec(), ..Inputs::default() };
        let sent = raw(r#"{"grade":8.80,"class":4.6,"force":1.0,"either":1,"other":1}"#.to_owned());
        let again = inputs.as_texts(&sent, &schema).unwrap();
        assert_eq!(
            again.get(),
            r#"{"force":1.0,"either":1,"other":1,"grade":"8.80","class":"4.6"}"#
        );
        let inputs = Inputs { pairs: vec!["force=1.0".to_owned()], ..Inputs::default() };
        assert!(inputs.as_texts(&sent, &schema).is_none());
    }

    proptest! {
        #[test]
        fn every_float_is_sent_with_the_digits_it_was_written_with(bits in any::<u64>()) {
            let number = f64::from_bits(bits);
            prop_assume!(number.is_finite());
            let written = format!("{number:e}");
            let sent = read(&[&format!("x={written}")], Some("{\"y\":1}")).unwrap();
            prop_assert_eq!(sent, format!("{{\"y\":1,\"x\":{written}}}"));
        }
    }
}

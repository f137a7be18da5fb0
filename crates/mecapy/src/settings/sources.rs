//! What each source gives, as text, and where it stood.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use domain::Text;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Variables;
use super::table::{self, Setting};

/// What the command line says.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--data`.
    pub data: Option<PathBuf>,
    /// `--port`.
    pub port: Option<u16>,
    /// `--api-url`.
    pub api_url: Option<String>,
}

/// A value as it was written, not yet checked.
#[derive(Clone, Debug)]
pub(super) struct Given {
    /// One text, or the items of an array.
    pub(super) raw: Raw,
    /// Where it stood.
    pub(super) origin: Origin,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Raw {
    Text(String),
    Items(Vec<String>),
}

/// Where a value stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Flag(&'static str),
    Variable(&'static str),
    File { path: PathBuf, line: usize, key: &'static str },
}

impl Origin {
    /// The place in words.
    pub(super) fn text(&self) -> Text {
        match self {
            Self::Flag(flag) => Text::new(format!("the option {flag}"), format!("l’option {flag}")),
            Self::Variable(name) => Text::new(
                format!("the environment variable {name}"),
                format!("la variable d’environnement {name}"),
            ),
            Self::File { path, line, key } => {
                Text::same(format!("{}:{line} `{key}`", path.display()))
            }
        }
    }
}

/// Values by the name of their setting; the first source that has one wins.
pub(super) struct Sources {
    pub(super) given: BTreeMap<&'static str, Given>,
    pub(super) config: Option<PathBuf>,
    pub(super) faults: Vec<Text>,
}

impl Sources {
    /// Flags, then variables, then the file.
    pub(super) fn read(variables: &Variables, flags: &Flags) -> Self {
        let mut sources = Self { given: BTreeMap::new(), config: None, faults: Vec::new() };
        sources.add_flags(flags);
        sources.add_variables(variables);
        match sources.config_file(variables) {
            Some((path, true)) => sources.add_file(path),
            Some((path, false)) if path.is_file() => sources.add_file(path),
            _ => {}
        }
        sources
    }

    fn put(&mut self, setting: &'static Setting, raw: Raw, origin: Origin) {
        self.given.entry(setting.name).or_insert(Given { raw, origin });
    }

    fn add_flags(&mut self, flags: &Flags) {
        let path = |path: &PathBuf| path.to_string_lossy().into_owned();
        for (name, flag, value) in [
            ("MECAPY_CONFIG", "--config", flags.config.as_ref().map(path)),
            ("MECAPY_DATA", "--data", flags.data.as_ref().map(path)),
            ("PORT", "--port", flags.port.map(|port| port.to_string())),
            ("MECAPY_API_URL", "--api-url", flags.api_url.clone()),
        ] {
            if let (Some(value), Some(setting)) = (value, table::by_name(name)) {
                self.put(setting, Raw::Text(value), Origin::Flag(flag));
            }
        }
    }

    fn add_variables(&mut self, variables: &Variables) {
        for (name, value) in variables.iter() {
            match table::by_name(name) {
                Some(setting) => {
                    self.put(setting, Raw::Text(value.to_owned()), Origin::Variable(setting.name));
                }
                None if name.starts_with("MECAPY_") => self.faults.push(unknown_variable(name)),
                None => {}
            }
        }
    }

    /// The file to read, and whether it was asked for by name: only then is
    /// its absence a fault.
    fn config_file(&self, variables: &Variables) -> Option<(PathBuf, bool)> {
        let text = |name| match self.given.get(name).map(|given| &given.raw) {
            Some(Raw::Text(text)) => Some(PathBuf::from(text)),
            _ => None,
        };
        if let Some(path) = text("MECAPY_CONFIG") {
            return Some((path, true));
        }
        let data = text("MECAPY_DATA").unwrap_or_else(|| super::paths::data(variables));
        [data.join("mecapy.toml"), PathBuf::from("/etc/mecapy/mecapy.toml")]
            .into_iter()
            .find(|path| path.is_file())
            .map(|path| (path, false))
    }

    fn add_file(&mut self, path: PathBuf) {
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) => {
                let shown = path.display();
                self.faults.push(Text::new(
                    format!("the settings file {shown} can't be read: {error}. Check the path that --config or MECAPY_CONFIG gives"),
                    format!("le fichier de réglages {shown} ne peut pas être lu : {error}. Vérifiez le chemin que donne --config ou MECAPY_CONFIG"),
                ));
                return;
            }
        };
        match DeTable::parse(&text) {
            Ok(table) => self.add_table(&path, &text, table.get_ref(), ""),
            Err(error) => {
                let (shown, line) = (path.display(), line_of(&text, error.span()));
                let why = error.message();
                self.faults.push(Text::new(
                    format!("{shown}:{line}: expected a TOML document, found: {why}"),
                    format!("{shown}:{line} : un document TOML était attendu, trouvé : {why}"),
                ));
            }
        }
        self.config = Some(path);
    }

    fn add_table(&mut self, path: &Path, text: &str, table: &DeTable<'_>, prefix: &str) {
        for (key, value) in table {
            let full = format!("{prefix}{}", key.get_ref());
            let line = line_of(text, Some(key.span()));
            if let DeValue::Table(inner) = value.get_ref()
                && prefix.is_empty()
                && full == "limits"
            {
                self.add_table(path, text, inner, "limits.");
                continue;
            }
            let Some(setting) = table::by_key(&full).filter(|setting| !setting.key.is_empty())
            else {
                self.faults.push(unknown_key(path, line, &full));
                continue;
            };
            let origin = Origin::File { path: path.to_owned(), line, key: setting.key };
            match raw(value) {
                Some(raw) => self.put(setting, raw, origin),
                None => {
                    let (at, kind) = (origin.text().en, value.get_ref().type_str());
                    self.faults.push(Text::new(
                        format!("{at}: expected a single value or an array of texts, found a TOML {kind}"),
                        format!("{at} : une valeur simple ou un tableau de textes était attendu, trouvé : {kind} TOML"),
                    ));
                }
            }
        }
    }
}

fn raw(value: &Spanned<DeValue<'_>>) -> Option<Raw> {
    let scalar = |value: &DeValue<'_>| match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_owned()),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        DeValue::Boolean(word) => Some(word.to_string()),
        _ => None,
    };
    match value.get_ref() {
        DeValue::Array(items) => {
            items.iter().map(|item| scalar(item.get_ref())).collect::<Option<_>>().map(Raw::Items)
        }
        single => scalar(single).map(Raw::Text),
    }
}

fn line_of(text: &str, span: Option<std::ops::Range<usize>>) -> usize {
    let end = span.map_or(0, |span| span.start).min(text.len());
    text.as_bytes()[..end].iter().filter(|&&byte| byte == b'\n').count() + 1
}

fn unknown_variable(name: &str) -> Text {
    let known = table::SETTINGS.iter().map(|setting| setting.name);
    let known = known.filter_map(|name| name.strip_prefix("MECAPY_"));
    let near =
        nearest(name.trim_start_matches("MECAPY_"), known).map(|rest| format!("MECAPY_{rest}"));
    Text::new(
        format!(
            "the environment variable {name} is no setting{}",
            near.as_ref()
                .map_or("; remove it, or see docs/settings.md".to_owned(), |near| format!(
                    "; did you mean {near}?"
                ))
        ),
        format!(
            "la variable d’environnement {name} n’est pas un réglage{}",
            near.map_or(" ; retirez-la, ou voir docs/fr/settings.md".to_owned(), |near| format!(
                " ; vouliez-vous dire {near} ?"
            ))
        ),
    )
}

fn unknown_key(path: &Path, line: usize, key: &str) -> Text {
    let shown = path.display();
    let known = table::SETTINGS.iter().map(|setting| setting.key).filter(|key| !key.is_empty());
    // People also write the variable's name in the file.
    let by_name = table::by_name(&key.to_ascii_uppercase()).map(|setting| setting.key);
    let near = by_name.filter(|key| !key.is_empty()).or_else(|| nearest(key, known));
    Text::new(
        format!(
            "{shown}:{line}: `{key}` is no setting{}",
            near.map_or(String::new(), |near| format!("; did you mean `{near}`?"))
        ),
        format!(
            "{shown}:{line} : `{key}` n’est pas un réglage{}",
            near.map_or(String::new(), |near| format!(" ; vouliez-vous dire `{near}` ?"))
        ),
    )
}

fn nearest<'a>(wanted: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|name| (strsim::damerau_levenshtein(wanted, name), name))
        .min()
        .filter(|(distance, name)| *distance <= (name.len() / 3).max(1))
        .map(|(_, name)| name)
}

//! From text to checked values, each refusal with its place.

use std::net::IpAddr;
use std::path::PathBuf;

use domain::Text;

use super::sources::{Given, Origin, Raw, Sources};
use super::table::{self, Default, Kind, Setting};

impl Sources {
    /// The value as written, or the table's default.
    fn written(&self, setting: &Setting) -> Option<String> {
        match self.given.get(setting.name) {
            Some(Given { raw: Raw::Text(text), .. }) => Some(text.clone()),
            Some(Given { raw: Raw::Items(items), .. }) => Some(items.join(",")),
            None => match setting.default {
                Default::Value(text) => Some(text.to_owned()),
                Default::Nothing | Default::Rule(..) => None,
            },
        }
    }

    pub(super) fn is_given(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// Takes a value through `parse`; a refusal becomes a fault.
    pub(super) fn take<T>(&mut self, name: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let setting = table::by_name(name).expect("settings are asked for by names of the table");
        let text = self.written(setting)?;
        let value = accepts(setting.kind, &text).then(|| parse(&text)).flatten();
        if value.is_none() {
            let origin = self.given.get(setting.name).map(|given| &given.origin);
            self.faults.push(refusal(setting, origin, &text));
        }
        value
    }

    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        self.take(name, |text| Some(text.to_owned()))
    }

    pub(super) fn boolean(&mut self, name: &str) -> Option<bool> {
        self.take(name, boolean)
    }

    pub(super) fn integer<T: TryFrom<u64>>(&mut self, name: &str) -> Option<T> {
        self.take(name, |text| T::try_from(integer(text)?).ok())
    }

    pub(super) fn number(&mut self, name: &str) -> Option<f64> {
        self.take(name, |text| text.parse().ok())
    }

    pub(super) fn address(&mut self, name: &str) -> Option<IpAddr> {
        self.take(name, |text| text.parse().ok())
    }

    /// A path. One from the file is taken from the file's folder, as moving
    /// the file with what lies beside it must not change its meaning.
    pub(super) fn path(&mut self, name: &str) -> Option<PathBuf> {
        let path = self.text(name).map(PathBuf::from)?;
        Some(self.against_file(name, path))
    }

    /// The items of a list, of paths with `separator` `:`, else `,`.
    pub(super) fn items(&mut self, name: &str, separator: char) -> Vec<String> {
        match self.given.get(name).map(|given| given.raw.clone()) {
            Some(Raw::Items(items)) => items,
            Some(Raw::Text(text)) => text
                .split(separator)
                .map(|item| item.trim().to_owned())
                .filter(|item| !item.is_empty())
                .collect(),
            None => Vec::new(),
        }
    }

    pub(super) fn paths(&mut self, name: &str) -> Vec<PathBuf> {
        let items = self.items(name, ':');
        items.into_iter().map(|item| self.against_file(name, item.into())).collect()
    }

    fn against_file(&self, name: &str, path: PathBuf) -> PathBuf {
        match self.given.get(name).map(|given| &given.origin) {
            Some(Origin::File { path: file, .. }) => match file.parent() {
                Some(folder) => folder.join(path),
                None => path,
            },
            _ => path,
        }
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

fn integer(text: &str) -> Option<u64> {
    // TOML writes 20_000 for readers.
    text.replace('_', "").parse().ok()
}

fn accepts(kind: Kind, text: &str) -> bool {
    match kind {
        Kind::Text | Kind::Path | Kind::Paths | Kind::List => !text.trim().is_empty(),
        Kind::Url => {
            let host = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
            host.is_some_and(|host| !host.is_empty() && !host.starts_with('/'))
                && !text.contains(char::is_whitespace)
        }
        Kind::Networks => text.split(',').all(|one| one.trim().parse::<domain::Network>().is_ok()),
        Kind::Address => text.parse::<IpAddr>().is_ok(),
        Kind::Database => super::paths::of_database_url(text).is_some(),
        Kind::Redis => {
            let rest = text.strip_prefix("redis://").or_else(|| text.strip_prefix("rediss://"));
            rest.is_some_and(|rest| !rest.is_empty()) && !text.contains(char::is_whitespace)
        }
        Kind::Bool => boolean(text).is_some(),
        Kind::Integer { min, max } => integer(text).is_some_and(|n| (min..=max).contains(&n)),
        Kind::Number { min, max } => text.parse().is_ok_and(|n: f64| n >= min && n <= max),
        Kind::Choice(words) => words.contains(&text),
    }
}

/// What a kind expects, in words.
pub(super) fn expected(kind: Kind) -> Text {
    match kind {
        Kind::Text => Text::new("a text", "un texte"),
        Kind::Url => Text::new(
            "a URL that begins with http:// or https://",
            "une URL qui commence par http:// ou https://",
        ),
        Kind::Path => Text::new("a path", "un chemin"),
        Kind::Paths => Text::new(
            "paths, separated by `:` (in the file: an array)",
            "des chemins séparés par `:` (dans le fichier : un tableau)",
        ),
        Kind::List => Text::new(
            "texts, separated by `,` (in the file: an array)",
            "des textes séparés par `,` (dans le fichier : un tableau)",
        ),
        Kind::Networks => Text::new(
            "addresses and networks such as 10.0.0.0/8, separated by `,` (in the file: an array)",
            "des adresses et réseaux tels que 10.0.0.0/8, séparés par `,` (dans le fichier : un tableau)",
        ),
        Kind::Address => {
            Text::new("an IP address such as 127.0.0.1", "une adresse IP telle que 127.0.0.1")
        }
        Kind::Database => Text::new(
            "a URL such as sqlite:///./dev.db or postgresql://user:password@host:5432/database",
            "une URL telle que sqlite:///./dev.db ou postgresql://user:password@host:5432/base",
        ),
        Kind::Redis => Text::new(
            "a URL such as redis://user:password@host:6379/0, or rediss:// with TLS",
            "une URL telle que redis://user:password@host:6379/0, ou rediss:// avec TLS",
        ),
        Kind::Bool => Text::new("true or false", "true ou false"),
        Kind::Integer { min, max } => Text::new(
            format!("a whole number from {min} to {max}"),
            format!("un nombre entier de {min} à {max}"),
        ),
        Kind::Number { min, max } => Text::new(
            format!("a number from {min} to {max}"),
            format!("un nombre de {min} à {max}"),
        ),
        Kind::Choice(words) => {
            let words = words.join(", ");
            Text::new(format!("one of {words}"), format!("l’un de {words}"))
        }
    }
}

fn refusal(setting: &Setting, origin: Option<&Origin>, found: &str) -> Text {
    let place = origin.map_or_else(|| Text::same(setting.name), Origin::text);
    let expected = expected(setting.kind);
    let found: String = found.chars().take(120).collect();
    let (found_en, found_fr) = if setting.secret {
        (
            "another value (not shown, it may hold a secret)".into(),
            "une autre valeur (non affichée, elle peut contenir un secret)".into(),
        )
    } else {
        (format!("{found:?}"), format!("« {found} »"))
    };
    Text::new(
        format!("{}: expected {}, found {found_en}", place.en, expected.en),
        format!("{} : attendu : {}, trouvé : {found_fr}", place.fr, expected.fr),
    )
}

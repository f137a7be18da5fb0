//! The two languages that people read, and texts that exist in both.

use serde::{Deserialize, Serialize};

/// A language of the interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// French.
    Fr,
}

impl Lang {
    /// The first supported language of an `Accept-Language` header or of a
    /// locale name such as `fr_FR.UTF-8`; English where none is.
    #[must_use]
    pub fn negotiate(wanted: &str) -> Self {
        let mut ranked: Vec<(f32, &str)> = wanted
            .split(',')
            .map(|entry| {
                let (tag, parameters) = entry.split_once(';').unwrap_or((entry, ""));
                let quality = parameters
                    .trim()
                    .strip_prefix("q=")
                    .and_then(|q| q.parse().ok())
                    .unwrap_or(1.0);
                (quality, tag.trim())
            })
            .filter(|(quality, _)| *quality > 0.0)
            .collect();
        // A stable sort keeps the order of the header among equal qualities.
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
        ranked
            .iter()
            .find_map(|(_, tag)| {
                match tag.split(['-', '_', '.']).next()?.to_ascii_lowercase().as_str() {
                    "fr" => Some(Self::Fr),
                    "en" => Some(Self::En),
                    _ => None,
                }
            })
            .unwrap_or_default()
    }

    /// The language's tag, `en` or `fr`.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Fr => "fr",
        }
    }
}

/// A sentence in both languages.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Text {
    /// The English sentence.
    pub en: String,
    /// The French sentence.
    pub fr: String,
}

impl Text {
    /// A sentence from its English and its French form.
    pub fn new(en: impl Into<String>, fr: impl Into<String>) -> Self {
        Self { en: en.into(), fr: fr.into() }
    }

    /// A text that reads the same in both languages: a name or a quotation.
    pub fn same(text: impl Into<String>) -> Self {
        let en = text.into();
        Self { fr: en.clone(), en }
    }

    /// The sentence in `lang`.
    #[must_use]
    pub fn get(&self, lang: Lang) -> &str {
        match lang {
            Lang::En => &self.en,
            Lang::Fr => &self.fr,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_supported_language_is_chosen() {
        assert_eq!(Lang::negotiate("fr-FR,fr;q=0.9,en;q=0.8"), Lang::Fr);
        assert_eq!(Lang::negotiate("de, en;q=0.5, fr;q=0.4"), Lang::En);
        assert_eq!(Lang::negotiate("en;q=0.2, fr"), Lang::Fr);
        assert_eq!(Lang::negotiate("fr_FR.UTF-8"), Lang::Fr);
        assert_eq!(Lang::negotiate("C"), Lang::En);
        assert_eq!(Lang::negotiate("fr;q=0"), Lang::En);
    }
}

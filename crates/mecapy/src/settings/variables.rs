//! The process's environment variables, taken once.

use std::collections::BTreeMap;
use std::path::PathBuf;

use domain::Lang;

/// Environment variables as they were at start.
#[derive(Clone, Default)]
pub struct Variables(BTreeMap<String, String>);

impl Variables {
    /// Those of this process. Values that are not UTF-8 are kept with the
    /// replacement character: no setting means them.
    #[must_use]
    pub fn of_process() -> Self {
        let text = |os: std::ffi::OsString| os.to_string_lossy().into_owned();
        Self(std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect())
    }

    /// The value of `name`. Empty counts as absent: that is how compose files
    /// and shells write "not given".
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Every variable that is given.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.keys().filter_map(|name| Some((name.as_str(), self.get(name)?)))
    }

    /// The language of the locale, by the precedence that POSIX gives.
    #[must_use]
    pub fn lang(&self) -> Lang {
        ["LC_ALL", "LC_MESSAGES", "LANG"]
            .into_iter()
            .find_map(|name| self.get(name))
            .map_or(Lang::En, Lang::negotiate)
    }

    /// The user's own folder.
    #[must_use]
    pub fn home(&self) -> Option<PathBuf> {
        self.get("HOME").map(PathBuf::from)
    }

    /// Whether what goes to a stream may be coloured, by
    /// <https://no-color.org> and <https://bixense.com/clicolors>.
    #[must_use]
    pub fn colours(&self, is_terminal: bool) -> bool {
        let is = |name, value| self.get(name) == Some(value);
        if self.get("NO_COLOR").is_some() {
            return false;
        }
        let is_forced = self.get("CLICOLOR_FORCE").is_some() && !is("CLICOLOR_FORCE", "0");
        is_forced || (is_terminal && !self.is_dumb_terminal() && !is("CLICOLOR", "0"))
    }

    /// Whether the terminal can only append lines.
    #[must_use]
    pub fn is_dumb_terminal(&self) -> bool {
        self.get("TERM") == Some("dumb")
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Variables {
    fn from(pairs: [(&str, &str); N]) -> Self {
        Self(pairs.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_follows_the_locale_in_the_order_of_posix() {
        let lang = |pairs: [(&str, &str); 2]| Variables::from(pairs).lang();
        assert_eq!(lang([("LANG", "fr_FR.UTF-8"), ("X", "")]), Lang::Fr);
        assert_eq!(lang([("LANG", "fr_FR.UTF-8"), ("LC_ALL", "en_GB.UTF-8")]), Lang::En);
        assert_eq!(lang([("LANG", "en_GB.UTF-8"), ("LC_MESSAGES", "fr_CA")]), Lang::Fr);
        assert_eq!(lang([("LC_ALL", ""), ("LANG", "fr_BE")]), Lang::Fr);
        assert_eq!(Variables::default().lang(), Lang::En);
    }

    #[test]
    fn colours_are_for_terminals_unless_somebody_says_otherwise() {
        let colours = |pairs: [(&str, &str); 2]| {
            let variables = Variables::from(pairs);
            [true, false].map(|is_terminal| variables.colours(is_terminal))
        };
        assert_eq!(colours([("TERM", "xterm"), ("X", "")]), [true, false]);
        assert_eq!(colours([("TERM", "dumb"), ("X", "")]), [false, false]);
        assert_eq!(colours([("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")]), [false, false]);
        assert_eq!(colours([("NO_COLOR", ""), ("CLICOLOR_FORCE", "1")]), [true, true]);
        assert_eq!(colours([("CLICOLOR_FORCE", "0"), ("TERM", "xterm")]), [true, false]);
        assert_eq!(colours([("CLICOLOR", "0"), ("TERM", "xterm")]), [false, false]);
        assert_eq!(colours([("CLICOLOR", "0"), ("CLICOLOR_FORCE", "1")]), [true, true]);
    }
}

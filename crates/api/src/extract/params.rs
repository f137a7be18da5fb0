//! Query parameters, one by one; unknown ones are refused with a suggestion.

use std::time::Duration;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use domain::limits::LONGEST_WAIT;
use domain::{Fault, Text};
use engine::store::Cursor;

use super::cursor;
use super::json::nearest;
use crate::app::App;
use crate::problem::{Code, Problem, counted};

/// Items of a page where the caller names no number.
const PAGE: u32 = 50;
/// Items of a page at most.
pub(crate) const LONGEST_PAGE: u32 = 200;

/// The query of a request. Each parameter is asked for once; what nobody
/// asked for is refused by [`Params::finish`].
#[derive(Debug)]
pub(crate) struct Params {
    pairs: Vec<(String, String)>,
    known: Vec<&'static str>,
    faults: Vec<Fault>,
    code: Code,
}

impl FromRequestParts<App> for Params {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        let Query(pairs) = Query::try_from_uri(&parts.uri).map_err(|_| {
            Problem::new(
                Code::InvalidParameter,
                Text::new(
                    "The query is not valid UTF-8 once decoded.",
                    "La requête n'est pas de l'UTF-8 valide une fois décodée.",
                ),
            )
        })?;
        Ok(Self { pairs, known: Vec::new(), faults: Vec::new(), code: Code::InvalidParameter })
    }
}

impl Params {
    /// A parameter as it was sent. An empty one is refused: a script whose
    /// variable is empty would else be shown everything.
    pub(crate) fn text(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        let mut found = Vec::new();
        self.pairs.retain_mut(|(key, value)| {
            let hit = key == name;
            if hit {
                found.push(std::mem::take(value));
            }
            !hit
        });
        if found.len() > 1 {
            self.refuse(
                name,
                Text::new("stands more than once in the query", "figure plusieurs fois"),
            );
        }
        let value = found.into_iter().next()?;
        if value.is_empty() {
            let message = Text::new(
                "expected a value, found none; leave the parameter out where you mean none",
                "valeur attendue, rien reçu ; omettez le paramètre si vous n'en voulez pas",
            );
            self.refuse(name, message);
            return None;
        }
        Some(value)
    }

    /// A parameter that is read by `FromStr`; the error's sentence is shown.
    pub(crate) fn parsed<T>(&mut self, name: &'static str, expected: (&str, &str)) -> Option<T>
    where
        T: std::str::FromStr,
    {
        let text = self.text(name)?;
        let read = text.parse().ok();
        if read.is_none() {
            self.expected(name, expected, &text);
        }
        read
    }

    /// `?wait=SECONDS`, decimals allowed, at most `longest`.
    pub(crate) fn wait_up_to(&mut self, longest: Duration) -> Option<Duration> {
        let text = self.text("wait")?;
        let most = longest.as_secs();
        let seconds = text.parse::<f64>().ok().filter(|s| (0.0..=most as f64).contains(s));
        if seconds.is_none() {
            self.expected(
                "wait",
                (
                    &format!("a number of seconds from 0 to {most}"),
                    &format!("un nombre de secondes de 0 à {most}"),
                ),
                &text,
            );
        }
        seconds.map(Duration::from_secs_f64)
    }

    /// `?wait=SECONDS`, at most a minute.
    pub(crate) fn wait(&mut self) -> Option<Duration> {
        self.wait_up_to(LONGEST_WAIT)
    }

    /// `?limit=` and `?cursor=` of a listing.
    pub(crate) fn page(&mut self) -> (Option<Cursor>, u32) {
        let limit = match self.text("limit") {
            None => PAGE,
            Some(text) => match text.parse() {
                Ok(limit @ 1..=LONGEST_PAGE) => limit,
                _ => {
                    self.expected(
                        "limit",
                        (
                            &format!("an integer from 1 to {LONGEST_PAGE}"),
                            &format!("un entier de 1 à {LONGEST_PAGE}"),
                        ),
                        &text,
                    );
                    PAGE
                }
            },
        };
        let after = self.text("cursor").and_then(|text| {
            let read = cursor::read(&text);
            if read.is_none() {
                self.code = Code::InvalidCursor;
                self.refuse(
                    "cursor",
                    Text::new(
                        "expected the `next_cursor` of an earlier page, unchanged",
                        "attendu : le `next_cursor` d'une page précédente, inchangé",
                    ),
                );
            }
            read
        });
        (after, limit)
    }

    /// Refuses the request where a parameter was wrong or unknown.
    pub(crate) fn finish(mut self) -> Result<(), Problem> {
        for (name, _) in std::mem::take(&mut self.pairs).into_iter().take(20) {
            let name: String = name.chars().filter(|c| !c.is_control()).take(60).collect();
            let (en, fr) = match nearest(&name, &self.known) {
                Some(near) => {
                    (format!("did you mean `{near}`?"), format!("vouliez-vous dire `{near}` ?"))
                }
                None if self.known.is_empty() => {
                    ("this route takes none".to_owned(), "cette route n'en prend aucun".to_owned())
                }
                None => {
                    let known = self.known.join("`, `");
                    (format!("expected `{known}`"), format!("attendu : `{known}`"))
                }
            };
            let message = Text::new(
                format!("unknown parameter `{name}`; {en}"),
                format!("paramètre inconnu `{name}` ; {fr}"),
            );
            self.faults.push(Fault::error("parameter_unknown", message).at_key(name));
        }
        if self.faults.is_empty() {
            return Ok(());
        }
        Err(Problem::new(self.code, counted(self.faults.len())).with_faults(self.faults))
    }

    fn expected(&mut self, name: &'static str, expected: (&str, &str), found: &str) {
        let found: String = found.chars().filter(|c| !c.is_control()).take(60).collect();
        self.refuse(
            name,
            Text::new(
                format!("expected {}, found {found:?}", expected.0),
                format!("attendu : {} ; reçu : {found:?}", expected.1),
            ),
        );
    }

    fn refuse(&mut self, name: &'static str, message: Text) {
        self.faults.push(Fault::error("parameter_value", message).at_key(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(query: &str) -> Params {
        let uri = format!("http://host/?{query}").parse().unwrap();
        let Query(pairs) = Query::try_from_uri(&uri).unwrap();
        Params { pairs, known: Vec::new(), faults: Vec::new(), code: Code::InvalidParameter }
    }

    #[test]
    fn a_wait_takes_decimals_up_to_a_minute() {
        for (query, wait) in
            [("wait=0.25", Some(250)), ("wait=60", Some(60_000)), ("wait=0", Some(0)), ("", None)]
        {
            let mut params = of(query);
            assert_eq!(params.wait(), wait.map(Duration::from_millis), "{query}");
            assert!(params.finish().is_ok(), "{query}");
        }
        for query in ["wait=61", "wait=-1", "wait=NaN", "wait=inf", "wait=soon", "wait=1&wait=2"] {
            let mut params = of(query);
            params.wait();
            assert!(params.finish().is_err(), "{query}");
        }
    }

    #[test]
    fn an_empty_parameter_is_refused_instead_of_counting_as_missing() {
        let mut params = of("tag=&wait=");
        assert_eq!((params.text("tag"), params.wait()), (None, None));
        let problem = params.finish().unwrap_err();
        let said: Vec<_> = problem.faults().iter().map(|fault| fault.message.en.as_str()).collect();
        let expected = "expected a value, found none; leave the parameter out where you mean none";
        assert_eq!(said, [expected; 2]);
    }

    #[test]
    fn a_foreign_cursor_is_refused_with_a_code_of_its_own() {
        let mut params = of("cursor=abc&limit=0");
        params.page();
        let problem = params.finish().unwrap_err();
        assert_eq!(problem.code(), Code::InvalidCursor);
        assert_eq!(problem.faults().len(), 2);
    }

    #[test]
    fn an_unknown_parameter_gets_a_suggestion() {
        let mut params = of("statsu=queued");
        params.text("status");
        let problem = params.finish().unwrap_err();
        let message = &problem.faults()[0].message;
        assert_eq!(message.en, "unknown parameter `statsu`; did you mean `status`?");
        assert_eq!(message.fr, "paramètre inconnu `statsu` ; vouliez-vous dire `status` ?");
    }
}

//! What there is to say of a name that the server does not know: it answers
//! the same whatever was asked for, and only the command knows what that was.

use domain::Text;
use serde::Deserialize;

use super::{Client, Page, segment};
use crate::exit::Failure;

/// Versions that are named where the one asked for does not exist.
const SHOWN: usize = 10;
/// Pages of functions that are searched for a similar name.
const PAGES: usize = 10;

#[derive(Deserialize)]
struct Named {
    name: String,
    version: Option<String>,
}

impl Client {
    /// The refusal in the words of somebody who asked for a function.
    #[must_use]
    pub fn no_function(&self, reference: &str, refused: Failure) -> Failure {
        if !refused.is("not_found") {
            return refused;
        }
        let text = match reference.split_once('@') {
            Some((name, version)) => self.no_version(name, version),
            None => None,
        };
        let text = text.unwrap_or_else(|| self.no_name(reference));
        Failure { text, ..refused }
    }

    /// The refusal in the words of somebody who asked for a calculation.
    #[must_use]
    pub fn no_task(&self, id: &str, refused: Failure) -> Failure {
        if !refused.is("not_found") {
            return refused;
        }
        let text = Text::new(
            format!(
                "there is no calculation `{id}` in your company. `mecapy tasks` lists those that there are, with their ids"
            ),
            format!(
                "il n’y a pas de calcul `{id}` dans votre entreprise. `mecapy tasks` les liste, avec leurs identifiants"
            ),
        );
        Failure { text, ..refused }
    }

    fn no_version(&self, name: &str, version: &str) -> Option<Text> {
        let path = format!("/functions/{}/versions?limit=200", segment(name));
        let page: Page<Named> = self.get(&path).ok()?.read().ok()?;
        let there: Vec<String> = page.items.into_iter().filter_map(|item| item.version).collect();
        let more = if there.len() > SHOWN { " …" } else { "" };
        let shown = there.into_iter().take(SHOWN).collect::<Vec<_>>().join(", ");
        Some(Text::new(
            format!("`{name}` has no version {version}; it has {shown}{more}"),
            format!("`{name}` n’a pas de version {version} ; elle a {shown}{more}"),
        ))
    }

    fn no_name(&self, reference: &str) -> Text {
        let name = reference.split('@').next().unwrap_or_default();
        let name = name.rsplit(':').next().unwrap_or_default();
        let names = self.names();
        let (en, fr) = match package::nearest(name, names.iter().map(String::as_str)) {
            Some(near) if near != name => {
                (format!("; did you mean `{near}`?"), format!(" ; vouliez-vous dire `{near}` ?"))
            }
            _ => (".".to_owned(), ".".to_owned()),
        };
        Text::new(
            format!(
                "there is no function `{reference}` in your company{en} `mecapy functions` lists those that there are"
            ),
            format!(
                "il n’y a pas de fonction `{reference}` dans votre entreprise{fr} `mecapy functions` les liste"
            ),
        )
    }

    /// The names of the company's functions; those that could be had.
    fn names(&self) -> Vec<String> {
        let (mut names, mut cursor) = (Vec::new(), String::new());
        for _ in 0..PAGES {
            let answer = self.get(&format!("/functions?limit=200{cursor}"));
            let Ok(page) = answer.and_then(|answer| answer.read::<Page<Named>>()) else { break };
            names.extend(page.items.into_iter().map(|item| item.name));
            match page.next_cursor {
                Some(next) => cursor = format!("&cursor={}", segment(&next)),
                None => break,
            }
        }
        names
    }
}

//! How many streams are open: each holds a connection and some memory for as
//! long as its caller likes, so that each caller may have so many.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::permission::Principal;
use domain::{CompanyId, Text, UserId};

use crate::problem::{Code, Problem};

/// When one who was refused may try again.
const RETRY: Duration = Duration::from_secs(5);

/// How streams of events are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How often a stream shows that it lives; proxies close silent ones.
    pub heartbeat: Duration,
    /// Streams that one user may have open.
    pub of_user: u32,
    /// Streams that the users of one company may have open together.
    pub of_company: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { heartbeat: Duration::from_secs(15), of_user: 256, of_company: 2048 }
    }
}

/// The streams that are open.
#[derive(Debug, Default)]
pub(crate) struct Streams(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    users: HashMap<UserId, u32>,
    companies: HashMap<CompanyId, u32>,
}

/// One stream that is open; dropping it makes room.
#[derive(Debug)]
pub(crate) struct Open {
    streams: Arc<Streams>,
    user: UserId,
    company: CompanyId,
}

impl Streams {
    /// Counts a stream of `who`, or refuses it.
    pub(crate) fn open(
        self: &Arc<Self>,
        who: &Principal,
        settings: &Settings,
    ) -> Result<Open, Problem> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (user, company) = (who.user, who.company);
        if counts.users.get(&user).is_some_and(|open| *open >= settings.of_user) {
            return Err(refused(
                settings.of_user,
                ("of yours", "MECAPY_STREAMS_PER_USER"),
                "de votre part",
            ));
        }
        if counts.companies.get(&company).is_some_and(|open| *open >= settings.of_company) {
            return Err(refused(
                settings.of_company,
                ("of your company", "MECAPY_STREAMS_PER_COMPANY"),
                "de votre entreprise",
            ));
        }
        *counts.users.entry(user).or_default() += 1;
        *counts.companies.entry(company).or_default() += 1;
        Ok(Open { streams: Arc::clone(self), user, company })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut counts = self.streams.0.lock().unwrap_or_else(PoisonError::into_inner);
        leave(&mut counts.users, self.user);
        leave(&mut counts.companies, self.company);
    }
}

fn leave<K: Eq + Hash>(counts: &mut HashMap<K, u32>, key: K) {
    if let Some(open) = counts.get_mut(&key) {
        *open -= 1;
        if *open == 0 {
            counts.remove(&key);
        }
    }
}

fn refused(limit: u32, (whose, setting): (&str, &str), french: &str) -> Problem {
    Problem::new(
        Code::TooManyStreams,
        Text::new(
            format!("{limit} streams of events {whose} are open, as many as may be. Close some, or watch everything by one stream of /queue/events; the operator sets {setting}."),
            format!("{limit} flux d'événements {french} sont ouverts, le nombre permis. Fermez-en, ou suivez tout par un seul flux de /queue/events ; l'exploitant règle {setting}."),
        ),
    )
    .retry_after(RETRY)
}

//! Rate limits: how many requests a user, a token or an address may make. A
//! minute's requests may come at once.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use domain::{Text, TokenId, UserId};
use engine::{Decision, Engine, Rate};

use crate::problem::{Code, Problem};

/// The window of all limits.
const WINDOW: Duration = Duration::from_secs(60);

/// The header that says what a limit is.
pub(crate) const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// The header that says what is left of it.
pub(crate) const STATE: HeaderName = HeaderName::from_static("ratelimit");

/// Requests a minute; `None` for no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Of one user, with all of its tokens and sessions.
    pub user: Option<u32>,
    /// Of one token.
    pub token: Option<u32>,
    /// Of one address; of IPv6 one network of 64 bits.
    pub address: Option<u32>,
}

/// Who is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    /// A user.
    User(UserId),
    /// A token.
    Token(TokenId),
    /// An address.
    Address(u128),
}

impl Key {
    /// The key of an address.
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::Address(address.to_bits().into()),
            IpAddr::V6(address) => Self::Address(address.to_bits() >> 64 << 64),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Token(_) => "token",
            Self::Address(_) => "address",
        }
    }
}

/// The key among those of all limits.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.word();
        match self {
            Self::User(user) => write!(f, "{word} {user}"),
            Self::Token(token) => write!(f, "{word} {token}"),
            Self::Address(address) => write!(f, "{word} {address:x}"),
        }
    }
}

/// The limits, whose counts all processes share.
pub(crate) struct Limiter(Rates);

/// What a request left of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    word: &'static str,
    limit: u32,
    remaining: u32,
    /// When all of it is there again.
    full_in: Duration,
    /// When the next is let through; zero where it is at once.
    wait: Duration,
}

impl Limiter {
    /// A limiter of these rates.
    pub(crate) fn new(rates: Rates) -> Self {
        Self(rates)
    }

    /// Counts a request of `key`, or refuses it. `None` where nothing limits
    /// it, or nobody can say now.
    pub(crate) async fn count(&self, engine: &Engine, key: Key) -> Option<Left> {
        let limit = match key {
            Key::User(_) => self.0.user,
            Key::Token(_) => self.0.token,
            Key::Address(_) => self.0.address,
        }?;
        let limit = limit.max(1);
        let rate = Rate { requests: limit, window: WINDOW };
        let decision = engine.allow(&key.to_string(), rate).await?;
        let Decision { retry_after, remaining, full_in, .. } = decision;
        Some(Left { word: key.word(), limit, remaining, full_in, wait: retry_after })
    }
}

/// What the limits left of one request, for its answer: the tightest counts.
#[derive(Debug, Default)]
pub(crate) struct Lefts(Mutex<Option<Left>>);

impl Lefts {
    /// Remembers what is left, or refuses the request.
    pub(crate) fn take(&self, left: Option<Left>) -> Result<(), Problem> {
        let Some(left) = left else { return Ok(()) };
        let mut tightest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tightest.is_none_or(|known| left.remaining <= known.remaining) {
            *tightest = Some(left);
        }
        if left.wait.is_zero() { Ok(()) } else { Err(refused(left)) }
    }

    /// Writes the headers of the draft on rate limits.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let tightest = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Left { word, limit, remaining, full_in, .. }) = tightest else { return };
        let window = WINDOW.as_secs();
        let reset = full_in.as_secs_f64().ceil();
        for (name, text) in [
            (POLICY, format!("\"{word}\";q={limit};w={window}")),
            (STATE, format!("\"{word}\";r={remaining};t={reset}")),
        ] {
            if let Ok(value) = HeaderValue::from_str(&text) {
                headers.insert(name, value);
            }
        }
    }
}

fn refused(left: Left) -> Problem {
    let Left { word, limit, wait, .. } = left;
    let french = match word {
        "user" => "d'un utilisateur",
        "token" => "d'un jeton",
        _ => "d'une adresse",
    };
    Problem::new(
        Code::TooManyRequests,
        Text::new(
            format!("More than {limit} requests of one {word} in a minute. Wait as long as Retry-After says."),
            format!("Plus de {limit} requêtes {french} en une minute. Attendez la durée de Retry-After."),
        ),
    )
    .retry_after(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_network_is_one_caller() {
        let of = |text: &str| Key::of(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    }
}

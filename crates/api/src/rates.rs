//! Rate limits: how many requests a user, a token or an address may make.
//!
//! Each is a GCRA, the leaky bucket that needs one instant for each key: the
//! theoretical arrival time of the next request, had they come evenly. A
//! caller may be ahead of it by the whole window, so that a minute's requests
//! may come at once.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use domain::{Text, Timestamp, TokenId, UserId};
use moka::ops::compute::Op;
use moka::sync::Cache;

use crate::problem::{Code, Problem};

/// The window of all limits.
const WINDOW: Duration = Duration::from_secs(60);
/// Callers that are remembered, at most; who is forgotten begins anew.
const REMEMBERED: u64 = 100_000;

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

/// The counts of this server.
pub(crate) struct Limiter {
    rates: Rates,
    arrivals: Cache<Key, Timestamp>,
}

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
    /// A limiter that has seen nobody.
    pub(crate) fn new(rates: Rates) -> Self {
        let arrivals = Cache::builder().max_capacity(REMEMBERED).time_to_idle(2 * WINDOW).build();
        Self { rates, arrivals }
    }

    /// Counts a request of `key`, or refuses it. `None` where nothing limits it.
    pub(crate) fn count(&self, key: Key, now: Timestamp) -> Option<Left> {
        let limit = match key {
            Key::User(_) => self.rates.user,
            Key::Token(_) => self.rates.token,
            Key::Address(_) => self.rates.address,
        }?;
        let mut left = None;
        self.arrivals.entry(key).and_compute_with(|known| {
            let (next, state) = gcra(known.map(|entry| entry.into_value()), now, limit);
            left = Some(Left { word: key.word(), ..state });
            if state.wait.is_zero() { Op::Put(next) } else { Op::Nop }
        });
        left
    }
}

/// The next theoretical arrival and what is left, for a caller whose last one
/// was `known`.
fn gcra(known: Option<Timestamp>, now: Timestamp, limit: u32) -> (Timestamp, Left) {
    let limit = limit.max(1);
    let each = WINDOW / limit;
    let expected = known.map_or(now, |known| known.max(now));
    let ahead = expected.since(now);
    let left = |ahead: Duration, wait| Left {
        word: "",
        limit,
        remaining: ((WINDOW.saturating_sub(ahead)).as_nanos() / each.as_nanos()) as u32,
        full_in: ahead,
        wait,
    };
    if ahead + each > WINDOW {
        return (expected, left(ahead, ahead + each - WINDOW));
    }
    (expected.after(each), left(ahead + each, Duration::ZERO))
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

    fn at(ms: u64) -> Timestamp {
        Timestamp(1_800_000_000_000_000).after(Duration::from_millis(ms))
    }

    fn limiter(user: u32) -> Limiter {
        Limiter::new(Rates { user: Some(user), ..Rates::default() })
    }

    fn wait_ms(limiter: &Limiter, key: Key, ms: u64) -> u128 {
        limiter.count(key, at(ms)).map_or(0, |left| left.wait.as_millis())
    }

    #[test]
    fn a_minutes_requests_may_come_at_once_and_the_next_waits_for_its_share() {
        let (limiter, eva) = (limiter(6), Key::User(UserId::new()));
        for n in (0..6).rev() {
            let left = limiter.count(eva, at(0)).unwrap();
            assert_eq!((left.remaining, left.wait), (n, Duration::ZERO));
        }
        assert_eq!(wait_ms(&limiter, eva, 0), 10_000);
        assert_eq!(wait_ms(&limiter, eva, 9_000), 1_000, "what was refused counts for nothing");
        assert_eq!(wait_ms(&limiter, eva, 10_000), 0);
        assert_eq!(wait_ms(&limiter, eva, 10_000), 10_000);
        let bob = Key::User(UserId::new());
        assert_eq!(wait_ms(&limiter, bob, 10_000), 0, "everybody has a limit of their own");
    }

    #[test]
    fn requests_at_the_allowed_pace_are_let_through_for_ever() {
        let (limiter, eva) = (limiter(60), Key::User(UserId::new()));
        assert!((0..1000).all(|n| wait_ms(&limiter, eva, n * 1000) == 0));
    }

    #[test]
    fn without_a_limit_nobody_is_counted() {
        let limiter = limiter(1);
        assert_eq!(limiter.count(Key::Token(TokenId::new()), at(0)), None);
        limiter.arrivals.run_pending_tasks();
        assert_eq!(limiter.arrivals.entry_count(), 0);
    }

    #[test]
    fn a_flood_of_addresses_takes_no_more_memory_than_the_bound() {
        let limiter = Limiter::new(Rates { address: Some(10), ..Rates::default() });
        for n in 0..2 * REMEMBERED {
            let _ = limiter.count(Key::Address(n.into()), at(0));
        }
        limiter.arrivals.run_pending_tasks();
        assert!(limiter.arrivals.entry_count() <= REMEMBERED);
    }

    #[test]
    fn an_ipv6_network_is_one_caller() {
        let of = |text: &str| Key::of(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    }
}

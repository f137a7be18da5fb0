//! Lock-out: growing delays after failed logins.
//!
//! Three counts are kept: of an account from one network, of a network over
//! all accounts, and of an account from everywhere. The first may grow long,
//! as it hurts nobody but the one who fails. The other two stay short: a
//! stranger can fail on purpose in somebody else's name, or beside colleagues
//! behind the same address, and must not be able to lock them out. A network
//! from which the account logged in before is spared the third.
//!
//! An attempt counts before its password is looked at and is taken back where
//! it was right, so that many at once are not many for the price of one. All
//! is in memory, bounded, and forgotten at a restart.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use domain::Timestamp;
use moka::ops::compute::Op;
use moka::sync::Cache;

/// What is remembered of each kind, at most.
const REMEMBERED: u64 = 100_000;
/// A count without a failure for so long begins anew.
const FORGOTTEN: Duration = Duration::from_secs(3600);
/// How long an account's networks are known.
const KNOWN: Duration = Duration::from_secs(30 * 86_400);

/// Failures of one account from one network.
const PAIR: Bounds = Bounds { free: 5, longest: Duration::from_secs(900) };
/// Failures of one network, whatever the account.
const NETWORK: Bounds = Bounds { free: 20, longest: Duration::from_secs(60) };
/// Failures of one account, wherever from.
const ACCOUNT: Bounds = Bounds { free: 50, longest: Duration::from_secs(30) };

/// How a count turns into a delay.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// Failures that cost nothing.
    free: u32,
    /// The longest delay.
    longest: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Network {
    V4([u8; 4]),
    /// A household or server has a whole /64.
    V6([u8; 8]),
    /// A request that came over no socket.
    None,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Pair(String, Network),
    Network(Network),
    Account(String),
}

#[derive(Clone, Copy, Debug)]
struct Count {
    failures: u32,
    last: Timestamp,
}

/// The counts.
pub(crate) struct Throttle {
    counts: Cache<Key, Count>,
    known: Cache<(String, Network), ()>,
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            counts: Cache::builder().max_capacity(REMEMBERED).time_to_idle(FORGOTTEN).build(),
            known: Cache::builder().max_capacity(REMEMBERED).time_to_idle(KNOWN).build(),
        }
    }
}

/// An attempt that was let through and counts as failed until it is taken
/// back by [`Throttle::succeeded`].
#[must_use]
pub(crate) struct Attempt {
    account: String,
    network: Network,
}

impl Throttle {
    /// Lets an attempt through, or says how long to wait.
    pub(crate) fn begin(
        &self,
        now: Timestamp,
        account: &str,
        address: Option<IpAddr>,
    ) -> Result<Attempt, Duration> {
        let network = Network::of(address);
        let wait = keys(account, network)
            .map(|(key, bounds)| match key {
                Key::Account(_) if self.knows(account, network) => Duration::ZERO,
                key => self.wait(&key, bounds, now),
            })
            .into_iter()
            .max()
            .unwrap_or_default();
        if !wait.is_zero() {
            return Err(wait);
        }
        for (key, _) in keys(account, network) {
            self.counts.entry(key).and_compute_with(|count| {
                let before = count.map(|entry| entry.into_value());
                let before = before.filter(|count| now.since(count.last) < FORGOTTEN);
                let failures = before.map_or(0, |count| count.failures).saturating_add(1);
                Op::Put(Count { failures, last: now })
            });
        }
        Ok(Attempt { account: account.to_owned(), network })
    }

    /// The attempt was right: what failed before it from there is forgotten.
    pub(crate) fn succeeded(&self, attempt: Attempt) {
        self.withdraw(&attempt);
        let Attempt { account, network } = attempt;
        self.counts.invalidate(&Key::Pair(account.clone(), network));
        if network != Network::None {
            self.known.insert((account, network), ());
        }
    }

    /// The attempt was not looked at, and counts for nothing.
    pub(crate) fn withdraw(&self, attempt: &Attempt) {
        for (key, _) in keys(&attempt.account, attempt.network) {
            self.counts.entry(key).and_compute_with(|count| match count {
                Some(count) => {
                    let Count { failures, last } = count.into_value();
                    Op::Put(Count { failures: failures.saturating_sub(1), last })
                }
                None => Op::Nop,
            });
        }
    }

    fn knows(&self, account: &str, network: Network) -> bool {
        network != Network::None && self.known.contains_key(&(account.to_owned(), network))
    }

    fn wait(&self, key: &Key, bounds: Bounds, now: Timestamp) -> Duration {
        self.counts.get(key).map_or(Duration::ZERO, |count| bounds.wait(count, now))
    }
}

fn keys(account: &str, network: Network) -> [(Key, Bounds); 3] {
    [
        (Key::Pair(account.to_owned(), network), PAIR),
        (Key::Network(network), NETWORK),
        (Key::Account(account.to_owned()), ACCOUNT),
    ]
}

impl Bounds {
    /// A second after the first failure that is not free, twice as much after
    /// each that follows.
    fn wait(self, count: Count, now: Timestamp) -> Duration {
        let passed = now.since(count.last);
        if count.failures < self.free || passed >= FORGOTTEN {
            return Duration::ZERO;
        }
        let doublings = (count.failures - self.free).min(20);
        Duration::from_secs(1 << doublings).min(self.longest).saturating_sub(passed)
    }
}

impl Network {
    fn of(address: Option<IpAddr>) -> Self {
        match address.map(|address| address.to_canonical()) {
            None => Self::None,
            Some(IpAddr::V4(address)) => Self::V4(address.octets()),
            Some(IpAddr::V6(address)) => Self::V6(prefix(address)),
        }
    }
}

fn prefix(address: Ipv6Addr) -> [u8; 8] {
    let [a, b, c, d, e, f, g, h, ..] = address.octets();
    [a, b, c, d, e, f, g, h]
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)));

    fn at(seconds: u64) -> Timestamp {
        Timestamp(1_800_000_000_000_000).after(Duration::from_secs(seconds))
    }

    fn other(n: u32) -> Option<IpAddr> {
        Some(IpAddr::V4((0x0a00_0000 + n).into()))
    }

    fn fail(throttle: &Throttle, now: Timestamp, account: &str, address: Option<IpAddr>) -> u64 {
        throttle.begin(now, account, address).map(drop).err().unwrap_or_default().as_secs()
    }

    #[test]
    fn the_delay_of_one_who_fails_doubles_up_to_a_quarter_of_an_hour() {
        let throttle = Throttle::default();
        let mut now = 0;
        let mut waits = Vec::new();
        for _ in 0..18 {
            let wait = fail(&throttle, at(now), "eva", HOME);
            if wait > 0 {
                waits.push(wait);
                now += wait;
                assert_eq!(fail(&throttle, at(now), "eva", HOME), 0);
            }
        }
        assert_eq!(waits[..10], [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]);
        assert_eq!(waits.last(), Some(&900));
        assert_eq!(fail(&throttle, at(now + 3601), "eva", HOME), 0, "it is forgotten");
    }

    #[test]
    fn a_stranger_never_locks_an_account_for_longer_than_half_a_minute() {
        let throttle = Throttle::default();
        let mut now = 0;
        for n in 0..500 {
            now += fail(&throttle, at(now), "eva", other(n));
        }
        let wait = fail(&throttle, at(now), "eva", HOME);
        assert!((1..=30).contains(&wait), "{wait}");
    }

    #[test]
    fn a_network_that_logged_in_before_is_spared_the_strangers_failures() {
        let throttle = Throttle::default();
        let attempt = throttle.begin(at(0), "eva", HOME).unwrap_or_else(|_| panic!("let through"));
        throttle.succeeded(attempt);
        let mut now = 1;
        for n in 0..200 {
            now += fail(&throttle, at(now), "eva", other(n));
        }
        assert_eq!(fail(&throttle, at(now), "eva", HOME), 0);
    }

    #[test]
    fn many_attempts_at_once_are_not_many_for_the_price_of_one() {
        let throttle = Throttle::default();
        let through = (0..100).filter(|_| fail(&throttle, at(0), "eva", HOME) == 0).count();
        assert_eq!(through, 5);
    }

    #[test]
    fn one_address_that_tries_many_accounts_is_slowed_down_for_a_minute_at_most() {
        let throttle = Throttle::default();
        let mut now = 0;
        for n in 0..100 {
            now += fail(&throttle, at(now), &format!("user-{n}"), HOME);
        }
        let wait = fail(&throttle, at(now), "eva", HOME);
        assert!((1..=60).contains(&wait), "{wait}");
        assert_eq!(fail(&throttle, at(now), "eva", other(1)), 0, "others are not");
    }

    #[test]
    fn a_right_password_ends_the_counting_of_its_own_network() {
        let throttle = Throttle::default();
        for _ in 0..4 {
            assert_eq!(fail(&throttle, at(0), "eva", HOME), 0);
        }
        let attempt = throttle.begin(at(0), "eva", HOME).unwrap_or_else(|_| panic!("let through"));
        throttle.succeeded(attempt);
        assert_eq!(fail(&throttle, at(0), "eva", HOME), 0);
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one() {
        let address = |text: &str| Network::of(Some(text.parse().unwrap()));
        assert_eq!(address("2001:db8::1"), address("2001:db8::ffff"));
        assert_ne!(address("2001:db8::1"), address("2001:db8:0:1::1"));
        assert_eq!(address("::ffff:192.0.2.1"), address("192.0.2.1"));
    }
}

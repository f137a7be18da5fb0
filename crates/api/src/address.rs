//! Where a request came from: the connection's other end, or what a trusted
//! proxy says of it.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName};
use domain::Network;

/// The header in which proxies tell whom they speak for.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The other end of the connection, as an extension of the request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// The caller's address. Only what trusted proxies added is believed: going
/// from the right, the first address that is none of theirs. Whatever stands
/// left of it was written by the caller.
pub(crate) fn caller(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut nearest = peer.to_canonical();
    if !is_trusted(nearest) {
        return nearest;
    }
    for line in headers.get_all(FORWARDED_FOR).iter().rev() {
        for hop in line.to_str().unwrap_or_default().rsplit(',') {
            let Some(address) = address(hop.trim()) else { return nearest };
            nearest = address.to_canonical();
            if !is_trusted(nearest) {
                return nearest;
            }
        }
    }
    nearest
}

/// An address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.split(']').next()).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<std::net::SocketAddr>().ok().map(|s| s.ip()))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn of(peer: &str, lines: &[&'static str]) -> String {
        let trusted: Vec<Network> =
            ["127.0.0.1", "10.0.0.0/8", "fd00::/8"].map(|text| text.parse().unwrap()).into();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, HeaderValue::from_static(line));
        }
        caller(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn a_stranger_is_not_believed_what_it_says_of_itself() {
        assert_eq!(of("192.0.2.9", &["198.51.100.1"]), "192.0.2.9");
        assert_eq!(of("::ffff:192.0.2.9", &["198.51.100.1"]), "192.0.2.9");
    }

    #[test]
    fn the_rightmost_address_that_no_trusted_proxy_has_is_the_callers() {
        assert_eq!(of("127.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(of("127.0.0.1", &["1.1.1.1, 198.51.100.1, 10.1.2.3"]), "198.51.100.1");
        assert_eq!(of("127.0.0.1", &["1.1.1.1", "198.51.100.1", "10.1.2.3"]), "198.51.100.1");
        assert_eq!(of("fd00::1", &["[2001:db8::7]:4000, 10.1.2.3:80"]), "2001:db8::7");
    }

    #[test]
    fn where_a_proxy_says_nothing_or_nonsense_it_is_the_caller() {
        assert_eq!(of("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(of("10.0.0.1", &["unknown"]), "10.0.0.1");
        assert_eq!(of("10.0.0.1", &["198.51.100.1, what, 10.1.2.3"]), "10.1.2.3");
    }
}

//! Requests to a repository's server: https, to addresses that may be called.

use std::io::{self, BufReader, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ureq::config::Config;
use ureq::http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};
use ureq::http::{Response, Uri};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Body, BodyReader};

use crate::address::Reach;
use crate::error::Bound;
use crate::packet::shown;
use crate::{Error, Login};

/// Redirects that are followed, each to an address that is judged anew.
const REDIRECTS: usize = 3;
/// What a server is asked first, behind the repository's address.
const GREETING: &str = "/info/refs?service=git-upload-pack";

/// A repository's address, and who asks there.
#[derive(Debug)]
pub(crate) struct Remote {
    agent: Agent,
    refused: Arc<Mutex<Option<String>>>,
    /// `https://host/team/functions.git`; another after a redirect.
    base: String,
    host: String,
    login: Option<Login>,
    deadline: Instant,
}

/// What a server answers, bounded.
pub(crate) type Answer = BufReader<Counted>;

impl Remote {
    /// Nothing is asked yet. `authorities` are certificates in PEM that are
    /// trusted instead of the usual ones.
    pub(crate) fn new(
        url: &str,
        login: Option<Login>,
        reach: Reach,
        authorities: Option<&str>,
        wall: Duration,
    ) -> Result<Self, Error> {
        let host = host_of(url)?;
        let refused = Arc::new(Mutex::new(None));
        let config = Config::builder()
            .https_only(true)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            // What doesn't call itself Git is shown a page by some servers.
            .user_agent(concat!("git/2.40.0 (MecaPy ", env!("CARGO_PKG_VERSION"), ")"))
            .tls_config(TlsConfig::builder().root_certs(roots(authorities)?).build())
            .build();
        let guard = Guard { reach, refused: refused.clone(), inner: DefaultResolver::default() };
        Ok(Self {
            agent: Agent::with_parts(config, DefaultConnector::default(), guard),
            refused,
            base: url.trim_end_matches('/').to_owned(),
            host,
            login,
            deadline: Instant::now() + wall,
        })
    }

    /// What the repository's server says of itself. Follows redirects, and
    /// stays where they lead.
    pub(crate) fn greet(&mut self, limit_bytes: u64) -> Result<Answer, Error> {
        for _ in 0..=REDIRECTS {
            let mut request = self.agent.get(format!("{}{GREETING}", self.base));
            if let Some(authorization) = self.authorization() {
                request = request.header(AUTHORIZATION, authorization);
            }
            let request = request.header("Git-Protocol", "version=2");
            let request = request.config().timeout_global(Some(self.left()?)).build();
            let response = request.call().map_err(|error| self.failed(&error))?;
            if !response.status().is_redirection() {
                return self.answer(response, limit_bytes);
            }
            self.follow(&response)?;
        }
        Err(Error::NotGit("it redirects without end".to_owned()))
    }

    fn follow(&mut self, response: &Response<Body>) -> Result<(), Error> {
        let target = response.headers().get(LOCATION).and_then(|target| target.to_str().ok());
        let target = target.and_then(|target| target.strip_suffix(GREETING));
        let elsewhere = || Error::NotGit("it redirects to what is no repository".to_owned());
        let base = match target.ok_or_else(elsewhere)? {
            path if path.starts_with('/') && !path.starts_with("//") => {
                format!("{}{path}", origin(&self.base))
            }
            base => base.to_owned(),
        };
        self.host = host_of(&base)?;
        if origin(&base) != origin(&self.base) {
            // The token is for the server that the caller named.
            self.login = None;
        }
        self.base = base;
        Ok(())
    }

    /// The answer to one command of the protocol.
    pub(crate) fn command(&self, body: &[u8], limit_bytes: u64) -> Result<Answer, Error> {
        let mut request = self.agent.post(format!("{}/git-upload-pack", self.base));
        if let Some(authorization) = self.authorization() {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request
            .header("Git-Protocol", "version=2")
            .header(CONTENT_TYPE, "application/x-git-upload-pack-request");
        let request = request.config().timeout_global(Some(self.left()?)).build();
        let response = request.send(body).map_err(|error| self.failed(&error))?;
        self.answer(response, limit_bytes)
    }

    /// What remains of the time.
    fn left(&self) -> Result<Duration, Error> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(Error::TooSlow) } else { Ok(left) }
    }

    fn authorization(&self) -> Option<String> {
        let pair = self.login.as_ref()?.pair();
        Some(format!("Basic {}", BASE64_STANDARD.encode(pair)))
    }

    fn answer(&self, response: Response<Body>, limit_bytes: u64) -> Result<Answer, Error> {
        match response.status().as_u16() {
            200 => {
                let inner = response.into_body().into_with_config().limit(u64::MAX).reader();
                Ok(BufReader::new(Counted { inner, left: limit_bytes, limit_bytes }))
            }
            401 | 403 => Err(Error::Unauthorized(self.host.clone())),
            404 | 410 => Err(Error::NoRepository(self.host.clone())),
            other => Err(Error::NotGit(format!("it answers with the HTTP status {other}"))),
        }
    }

    fn failed(&self, error: &ureq::Error) -> Error {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(address) = refused {
            return Error::Address { host: self.host.clone(), address };
        }
        match error {
            ureq::Error::Timeout(_) => Error::TooSlow,
            other => {
                let detail = shown(other.to_string().as_bytes());
                Error::Unreachable(format!("{}: {detail}", self.host))
            }
        }
    }
}

/// Ends an answer that is longer than it may be.
pub(crate) struct Counted {
    inner: BodyReader<'static>,
    left: u64,
    limit_bytes: u64,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into)?;
        let left = self.left.checked_sub(read as u64);
        let over = || Error::TooLarge { bound: Bound::Sent, limit: self.limit_bytes };
        self.left = left.ok_or_else(|| io::Error::other(over()))?;
        Ok(read)
    }
}

/// Resolves names, and keeps to addresses that may be called. The connection
/// goes to what this answers, so that a name can't change in between.
#[derive(Debug)]
struct Guard {
    reach: Reach,
    refused: Arc<Mutex<Option<String>>>,
    inner: DefaultResolver,
}

impl Resolver for Guard {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.inner.resolve(uri, config, timeout)?;
        // One that is not public among others is reason enough.
        if let Some(inside) = found.iter().find(|address| !self.reach.covers(address.ip())) {
            let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            *refused = Some(inside.ip().to_string());
            return Err(ureq::Error::HostNotFound);
        }
        Ok(found)
    }
}

fn roots(authorities: Option<&str>) -> Result<RootCerts, Error> {
    let Some(pem) = authorities else { return Ok(RootCerts::WebPki) };
    let found = parsed(pem).map_err(Error::Here)?;
    Ok(RootCerts::Specific(Arc::new(found)))
}

/// How many certificates a text in PEM holds.
///
/// # Errors
/// What is wrong with it.
pub fn certificates(pem: &str) -> Result<usize, String> {
    parsed(pem).map(|found| found.len())
}

fn parsed(pem: &str) -> Result<Vec<Certificate<'static>>, String> {
    let items = parse_pem(pem.as_bytes()).filter_map(|item| match item {
        Ok(PemItem::Certificate(found)) => Some(Ok(found)),
        Ok(_) => None,
        Err(error) => Some(Err(format!("the certificates can't be read: {error}"))),
    });
    items.collect()
}

/// The host of an https URL that names a repository and nothing else.
pub(crate) fn host_of(url: &str) -> Result<String, Error> {
    // Whoever pasted a password shall not find it in an answer or a log.
    let shown = || {
        let (address, query) = url.split_once('?').unwrap_or((url, ""));
        let known = match address.rsplit_once('@') {
            Some((_, rest)) => format!("…@{}", shown(rest.as_bytes())),
            None => shown(address.as_bytes()),
        };
        if query.is_empty() { known } else { format!("{known}?…") }
    };
    let invalid = || Error::Url(shown());
    let uri: Uri = url.parse().map_err(|_| invalid())?;
    let authority = uri.authority().ok_or_else(invalid)?;
    let plain = uri.scheme_str() == Some("https")
        && !authority.as_str().contains('@')
        && !authority.host().is_empty()
        && !url.contains(['?', '#', '\\'])
        && uri.path().len() > 1
        && url.is_ascii()
        && url.len() <= 2000;
    plain.then(|| authority.host().to_owned()).ok_or_else(invalid)
}

/// `https://host:port` of a URL.
fn origin(url: &str) -> &str {
    let after = url.find("://").map_or(0, |at| at + 3);
    url[after..].find('/').map_or(url, |at| &url[..after + at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_addresses_of_a_repository_are_taken() {
        for (url, host) in [
            ("https://example.com/f.git", "example.com"),
            ("https://example.com:8443/team/f", "example.com"),
            ("https://[::1]:8443/f", "[::1]"),
        ] {
            assert_eq!(host_of(url).as_deref(), Ok(host), "{url}");
        }
        for url in [
            "http://example.com/f.git",
            "git://example.com/f.git",
            "ssh://git@example.com/f.git",
            "git@example.com:f.git",
            "file:///etc/passwd",
            "/srv/f.git",
            "https://example.com",
            "https://example.com/",
            "https://example.com/f?x=1",
            "https://example.com/f#x",
            "https:///f",
            "--upload-pack=x",
            "",
        ] {
            assert!(matches!(host_of(url), Err(Error::Url(_))), "{url}");
        }
    }

    #[test]
    fn a_password_in_an_address_is_refused_and_not_told() {
        let error = host_of("https://ada:s3cret@example.com/f.git").unwrap_err();
        assert_eq!(error, Error::Url("…@example.com/f.git".to_owned()));
    }

    #[test]
    fn another_port_is_another_origin() {
        assert_eq!(origin("https://a.com/x/y"), "https://a.com");
        assert_ne!(origin("https://a.com/x"), origin("https://a.com:444/x"));
    }
}

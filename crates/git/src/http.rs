//! Requests to a repository's server: https, to addresses that may be called.

use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};
use ureq::tls::{RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Body};

use crate::address::Reach;
use crate::{Error, Login};

/// Redirects that are followed, each to an address that is checked anew.
const REDIRECTS: usize = 3;
/// The longest part of an answer that is shown.
const SHOWN: usize = 200;

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
    wall: Duration,
}

impl Remote {
    /// Nothing is asked yet. `authorities` are certificates in PEM that are
    /// trusted besides the usual ones.
    pub(crate) fn new(
        url: &str,
        login: Option<Login>,
        reach: Reach,
        authorities: Option<&[u8]>,
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
            .timeout_global(Some(wall))
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
            wall,
        })
    }

    /// The host as it was named.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// What the repository's server says of itself. Follows redirects, and
    /// goes on where they lead.
    pub(crate) fn greet(&mut self) -> Result<impl Read + use<>, Error> {
        const SUFFIX: &str = "/info/refs?service=git-upload-pack";
        for _ in 0..=REDIRECTS {
            let request = self
                .agent
                .get(format!("{}{SUFFIX}", self.base))
                .config()
                .timeout_global(Some(self.left()?))
                .build()
                .header("Git-Protocol", "version=2");
            let request = match self.authorization() {
                Some(value) => request.header(AUTHORIZATION, value),
                None => request,
            };
            let response = request.call().map_err(|error| self.failed(&error))?;
            if !response.status().is_redirection() {
                return self.body(response);
            }
            let target = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            let target = target.and_then(|target| target.strip_suffix(SUFFIX));
            let base = target.ok_or_else(|| self.not_git("a redirect to another page"))?;
            let base = match base.strip_prefix('/') {
                Some(path) => format!("{}/{path}", origin(&self.base)),
                None => base.to_owned(),
            };
            host_of(&base)?;
            if origin(&base) != origin(&self.base) {
                // The token is for the server that the caller named.
                self.login = None;
            }
            self.base = base;
        }
        Err(self.not_git("too many redirects"))
    }

    /// One command of the protocol.
    pub(crate) fn command(&self, body: &[u8]) -> Result<impl Read + use<>, Error> {
        let request = self
            .agent
            .post(format!("{}/git-upload-pack", self.base))
            .config()
            .timeout_global(Some(self.left()?))
            .build()
            .header("Git-Protocol", "version=2")
            .header(CONTENT_TYPE, "application/x-git-upload-pack-request");
        let request = match self.authorization() {
            Some(value) => request.header(AUTHORIZATION, value),
            None => request,
        };
        let response = request.send(body).map_err(|error| self.failed(&error))?;
        self.body(response)
    }

    /// What remains of the time.
    fn left(&self) -> Result<Duration, Error> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(Error::TooSlow(self.wall.as_secs())) } else { Ok(left) }
    }

    fn authorization(&self) -> Option<String> {
        let login = self.login.as_ref()?;
        Some(ureq_basic(&login.user, &login.secret))
    }

    fn body(&self, response: ureq::http::Response<Body>) -> Result<impl Read + use<>, Error> {
        match response.status().as_u16() {
            200 => Ok(response.into_body().into_reader()),
            401 | 403 => Err(Error::Unauthorized(self.host.clone())),
            404 | 410 => Err(Error::NoRepository(self.host.clone())),
            other => Err(self.not_git(&format!("HTTP status {other}"))),
        }
    }

    pub(crate) fn not_git(&self, detail: &str) -> Error {
        let detail = detail.chars().filter(|c| !c.is_control()).take(SHOWN).collect();
        Error::NotGit { host: self.host.clone(), detail }
    }

    fn failed(&self, error: &ureq::Error) -> Error {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(address) = refused {
            return Error::Address { host: self.host.clone(), address };
        }
        match error {
            ureq::Error::Timeout(_) => Error::TooSlow(self.wall.as_secs()),
            other => Error::Unreachable { host: self.host.clone(), detail: other.to_string() },
        }
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

fn roots(authorities: Option<&[u8]>) -> Result<RootCerts, Error> {
    let Some(pem) = authorities else { return Ok(RootCerts::WebPki) };
    let mut certificates = Vec::new();
    for item in parse_pem(pem) {
        match item {
            Ok(ureq::tls::PemItem::Certificate(found)) => certificates.push(found),
            Ok(_) => {}
            Err(error) => return Err(Error::Here(format!("the certificates can't be read: {error}"))),
        }
    }
    Ok(RootCerts::Specific(Arc::new(certificates)))
}

/// The host of an https URL that names a repository and nothing else.
fn host_of(url: &str) -> Result<String, Error> {
    let invalid = || Error::Url(url.chars().take(SHOWN).collect());
    let uri: Uri = url.parse().map_err(|_| invalid())?;
    let authority = uri.authority().ok_or_else(invalid)?;
    let plain = uri.scheme_str() == Some("https")
        && !authority.as_str().contains('@')
        && !authority.host().is_empty()
        && uri.query().is_none()
        && uri.path().len() > 1;
    plain.then(|| authority.host().to_owned()).ok_or_else(invalid)
}

/// `https://host:port` of a URL.
fn origin(url: &str) -> &str {
    let after = url.find("://").map_or(0, |at| at + 3);
    url[after..].find('/').map_or(url, |at| &url[..after + at])
}

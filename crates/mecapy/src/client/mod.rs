//! A small blocking client of the API, for the command line.

mod bodies;
mod credentials;
mod local;
mod missing;
mod multipart;
mod problem;
mod stream;

pub use bodies::{
    Account, Deployment, Execute, Function, Page, Place, RunCode, Sentence, Stage, Task,
    TaskFailure, TestCase, TestReport,
};
pub use credentials::{Credentials, Kept};
pub use local::{Announced, announce};
pub use stream::{Event, Events};

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use domain::{Lang, Text};
use indicatif::ProgressBar;
use serde::de::DeserializeOwned;
use ureq::http::{HeaderMap, Method, Request, StatusCode};
use ureq::{Agent, SendBody};

use crate::exit::{Exit, Failure};
use crate::settings::{Secret, Settings};

/// How long a server may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a server may take to begin its answer: the longest `?wait` and
/// time for a loaded machine.
const ANSWER: Duration = Duration::from_secs(90);

/// A connection to one server; clones share its idle connections.
#[derive(Clone, Debug)]
pub struct Client {
    agent: Agent,
    /// The server's address, without a slash at its end.
    pub url: String,
    token: Option<Secret>,
    /// The language that the server is asked to answer in.
    pub lang: Lang,
}

/// A good answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status: 200, 201, 202 or 204.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its bytes.
    pub body: Vec<u8>,
}

impl Answer {
    /// A header's text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Reads the body as the expected value.
    ///
    /// # Errors
    /// When the server answered something else.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let start: String = String::from_utf8_lossy(&self.body).chars().take(200).collect();
            Failure::new(
                Exit::Unavailable,
                Text::new(
                    format!("expected an answer of a MecaPy server of version {VERSION}, found {start:?} ({error})"),
                    format!("une réponse d’un serveur MecaPy de version {VERSION} était attendue, trouvé : {start:?} ({error})"),
                ),
            )
        })
    }
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

impl Client {
    /// The client of the server that the settings name, else of the one that
    /// runs on this machine.
    ///
    /// # Errors
    /// When there is neither.
    pub fn new(settings: &Settings, lang: Lang) -> Result<Self, Failure> {
        let (url, token) = local::server(settings)?;
        Ok(Self::at(url, token, lang))
    }

    /// The client of the server at `url`.
    #[must_use]
    pub fn at(url: String, token: Option<Secret>, lang: Lang) -> Self {
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(ANSWER))
            .max_idle_connections_per_host(1024)
            .max_idle_connections(1024)
            .user_agent(format!("mecapy/{VERSION}"));
        if local::is_loopback(&url) {
            // A proxy can't reach this machine's own addresses.
            config = config.proxy(None);
        }
        Self { agent: config.build().new_agent(), url, token, lang }
    }

    /// `GET path`.
    ///
    /// # Errors
    /// When the server can't be reached or refuses.
    pub fn get(&self, path: &str) -> Result<Answer, Failure> {
        self.send(Method::GET, path, &[], SendBody::none())
    }

    /// `DELETE path`.
    ///
    /// # Errors
    /// When the server can't be reached or refuses.
    pub fn delete(&self, path: &str) -> Result<Answer, Failure> {
        self.send(Method::DELETE, path, &[], SendBody::none())
    }

    /// `POST path` with a JSON document, sent as it is.
    ///
    /// # Errors
    /// When the server can't be reached or refuses.
    pub fn post(&self, path: &str, json: &str) -> Result<Answer, Failure> {
        self.post_with(path, json, &[])
    }

    /// The same with headers of the caller's.
    ///
    /// # Errors
    /// When the server can't be reached or refuses.
    pub fn post_with(
        &self,
        path: &str,
        json: &str,
        more: &[(&str, &str)],
    ) -> Result<Answer, Failure> {
        let length = json.len().to_string();
        let own = [("Content-Type", "application/json"), ("Content-Length", length.as_str())];
        let headers = [&own[..], more].concat();
        let mut reader = json.as_bytes();
        self.send(Method::POST, path, &headers, SendBody::from_reader(&mut reader))
    }

    /// `POST path` with one file in the multipart field `field`.
    ///
    /// # Errors
    /// When the server can't be reached or refuses, or the file can't be read.
    pub fn upload(
        &self,
        path: &str,
        field: &str,
        name: &str,
        content: impl Read,
        length: u64,
    ) -> Result<Answer, Failure> {
        let part = multipart::Part::new(field, name, content, length);
        let (kind, length) = (part.content_type(), part.len().to_string());
        let headers = [("Content-Type", kind.as_str()), ("Content-Length", length.as_str())];
        let mut reader = part.into_reader();
        self.send(Method::POST, path, &headers, SendBody::from_reader(&mut reader))
    }

    /// Uploads an input file and gives its reference; `bar`, made for so many
    /// bytes, shows how far it is.
    ///
    /// # Errors
    /// When the file can't be read, or the server can't be reached or refuses.
    pub fn upload_file(
        &self,
        path: &Path,
        bar: impl FnOnce(u64) -> ProgressBar,
    ) -> Result<String, Failure> {
        let open = || {
            let file = std::fs::File::open(path)?;
            let length = file.metadata()?.len();
            Ok::<_, std::io::Error>((file, length))
        };
        let (file, length) = open().map_err(|error| unreadable(path, &error))?;
        let name = path.file_name().map_or("file".into(), |name| name.to_string_lossy());
        let bar = bar(length);
        let answer = self.upload("/files", "file", &name, bar.wrap_read(file), length);
        bar.finish_and_clear();
        Ok(answer?.read::<bodies::Uploaded>()?.reference)
    }

    /// The events of `path`, for at most `time`.
    ///
    /// # Errors
    /// When the server can't be reached or refuses.
    pub fn events(&self, path: &str, time: Option<Duration>) -> Result<Events, Failure> {
        let request =
            self.request(Method::GET, path, &[("Accept", "text/event-stream")], SendBody::none())?;
        let request = self.agent.configure_request(request).timeout_global(time).build();
        let response = self.agent.run(request).map_err(|error| self.unreachable(&error))?;
        if !response.status().is_success() {
            return Err(self.refused(response));
        }
        Ok(Events::new(response.into_body().into_reader()))
    }

    fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: SendBody<'_>,
    ) -> Result<Answer, Failure> {
        let request = self.request(method, path, headers, body)?;
        let response = self.agent.run(request).map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        if !status.is_success() {
            return Err(self.refused(response));
        }
        let headers = response.headers().clone();
        let mut body = Vec::new();
        response
            .into_body()
            .into_reader()
            .read_to_end(&mut body)
            .map_err(|error| self.unreachable(&ureq::Error::Io(error)))?;
        Ok(Answer { status, headers, body })
    }

    fn request<'a>(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: SendBody<'a>,
    ) -> Result<Request<SendBody<'a>>, Failure> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("Accept-Language", self.lang.tag());
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {}", token.expose()));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(body).map_err(|error| {
            let url = &self.url;
            Failure::usage(
                format!("expected the address of a server such as http://127.0.0.1:8000 and a token of one line, found {url:?}: {error}"),
                format!("une adresse de serveur telle que http://127.0.0.1:8000 et un jeton d’une ligne étaient attendus, trouvé : {url:?} : {error}"),
            )
        })
    }

    fn unreachable(&self, error: &ureq::Error) -> Failure {
        problem::unreachable(&self.url, error)
    }

    fn refused(&self, response: ureq::http::Response<ureq::Body>) -> Failure {
        problem::read(&self.url, response)
    }
}

/// Whether nobody on the way to a server can read what is sent there.
#[must_use]
pub fn is_private(url: &str) -> bool {
    url.starts_with("https://") || local::is_loopback(url)
}

/// A file of the user's that can't be read.
#[must_use]
pub fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    let shown = path.display();
    Failure::usage(
        format!("{shown} can't be read: {error}. Check the path, and that it is yours to read"),
        format!(
            "{shown} ne peut pas être lu : {error}. Vérifiez le chemin et vos droits de lecture"
        ),
    )
}

/// Escapes a path segment: everything that isn't unreserved by RFC 3986, but
/// for the two characters that references to functions are made of.
#[must_use]
pub fn segment(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::new(), |mut escaped, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~@:".contains(&byte) {
            escaped.push(byte.into());
        } else {
            write!(escaped, "%{byte:02X}").expect("writing to a String succeeds");
        }
        escaped
    })
}

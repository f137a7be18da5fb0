//! A small blocking client of the HTTP API, which takes every status as an
//! answer.

use std::time::Duration;

use serde_json::Value;
use sha2::Digest as _;
use ureq::http::{HeaderMap, Method, Request};

/// Speaks to one server, with or without a token. Clones share connections.
#[derive(Clone, Debug)]
pub struct Client {
    agent: ureq::Agent,
    url: String,
    token: Option<String>,
}

/// An answer, whatever its status.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body's bytes.
    pub body: Vec<u8>,
}

/// Most that an answer may hold.
const LARGEST: u64 = 1 << 30;
/// Longer than any `?wait` and any cold start.
const PATIENCE: Duration = Duration::from_secs(300);

impl Client {
    /// A client of the server at `url`, such as `http://127.0.0.1:8000`.
    #[must_use]
    pub fn new(url: &str, token: Option<&str>) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            // Tests speak to this machine, whatever its environment says.
            .proxy(None)
            .timeout_global(Some(PATIENCE))
            .build();
        Self {
            agent: config.into(),
            url: url.trim_end_matches('/').to_owned(),
            token: token.map(str::to_owned),
        }
    }

    /// The same server as seen by another holder of a token, or by nobody.
    #[must_use]
    pub fn with_token(&self, token: Option<&str>) -> Self {
        Self { token: token.map(str::to_owned), ..self.clone() }
    }

    /// `GET`.
    #[must_use]
    pub fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], Vec::new())
    }

    /// `DELETE`.
    #[must_use]
    pub fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, &[], Vec::new())
    }

    /// `POST` of JSON.
    #[must_use]
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_text(path, &body.to_string())
    }

    /// `POST` of JSON, in these exact bytes.
    #[must_use]
    pub fn post_text(&self, path: &str, json: &str) -> Answer {
        let json = json.as_bytes().to_vec();
        self.send(Method::POST, path, &[("content-type", "application/json")], json)
    }

    /// `POST` of one file as multipart form data.
    #[must_use]
    pub fn post_file(&self, path: &str, field: &str, name: &str, content: &[u8]) -> Answer {
        // The digest of the content can't stand in it.
        let boundary = hex::encode(sha2::Sha256::digest(content));
        let mut body = format!(
            "--{boundary}\r\ncontent-disposition: form-data; name=\"{field}\"; \
             filename=\"{name}\"\r\ncontent-type: application/octet-stream\r\n\r\n"
        )
        .into_bytes();
        body.extend_from_slice(content);
        body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        let kind = format!("multipart/form-data; boundary={boundary}");
        self.send(Method::POST, path, &[("content-type", &kind)], body)
    }

    /// Any request; the token is added.
    ///
    /// # Panics
    /// Where no answer comes: the test can't go on.
    #[must_use]
    pub fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Answer {
        self.try_send(method.clone(), path, headers, body)
            .unwrap_or_else(|error| panic!("{method} {path} got no answer: {error}"))
    }

    /// Any request, to a server that may be gone by now.
    pub fn try_send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Answer, ureq::Error> {
        let mut request =
            Request::builder().method(method.clone()).uri(format!("{}{path}", self.url));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let with_body = method == Method::POST || method == Method::PUT || method == Method::PATCH;
        let mut answer = if with_body {
            self.agent.run(request.body(body)?)?
        } else {
            self.agent.run(request.body(())?)?
        };
        Ok(Answer {
            status: answer.status().as_u16(),
            headers: answer.headers().clone(),
            body: answer.body_mut().with_config().limit(LARGEST).read_to_vec()?,
        })
    }
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Panics
    /// Where it is none, with what it is.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.text()))
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The answer itself, where it has this status.
    ///
    /// # Panics
    /// Where it has another one, with what it says.
    #[must_use]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    /// A header's text; `None` where it is absent.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use serde_json::json;

    use super::*;

    #[test]
    fn a_problem_is_an_answer_and_the_token_goes_along() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = vec![0; 4096];
            let mut read = 0;
            while !request[..read].ends_with(b"{\"a\":1}") {
                read += stream.read(&mut request[read..]).unwrap();
            }
            let answer =
                "HTTP/1.1 422 No\r\nx-kind: problem\r\ncontent-length: 8\r\n\r\n{\"b\": 2}";
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&request[..read]).into_owned()
        });
        let answer =
            Client::new(&url, Some("t0ken")).post("/tasks", &json!({ "a": 1 })).expect(422);
        assert_eq!(answer.json(), json!({ "b": 2 }));
        assert_eq!(answer.header("x-kind"), Some("problem"));
        let request = server.join().unwrap();
        assert!(request.starts_with("POST /tasks HTTP/1.1\r\n"), "{request}");
        assert!(request.contains("authorization: Bearer t0ken\r\n"), "{request}");
    }
}

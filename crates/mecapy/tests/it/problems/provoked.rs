//! One request, or a few, for each code.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use api::problem::Code;
use serde_json::{Value, json};
use test_support::archive::Archive;
use test_support::client::{Answer, Client};
use test_support::git::{GitServer, Repository};
use ureq::http::Method;

use crate::server::{Running, deploy, echo, execute, server_with};

const PASSWORD: &str = "correct horse battery";
const NOBODY: &str = "0198f3a4-5b6c-7d8e-9fa0-b1c2d3e4f506";

/// What came of a provocation.
pub(super) struct Provoked {
    pub(super) status: u16,
    pub(super) media: String,
    pub(super) body: Value,
}

impl From<Answer> for Provoked {
    fn from(answer: Answer) -> Self {
        let media = answer.header("content-type").unwrap_or_default().to_owned();
        Self { status: answer.status, media, body: answer.json() }
    }
}

/// Servers to be provoked.
pub(super) struct World {
    pub(super) client: Client,
    running: Running,
    /// One that lets little through.
    strict: Running,
    git: GitServer,
    company: String,
}

impl World {
    pub(super) fn new() -> Self {
        let git = git_server();
        let authority = git.authority().display().to_string();
        let running = server_with(&[
            ("MECAPY_BODY_PAUSE_S", "1"),
            ("MECAPY_STREAMS_PER_USER", "1"),
            ("MECAPY_ALLOWED_NETWORKS", "127.0.0.1"),
            ("MECAPY_GIT_CA_FILE", &authority),
        ]);
        let strict = server_with(&[("MECAPY_RATE_TOKEN", "3"), ("MECAPY_CONNECTIONS", "2")]);
        let client = running.client.clone();
        deploy(&client, &echo());
        let numbers = json!({ "type": "object", "properties": { "x": { "type": "number" } } });
        deploy(
            &client,
            &Archive::new("numbers", "def calculate(inputs):\n    return {}\n")
                .inputs_schema(numbers),
        );
        let _ = client.post("/auth/password", &json!({ "new_password": PASSWORD })).expect(204);
        let account = client.get("/auth/me").expect(200).json();
        let company = account["company"]["company_id"].as_str().unwrap().to_owned();
        Self { client, running, strict, git, company }
    }

    /// Provokes a code. Whoever adds a code says here what leads to it.
    pub(super) fn provoke(&self, code: Code) -> Provoked {
        let client = &self.client;
        let post = |path: &str, body: Value| client.post(path, &body).into();
        match code {
            Code::MalformedRequest => self.raw("nonsense\r\n\r\n"),
            Code::UriTooLong => client.get(&format!("/{}", "a".repeat(64_200))).into(),
            Code::HeadersTooLarge => {
                self.raw(&format!("GET / HTTP/1.1\r\n{}\r\n", "X-A: b\r\n".repeat(101)))
            }
            Code::MalformedJson => client.post_text("/tokens", "{").into(),
            Code::MalformedUpload => {
                let form = [("content-type", "multipart/form-data; boundary=b")];
                client.send(Method::POST, "/files", &form, b"--b\r\nno".to_vec()).into()
            }
            Code::InvalidHeader => keyed(client, "two words", "{}").into(),
            Code::Unauthenticated => client.with_token(None).get("/tasks").into(),
            Code::WrongLogin => log_in(client, "admin", "wrong horse battery", None).into(),
            Code::Forbidden => {
                self.member(&["admin"]).post("/companies", &json!({ "name": "x" })).into()
            }
            Code::OutOfScope => {
                self.member(&["read"]).post("/tokens", &json!({ "name": "x" })).into()
            }
            Code::CsrfFailed => {
                let cookie = log_in(client, "admin", PASSWORD, None).expect(200);
                let cookie = cookie.header("set-cookie").unwrap().split(';').next().unwrap();
                let headers = [("cookie", cookie)];
                let browser = client.with_token(None);
                browser.send(Method::POST, "/auth/logout", &headers, Vec::new()).into()
            }
            Code::NoCompany => log_in(client, "admin", PASSWORD, Some("nowhere")).into(),
            Code::NotFound => client.get(&format!("/tasks/{NOBODY}")).into(),
            Code::InvitationGone => {
                post("/auth/accept", json!({ "invitation": "unknown", "password": PASSWORD }))
            }
            Code::UnknownRoute => client.get("/nowhere").into(),
            Code::MethodNotAllowed => client.send(Method::PUT, "/tasks", &[], Vec::new()).into(),
            Code::TooSlow => self.raw(&format!(
                "POST /tokens HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {}\r\n\
                 Content-Type: application/json\r\nContent-Length: 10\r\n\r\n",
                self.running.token()
            )),
            Code::NameTaken => post("/companies", json!({ "name": "main" })),
            Code::WrongState => {
                let task = execute(client, "echo", &json!({})).expect(200).json();
                let path = format!("/tasks/{}/cancel", task["task_id"].as_str().unwrap());
                post(&path, json!({}))
            }
            Code::IdempotencyInProgress => self.in_progress(),
            Code::PayloadTooLarge => log_in(client, &"x".repeat(20_000), PASSWORD, None).into(),
            Code::StorageFull => {
                let full = self.company("full", &json!({ "max_storage_bytes": 1 }));
                full.post_file("/files", "file", "a.csv", b"1;2").into()
            }
            Code::UnsupportedMediaType => {
                let text = [("content-type", "text/plain")];
                client.send(Method::POST, "/tokens", &text, b"{}".to_vec()).into()
            }
            Code::InvalidBody => post("/tokens", json!({})),
            Code::InvalidParameter => client.get("/tasks?limit=0").into(),
            Code::InvalidCursor => client.get("/tasks?cursor=x").into(),
            Code::InvalidInputs => execute(client, "numbers", &json!({ "x": "far" })).into(),
            Code::DeploymentFailed => {
                client.post_file("/functions?wait=60", "archive", "a.zip", b"no zip").into()
            }
            Code::NotOffered => {
                post("/functions/echo/execute", json!({ "webhook": "https://example.com" }))
            }
            Code::IdempotencyKeyReused => {
                let _ = keyed(client, "reused", "{}").expect(202);
                keyed(client, "reused", r#"{"priority": 9}"#).into()
            }
            Code::QueueFull => {
                let busy = self.company("busy", &json!({ "max_queued": 0 }));
                deploy(&busy, &echo());
                busy.post("/functions/echo/execute", &json!({})).into()
            }
            Code::TooManyLogins => loop {
                let answer = log_in(client, "nobody", "wrong horse battery", None);
                if answer.status != 401 {
                    break answer.into();
                }
            },
            Code::QuotaReached => {
                let frugal = self.company("frugal", &json!({ "max_tasks_per_day": 0 }));
                deploy(&frugal, &echo());
                frugal.post("/functions/echo/execute", &json!({})).into()
            }
            Code::TooManyRequests => loop {
                let answer = self.strict.client.get("/tasks");
                if answer.status != 200 {
                    break answer.into();
                }
            },
            Code::Internal => {
                let _ = keyed(client, "spoilt", "{}").expect(202);
                // Somebody else writes into the database.
                let database = rusqlite::Connection::open(self.running.data().join("mecapy.db"));
                let spoilt = database
                    .unwrap()
                    .execute("UPDATE idempotency_keys SET body = x'ff' WHERE key = 'spoilt'", [])
                    .unwrap();
                assert_eq!(spoilt, 1);
                keyed(client, "spoilt", "{}").into()
            }
            Code::GitUrlRefused => post("/functions", json!({ "git_url": "http://host/f.git" })),
            Code::GitAddressRefused => {
                post("/functions", json!({ "git_url": "https://169.254.169.254/f.git" }))
            }
            Code::GitUnreachable => {
                post("/functions", json!({ "git_url": "https://127.0.0.1:1/f.git" }))
            }
            Code::GitNotFound => self.fetch(client, "none.git", "").into(),
            Code::GitNotUnderstood => self.fetch(client, "no-git.git", "").into(),
            Code::GitRefNotFound => {
                let wanted = json!({ "git_url": self.git.url("f.git"), "ref": "mian" });
                post("/functions", wanted)
            }
            Code::GitFolderNotFound => self.fetch(client, "f.git", "none").into(),
            Code::GitEntryRefused => self.fetch(client, "f.git", "links").into(),
            Code::GitTooLarge => self.fetch(client, "f.git", "large").into(),
            Code::GitTooSlow => {
                self.fetch(&self.company("patient", &json!({})), "slow.git", "").into()
            }
            Code::GitBroken => {
                let wanted =
                    json!({ "git_url": self.git.url("broken.git"), "ref": "1".repeat(40) });
                post("/functions", wanted)
            }
            Code::GitBusy => std::thread::scope(|scope| {
                // A company fetches two at once, and these take long.
                let hasty = self.company("hasty", &json!({}));
                for _ in 0..2 {
                    let hasty = hasty.clone();
                    scope.spawn(move || self.fetch(&hasty, "slow.git", ""));
                }
                loop {
                    let answer = self.fetch(&hasty, "f.git", "none");
                    if answer.status == 429 {
                        break answer.into();
                    }
                }
            }),
            Code::TooManyStreams => {
                let _watching = self.watch();
                client.get("/queue/events").into()
            }
            Code::Unavailable => {
                let address = address(&self.strict);
                let held = [0; 2].map(|_| TcpStream::connect(address).unwrap());
                let refused = read(TcpStream::connect(address).unwrap());
                drop(held);
                refused
            }
        }
    }

    /// Sends bytes as they are, and reads to the end.
    fn raw(&self, sent: &str) -> Provoked {
        let mut stream = TcpStream::connect(address(&self.running)).unwrap();
        // The server may have had enough before the end.
        let _ = stream.write_all(sent.as_bytes());
        read(stream)
    }

    /// Deploys from a folder of a repository of the Git server.
    fn fetch(&self, client: &Client, repository: &str, path: &str) -> Answer {
        client.post("/functions", &json!({ "git_url": self.git.url(repository), "path": path }))
    }

    /// A stream that has begun.
    fn watch(&self) -> TcpStream {
        let mut stream = TcpStream::connect(address(&self.running)).unwrap();
        let token = self.running.token();
        let head = format!(
            "GET /queue/events HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.read_exact(&mut [0]).unwrap();
        stream
    }

    /// A request with a key while the first one with it still sends.
    fn in_progress(&self) -> Provoked {
        for attempt in 0.. {
            let key = format!("slow-{attempt}");
            let mut first = TcpStream::connect(address(&self.running)).unwrap();
            let head = format!(
                "POST /files HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {}\r\n\
                 Idempotency-Key: {key}\r\nContent-Length: 100\r\n\
                 Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n",
                self.running.token()
            );
            first.write_all(head.as_bytes()).unwrap();
            let headers = [
                ("idempotency-key", key.as_str()),
                ("content-type", "multipart/form-data; boundary=b"),
            ];
            let body =
                b"--b\r\ncontent-disposition: form-data; name=\"file\"\r\n\r\n1\r\n--b--\r\n";
            let second = self.client.send(Method::POST, "/files", &headers, body.to_vec());
            if second.status == 409 {
                return second.into();
            }
        }
        unreachable!("attempts never run out")
    }

    fn member(&self, scopes: &[&str]) -> Client {
        let name = format!("member-{}", scopes[0]);
        let path = format!("/companies/{}/members", self.company);
        let member = self.client.post(&path, &json!({ "name": name })).expect(201).json();
        let whole = self.client.with_token(member["token"]["secret"].as_str());
        let narrow = json!({ "name": "narrow", "scopes": scopes });
        let narrow = whole.post("/tokens", &narrow).expect(201).json();
        whole.with_token(narrow["secret"].as_str())
    }

    /// The administrator of a new company with these quotas.
    fn company(&self, name: &str, quotas: &Value) -> Client {
        let made = self.client.post("/companies", &json!({ "name": name })).expect(201).json();
        let id = made["company"]["company_id"].as_str().unwrap();
        let owner = self.client.with_token(made["admin_token"]["secret"].as_str());
        let json = [("content-type", "application/json")];
        let quotas = quotas.to_string().into_bytes();
        let path = format!("/companies/{id}/quotas");
        let _ = self.client.send(Method::PUT, &path, &json, quotas).expect(200);
        owner
    }
}

/// A Git server with a repository whose folders can't be deployed, and with
/// others that it doesn't serve as it should.
fn git_server() -> GitServer {
    let words = ["version 2\n", "ls-refs\n", "fetch=shallow\n", "object-format=sha1\n"];
    let line = |text: &str| format!("{:04x}{text}", text.len() + 4);
    let greeting = words.iter().map(|word| line(word)).collect::<String>() + "0000";
    let broken = line("packfile\n") + &line(&format!("\u{1}{}", "no pack ".repeat(9))) + "0000";
    let git = GitServer::with_rules(&json!([
        { "path": "/no-git.git/info/refs", "text": "<html>" },
        { "path": "/slow.git/info/refs", "more": "MQ==", "pause_s": 0.5 },
        { "path": "/broken.git/info/refs", "text": greeting },
        { "path": "/broken.git/git-upload-pack", "text": broken },
    ]))
    .unwrap();
    let repository = Repository::new().unwrap();
    for number in 0..10_001 {
        repository.write(&format!("large/{number}"), "").unwrap();
    }
    repository.write("links/handler.py", "").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", repository.path().join("links/data")).unwrap();
    repository.commit().unwrap();
    git.serve(&repository, "f.git").unwrap();
    git
}

fn address(running: &Running) -> &str {
    running.url().trim_start_matches("http://")
}

fn log_in(client: &Client, name: &str, password: &str, company: Option<&str>) -> Answer {
    let body = json!({ "name": name, "password": password, "company": company });
    client.with_token(None).post("/auth/login", &body)
}

fn keyed(client: &Client, key: &str, body: &str) -> Answer {
    let headers = [("idempotency-key", key), ("content-type", "application/json")];
    client.send(Method::POST, "/functions/echo/execute", &headers, body.as_bytes().to_vec())
}

/// The answer on a connection that is closed after it.
fn read(mut stream: TcpStream) -> Provoked {
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut said = Vec::new();
    let mut chunk = [0; 4096];
    // Whole once its JSON is: not every answer closes the connection.
    loop {
        let text = String::from_utf8_lossy(&said).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && let Ok(body) = serde_json::from_str(body)
        {
            let media = head.lines().find_map(|line| line.strip_prefix("content-type: "));
            let status = head.get(9..12).and_then(|code| code.parse().ok()).unwrap_or(0);
            return Provoked { status, media: media.unwrap_or_default().to_owned(), body };
        }
        match stream.read(&mut chunk) {
            Ok(0) => panic!("the connection ended after: {text}"),
            Ok(read) => said.extend_from_slice(&chunk[..read]),
            Err(error) => panic!("{error} after: {text}"),
        }
    }
}

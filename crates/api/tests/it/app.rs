//! The application under test, and how the tests talk to it.

use std::sync::Arc;

use api::{Api, Settings};
use async_trait::async_trait;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use bytes::Bytes;
use domain::limits::Limits;
use domain::manifest::PythonVersion;
use domain::task::Measured;
use domain::testing;
use domain::{Digest, Fault, WorkerId};
use engine::store::functions::Version;
use engine::store::sqlite;
use engine::{
    BuildLog, Builder, Built, End, Engine, EnvironmentWanted, Locker, Report, TestTeller,
};
use serde_json::Value;
use tower::ServiceExt as _;

/// A function that adds nothing: any inputs, any outputs.
pub(crate) const FREE: &str = r#"{"type": "object"}"#;

/// A builder without a package index: environments stand by themselves.
struct Ready;

#[async_trait]
impl Locker for Ready {
    async fn lock(&self, wanted: EnvironmentWanted) -> Result<Built, Vec<Fault>> {
        Ok(Built {
            digest: Digest([7; 32]),
            python: wanted.python.unwrap_or(PythonVersion::PREFERRED),
            python_full: "3.12.1".to_owned(),
            lock: String::new(),
            shared: true,
            warnings: Vec::new(),
        })
    }
}

#[async_trait]
impl Builder for Ready {
    async fn environment(
        &self,
        wanted: EnvironmentWanted,
        log: BuildLog,
    ) -> Result<Built, Vec<Fault>> {
        log("nothing to build");
        self.lock(wanted).await
    }

    async fn prepare(&self, _: &Version, _: Bytes) -> Result<(), Vec<Fault>> {
        Ok(())
    }

    async fn test(
        &self,
        _: &Version,
        _: &package::Package,
        _: Bytes,
        _: TestTeller,
    ) -> Result<testing::Report, Vec<Fault>> {
        Ok(testing::Report::default())
    }
}

/// The application, alive as long as this value.
pub(crate) struct App {
    pub(crate) engine: Engine,
    pub(crate) api: Api,
    /// The token of the platform's administrator.
    pub(crate) admin: String,
    pub(crate) worker: WorkerId,
    _folder: tempfile::TempDir,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!("{} is not JSON ({error}): {:?}", self.status, self.body)
        })
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Fails unless this is the problem `code`.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let problem = self.json();
        assert_eq!((self.status.as_u16(), &problem["code"]), (status, &code.into()), "{problem:#}");
        problem
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{:?}", self.body);
        self
    }
}

impl App {
    pub(crate) async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    pub(crate) async fn with_limits(limits: Limits) -> Self {
        Self::with(Settings { limits, ..Settings::default() }).await
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock: Arc<dyn domain::Clock> = Arc::new(domain::clock::System);
        let store = sqlite::open(
            &folder.path().join("mecapy.db"),
            Arc::clone(&clock),
            sqlite::Options::default(),
        );
        let broker = broker::InProcess::new((&settings.limits).into(), Arc::clone(&clock));
        let engine = Engine::new(engine::Parts {
            store: store.unwrap(),
            blobs: Arc::new(blobs::Directory::open(folder.path().join("blobs")).unwrap()),
            broker: Arc::new(broker),
            locker: Arc::new(Ready),
            builder: Some(Arc::new(Ready)),
            shared: false,
            clock,
            limits: settings.limits.clone(),
            policy: package::Policy::default(),
            sessions: Default::default(),
            git: engine::git::Fetcher::new(engine::git::Settings {
                // No program: what fetches is tested with the real one.
                program: folder.path().join("none"),
                folder: folder.path().to_owned(),
                reach: Default::default(),
                authorities: None,
                limits: Default::default(),
            }),
        });
        let admin = engine.found().await.unwrap().unwrap().secret;
        let api = Api::new(engine.clone(), settings).unwrap();
        Self { engine, api, admin, worker: WorkerId::new(), _folder: folder }
    }

    /// Sends a request as it is.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.api.router().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) async fn get(&self, token: &str, path: &str) -> Answer {
        self.send(request(Method::GET, token, path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn delete(&self, token: &str, path: &str) -> Answer {
        self.send(request(Method::DELETE, token, path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, token: &str, path: &str, body: impl Into<Body>) -> Answer {
        let request = request(Method::POST, token, path)
            .header(header::CONTENT_TYPE, "application/json")
            .body(body.into());
        self.send(request.unwrap()).await
    }

    /// Sends a POST under an idempotency key.
    pub(crate) async fn post_once(&self, token: &str, key: &str, path: &str, body: &str) -> Answer {
        let request = request(Method::POST, token, path)
            .header(header::CONTENT_TYPE, "application/json")
            .header("idempotency-key", key)
            .body(Body::from(body.to_owned()));
        self.send(request.unwrap()).await
    }

    /// A company, and the token of its administrator.
    pub(crate) async fn company(&self, name: &str) -> (String, String) {
        let body = format!(r#"{{"name": "{name}"}}"#);
        let created = self.post(&self.admin, "/companies", body).await.expect(201).json();
        let id = created["company"]["company_id"].as_str().unwrap().to_owned();
        (id, created["admin_token"]["secret"].as_str().unwrap().to_owned())
    }

    /// Deploys a function with this schema, and waits for it.
    pub(crate) async fn deploy(&self, token: &str, name: &str, schema: &str) -> Answer {
        self.upload(token, "/functions?wait=60", archive(name, schema)).await
    }

    /// Sends an archive as the body itself.
    pub(crate) async fn upload(&self, token: &str, path: &str, archive: Vec<u8>) -> Answer {
        let request = request(Method::POST, token, path)
            .header(header::CONTENT_TYPE, "application/zip")
            .body(Body::from(archive));
        self.send(request.unwrap()).await
    }

    /// Runs the next task as a worker would: `run` gets the exact inputs.
    pub(crate) async fn work(&self, run: impl FnOnce(&[u8]) -> End) {
        let want = broker::Want::ANY;
        let work = self.engine.next(self.worker, want).await.unwrap().unwrap();
        let end = run(&work.inputs);
        let report = Report { end, measured: Measured::default(), artifacts: Vec::new() };
        self.engine.finish(work, report).await.unwrap();
    }
}

/// A result of exactly these bytes.
pub(crate) fn result(json: impl Into<Bytes>) -> End {
    End::Result { json: json.into(), non_finite: Vec::new() }
}

/// A request with a token; an empty token sends none.
pub(crate) fn request(method: Method, token: &str, path: &str) -> axum::http::request::Builder {
    let request = Request::builder().method(method).uri(path);
    match token {
        "" => request,
        token => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
    }
}

/// The archive of a function with this inputs schema.
pub(crate) fn archive(name: &str, schema: &str) -> Vec<u8> {
    let manifest = format!(
        "version: \"1.0\"\nmetadata:\n  name: {name}\n  tags: [demo]\nio:\n  inputs_schema: {schema}\n"
    );
    package::zip(&[
        ("mecapy.yaml", manifest.as_str()),
        ("handler.py", "def calculate(inputs):\n    return {}\n"),
    ])
    .unwrap()
}

/// A form with one file.
pub(crate) fn form(field: &str, name: &str, content: &[u8]) -> (String, Vec<u8>) {
    let boundary = "----mecapy-test";
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"{name}\"\r\n\
         Content-Type: text/csv\r\n\r\n"
    );
    let body = [head.as_bytes(), content, format!("\r\n--{boundary}--\r\n").as_bytes()].concat();
    (format!("multipart/form-data; boundary={boundary}"), body)
}

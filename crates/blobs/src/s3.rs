//! Objects in a bucket of an S3 server: `<prefix>/<company>/<area>/…`.
//!
//! Nothing here relies on writes that fail where something is there already
//! (`If-None-Match`), since servers such as Garage ignore the condition. None
//! is needed: under the digest of content two writers write the same bytes,
//! so it does not matter whose stay; under an id one task or deployment
//! writes, and its last write is the one that counts. What is half written
//! never has a key that a reader knows: S3 shows an object only when all of
//! it came.
//!
//! Folders beside those of the companies hold what is on its way, under names
//! that no company has: `writing` content whose digest is not known yet,
//! `incoming` what browsers upload by signed URLs, `checking` the object of
//! [`S3::check`]. What a process that died left there is removed by
//! [`Blobs::abort_incomplete`], and so are uploads in parts, where the server
//! lists them. For those that do not, give the bucket the lifecycle rule
//! `AbortIncompleteMultipartUpload` of one day.

mod check;
mod fault;
mod http;
mod incomplete;
mod listing;
mod read;
mod settings;
mod sign;
mod signed;
mod upload;

pub use settings::Settings;

use std::fs::File;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::clock::Clock;
use domain::{CompanyId, Digest, Timestamp};
use object_store::aws::{AmazonS3, AmazonS3Builder, Checksum};
use object_store::path::Path;
use object_store::{BackoffConfig, ObjectStoreExt as _, RetryConfig};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::{
    Area, Blobs, Error, Incomplete, Key, Listed, Reader, SignedUpload, SignedUrl, Source, Stored,
};
use fault::Act;
use http::Http;
use upload::{From, Goal, Parts};

/// Where content is whose digest is not known yet.
const WRITING: &str = "writing";
/// Where others upload to.
const INCOMING: &str = "incoming";
/// Parts on their way at once, of all uploads together: 64 MiB. Beside them
/// each upload holds what it gathers for its next part.
const PLACES: usize = 8;
/// The most that a server copies by one request.
const LARGEST_COPY: u64 = 5 << 30;

/// Objects in a bucket.
#[derive(Clone, Debug)]
pub struct S3(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Settings,
    bucket_url: String,
    store: AmazonS3,
    http: Http,
    clock: Arc<dyn Clock>,
    places: Arc<Semaphore>,
    /// Cleaning up after callers that went away.
    jobs: TaskTracker,
}

impl S3 {
    /// A store in the bucket of these settings. Nothing is sent yet: see
    /// [`Self::check`]. The clock dates signed URLs.
    pub fn open(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let bucket_url = settings.bucket_url()?;
        let http = Http::new(&settings)?;
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&settings.bucket)
            .with_region(&settings.region)
            // With this the endpoint is the bucket's URL, in either style.
            .with_virtual_hosted_style_request(true)
            .with_endpoint(&bucket_url)
            .with_allow_http(true)
            .with_access_key_id(&settings.access_key)
            .with_secret_access_key(&settings.secret_key)
            .with_http_connector(http.clone())
            .with_retry(RetryConfig {
                backoff: BackoffConfig {
                    init_backoff: Duration::from_millis(100),
                    max_backoff: Duration::from_secs(3),
                    base: 2.0,
                },
                max_retries: 20,
                retry_timeout: settings.patience,
            });
        if settings.checksums {
            builder = builder.with_checksum_algorithm(Checksum::SHA256);
        }
        let store = builder.build().map_err(|error| Error::Settings(error.to_string()))?;
        Ok(Self(Arc::new(Inner {
            settings,
            bucket_url,
            store,
            http,
            clock,
            places: Arc::new(Semaphore::new(PLACES)),
            jobs: TaskTracker::new(),
        })))
    }

    /// Waits until what callers that went away had begun is cleaned up. For
    /// the end of the process.
    pub async fn settle(&self) {
        self.0.jobs.close();
        self.0.jobs.wait().await;
        self.0.jobs.reopen();
    }
}

#[async_trait]
impl Blobs for S3 {
    async fn put(&self, key: Key, bytes: Bytes) -> Result<Stored, Error> {
        self.0.put(key, bytes).await
    }

    async fn put_stream(
        &self,
        key: Key,
        source: Source<'_>,
        max_bytes: u64,
    ) -> Result<Stored, Error> {
        self.0.upload(Goal::Key(key), Parts::new(From::Stream(source), max_bytes)).await
    }

    async fn put_content(
        &self,
        company: CompanyId,
        area: Area,
        source: Source<'_>,
        max_bytes: u64,
    ) -> Result<Stored, Error> {
        let parts = Parts::new(From::Stream(source), max_bytes);
        self.0.upload(Goal::Content(company, area), parts).await
    }

    async fn put_file(
        &self,
        company: CompanyId,
        area: Area,
        file: File,
        max_bytes: u64,
    ) -> Result<Stored, Error> {
        self.0.put_file(company, area, file, max_bytes).await
    }

    async fn get(&self, key: Key, max_bytes: u64) -> Result<Bytes, Error> {
        self.whole(key, max_bytes).await
    }

    async fn open(&self, key: Key) -> Result<Reader, Error> {
        self.reader(key).await
    }

    async fn size(&self, key: Key) -> Result<Option<u64>, Error> {
        self.length(&Act::on_key("measure", key), &self.0.path(key)).await
    }

    async fn delete(&self, key: Key) -> Result<bool, Error> {
        let act = Act::on_key("delete", key);
        // The server does not say whether there was one.
        if self.length(&act, &self.0.path(key)).await?.is_none() {
            return Ok(false);
        }
        match self.0.store.delete(&self.0.path(key)).await {
            Ok(()) => Ok(true),
            Err(error) => match self.0.failed(&act, error) {
                Error::NotFound { .. } => Ok(false),
                error => Err(error),
            },
        }
    }

    async fn delete_company(&self, company: CompanyId) -> Result<(), Error> {
        self.0.delete_company(company).await
    }

    async fn companies(&self) -> Result<Vec<CompanyId>, Error> {
        self.0.companies().await
    }

    async fn list(
        &self,
        company: CompanyId,
        area: Area,
        after: Option<Key>,
        limit: usize,
    ) -> Result<Vec<Listed>, Error> {
        self.0.list(company, area, after, limit).await
    }

    fn local_path(&self, _: Key) -> Option<std::path::PathBuf> {
        None
    }

    async fn signed_download(
        &self,
        key: Key,
        lifetime: Duration,
        file_name: &str,
        content_type: &str,
    ) -> Result<Option<SignedUrl>, Error> {
        Ok(Some(self.0.signed_download(key, lifetime, file_name, content_type)))
    }

    async fn signed_upload(
        &self,
        company: CompanyId,
        area: Area,
        bytes: u64,
        digest: Option<Digest>,
        lifetime: Duration,
    ) -> Result<Option<SignedUpload>, Error> {
        self.0.signed_upload(company, area, bytes, digest, lifetime).map(Some)
    }

    async fn adopt(
        &self,
        company: CompanyId,
        area: Area,
        upload: Uuid,
        bytes: u64,
        digest: Option<Digest>,
    ) -> Result<Stored, Error> {
        self.adopt_upload(company, area, upload, bytes, digest).await
    }

    async fn abort_incomplete(&self, before: Timestamp) -> Result<Incomplete, Error> {
        self.0.abort_incomplete(before).await
    }
}

impl Inner {
    fn path(&self, key: Key) -> Path {
        self.settings.path(key)
    }

    /// The beginning of the names in a folder that ends with a slash.
    fn below(&self, folder: &str) -> String {
        match self.settings.prefix.as_str() {
            "" => folder.to_owned(),
            prefix => format!("{prefix}/{folder}"),
        }
    }

    fn failed(&self, act: &Act, error: object_store::Error) -> Error {
        act.failed(&self.settings, error)
    }

    /// Does something for nobody who waits; at a runtime's end it is left.
    fn later(&self, job: impl Future<Output = ()> + Send + 'static) {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            self.jobs.spawn_on(job, &runtime);
        }
    }

    /// A place for content that has no key yet.
    fn aside(&self) -> Aside<'_> {
        let path = self.settings.path(format!("{WRITING}/{}", Uuid::now_v7()));
        Aside { inner: self, path, is_there: true }
    }
}

/// An object of no key, removed when this is dropped.
struct Aside<'a> {
    inner: &'a Inner,
    path: Path,
    is_there: bool,
}

impl Aside<'_> {
    /// Removes it. What stays is found by `abort_incomplete`.
    async fn remove(mut self) {
        let _ = self.inner.store.delete(&self.path).await;
        self.is_there = false;
    }
}

impl Drop for Aside<'_> {
    fn drop(&mut self) {
        if self.is_there {
            let (store, path) = (self.inner.store.clone(), self.path.clone());
            self.inner.later(async move {
                let _ = store.delete(&path).await;
            });
        }
    }
}

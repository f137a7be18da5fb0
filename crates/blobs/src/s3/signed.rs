//! Leave for others to download and upload without passing through here.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use domain::{CompanyId, Digest};
use futures_util::TryStreamExt as _;
use object_store::ObjectStoreExt as _;
use object_store::path::Path;
use uuid::Uuid;

use super::fault::Act;
use super::sign::{Request, escape};
use super::upload::Hashing;
use super::{INCOMING, Inner, LARGEST_COPY, S3};
use crate::{Area, Error, Key, SignedUpload, SignedUrl, Stored};

/// The longest name that goes into a URL.
const NAME_CHARS: usize = 200;

impl Inner {
    pub(super) fn signed_download(
        &self,
        key: Key,
        lifetime: Duration,
        file_name: &str,
        content_type: &str,
    ) -> SignedUrl {
        self.sign(Request {
            method: "GET",
            path: Some(&self.path(key)),
            query: vec![
                ("response-content-disposition", attachment(file_name)),
                ("response-content-type", media_type(content_type)),
            ],
            headers: Vec::new(),
            lifetime,
        })
    }

    pub(super) fn signed_upload(
        &self,
        company: CompanyId,
        area: Area,
        bytes: u64,
        digest: Option<Digest>,
        lifetime: Duration,
    ) -> Result<SignedUpload, Error> {
        if bytes > LARGEST_COPY {
            return Err(Error::TooLarge { limit: LARGEST_COPY, measured: bytes });
        }
        let upload = Uuid::now_v7();
        let mut headers = vec![("content-length", bytes.to_string())];
        if let Some(digest) = digest.filter(|_| self.settings.checksums) {
            headers.push(("x-amz-checksum-sha256", BASE64_STANDARD.encode(digest.0)));
        }
        let url = self.sign(Request {
            method: "PUT",
            path: Some(&self.incoming(company, area, upload)),
            query: Vec::new(),
            headers: headers.clone(),
            lifetime,
        });
        Ok(SignedUpload { upload, url, headers })
    }

    fn incoming(&self, company: CompanyId, area: Area, upload: Uuid) -> Path {
        self.settings.path(format!("{INCOMING}/{company}/{area}/{upload}"))
    }
}

impl S3 {
    /// Whoever has the URL can write again until it expires, so what is
    /// checked is a copy that only this store writes.
    pub(super) async fn adopt_upload(
        &self,
        company: CompanyId,
        area: Area,
        upload: Uuid,
        bytes: u64,
        digest: Option<Digest>,
    ) -> Result<Stored, Error> {
        let inner = &*self.0;
        let key = Key::id(company, area, upload);
        let act = Act::on_key("adopt", key);
        let came = inner.incoming(company, area, upload);
        let Some(found) = self.length(&act, &came).await? else {
            return self.adopted(company, area, upload, bytes, digest).await;
        };
        let is_wrong = |found| found != bytes;
        if is_wrong(found) {
            self.discard(&came).await;
            return Err(Error::NotAsAnnounced { announced: bytes, found });
        }
        let aside = inner.aside();
        inner.copy(&act, &came, &aside.path).await?;
        let (size, mut pieces) = self.pieces(act.clone(), aside.path.clone()).await?;
        if is_wrong(size) {
            self.discard(&came).await;
            return Err(Error::NotAsAnnounced { announced: bytes, found: size });
        }
        let mut hashing = Hashing::default();
        while let Some(piece) =
            pieces.try_next().await.map_err(|error| Error::from_read(key, error))?
        {
            hashing.add(&piece).await;
        }
        let stored = hashing.stored();
        let content = Key::content(company, area, digest.unwrap_or(stored.digest));
        if content.content_digest() != Some(stored.digest) {
            self.discard(&came).await;
            return Err(Error::Corrupt { key: content, found: stored.digest });
        }
        inner.copy(&act, &aside.path, &inner.path(content)).await?;
        aside.remove().await;
        self.discard(&came).await;
        Ok(stored)
    }

    /// What an upload became that is no longer there: a call whose answer was
    /// lost can be repeated where the digest was announced.
    async fn adopted(
        &self,
        company: CompanyId,
        area: Area,
        upload: Uuid,
        bytes: u64,
        digest: Option<Digest>,
    ) -> Result<Stored, Error> {
        if let Some(digest) = digest {
            let key = Key::content(company, area, digest);
            let size = self.length(&Act::on_key("adopt", key), &self.0.path(key)).await?;
            if size == Some(bytes) {
                return Ok(Stored { digest, bytes });
            }
        }
        Err(Error::NotFound { key: Key::id(company, area, upload) })
    }

    /// Best effort: what stays is found by `abort_incomplete`.
    async fn discard(&self, path: &Path) {
        let _ = self.0.store.delete(path).await;
    }
}

/// By RFC 6266 with the encoding of RFC 8187, so that no character of the
/// name can end the value or the header.
fn attachment(name: &str) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let name: String = name.chars().take(NAME_CHARS).collect();
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "-_. ".contains(c) { c } else { '_' })
        .collect();
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{}", escape(&name))
}

/// A media type without parameters; bytes where it is none, or one that a
/// browser could run.
fn media_type(text: &str) -> String {
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_plain = essence.split('/').count() == 2
        && essence.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-+.".contains(&b));
    let runs = ["html", "xml", "javascript", "ecmascript", "svg"];
    if is_plain && !runs.iter().any(|word| essence.contains(word)) {
        essence
    } else {
        "application/octet-stream".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_cannot_leave_its_header() {
        let value = attachment("../a\"\r\nSet-Cookie: x=1;é.csv");
        assert_eq!(
            value,
            "attachment; filename=\"a___Set-Cookie_ x_1__.csv\"; \
             filename*=UTF-8''a%22%0D%0ASet-Cookie%3A%20x%3D1%3B%C3%A9.csv"
        );
    }

    #[test]
    fn what_a_browser_could_run_is_sent_as_bytes() {
        assert_eq!(media_type("Text/CSV; charset=utf-8"), "text/csv");
        for runs in [
            "text/html",
            "image/svg+xml",
            "application/xhtml+xml",
            "text/javascript",
            "x",
            "a/b\r\nc",
        ] {
            assert_eq!(media_type(runs), "application/octet-stream", "{runs}");
        }
    }
}

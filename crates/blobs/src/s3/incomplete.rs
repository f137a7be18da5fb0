//! What was begun and not finished.

use std::time::Duration;

use domain::Timestamp;
use http::StatusCode;
use object_store::client::{HttpRequestBody, HttpService as _};
use object_store::multipart::MultipartStore as _;
use object_store::path::Path;

use super::fault::{Act, refusal};
use super::http::element;
use super::sign::Request;
use super::{INCOMING, Inner, WRITING};
use crate::{Error, Incomplete};

/// An upload in parts that the server knows.
struct Upload {
    path: Path,
    id: String,
    begun: Timestamp,
}

impl Inner {
    pub(super) async fn abort_incomplete(&self, before: Timestamp) -> Result<Incomplete, Error> {
        let mut objects = 0;
        for folder in [WRITING, INCOMING, super::check::FOLDER] {
            objects += self.delete_below(folder, move |written| written < before).await?;
        }
        let Some(uploads) = self.uploads().await? else {
            return Ok(Incomplete { uploads: None, objects });
        };
        let mut aborted = 0;
        for upload in uploads.into_iter().filter(|upload| upload.begun < before) {
            match self.store.abort_multipart(&upload.path, &upload.id).await {
                Ok(()) => aborted += 1,
                // It came to its end in the meantime.
                Err(error) if matches!(refusal(&error), Some((StatusCode::NOT_FOUND, _))) => {}
                Err(error) => return Err(self.failed(&Act::on("abort", &upload.path), error)),
            }
        }
        Ok(Incomplete { uploads: Some(aborted), objects })
    }

    /// The uploads below the prefix; `None` where the server does not list
    /// them. Those after the first thousand are for the next sweep.
    async fn uploads(&self) -> Result<Option<Vec<Upload>>, Error> {
        let act = Act::on("list", "unfinished uploads");
        let url = self.sign(Request {
            method: "GET",
            path: None,
            query: vec![("prefix", self.below("")), ("uploads", String::new())],
            headers: Vec::new(),
            lifetime: Duration::from_secs(60),
        });
        let request = http::Request::get(url.as_str())
            .body(HttpRequestBody::empty())
            .map_err(|error| act.backend(error.to_string()))?;
        let failed = |error| {
            let error = object_store::Error::Generic { store: "S3", source: Box::new(error) };
            match refusal(&error) {
                Some((StatusCode::NOT_IMPLEMENTED | StatusCode::METHOD_NOT_ALLOWED, _)) => None,
                _ => Some(self.failed(&act, error)),
            }
        };
        let answer = match self.http.call(request).await {
            Ok(answer) => answer,
            Err(error) => return failed(error).map_or(Ok(None), Err),
        };
        let xml = match answer.into_body().bytes().await {
            Ok(xml) => xml,
            Err(error) => return failed(error).map_or(Ok(None), Err),
        };
        Ok(Some(read(&String::from_utf8_lossy(&xml))))
    }
}

/// The `Upload` elements of an answer to `ListMultipartUploads`. Keys of ours
/// have no character that XML escapes.
fn read(xml: &str) -> Vec<Upload> {
    let upload = |text: &str| {
        Some(Upload {
            path: Path::parse(element(text, "Key")?).ok()?,
            id: element(text, "UploadId")?,
            begun: element(text, "Initiated")?.parse().ok()?,
        })
    };
    xml.split("<Upload>").skip(1).filter_map(upload).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uploads_are_read_from_what_aws_documents() {
        let xml = "<?xml version=\"1.0\"?><ListMultipartUploadsResult><Bucket>b</Bucket>\
            <Upload><Key>p/writing/1</Key><UploadId>XMgbGlrZSBlbHZpbmc</UploadId>\
            <Initiator><ID>a</ID></Initiator><Initiated>2010-11-10T20:48:33.000Z</Initiated></Upload>\
            <Upload><Key>p/writing/2</Key><UploadId>two</UploadId>\
            <Initiated>2010-11-10T20:49:33.000Z</Initiated></Upload>\
            </ListMultipartUploadsResult>";
        let uploads = read(xml);
        assert_eq!(uploads.len(), 2);
        assert_eq!(uploads[0].path.as_ref(), "p/writing/1");
        assert_eq!(uploads[0].id, "XMgbGlrZSBlbHZpbmc");
        assert_eq!(uploads[0].begun.to_string(), "2010-11-10T20:48:33.000000Z");
        assert_eq!(uploads[1].id, "two");
    }
}

//! `POST /files`: an input file, streamed to where it stays.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use domain::Timestamp;
use domain::permission::Principal;
use engine::Engine;
use engine::store::files::File;
use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use tokio::io::AsyncReadExt as _;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::extract::body::Bounds;
use crate::extract::json::unsupported;
use crate::extract::upload::{Upload, media_type};
use crate::extract::{Caller, Params};
use crate::idempotency::{Answer, Once, Turn, key_reused};
use crate::problem::Problem;

/// A form with the file.
#[derive(ToSchema)]
#[schema(as = FileForm)]
#[expect(dead_code, reason = "describes the form in the OpenAPI document")]
pub(crate) struct Form {
    /// The file.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// An uploaded file.
#[derive(Serialize, ToSchema)]
#[schema(as = File)]
pub(crate) struct FileBody {
    /// What to give a function as an input of `format: file`.
    r#ref: Uuid,
    /// The name it was uploaded under.
    name: String,
    /// Its media type.
    media_type: String,
    /// Its size in bytes.
    size: u64,
    /// SHA-256 of its content, in hexadecimal.
    sha256: String,
    /// When it was uploaded.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<File> for FileBody {
    fn from(file: File) -> Self {
        Self {
            r#ref: file.id.0,
            name: file.name,
            media_type: file.media_type,
            size: file.bytes,
            sha256: file.digest.hex(),
            created_at: file.created_at,
        }
    }
}

/// Uploads an input file; its `ref` is what a function is given.
#[utoipa::path(
    post,
    path = "/files",
    operation_id = "uploadFile",
    tag = "files",
    params(("Idempotency-Key" = Option<String>, Header, description = "Sent again with the same file, the first answer is given again")),
    request_body(
        content((Form = "multipart/form-data")),
        description = "The file, as the form field `file`",
    ),
    responses((status = 201, description = "Kept", body = FileBody)),
)]
pub(crate) async fn upload(
    State(app): State<App>,
    Caller(who): Caller,
    params: Params,
    once: Once,
    request: Request,
) -> Result<Response, Problem> {
    params.finish()?;
    if media_type(request.headers()) != "multipart/form-data" {
        return Err(unsupported("multipart/form-data (field `file`)"));
    }
    let bounds = Bounds {
        what: "file",
        limit: app.settings.limits.file_bytes,
        pause: app.settings.body_pause,
    };
    // The content is not at hand before it is stored: it is compared after.
    let turn = app.turn(&who, once, b"").await?;
    let upload = Upload::of_form(request, "file", bounds).await;
    let answer = match turn {
        Turn::Done(answer) => same(answer, upload?).await?,
        turn => app.take(&who, turn, keep(app.engine.clone(), who.clone(), upload)).await?,
    };
    Ok(answer.into_response())
}

async fn keep(
    engine: Engine,
    who: Principal,
    upload: Result<Upload, Problem>,
) -> Result<Answer, Problem> {
    let upload = upload?;
    let name = upload.name.clone().unwrap_or_else(|| "file".to_owned());
    // What a form calls plain bytes is known better by its name's ending.
    let media_type = upload.media_type.clone().filter(|media| media != "application/octet-stream");
    let (reader, failure) = upload.reader();
    match engine.upload_file(&who, &name, media_type.as_deref(), reader).await {
        Ok(file) => {
            let path = format!("/files/{}", file.id);
            Answer::new(StatusCode::CREATED, path, &FileBody::from(file))
        }
        Err(error) => Err(failure.or_else(|| error.into())),
    }
}

/// The answer of an earlier upload, where this one has the same content.
async fn same(answer: Answer, upload: Upload) -> Result<Answer, Problem> {
    #[derive(Deserialize)]
    struct Kept {
        sha256: String,
    }
    let (mut reader, failure) = upload.reader();
    let mut hash = sha2::Sha256::new();
    let mut chunk = vec![0; 64 << 10];
    loop {
        match reader.read(&mut chunk).await {
            Ok(0) => break,
            Ok(read) => hash.update(&chunk[..read]),
            Err(_) => return Err(failure.or_else(Problem::internal)),
        }
    }
    let kept = serde_json::from_slice::<Kept>(&answer.body).ok();
    let same = kept.is_some_and(|kept| kept.sha256 == domain::Digest(hash.finalize().into()).hex());
    if same { Ok(answer) } else { Err(key_reused()) }
}

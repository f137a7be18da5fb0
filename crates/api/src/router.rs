//! Every route of the platform.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderValue, Method, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use domain::Text;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::CorsLayer;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::context::{REQUEST_ID, frame};
use crate::problem::{Code, Problem};
use crate::routes::{
    audit, auth, companies, deployments, files, functions, invitations, operations, pages, tasks,
    tokens,
};
use crate::{Error, Settings, idempotency, openapi, rates};

/// The routes that are documented, each also under `/api`.
fn resources() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(openapi::base())
        .routes(routes!(functions::list::list, functions::deploy::deploy))
        .routes(routes!(functions::show::show, functions::delete::delete))
        .routes(routes!(functions::versions::versions))
        .routes(routes!(functions::archive::archive))
        .routes(routes!(functions::execute::execute))
        .routes(routes!(deployments::show::show))
        .routes(routes!(deployments::events::events))
        .routes(routes!(tasks::list::list, tasks::create::create))
        .routes(routes!(tasks::show::show, tasks::delete::delete))
        .routes(routes!(tasks::result::result))
        .routes(routes!(tasks::logs::logs))
        .routes(routes!(tasks::events::events))
        .routes(routes!(tasks::artifacts::artifacts))
        .routes(routes!(tasks::artifact::artifact))
        .routes(routes!(tasks::cancel::cancel))
        .routes(routes!(files::upload::upload))
        .routes(routes!(files::show::show))
        .routes(routes!(companies::list::list, companies::create::create))
        .routes(routes!(companies::show::show))
        .routes(routes!(companies::quotas::get, companies::quotas::put))
        .routes(routes!(companies::members::members, companies::put_member::put))
        .routes(routes!(companies::remove_member::remove))
        .routes(routes!(invitations::list::list, invitations::create::create))
        .routes(routes!(invitations::revoke::revoke))
        .routes(routes!(tokens::list::list, tokens::create::create))
        .routes(routes!(tokens::revoke::revoke))
        .routes(routes!(audit::list::list))
        .routes(routes!(auth::login::show, auth::login::login))
        .routes(routes!(auth::accept::accept))
        .routes(routes!(auth::logout::logout))
        .routes(routes!(auth::me::me))
        .routes(routes!(auth::password::password))
        .routes(routes!(auth::company::company))
        .routes(routes!(operations::queue::queue))
        .routes(routes!(operations::queue_events::events))
        .routes(routes!(operations::workers::workers))
        .routes(routes!(operations::health::health))
        .routes(routes!(operations::health::live))
        .routes(routes!(operations::health::ready))
        .routes(routes!(operations::metrics::metrics))
}

/// What people read.
fn for_people() -> Router<App> {
    Router::new()
        .route("/", get(pages::index::index))
        .route("/openapi.json", get(pages::openapi::openapi))
        .route("/api/openapi.json", get(pages::openapi::openapi))
        .route("/docs", get(pages::docs::docs))
        .route("/docs/style.css", get(pages::frame::style))
        .route("/docs/errors/{code}", get(pages::errors::error))
        .route("/app/login", get(pages::login::login))
        .route("/app/invitation/{secret}", get(pages::login::invitation))
}

/// The OpenAPI document of all routes.
pub(crate) fn document() -> OpenApi {
    let mut document = resources().into_openapi();
    openapi::complete(&mut document);
    document
}

/// The router with everything around it.
pub(crate) fn router(app: App) -> Result<Router, Error> {
    let (resources, _) = resources().split_for_parts();
    let cors = cors(&app.settings)?;
    Ok(Router::new()
        .merge(resources.clone())
        .nest("/api", resources)
        .merge(for_people())
        .fallback(unknown_route)
        .method_not_allowed_fallback(method_not_allowed)
        // Bodies are bounded where they are read, each by its own limit.
        .layer(DefaultBodyLimit::disable())
        .layer(CatchPanicLayer::custom(panicked))
        .layer(axum::middleware::from_fn_with_state(app.clone(), frame))
        .layer(tower::util::option_layer(cors))
        .with_state(app))
}

async fn unknown_route() -> Problem {
    Problem::new(
        Code::UnknownRoute,
        Text::new(
            "There is no such path. The paths are listed at /docs.",
            "Ce chemin n'existe pas. Les chemins sont listés sous /docs.",
        ),
    )
}

async fn method_not_allowed(method: Method) -> Problem {
    Problem::new(
        Code::MethodNotAllowed,
        Text::new(
            format!("This path does not know {method}; the header Allow lists what it knows."),
            format!("Ce chemin ne connaît pas {method} ; l'en-tête Allow liste les méthodes."),
        ),
    )
}

#[expect(clippy::needless_pass_by_value, reason = "the layer hands the panic over")]
fn panicked(panic: Box<dyn std::any::Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
    tracing::error!(panic = text, "a handler panicked");
    Problem::internal().into_response()
}

/// Pages of other origins are kept out unless the operator names them.
fn cors(settings: &Arc<Settings>) -> Result<Option<CorsLayer>, Error> {
    if settings.cors_origins.is_empty() {
        return Ok(None);
    }
    let origins = settings.cors_origins.iter().map(|origin| {
        // A wildcard would let any page that knows a token use it.
        let plain = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
        match HeaderValue::from_str(origin) {
            Ok(value) if plain.is_some_and(|host| !host.is_empty() && !host.contains('/')) => {
                Ok(value)
            }
            _ => Err(Error::Origin(origin.clone())),
        }
    });
    let layer = CorsLayer::new()
        .allow_origin(origins.collect::<Result<Vec<_>, _>>()?)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::ACCEPT_LANGUAGE,
            header::IF_NONE_MATCH,
            idempotency::HEADER,
            REQUEST_ID,
        ])
        .expose_headers([
            header::LOCATION,
            header::RETRY_AFTER,
            header::ETAG,
            REQUEST_ID,
            rates::POLICY,
            rates::STATE,
        ])
        .max_age(std::time::Duration::from_secs(3600));
    Ok(Some(layer))
}

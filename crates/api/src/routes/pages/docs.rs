//! `GET /docs`: the routes as a page, made once from the OpenAPI document.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use domain::Lang;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::{OpenApi, RefOr, Required};

use super::{french, html};
use crate::app::App;
use crate::context::Context;
use crate::problem::Code;

pub(crate) async fn docs(
    State(app): State<App>,
    Extension(context): Extension<Arc<Context>>,
) -> Response {
    answer(&app, context.lang)
}

/// The page in the caller's language.
pub(crate) fn answer(app: &App, lang: Lang) -> Response {
    let [english, french] = &app.docs.pages;
    let page = if lang == Lang::Fr { french } else { english };
    html::answer(page.clone(), lang)
}

/// The methods of a path that it has, in the order they are shown.
pub(crate) fn operations(item: &PathItem) -> impl Iterator<Item = (&'static str, &Operation)> {
    [("GET", &item.get), ("POST", &item.post), ("PUT", &item.put), ("DELETE", &item.delete)]
        .into_iter()
        .filter_map(|(method, operation)| Some((method, operation.as_ref()?)))
}

/// Writes the page.
pub(crate) fn page(openapi: &OpenApi, lang: Lang) -> String {
    let say = |en: &'static str, fr: &'static str| if lang == Lang::Fr { fr } else { en };
    let mut body = format!(
        "<h1>MecaPy {}</h1>\n<p>{} <a href=\"/openapi.json\">/openapi.json</a> · \
         <a href=\"/health\">/health</a></p>\n<pre><code>{}</code></pre>\n",
        html::escape(&openapi.info.version),
        html::inline(say(
            "Runs Python calculation functions for engineers. Every path also answers under `/api`. Send your token as `Authorization: Bearer mecapy_…`.",
            "Exécute des fonctions de calcul en Python. Chaque chemin répond aussi sous `/api`. Envoyez votre jeton par `Authorization: Bearer mecapy_…`.",
        )),
        html::escape(
            "curl -H \"Authorization: Bearer $MECAPY_TOKEN\" -H 'Content-Type: application/json' \\\n  \
             -d '{\"inputs\": {\"force\": 1000, \"section\": 10}}' \\\n  \
             'http://127.0.0.1:8000/functions/bolt-stress/execute?wait=10'",
        ),
    );
    for tag in openapi.tags.iter().flatten() {
        let _ = writeln!(body, "<h2>{}</h2>", html::escape(&tag.name));
        for (path, item) in &openapi.paths.paths {
            for (method, operation) in operations(item) {
                if operation.tags.iter().flatten().any(|own| *own == tag.name) {
                    section(&mut body, method, path, operation, lang);
                }
            }
        }
    }
    let _ = writeln!(body, "<h2>{}</h2>\n<table>", say("Problems", "Problèmes"));
    for code in Code::ALL {
        let _ = writeln!(
            body,
            "<tr><td>{}</td><td><a href=\"/docs/errors/{name}\"><code>{name}</code></a></td><td>{}</td></tr>",
            code.status().as_u16(),
            html::escape(code.title(lang)),
            name = code.as_str(),
        );
    }
    body.push_str("</table>\n");
    html::page("MecaPy", lang, &body)
}

fn section(body: &mut String, method: &str, path: &str, operation: &Operation, lang: Lang) {
    let english = [&operation.summary, &operation.description];
    let english = english.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" ");
    let id = operation.operation_id.as_deref().unwrap_or_default();
    let text = match lang {
        Lang::En => &english,
        Lang::Fr => french::summary(id).unwrap_or(&english),
    };
    let _ = writeln!(
        body,
        "<section id=\"{id}\">\n<h3><span class=\"method\">{method}</span> {}</h3>\n<p>{}</p>",
        html::escape(path),
        html::inline(text),
    );
    let parameters = operation.parameters.iter().flatten();
    let mut rows = String::new();
    for parameter in parameters {
        let RefOr::T(parameter) = parameter else { continue };
        let star = if matches!(parameter.required, Required::True) { " *" } else { "" };
        let _ = writeln!(
            rows,
            "<tr><td><code>{}</code>{star}</td><td>{}</td></tr>",
            html::escape(&parameter.name),
            html::inline(parameter.description.as_deref().unwrap_or_default()),
        );
    }
    for (status, response) in &operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        let _ = writeln!(
            rows,
            "<tr><td>{}</td><td>{}</td></tr>",
            html::escape(status),
            html::inline(&response.description),
        );
    }
    let _ = writeln!(body, "<table>\n{rows}</table>\n</section>");
}

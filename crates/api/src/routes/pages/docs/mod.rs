//! `GET /docs`: how to use the API, and every operation and shape of it. The
//! page is made from the OpenAPI document, once for each language.

mod french;
mod operation;
mod schema;

use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use domain::Lang;
use maud::{Markup, html};
use serde_json::{Map, Value};
use utoipa::openapi::OpenApi;

use self::operation::Operation;
use super::frame::{self, say};
use super::markdown::sentence;
use super::reader::Reader;
use crate::app::App;
use crate::problem::Code;

/// What is served of the documentation, made once.
#[derive(Debug)]
pub(crate) struct Docs {
    english: Read,
    french: Read,
}

/// The documentation in one language.
#[derive(Debug)]
pub(crate) struct Read {
    /// The OpenAPI document.
    pub(crate) openapi: Bytes,
    page: Bytes,
}

impl Docs {
    /// Both languages of a document.
    pub(crate) fn new(document: &OpenApi) -> Self {
        let english = serde_json::to_value(document).expect("an OpenAPI document is plain JSON");
        let french = french::translated(&english);
        let read = |document: Value, lang| Read {
            openapi: document.to_string().into(),
            page: page(&document, lang),
        };
        Self { english: read(english, Lang::En), french: read(french, Lang::Fr) }
    }

    /// What a reader of `lang` is given.
    pub(crate) fn of(&self, lang: Lang) -> &Read {
        match lang {
            Lang::En => &self.english,
            Lang::Fr => &self.french,
        }
    }
}

pub(crate) async fn docs(State(app): State<App>, Reader(lang): Reader) -> Response {
    answer(&app, lang)
}

/// The page in the reader's language.
pub(crate) fn answer(app: &App, lang: Lang) -> Response {
    frame::answer(app.docs.of(lang).page.clone(), lang)
}

/// A group of operations, in the order of the document.
struct Group<'a> {
    name: &'a str,
    title: &'a str,
    operations: Vec<Operation<'a>>,
}

fn page(document: &Value, lang: Lang) -> Bytes {
    let operations = operation::all(document);
    let groups: Vec<Group<'_>> = document["tags"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|tag| {
            let name = tag["name"].as_str().unwrap_or_default();
            Group {
                name,
                title: tag["description"].as_str().unwrap_or_default(),
                operations: operations.iter().filter(|one| one.tag() == name).cloned().collect(),
            }
        })
        .collect();
    let body = html! {
        div.columns {
            (contents(&groups, lang))
            main {
                (introduction(document, lang))
                @for group in &groups {
                    h2 id=(group.name) { (group.title) }
                    @for operation in &group.operations {
                        (operation.section(schemas(document), lang))
                    }
                }
                (problems(lang))
                h2 id="schemas" { (say(lang, "Shapes", "Formes")) }
                @for (name, schema) in schemas(document) {
                    (schema::section(name, schema, schemas(document), lang))
                }
            }
        }
    };
    frame::documentation(say(lang, "MecaPy API", "API de MecaPy"), lang, &body)
}

/// The shapes that have a name.
fn schemas(document: &Value) -> &Map<String, Value> {
    document["components"]["schemas"].as_object().expect("the document has schemas")
}

fn contents(groups: &[Group<'_>], lang: Lang) -> Markup {
    html! {
        nav.contents aria-label=(say(lang, "Contents", "Sommaire")) {
            @for group in groups {
                a.group href={ "#" (group.name) } { (group.title) }
                ul {
                    @for operation in &group.operations {
                        li { a href={ "#" (operation.id()) } { (operation.title()) } }
                    }
                }
            }
            a.group href="#problems" { (say(lang, "Problems", "Problèmes")) }
            a.group href="#schemas" { (say(lang, "Shapes", "Formes")) }
        }
    }
}

fn introduction(document: &Value, lang: Lang) -> Markup {
    let text = document["info"]["description"].as_str().unwrap_or_default();
    let version = document["info"]["version"].as_str().unwrap_or_default();
    html! {
        h1 { "MecaPy " (version) }
        p.lead { (sentence(text)) }
        p {
            (sentence(say(
                lang,
                "Send your token as `Authorization: Bearer mecapy_…`, and `Accept-Language: fr` for French messages. A listing is read page by page: give its `next_cursor` as `cursor`. What is sent again with the same `Idempotency-Key` is done once.",
                "Envoyez votre jeton par `Authorization: Bearer mecapy_…`, et `Accept-Language: fr` pour des messages en français. Une liste se lit page par page : donnez son `next_cursor` comme `cursor`. Ce qui est renvoyé avec la même `Idempotency-Key` n'est fait qu'une fois.",
            )))
        }
        pre { code {
            "curl -H \"Authorization: Bearer $MECAPY_TOKEN\" -H 'Content-Type: application/json' \\\n"
            "  -d '{\"inputs\": {\"force\": 94080, \"section\": 245}}' \\\n"
            "  \"$MECAPY_API_URL/functions/bolt-stress/execute?wait=10\""
        } }
    }
}

fn problems(lang: Lang) -> Markup {
    html! {
        h2 id="problems" { (say(lang, "Problems", "Problèmes")) }
        p {
            (sentence(say(
                lang,
                "What is refused is answered as `application/problem+json`. Its `code` never changes; its page says what to do.",
                "Ce qui est refusé reçoit une réponse `application/problem+json`. Son `code` ne change jamais ; sa page dit que faire.",
            )))
        }
        div.scrolled { table {
            @for code in Code::ALL {
                tr {
                    td { (code.status().as_u16()) }
                    td {
                        a href={ "/docs/errors/" (code.as_str()) "?lang=" (lang.tag()) } {
                            code { (code.as_str()) }
                        }
                    }
                    td { (code.title(lang)) }
                }
            }
        } }
    }
}

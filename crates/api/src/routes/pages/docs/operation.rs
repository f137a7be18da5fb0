//! One operation of the API, as the page shows it.

use domain::Lang;
use maud::{Markup, html};
use serde_json::{Map, Value};

use super::schema;
use crate::routes::pages::frame::say;
use crate::routes::pages::markdown::sentence;

/// The methods that a path may have, in the order in which they are shown.
const METHODS: [&str; 4] = ["get", "post", "put", "delete"];

/// A method of a path.
#[derive(Clone)]
pub(super) struct Operation<'a> {
    method: &'static str,
    path: &'a str,
    said: &'a Value,
}

/// Every operation, path by path.
pub(super) fn all(document: &Value) -> Vec<Operation<'_>> {
    let paths = document["paths"].as_object().into_iter().flatten();
    paths
        .flat_map(|(path, item)| {
            METHODS
                .into_iter()
                .filter_map(move |method| Some(Operation { method, path, said: item.get(method)? }))
        })
        .collect()
}

impl<'a> Operation<'a> {
    /// Its id, which is also its anchor.
    pub(super) fn id(&self) -> &'a str {
        self.said["operationId"].as_str().unwrap_or_default()
    }

    /// The group that it belongs to.
    pub(super) fn tag(&self) -> &'a str {
        self.said["tags"][0].as_str().unwrap_or_default()
    }

    /// Its method and path.
    pub(super) fn title(&self) -> Markup {
        html! {
            span.method.(self.method) { (self.method.to_uppercase()) }
            " "
            code {
                // A long path may be broken after each of its parts.
                @for part in self.path.split_inclusive('/') { (part) wbr; }
            }
        }
    }

    /// All that there is to say about it.
    pub(super) fn section(&self, schemas: &Map<String, Value>, lang: Lang) -> Markup {
        let texts = ["summary", "description"].map(|key| self.said[key].as_str());
        let body = &self.said["requestBody"];
        html! {
            section id=(self.id()) {
                h3 { a href={ "#" (self.id()) } { (self.title()) } }
                @for text in texts.into_iter().flatten() { p { (sentence(text)) } }
                (self.needs(lang))
                (self.parameters(lang))
                @if body.is_object() { (sent(body, schemas, lang)) }
                (self.answers(schemas, lang))
                details {
                    summary { "curl" }
                    pre { code { (self.curl(schemas)) } }
                }
            }
        }
    }

    /// The scope that a token needs.
    fn needs(&self, lang: Lang) -> Markup {
        let security = self.said["security"].as_array();
        let scope = security.into_iter().flatten().find_map(|way| way["token"][0].as_str());
        html! {
            p.needs {
                @match scope {
                    Some(scope) => {
                        (say(lang, "Scope of the token: ", "Portée du jeton : "))
                        code { (scope) }
                    }
                    None if security.is_some_and(Vec::is_empty) => {
                        (say(lang, "Needs no token.", "Ne demande pas de jeton."))
                    }
                    None => {
                        (say(lang, "Any valid token or session.", "Tout jeton valable ou toute session."))
                    }
                }
            }
        }
    }

    fn parameters(&self, lang: Lang) -> Markup {
        let parameters = self.said["parameters"].as_array();
        html! {
            @if let Some(parameters) = parameters.filter(|all| !all.is_empty()) {
                h4 { (say(lang, "Parameters", "Paramètres")) }
                div.scrolled { table.fields {
                    @for parameter in parameters {
                        tr {
                            td {
                                code { (parameter["name"].as_str().unwrap_or_default()) }
                                @if parameter["required"] == true { (required(lang)) }
                            }
                            td.type {
                                (place(parameter["in"].as_str().unwrap_or_default(), lang)) ", "
                                (schema::kind(&parameter["schema"], &Map::new()))
                            }
                            td { (sentence(parameter["description"].as_str().unwrap_or_default())) }
                        }
                    }
                } }
            }
        }
    }

    fn answers(&self, schemas: &Map<String, Value>, lang: Lang) -> Markup {
        let all = || self.said["responses"].as_object().into_iter().flatten();
        let responses = all().filter(|(_, response)| response["$ref"].is_null());
        // Those that are described once for every operation are all problems.
        let problems: Vec<_> = all()
            .filter(|(_, response)| response["$ref"].is_string())
            .map(|(status, _)| status.as_str())
            .collect();
        let problem = serde_json::json!({ "$ref": "#/components/schemas/Problem" });
        html! {
            h4 { (say(lang, "Answers", "Réponses")) }
            div.scrolled { table.fields {
                @for (status, response) in responses {
                    tr {
                        td { code { (status) } }
                        td.type {
                            @for (media, content) in response["content"].as_object().into_iter().flatten() {
                                div {
                                    @if media.ends_with("json") { (schema::kind(&content["schema"], schemas)) }
                                    @else { (media) }
                                }
                            }
                        }
                        td { (sentence(response["description"].as_str().unwrap_or_default())) }
                    }
                }
                tr {
                    td { code { (problems.join(", ")) } }
                    td.type { (schema::kind(&problem, schemas)) }
                    td { (say(lang, "A problem, by RFC 9457.", "Un problème, selon la RFC 9457.")) }
                }
            } }
        }
    }

    /// A command that calls it.
    fn curl(&self, schemas: &Map<String, Value>) -> String {
        let mut words = vec!["curl".to_owned()];
        if self.method != "get" && self.method != "post" {
            words.push(format!("-X {}", self.method.to_uppercase()));
        }
        if self.said["security"].as_array().is_none_or(|ways| !ways.is_empty()) {
            words.push("-H \"Authorization: Bearer $MECAPY_TOKEN\"".to_owned());
        }
        let content = &self.said["requestBody"]["content"];
        if let Some(json) = content.get("application/json") {
            let example = schema::example(&json["schema"], schemas);
            words.push("-H 'Content-Type: application/json'".to_owned());
            words.push(format!("-d '{example}'"));
        } else if let Some(form) = content.get("multipart/form-data") {
            let schema = schema::resolved(&form["schema"], schemas);
            for field in schema["properties"].as_object().into_iter().flatten() {
                words.push(format!("-F {}=@FILE", field.0));
            }
        } else if self.method == "post" {
            words.push("-X POST".to_owned());
        }
        words.push(format!("\"$MECAPY_API_URL{}\"", self.path));
        words.join(" \\\n  ")
    }
}

/// What is sent: each media type and its shape.
fn sent(body: &Value, schemas: &Map<String, Value>, lang: Lang) -> Markup {
    html! {
        h4 { (say(lang, "Body", "Corps")) }
        @if let Some(text) = body["description"].as_str() { p { (sentence(text)) } }
        @for (media, content) in body["content"].as_object().into_iter().flatten() {
            p.media { code { (media) } }
            @if !media.ends_with("zip") && !media.ends_with("octet-stream") {
                (schema::fields(schema::resolved(&content["schema"], schemas), schemas, lang))
            }
        }
    }
}

/// The mark of what can't be left out.
pub(super) fn required(lang: Lang) -> Markup {
    html! { " " span.required { (say(lang, "required", "obligatoire")) } }
}

/// Where a parameter stands.
fn place(place: &str, lang: Lang) -> &str {
    match place {
        "path" => say(lang, "path", "chemin"),
        "query" => say(lang, "query", "requête"),
        "header" => say(lang, "header", "en-tête"),
        "cookie" => "cookie",
        other => other,
    }
}

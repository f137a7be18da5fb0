//! What is generated or kept beside the code: the OpenAPI document, the pages
//! of problems, the documentation.

use std::path::{Path, PathBuf};

use api::problem::Code;
use axum::body::Body;
use axum::http::{Method, header};
use domain::Lang;

use crate::app::{App, request};

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

#[test]
fn the_openapi_document_that_is_kept_is_the_present_one() {
    let path = docs().join("openapi.json");
    let present = api::openapi_json();
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    if kept != present {
        std::fs::write(&path, present).unwrap();
        panic!("docs/openapi.json was out of date; it is written anew: look at it and commit it");
    }
}

#[test]
fn every_code_has_its_page_and_every_page_its_code() {
    let mut pages: Vec<String> = std::fs::read_dir(docs().join("errors"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap().replace(".md", ""))
        .collect();
    let mut codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    pages.sort_unstable();
    codes.sort_unstable();
    assert_eq!(pages, codes);
    for code in Code::ALL {
        let (page, status) = (code.page(), code.status().as_u16());
        for (lang, colon) in [(Lang::En, ":"), (Lang::Fr, " :")] {
            let heading = format!("# `{}` ({status}){colon} {}\n", code.as_str(), code.title(lang));
            assert!(page.contains(&heading), "{heading}");
        }
        assert!(page.contains("## What to do\n") && page.contains("## Que faire\n"));
    }
}

#[test]
fn every_operation_says_what_it_does_in_both_languages() {
    let document: serde_json::Value = serde_json::from_str(&api::openapi_json()).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(operation["operationId"].is_string(), "{method} {path}");
            assert!(operation["summary"].is_string(), "{method} {path}");
        }
    }
    let text = document.to_string();
    for reference in text.split("\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(document["components"]["schemas"][name].is_object(), "{name} is not described");
    }
}

#[tokio::test]
async fn the_documentation_is_read_in_both_languages_and_runs_nothing() {
    let app = App::new().await;
    for (lang, words) in [("en", "Runs a function."), ("fr", "Exécute une fonction.")] {
        for path in ["/docs", "/"] {
            let sent = request(Method::GET, "", path)
                .header(header::ACCEPT, "text/html,application/xhtml+xml")
                .header(header::ACCEPT_LANGUAGE, lang)
                .body(Body::empty());
            let page = app.send(sent.unwrap()).await.expect(200);
            assert!(page.text().contains(words), "{path} {lang}");
            assert!(page.text().contains(&format!("<html lang=\"{lang}\">")));
            assert!(!page.text().contains("<script") && !page.text().contains("https://"));
            assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
        }
    }
    let style = app.get("", "/docs/style.css").await.expect(200);
    assert!(style.text().contains("prefers-color-scheme: dark"));
}

#[tokio::test]
async fn every_operation_and_shape_is_on_the_page_and_every_link_leads_somewhere() {
    let app = App::new().await;
    let document: serde_json::Value = serde_json::from_str(&api::openapi_json()).unwrap();
    let operations = document["paths"].as_object().unwrap().values();
    let operations = operations.flat_map(|item| item.as_object().unwrap().values());
    let mut anchors: Vec<&str> =
        operations.map(|operation| operation["operationId"].as_str().unwrap()).collect();
    anchors.extend(document["components"]["schemas"].as_object().unwrap().keys().map(|key| &**key));
    for lang in ["en", "fr"] {
        let page = app.get("", &format!("/docs?lang={lang}")).await.expect(200);
        for anchor in &anchors {
            assert!(page.text().contains(&format!("id=\"{anchor}\"")), "{anchor} is not shown");
        }
        for link in page.text().split("href=\"").skip(1) {
            let link = link.split('"').next().unwrap();
            match link.strip_prefix('#') {
                Some(anchor) => {
                    assert!(page.text().contains(&format!("id=\"{anchor}\"")), "{link}");
                }
                None => {
                    let path =
                        if link.starts_with('?') { format!("/docs{link}") } else { link.into() };
                    app.get("", &path).await.expect(200);
                }
            }
        }
    }
}

#[tokio::test]
async fn a_reader_chooses_the_language_and_keeps_it() {
    let app = App::new().await;
    let french = app.get("", "/docs?lang=fr").await.expect(200);
    assert!(french.text().contains("Portée du jeton"));
    assert!(french.text().contains("/docs/errors/not_found?lang=fr"));
    let problem = request(Method::GET, "", "/docs/errors/not_found?lang=fr")
        .header(header::ACCEPT, "text/html")
        .body(Body::empty());
    let problem = app.send(problem.unwrap()).await.expect(200);
    assert!(problem.text().contains("Que faire") && !problem.text().contains("What to do"));
    let document = app.get("", "/openapi.json?lang=fr").await.expect(200);
    assert_eq!(document.header("content-language"), "fr");
    assert_eq!(
        document.json()["paths"]["/functions/{id}/execute"]["post"]["summary"],
        "Exécute une fonction. La tâche est durable dès la réponse."
    );
}

#[tokio::test]
async fn a_problem_leads_to_its_page() {
    let app = App::new().await;
    let problem = app.get("", "/tasks").await.problem(401, "unauthenticated");
    let path = problem["type"].as_str().unwrap();
    let page = app.get("", path).await.expect(200);
    assert_eq!(page.header("content-type"), "text/markdown; charset=utf-8");
    assert!(page.text().starts_with("# `unauthenticated` (401)"));
    app.get("", "/docs/errors/none").await.problem(404, "not_found");
}

#[tokio::test]
async fn the_root_describes_itself_to_programs() {
    let app = App::new().await;
    let index = app.get("", "/").await.expect(200).json();
    assert_eq!(index["name"], "MecaPy");
    let document = app.get("", index["openapi"].as_str().unwrap()).await.expect(200);
    assert_eq!(app.get("", "/api/openapi.json").await.expect(200).body, document.body);
}

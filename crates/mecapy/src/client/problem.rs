//! From what a server refuses with, to what people read and scripts see.

use std::fmt::Write;
use std::io::Read;

use domain::Text;
use serde::Deserialize;
use ureq::http::{Response, StatusCode};

use super::bodies::Place;
use crate::exit::{Exit, Failure};

/// A body of `application/problem+json`, as far as it is shown.
#[derive(Debug, Deserialize)]
struct Problem {
    title: Option<String>,
    detail: Option<String>,
    code: Option<String>,
    request_id: Option<String>,
    #[serde(default)]
    faults: Vec<Place>,
}

/// Reads a refusal. The server answered in the language it was asked for, so
/// both texts carry its words.
pub(super) fn read(url: &str, mut response: Response<ureq::Body>) -> Failure {
    const MOST: u64 = 4 << 20;
    let status = response.status();
    let retry_after = response
        .headers()
        .get("Retry-After")
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let mut body = Vec::new();
    // What could be read of a refusal is shown, whatever cut it short.
    let _ = response.body_mut().as_reader().take(MOST).read_to_end(&mut body);
    failure(url, status, retry_after.as_deref(), &body)
}

fn failure(url: &str, status: StatusCode, retry_after: Option<&str>, body: &[u8]) -> Failure {
    let exit = match status.as_u16() {
        401 | 403 => Exit::Denied,
        429 | 500.. => Exit::Unavailable,
        _ => Exit::Usage,
    };
    let Ok(problem) = serde_json::from_slice::<Problem>(body) else {
        let start: String = String::from_utf8_lossy(body).chars().take(200).collect();
        return Failure::new(
            exit,
            Text::new(
                format!("expected an answer of a MecaPy server at {url}, found {status}: {start}"),
                format!(
                    "une réponse d’un serveur MecaPy était attendue à {url}, trouvé : {status} : {start}"
                ),
            ),
        );
    };
    let mut sentence = problem.detail.or(problem.title).unwrap_or_else(|| status.to_string());
    for fault in &problem.faults {
        write!(sentence, "\n  {}", fault.line()).expect("writing to a String succeeds");
    }
    let mut text = Text::same(sentence);
    if exit == Exit::Denied {
        text.en +=
            &format!("\n  Log in to {url} with `mecapy login`, or give a token in MECAPY_TOKEN.");
        text.fr += &format!(
            "\n  Connectez-vous à {url} avec `mecapy login`, ou donnez un jeton dans MECAPY_TOKEN."
        );
        if super::local::is_loopback(url) {
            text.en += " The administrator's token of a server in this machine's data folder is found by itself, at the address that `mecapy up` printed, such as http://127.0.0.1:8000, and no other.";
            text.fr += " Le jeton d’administration d’un serveur du dossier de données de cette machine est trouvé tout seul, à l’adresse qu’a affichée `mecapy up`, telle que http://127.0.0.1:8000, et à nulle autre.";
        }
    }
    if let Some(seconds) = retry_after {
        text.en += &format!("\n  Try again in {seconds} s.");
        text.fr += &format!("\n  Réessayez dans {seconds} s.");
    }
    // Who runs the server finds the cause in its log by this id.
    if let Some(id) = problem.request_id.filter(|_| status.is_server_error()) {
        let code = problem.code.unwrap_or_default();
        text.en += &format!("\n  ({code}, request {id})");
        text.fr += &format!("\n  ({code}, requête {id})");
    }
    Failure { exit, text, document: String::from_utf8(body.to_vec()).ok() }
}

pub(super) fn unreachable(url: &str, error: &ureq::Error) -> Failure {
    let why = match error {
        ureq::Error::Io(error) => error.to_string(),
        other => other.to_string(),
    };
    Failure::new(
        Exit::Unreachable,
        Text::new(
            format!(
                "the server at {url} can't be reached: {why}. Start one with `mecapy up`, or name another with MECAPY_API_URL"
            ),
            format!(
                "le serveur à {url} est injoignable : {why}. Démarrez-en un avec `mecapy up`, ou nommez-en un autre avec MECAPY_API_URL"
            ),
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(status: u16, retry: Option<&str>, body: &str) -> Failure {
        failure("http://x", StatusCode::from_u16(status).unwrap(), retry, body.as_bytes())
    }

    #[test]
    fn a_problem_is_a_sentence_with_one_line_for_each_fault() {
        let body = r#"{"type":"/docs/errors/inputs_invalid","title":"t","status":422,
            "detail":"2 inputs are wrong","code":"inputs_invalid","request_id":"r","faults":[
            {"code":"a","severity":"error","file":"mecapy.yaml","line":3,"column":7,"key":"io","message":"m1"},
            {"code":"b","severity":"error","file":null,"line":null,"column":null,"key":"/force","message":"m2"}]}"#;
        let failure = problem(422, None, body);
        assert_eq!(failure.exit, Exit::Usage);
        assert_eq!(failure.text.en, "2 inputs are wrong\n  mecapy.yaml:3:7 io: m1\n  /force: m2");
        assert_eq!(failure.document.as_deref(), Some(body));
    }

    #[test]
    fn exit_codes_tell_scripts_whether_to_try_again() {
        let body = r#"{"detail":"d","code":"c","request_id":"r1"}"#;
        assert_eq!(problem(401, None, body).exit, Exit::Denied);
        assert_eq!(problem(404, None, body).exit, Exit::Usage);
        let denied = problem(401, None, body).text;
        assert!(
            denied.en.ends_with(
                "Log in to http://x with `mecapy login`, or give a token in MECAPY_TOKEN."
            )
        );
        let status = StatusCode::UNAUTHORIZED;
        let local = failure("http://localhost:8000", status, None, body.as_bytes()).text;
        assert!(local.en.contains("such as http://127.0.0.1:8000, and no other"), "{}", local.en);
        assert!(local.fr.contains("Connectez-vous à http://localhost:8000 avec `mecapy login`"));
        let busy = problem(503, Some("7"), body);
        assert_eq!(busy.exit, Exit::Unavailable);
        assert_eq!(busy.text.fr, "d\n  Réessayez dans 7 s.\n  (c, requête r1)");
    }

    #[test]
    fn an_answer_of_something_else_is_shown_as_it_came() {
        let failure = problem(502, None, "<html>bad gateway");
        assert!(failure.text.en.contains("found 502 Bad Gateway: <html>bad gateway"));
    }
}

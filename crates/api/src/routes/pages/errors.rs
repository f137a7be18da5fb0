//! `GET /docs/errors/{code}`: the page that a problem's `type` points to.

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use domain::Lang;
use maud::html;

use super::reader::Reader;
use super::{frame, markdown};
use crate::problem::{Code, Problem};

pub(crate) async fn error(
    Path(name): Path<String>,
    Reader(lang): Reader,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let code = Code::ALL.iter().find(|code| code.as_str() == name);
    let code = code.ok_or_else(Problem::not_found)?;
    if frame::wanted(&headers) {
        let body = html! { main.page { (markdown::page(&part(code.page(), lang))) } };
        let page = frame::documentation(code.title(lang), lang, &body);
        return Ok(frame::answer(page, lang));
    }
    let media = HeaderValue::from_static("text/markdown; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, media)], code.page()).into_response())
}

/// The part of a page that is in `lang`. A page is English first and French
/// after it, each with a title of its own; the example, which is the same in
/// both, stands in the English part.
fn part(page: &str, lang: Lang) -> String {
    const EXAMPLE: &str = "\n## Example\n";
    let (english, french) = page.split_once("\n# ").unwrap_or((page, page));
    if lang == Lang::En {
        return english.to_owned();
    }
    let example = english
        .split_once(EXAMPLE)
        .map(|(_, after)| after.split_once("\n## ").map_or(after, |(example, _)| example));
    let example = example.map(|example| format!("\n## Exemple\n{example}")).unwrap_or_default();
    format!("# {french}{example}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_is_whole_in_each_language() {
        for code in Code::ALL {
            let [english, french] = [Lang::En, Lang::Fr].map(|lang| part(code.page(), lang));
            let name = code.as_str();
            for (part, title) in [(&english, code.title(Lang::En)), (&french, code.title(Lang::Fr))]
            {
                let first = part.lines().next().unwrap_or_default();
                assert!(first.contains(name) && first.contains(title), "{name}: {first}");
            }
            assert!(
                english.contains("## What to do") && !english.contains("## Que faire"),
                "{name}"
            );
            assert!(french.contains("## Que faire") && !french.contains("## What to do"), "{name}");
            assert_eq!(english.matches("```").count(), french.matches("```").count(), "{name}");
        }
    }
}

//! Ids and references in paths.

use std::str::FromStr;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use domain::Text;
use domain::function::FunctionRef;

use crate::app::App;
use crate::problem::{Code, Problem};

/// The one or last id of a path. A text that is no id names nothing: 404.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Id<T>(pub(crate) T);

impl<T: FromStr> FromRequestParts<App> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let names = segments(parts, app).await?;
        let last = names.last().and_then(|text| text.parse().ok());
        last.map(Self).ok_or_else(Problem::not_found)
    }
}

/// Both ids of a path that has two.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TwoIds<A, B>(pub(crate) A, pub(crate) B);

impl<A: FromStr, B: FromStr> FromRequestParts<App> for TwoIds<A, B> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let names = segments(parts, app).await?;
        let [first, second] = names.as_slice() else {
            return Err(Problem::not_found());
        };
        match (first.parse(), second.parse()) {
            (Ok(first), Ok(second)) => Ok(Self(first, second)),
            _ => Err(Problem::not_found()),
        }
    }
}

/// A function in a path: UUID, `name`, `name@version`,
/// `company:name@version`.
#[derive(Clone, Debug)]
pub(crate) struct Function(pub(crate) FunctionRef);

impl FromRequestParts<App> for Function {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let names = segments(parts, app).await?;
        let text = names.first().map(String::as_str).unwrap_or_default();
        text.parse().map(Self).map_err(|_| {
            Problem::new(
                Code::InvalidParameter,
                Text::new(
                    "A function is named by its id, `name`, `name@1.2.3` or \
                     `company:name@1.2.3`, in lower case.",
                    "Une fonction se désigne par son identifiant, `nom`, `nom@1.2.3` ou \
                     `entreprise:nom@1.2.3`, en minuscules.",
                ),
            )
        })
    }
}

async fn segments(parts: &mut Parts, app: &App) -> Result<Vec<String>, Problem> {
    // Its only failure is a segment that is no UTF-8 once decoded.
    let params =
        RawPathParams::from_request_parts(parts, app).await.map_err(|_| Problem::not_found())?;
    Ok(params.iter().map(|(_, value)| value.to_owned()).collect())
}

//! `GET /app/login`, `GET /app/invitation/{secret}`: forms without a script.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;
use domain::{Lang, Text};
use engine::invitations::Shown;
use maud::{Markup, html};

use super::frame::{self, say};
use crate::app::App;
use crate::context::Context;
use crate::extract::Params;
use crate::problem::Problem;
use crate::routes::auth::opened::local;

/// The login page.
pub(crate) async fn login(
    Extension(context): Extension<Arc<Context>>,
    mut params: Params,
) -> Result<Response, Problem> {
    let (error, next) = (params.text("error"), params.text("next"));
    params.finish()?;
    let lang = context.lang;
    let next = next.as_deref().unwrap_or("/");
    let body = html! {
        main.login {
            h1 { "MecaPy" }
            (explained(error.as_deref(), lang))
            form method="post" action="/auth/login" {
                input type="hidden" name="next" value=(local(next));
                p { label {
                    (say(lang, "Name", "Nom"))
                    input name="name" autocomplete="username" autocapitalize="none"
                        spellcheck="false" required autofocus;
                } }
                p { label {
                    (say(lang, "Password", "Mot de passe"))
                    input name="password" type="password" autocomplete="current-password" required;
                } }
                p { button { (say(lang, "Log in", "Se connecter")) } }
            }
            p.hint {
                (say(
                    lang,
                    "No account, or no password any more? Your company's administrator sends you a link.",
                    "Pas de compte, ou plus de mot de passe ? L'administrateur de votre entreprise vous envoie un lien.",
                ))
            }
        }
    };
    Ok(answer(say(lang, "Log in – MecaPy", "Connexion – MecaPy"), lang, &body))
}

/// The page that accepts an invitation.
pub(crate) async fn invitation(
    State(app): State<App>,
    Extension(context): Extension<Arc<Context>>,
    Path(secret): Path<String>,
    mut params: Params,
) -> Result<Response, Problem> {
    let error = params.text("error");
    params.finish()?;
    let lang = context.lang;
    let title = "Invitation – MecaPy";
    let (waiting, shown) = match app.engine.invitation(&secret).await {
        Ok(found) => found,
        Err(error) => match crate::routes::auth::opened::reason(&error) {
            Some(reason) => {
                let body = html! {
                    main.login { h1 { "MecaPy" } (explained(Some(reason), lang)) }
                };
                return Ok(answer(title, lang, &body));
            }
            None => return Err(error.into()),
        },
    };
    let (word, completes) = match shown {
        Shown::NewPassword => (
            say(
                lang,
                "Choose a password of 12 characters or more",
                "Choisissez un mot de passe de 12 caractères ou plus",
            ),
            "new-password",
        ),
        Shown::PresentPassword => (
            say(
                lang,
                "The password that you already have here",
                "Le mot de passe que vous avez déjà ici",
            ),
            "current-password",
        ),
    };
    let body = html! {
        main.login {
            h1 { "MecaPy" }
            p {
                (say(lang, "You are invited to", "Vous êtes invité à rejoindre")) " "
                strong { (waiting.company_name) }
            }
            (explained(error.as_deref(), lang))
            form method="post" action="/auth/accept" {
                input type="hidden" name="invitation" value=(secret);
                p { label {
                    (say(lang, "Name", "Nom"))
                    input name="name" value=(waiting.invitation.name) autocomplete="username" readonly;
                } }
                p { label {
                    (word)
                    input name="password" type="password" minlength="12" maxlength="256"
                        autocomplete=(completes) required autofocus;
                } }
                p { button { (say(lang, "Accept", "Accepter")) } }
            }
        }
    };
    Ok(answer(title, lang, &body))
}

/// What went wrong the last time. The words are ours: what stands in the
/// address is only looked up.
fn explained(reason: Option<&str>, lang: Lang) -> Markup {
    let text = match reason {
        None => return Markup::default(),
        Some("credentials") => {
            Text::new("The name or the password is wrong.", "Le nom ou le mot de passe est faux.")
        }
        Some("wait") => Text::new(
            "Too many attempts. Wait a moment, then try again.",
            "Trop de tentatives. Attendez un instant, puis réessayez.",
        ),
        Some("company") => Text::new(
            "You belong to no company here. Ask an administrator for an invitation.",
            "Vous n'appartenez à aucune entreprise ici. Demandez une invitation à un administrateur.",
        ),
        Some("invitation") => Text::new(
            "This invitation was used or revoked, or has ended. Ask for another one.",
            "Cette invitation a été utilisée, révoquée ou a expiré. Demandez-en une autre.",
        ),
        Some("taken") => Text::new(
            "This name belongs to somebody else here. Ask for an invitation under another name.",
            "Ce nom appartient à quelqu'un d'autre ici. Demandez une invitation sous un autre nom.",
        ),
        Some("password") => Text::new(
            "This password is not accepted: 12 to 256 characters, not your name, not one character repeated.",
            "Ce mot de passe n'est pas accepté : 12 à 256 caractères, différent de votre nom, sans répéter un seul caractère.",
        ),
        Some(_) => Text::new("Try again.", "Réessayez."),
    };
    html! { p role="alert" { (text.get(lang)) } }
}

fn answer(title: &str, lang: Lang, body: &Markup) -> Response {
    let mut response = frame::answer(frame::page(title, lang, body), lang);
    let headers: [(HeaderName, &'static str); 2] = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'self'; \
             frame-ancestors 'none'",
        ),
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

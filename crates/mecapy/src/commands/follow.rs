//! Waits for a task or a deployment, and shows on a terminal how far it is,
//! or how far what it needs has been sent.

use std::fmt;
use std::time::{Duration, Instant};

use domain::task::Progress;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use serde::de::DeserializeOwned;

use crate::client::{Client, Event, Task};
use crate::console::{self, Console, shown, shown_in_line};
use crate::exit::{Exit, Failure};

/// Between two looks where the server offers no events.
const PAUSE: Duration = Duration::from_millis(250);

/// Waits until `has_ended` says so of the document at `path`, or until the
/// deadline; `seen` gets every event and every state on the way.
pub(super) fn until<T: DeserializeOwned>(
    client: &Client,
    path: &str,
    deadline: Option<Instant>,
    has_ended: impl Fn(&T) -> bool,
    mut seen: impl FnMut(Seen<'_, T>),
) -> Result<Option<(T, Vec<u8>)>, Failure> {
    loop {
        let answer = client.get(path)?;
        let state: T = answer.read()?;
        seen(Seen::State(&state));
        if has_ended(&state) {
            return Ok(Some((state, answer.body)));
        }
        let left = deadline.map(|end| end.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Ok(None);
        }
        // A server behind a proxy that cuts streams still answers plain
        // requests, so a broken stream only means to look again.
        let mut told_the_end = false;
        match client.events(&format!("{path}/events"), left) {
            Ok(events) => {
                for event in events.map_while(Result::ok) {
                    seen(Seen::Event(&event));
                    let word = event.name.rsplit('.').next().unwrap_or_default();
                    match word {
                        "completed" | "failed" | "cancelled" | "deployed" => {
                            told_the_end = true;
                            break;
                        }
                        "log" | "progress" | "test" => {}
                        _ => seen(Seen::State(&client.get(path)?.read()?)),
                    }
                }
            }
            Err(failure) if failure.exit == Exit::Denied => return Err(failure),
            Err(_) => {}
        }
        if !told_the_end {
            std::thread::sleep(left.map_or(PAUSE, |left| left.min(PAUSE)));
        }
    }
}

/// What is seen on the way.
pub(super) enum Seen<'a, T> {
    /// The document as it stands.
    State(&'a T),
    /// Something that happened.
    Event(&'a Event),
}

/// Waits for a task; on a terminal its progress and its log are shown.
pub(super) fn task(
    client: &Client,
    console: Console,
    path: &str,
    deadline: Option<Instant>,
) -> Result<Option<(Task, Vec<u8>)>, Failure> {
    let bar = spinner(console);
    let ended = until(client, path, deadline, Task::has_ended, |seen| match seen {
        Seen::State(task) => bar.set_message(standing(console, task)),
        Seen::Event(event) => show(console, &bar, event),
    });
    bar.finish_and_clear();
    ended
}

fn standing(console: Console, task: &Task) -> String {
    match (task.status.as_str(), task.queue_position) {
        ("queued", Some(ahead)) if ahead > 0 => {
            format!(
                "{} ({ahead} {})",
                console.t("queued", "en attente"),
                console.t("ahead", "devant")
            )
        }
        ("queued", _) => console.t("queued", "en attente").to_owned(),
        _ => console.t("running", "en cours").to_owned(),
    }
}

fn show(console: Console, bar: &ProgressBar, event: &Event) {
    match event.name.as_str() {
        "log" => {
            // A piece of the log as it came, which may end within a line.
            if let Ok(text) = serde_json::from_str::<String>(&event.data)
                && console.interactive
            {
                bar.suspend(|| console.note(shown(text.trim_end_matches('\n'))));
            }
        }
        "reset" if console.interactive => bar.suspend(|| {
            console.note(console.t(
                "… a part of the log was missed here; `mecapy tasks logs ID` prints all of it",
                "… une partie du journal a été manquée ici ; `mecapy tasks logs ID` l’affiche en entier",
            ));
        }),
        "progress" => {
            if let Ok(Progress { step, total, message }) = serde_json::from_str(&event.data) {
                let (at, of) = (number(step), total.map(number).unwrap_or_default());
                let mut line = match total.map(|total| 100.0 * step / total) {
                    Some(percent) if (0.0..=100.0).contains(&percent) => {
                        format!("{percent:.0} % ({at}/{of})")
                    }
                    Some(_) => format!("{at}/{of}"),
                    None => at,
                };
                if let Some(message) = message {
                    line += &format!(" {}", shown_in_line(&message));
                }
                bar.set_message(line);
            }
        }
        _ => {}
    }
}

/// A number as short as it is exact.
fn number(value: f64) -> String {
    if (1e-6..1e15).contains(&value.abs()) || value == 0.0 {
        format!("{value}")
    } else {
        format!("{value:e}")
    }
}

/// A sign of life with the time since it began, where a person watches.
pub(super) fn spinner(console: Console) -> ProgressBar {
    if !console.redraws {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {elapsed} {msg}")
        .expect("the template is written as indicatif expects it");
    let bar = ProgressBar::new_spinner().with_style(style);
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// How much of a file has been sent, and how fast, where a person watches.
pub(super) fn upload(console: Console, bytes: u64) -> ProgressBar {
    if !console.redraws {
        return ProgressBar::hidden();
    }
    let lang = console.lang;
    let style = ProgressStyle::with_template("{msg} [{bar:30}] {sent} / {size}  {eta}")
        .expect("the template is written as indicatif expects it")
        .progress_chars("=> ")
        .with_key("sent", move |bar: &ProgressState, text: &mut dyn fmt::Write| {
            let _ = text.write_str(&console::bytes(bar.pos(), lang));
        })
        .with_key("size", move |bar: &ProgressState, text: &mut dyn fmt::Write| {
            let _ = text.write_str(&console::bytes(bar.len().unwrap_or_default(), lang));
        });
    let message = console.t("upload", "envoi").to_owned();
    ProgressBar::new(bytes).with_style(style).with_message(message)
}

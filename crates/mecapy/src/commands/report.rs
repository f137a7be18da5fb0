//! How a task's end is shown.

use std::time::Duration;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::client::{Client, Function, Task, segment};
use crate::console::{Console, bytes, duration, shown};
use crate::exit::{Exit, Failure};

/// Prints an ended task: its result and what it took, or why it failed.
pub(super) fn ended(
    client: &Client,
    console: Console,
    task: &Task,
    body: &[u8],
) -> Result<Exit, Failure> {
    let completed = task.status == "completed";
    if console.json && !completed {
        console.raw(body);
        return Ok(Exit::Failed);
    }
    if !completed {
        failure(console, task);
        return Ok(Exit::Failed);
    }
    let result = result(client, task)?;
    if console.json {
        console.raw(&result);
        return Ok(Exit::Done);
    }
    let units = units(client, task);
    print_result(console, &result, &units);
    for warning in &task.warnings {
        console.warn(&domain::Text::same(warning.line()));
    }
    console.say(console.faint(&times(console, task)));
    Ok(Exit::Done)
}

/// The exact bytes of a task's result.
pub(super) fn result(client: &Client, task: &Task) -> Result<Vec<u8>, Failure> {
    match (&task.result, &task.result_url) {
        (Some(result), _) => Ok(result.get().as_bytes().to_vec()),
        (None, Some(url)) => Ok(client.get(url)?.body),
        // A result of `null` is inline and reads as absent.
        (None, None) => Ok(b"null".to_vec()),
    }
}

fn failure(console: Console, task: &Task) {
    let Some(error) = &task.error else {
        console.note(console.bad(console.t("the task was cancelled", "la tâche a été annulée")));
        return;
    };
    let mut line = format!("{} ({})", shown(&error.sentence()), error.kind);
    if let Some(pointer) = &error.pointer {
        line += &format!("\n  {}", shown(pointer));
    }
    console.note(format!("{}{} {line}", console.t("error", "erreur"), console.colon()));
    if let (Some(limit), Some(measured)) = (error.limit, error.measured) {
        let unit = error.unit.as_deref().unwrap_or_default();
        console.note(match console.lang {
            domain::Lang::En => format!("  limit {limit} {unit}, measured {measured} {unit}"),
            domain::Lang::Fr => format!("  limite {limit} {unit}, mesuré {measured} {unit}"),
        });
    }
    if let Some(traceback) = &error.traceback {
        console.note(shown(traceback.trim_end()));
    }
}

/// Units stand in the outputs schema; without them the table is only barer.
fn units(client: &Client, task: &Task) -> Vec<(String, String)> {
    let Some(name) = &task.function else { return Vec::new() };
    let reference = match &task.version {
        Some(version) => format!("{name}@{version}"),
        None => name.clone(),
    };
    let function = client
        .get(&format!("/functions/{}", segment(&reference)))
        .and_then(|answer| answer.read::<Function>());
    function.map(|function| Function::units(function.outputs_schema.as_ref())).unwrap_or_default()
}

fn print_result(console: Console, result: &[u8], units: &[(String, String)]) {
    let Ok(members) = serde_json::from_slice::<Map<String, Value>>(result) else {
        console.raw(result);
        return;
    };
    let raw = serde_json::from_slice::<std::collections::HashMap<String, &RawValue>>(result)
        .unwrap_or_default();
    let rows: Vec<Vec<String>> = members
        .iter()
        .map(|(key, value)| {
            let shown = match value {
                Value::String(text) => text.clone(),
                // The digits that the function wrote.
                _ => raw.get(key).map_or_else(|| value.to_string(), |raw| raw.get().to_owned()),
            };
            let unit = units.iter().find(|(name, _)| name == key).map(|(_, unit)| unit.clone());
            vec![key.clone(), shorten(&shown), unit.unwrap_or_default()]
        })
        .collect();
    if rows.is_empty() {
        console.say("{}");
    } else {
        console.say(console.table(&rows, &[]));
    }
}

/// A long list would push everything else off the screen; `--json` has it all.
fn shorten(text: &str) -> String {
    const MOST: usize = 120;
    if text.chars().count() <= MOST {
        return text.to_owned();
    }
    let start: String = text.chars().take(MOST).collect();
    format!("{start}… (--json)")
}

fn times(console: Console, task: &Task) -> String {
    let seconds =
        |time: Option<f64>| time.and_then(|s| Duration::try_from_secs_f64(s).ok()).map(duration);
    let mut parts = Vec::new();
    for (word, time) in [
        (console.t("queue", "attente"), seconds(task.queue_time)),
        (console.t("start", "démarrage"), seconds(task.startup_time)),
        (console.t("run", "calcul"), seconds(task.execution_time)),
        (console.t("memory", "mémoire"), task.peak_memory.map(|count| bytes(count, console.lang))),
    ] {
        if let Some(time) = time {
            parts.push(format!("{word} {time}"));
        }
    }
    match task.warm {
        Some(true) => parts.push(console.t("warm", "à chaud").to_owned()),
        _ if task.cached => parts.push(console.t("from cache", "du cache").to_owned()),
        Some(false) => parts.push(console.t("cold", "à froid").to_owned()),
        None => {}
    }
    parts.join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_are_cut_where_they_are_only_shown() {
        assert_eq!(shorten("1.5"), "1.5");
        let long = shorten(&"9".repeat(500));
        assert!(long.ends_with("… (--json)") && long.chars().count() < 140);
    }
}

//! What is printed when the command line itself is wrong, in both languages.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use domain::Lang;

use super::values::Expected;
use crate::console::Console;
use crate::exit::{Exit, Failure};
use crate::settings::Variables;

/// Prints help, version or a refusal, and says how the program ends.
pub(super) fn show(
    error: &clap::Error,
    lang: Lang,
    arguments: &[OsString],
    variables: &Variables,
) -> Exit {
    if !error.use_stderr() {
        // Help that went nowhere (`mecapy --help | true`) is no fault.
        let _ = error.print();
        return Exit::Done;
    }
    let json = arguments.iter().any(|word| word == "--json");
    let console = Console::new(lang, json, variables);
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand && !json {
        let _ = error.print();
        return Exit::Usage;
    }
    let french = sentence(error, arguments, Lang::Fr);
    let english = sentence(error, arguments, Lang::En);
    console.fail(&Failure::usage(english, french));
    Exit::Usage
}

fn sentence(error: &clap::Error, arguments: &[OsString], lang: Lang) -> String {
    let context = |kind| error.get(kind).map(shown).unwrap_or_default();
    let (argument, value) = (context(ContextKind::InvalidArg), context(ContextKind::InvalidValue));
    let fr = lang == Lang::Fr;
    let pick = |en: String, french: String| if fr { french } else { en };
    let (path, command) = meant(arguments);
    let mut near_command = None;
    let mut sentence = match error.kind() {
        ErrorKind::UnknownArgument => pick(
            format!("expected an option of this command, found `{argument}`"),
            format!("une option de cette commande était attendue, trouvé : `{argument}`"),
        ),
        ErrorKind::InvalidSubcommand => {
            let word = context(ContextKind::InvalidSubcommand);
            let known = command.get_subcommands().filter(|known| !known.is_hide_set());
            near_command = package::nearest(&word, known.map(clap::Command::get_name));
            pick(
                format!("expected a command, found `{word}`"),
                format!("une commande était attendue, trouvé : `{word}`"),
            )
        }
        ErrorKind::MissingRequiredArgument => pick(
            format!("expected {argument}, found nothing"),
            format!("attendu : {argument}, rien trouvé"),
        ),
        ErrorKind::InvalidValue if value.is_empty() => pick(
            format!("expected a value after `{argument}`, found none"),
            format!("une valeur était attendue après `{argument}`, rien trouvé"),
        ),
        ErrorKind::InvalidValue => {
            let words = context(ContextKind::ValidValue);
            pick(
                format!("`{argument}`: expected one of {words}, found `{value}`"),
                format!("`{argument}` : attendu : l’un de {words}, trouvé : `{value}`"),
            )
        }
        ErrorKind::ValueValidation => {
            let why = std::error::Error::source(error);
            match why.and_then(|why| why.downcast_ref::<Expected>()) {
                Some(Expected(expected)) => pick(
                    format!("`{argument}`: expected {}, found `{value}`", expected.en),
                    format!("`{argument}` : attendu : {}, trouvé : `{value}`", expected.fr),
                ),
                None => {
                    let why = why.map(ToString::to_string).unwrap_or_default();
                    pick(
                        format!("`{argument}`: `{value}` can't be used: {why}"),
                        format!("`{argument}` : `{value}` n’est pas utilisable : {why}"),
                    )
                }
            }
        }
        ErrorKind::ArgumentConflict => {
            let other = context(ContextKind::PriorArg);
            pick(
                format!("`{argument}` and `{other}` exclude each other: give one of them"),
                format!("`{argument}` et `{other}` s’excluent : donnez l’un des deux"),
            )
        }
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => pick(
            "expected a command, found nothing".to_owned(),
            "une commande était attendue, rien trouvé".to_owned(),
        ),
        _ => error.kind().to_string(),
    };
    let suggested =
        [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand, ContextKind::SuggestedValue]
            .map(context)
            .into_iter()
            .find(|near| !near.is_empty());
    if let Some(near) = suggested.as_deref().or(near_command) {
        sentence +=
            &pick(format!("; did you mean `{near}`?"), format!(" ; vouliez-vous dire `{near}` ?"));
    }
    let stop = if sentence.ends_with('?') { "" } else { "." };
    sentence + &format!("{stop} {} `{path} --help`", if fr { "Voir" } else { "See" })
}

/// The command that a line is about, as far as its words are commands, and
/// how it is written.
fn meant(arguments: &[OsString]) -> (String, clap::Command) {
    let mut command = super::command(Lang::En);
    let mut path = command.get_name().to_owned();
    for word in arguments.iter().skip(1).filter_map(|word| word.to_str()) {
        let Some(below) = command.find_subcommand(word) else { continue };
        path += &format!(" {}", below.get_name());
        command = below.clone();
    }
    (path, command)
}

fn shown(value: &ContextValue) -> String {
    match value {
        ContextValue::String(text) => text.clone(),
        ContextValue::Strings(texts) => texts.join(", "),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(line: &str, lang: Lang) -> String {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        sentence(&crate::cli::parse(&words, lang).unwrap_err(), &words, lang)
    }

    #[test]
    fn a_wrong_command_line_is_refused_in_the_callers_language() {
        assert_eq!(
            refusal("mecapy up --prot 1", Lang::Fr),
            "une option de cette commande était attendue, trouvé : `--prot` ; vouliez-vous dire `--port` ? Voir `mecapy up --help`"
        );
        assert!(refusal("mecapy deplo", Lang::En).starts_with("expected a command, found `deplo`"));
        assert!(refusal("mecapy deplo", Lang::Fr).contains("vouliez-vous dire `deploy` ?"));
        assert!(refusal("mecapy run", Lang::Fr).contains("attendu : <FUNCTION>, rien trouvé"));
        assert!(
            refusal("mecapy rnu", Lang::En).contains("did you mean `run`? See `mecapy --help`")
        );
        assert_eq!(
            refusal("mecapy up --port x", Lang::Fr),
            "`--port <PORT>` : attendu : un nombre entier de 0 à 65535, trouvé : `x`. Voir `mecapy up --help`"
        );
        assert_eq!(
            refusal("mecapy tasks list --limit 0", Lang::En),
            "`--limit <NUMBER>`: expected a whole number from 1 to 100, found `0`. See `mecapy tasks list --help`"
        );
        assert!(
            refusal("mecapy run x --wait soon", Lang::Fr)
                .contains("attendu : un nombre de secondes")
        );
        assert!(
            refusal("mecapy run x --priority 12", Lang::Fr)
                .contains("entier de 0 à 9, trouvé : `12`")
        );
        assert!(
            refusal("mecapy --lang de up", Lang::En).contains("expected one of en, fr, found `de`")
        );
    }
}

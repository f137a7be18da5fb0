//! What commands print: people's words or one JSON value on standard output,
//! everything on the side on standard error.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, presets};
use domain::{Fault, Lang, Severity, Text};

use crate::exit::Failure;
use crate::settings::Variables;

/// How this call talks to whoever made it.
#[derive(Clone, Copy, Debug)]
pub struct Console {
    /// The language of every sentence.
    pub lang: Lang,
    /// Whether only JSON goes to standard output.
    pub json: bool,
    /// Whether a person watches standard error: progress and logs are shown.
    pub interactive: bool,
    /// Whether that person's terminal can draw a line anew, as bars do.
    pub redraws: bool,
    /// How many columns standard output has, where it is a terminal.
    width: Option<u16>,
    colour_out: bool,
    colour_err: bool,
}

impl Console {
    /// The console of this process.
    #[must_use]
    pub fn new(lang: Lang, json: bool, variables: &Variables) -> Self {
        let interactive = io::stderr().is_terminal() && !json;
        let width = rustix::termios::tcgetwinsize(io::stdout()).ok().map(|size| size.ws_col);
        Self {
            lang,
            json,
            interactive,
            redraws: interactive && !variables.is_dumb_terminal(),
            // A terminal that does not know its width says 0.
            width: width.filter(|columns| *columns > 0),
            colour_out: variables.colours(io::stdout().is_terminal()),
            colour_err: variables.colours(io::stderr().is_terminal()),
        }
    }

    /// Picks the sentence of the language.
    #[must_use]
    pub fn t<'a>(&self, en: &'a str, fr: &'a str) -> &'a str {
        match self.lang {
            Lang::En => en,
            Lang::Fr => fr,
        }
    }

    /// One line on standard output.
    pub fn say(&self, line: impl AsRef<str>) {
        print(io::stdout().lock(), line.as_ref().as_bytes());
    }

    /// Bytes on standard output as they are, and an end of line.
    pub fn raw(&self, bytes: &[u8]) {
        print(io::stdout().lock(), bytes);
    }

    /// What a calculation wrote, on standard output: as it is for programs,
    /// without controls for a terminal.
    pub fn written(&self, bytes: &[u8]) {
        if io::stdout().is_terminal() {
            self.say(shown(&String::from_utf8_lossy(bytes)));
        } else {
            self.raw(bytes);
        }
    }

    /// One JSON value on standard output.
    pub fn value(&self, value: &impl serde::Serialize) {
        let text = serde_json::to_vec_pretty(value).expect("these values have only text keys");
        self.raw(&text);
    }

    /// One line on standard error, also with `--json`.
    pub fn note(&self, line: impl AsRef<str>) {
        print(io::stderr().lock(), line.as_ref().as_bytes());
    }

    /// A warning on standard error.
    pub fn warn(&self, text: &Text) {
        let word = paint(self.t("warning", "avertissement"), "33", self.colour_err);
        self.note(format!("{word}{} {}", self.colon(), text.get(self.lang)));
    }

    /// A failure: on standard error for people, on standard output for
    /// programs that asked for JSON.
    pub fn fail(&self, failure: &Failure) {
        let text = failure.text.get(self.lang);
        if self.json {
            match &failure.document {
                Some(document) => self.say(document),
                None => self.value(&serde_json::json!({
                    "code": "command_failed", "detail": text, "exit_code": failure.exit as u8,
                })),
            }
            return;
        }
        let word = paint(self.t("error", "erreur"), "31", self.colour_err);
        self.note(format!("{word}{} {text}", self.colon()));
    }

    /// A fault as compilers write it.
    #[must_use]
    pub fn fault(&self, fault: &Fault) -> String {
        let word = match fault.severity {
            Severity::Error => paint(self.t("error", "erreur"), "31", self.colour_out),
            Severity::Warning => paint(self.t("warning", "avertissement"), "33", self.colour_out),
        };
        format!("{word}{} {}", self.colon(), fault.display(self.lang))
    }

    /// Columns without a frame; those named in `right` hold numbers.
    #[must_use]
    pub fn table(&self, rows: &[Vec<String>], right: &[usize]) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        for row in rows {
            table.add_row(row.iter().map(|cell| shown(cell)));
        }
        if let Some(width) = self.width {
            table.set_content_arrangement(ContentArrangement::Dynamic);
            table.set_width(width);
        }
        for (at, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, 2));
            // Ids and numbers are copied from here, and break nowhere.
            let is_whole = |row: &Vec<String>| row.get(at).is_none_or(|cell| !cell.contains(' '));
            if rows.iter().all(is_whole) {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
            if right.contains(&at) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        // Every line ends in the padding of its last column.
        table
            .lines()
            .map(|line| format!("{}\n", line.trim_end()))
            .collect::<String>()
            .trim_end()
            .to_owned()
    }

    /// Marks a good end.
    #[must_use]
    pub fn good(&self, text: &str) -> String {
        paint(text, "32", self.colour_out)
    }

    /// Marks a bad end.
    #[must_use]
    pub fn bad(&self, text: &str) -> String {
        paint(text, "31", self.colour_out)
    }

    /// Marks what may go wrong.
    #[must_use]
    pub fn doubtful(&self, text: &str) -> String {
        paint(text, "33", self.colour_out)
    }

    /// Marks what matters less.
    #[must_use]
    pub fn faint(&self, text: &str) -> String {
        paint(text, "2", self.colour_out)
    }

    /// A colon as the language sets it.
    #[must_use]
    pub fn colon(&self) -> &'static str {
        match self.lang {
            Lang::En => ":",
            Lang::Fr => " :",
        }
    }
}

/// A duration with three figures: `1.52 ms`, `48.1 s`.
#[must_use]
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    let (value, unit) = match seconds {
        s if s < 1e-3 => (s * 1e6, "µs"),
        s if s < 1.0 => (s * 1e3, "ms"),
        s if s < 600.0 => (s, "s"),
        s => (s / 60.0, "min"),
    };
    let decimals = match value {
        v if v < 10.0 => 2,
        v if v < 100.0 => 1,
        _ => 0,
    };
    format!("{value:.decimals$} {unit}")
}

/// Bytes with three figures: `1.43 MB`.
#[must_use]
pub fn bytes(count: u64, lang: Lang) -> String {
    let units = match lang {
        Lang::En => ["B", "kB", "MB", "GB"],
        Lang::Fr => ["o", "ko", "Mo", "Go"],
    };
    #[expect(clippy::cast_precision_loss, reason = "three figures are shown")]
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    let decimals = if unit == 0 || value >= 100.0 { 0 } else { 1 };
    format!("{value:.decimals$} {}", units[unit])
}

/// A text of somebody else's without the controls by which it could speak to
/// the terminal, or have it show letters in another order than they stand.
#[must_use]
pub fn shown(text: &str) -> String {
    let reorders = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let speaks = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    text.chars().filter(|c| !speaks(*c) && !reorders(*c)).collect()
}

/// The same in one line.
#[must_use]
pub fn shown_in_line(text: &str) -> String {
    shown(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn paint(text: &str, code: &str, colour: bool) -> String {
    if colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}

fn print(mut to: impl Write, line: &[u8]) {
    // A reader that went away (`mecapy tasks | head`) is no fault of ours.
    let _ = to.write_all(line).and_then(|()| to.write_all(b"\n")).and_then(|()| to.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn console(width: Option<u16>) -> Console {
        Console {
            lang: Lang::En,
            json: false,
            interactive: false,
            redraws: false,
            width,
            colour_out: false,
            colour_err: false,
        }
    }

    #[test]
    fn tables_are_aligned_whatever_the_width_of_their_characters() {
        let rows = [["σ_eq", "1.5", "N/mm²"], ["応力", "2", "MPa"], ["e\u{301}tat", "ok", ""]];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec());
        let table = console(None).table(&rows, &[]);
        assert_eq!(table, "σ_eq  1.5  N/mm²\n応力  2    MPa\ne\u{301}tat  ok");
    }

    #[test]
    fn a_narrow_terminal_wraps_sentences_and_no_id() {
        let id = "01980000-0000-7000-8000-000000000000";
        let rows = vec![vec![id.to_owned(), "a description of several words".to_owned()]];
        let table = console(Some(60)).table(&rows, &[]);
        assert!(table.lines().count() > 1, "{table}");
        assert!(table.starts_with(id) && table.contains("words"), "{table}");
        assert!(table.lines().all(|line| line.chars().count() <= 60), "{table}");
        assert_eq!(console(Some(200)).table(&rows, &[]).lines().count(), 1);
        assert!(console(Some(20)).table(&rows, &[]).contains(id));
    }

    #[test]
    fn a_cell_can_not_speak_to_the_terminal() {
        let rows = vec![vec!["a\u{1b}[31m\u{9b}2Jb\0".to_owned(), "c".to_owned()]];
        assert_eq!(console(None).table(&rows, &[]), "a[31m2Jb  c");
        assert_eq!(shown_in_line("half\n✓ archive\u{202e}abc"), "half ✓ archiveabc");
    }

    #[test]
    fn durations_are_shown_with_three_figures() {
        let shown = |s| duration(Duration::from_secs_f64(s));
        assert_eq!(shown(0.001_523), "1.52 ms");
        assert_eq!(shown(0.048_1), "48.1 ms");
        assert_eq!(shown(12.34), "12.3 s");
        assert_eq!(shown(0.000_04), "40.0 µs");
        assert_eq!(shown(1200.0), "20.0 min");
    }

    #[test]
    fn sizes_are_shown_in_the_units_of_the_language() {
        assert_eq!(bytes(999, Lang::En), "999 B");
        assert_eq!(bytes(1_430_000, Lang::Fr), "1.4 Mo");
    }
}

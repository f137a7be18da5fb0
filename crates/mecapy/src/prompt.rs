//! Questions on the terminal, and answers that nobody reads over a shoulder.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::console::Console;
use crate::exit::{Exit, Failure};

/// The most that is read of a line.
const LONGEST: u64 = 16 << 10;

/// Asks for a line that may be seen.
///
/// # Errors
/// When nobody is there to answer.
pub fn line(console: Console, question: &str) -> Result<String, Failure> {
    if io::stdin().is_terminal() {
        ask(console, question);
    }
    read_line()
}

/// Asks for a secret: it is not shown while it is typed. Where standard input
/// is no terminal, its next line is taken.
///
/// # Errors
/// When nobody is there to answer.
pub fn secret(console: Console, question: &str) -> Result<String, Failure> {
    if !io::stdin().is_terminal() {
        return read_line();
    }
    ask(console, question);
    let typed = typed_unseen();
    console.note("");
    typed.map_err(|error| unreadable(&error))?.ok_or_else(|| {
        let text = domain::Text::new("interrupted", "interrompu");
        Failure::new(Exit::Interrupted, text)
    })
}

fn ask(console: Console, question: &str) {
    let colon = console.t(":", " :");
    let mut err = io::stderr().lock();
    // A terminal that is gone is noticed when it is read from.
    let _ = write!(err, "{question}{colon} ").and_then(|()| err.flush());
}

fn read_line() -> Result<String, Failure> {
    let mut line = String::new();
    let read = io::stdin().lock().take(LONGEST).read_line(&mut line);
    match read {
        Ok(0) => Err(Failure::usage(
            "expected a line on standard input, found its end. Run this on a terminal, or pipe the line in",
            "une ligne était attendue sur l’entrée standard, qui est vide. Lancez ceci dans un terminal, ou envoyez-y la ligne",
        )),
        Ok(_) => Ok(line.trim_end_matches(['\r', '\n']).to_owned()),
        Err(error) => Err(unreadable(&error)),
    }
}

fn unreadable(error: &io::Error) -> Failure {
    Failure::usage(
        format!("standard input can't be read: {error}"),
        format!("l’entrée standard ne peut pas être lue : {error}"),
    )
}

/// The terminal as it was, again, however reading ended.
struct Restored(Termios);

impl Drop for Restored {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
    }
}

/// Reads up to Enter; `None` for Ctrl-C. Signals are off meanwhile: one that
/// ended this program would leave the terminal mute.
fn typed_unseen() -> io::Result<Option<String>> {
    let before = tcgetattr(io::stdin())?;
    let mut unseen = before.clone();
    unseen.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
    let _restored = Restored(before);
    tcsetattr(io::stdin(), OptionalActions::Flush, &unseen)?;
    let mut typed = Vec::new();
    for byte in io::stdin().lock().bytes() {
        if let Some(ended) = take(&mut typed, byte?) {
            return Ok(ended);
        }
    }
    Ok(text(typed))
}

/// Takes a key; the answer where the line has ended with it.
fn take(typed: &mut Vec<u8>, key: u8) -> Option<Option<String>> {
    const CTRL_C: u8 = 3;
    const CTRL_D: u8 = 4;
    const CTRL_U: u8 = 21;
    match key {
        b'\r' | b'\n' | CTRL_D => return Some(text(std::mem::take(typed))),
        CTRL_C => return Some(None),
        CTRL_U => typed.clear(),
        // Backspace takes a whole character, of however many bytes.
        8 | 127 => while typed.pop().is_some_and(|byte| byte & 0b1100_0000 == 0b1000_0000) {},
        key => typed.push(key),
    }
    None
}

fn text(typed: Vec<u8>) -> Option<String> {
    Some(String::from_utf8_lossy(&typed).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(keys: &[u8]) -> Option<Option<String>> {
        let mut typed = Vec::new();
        keys.iter().find_map(|key| take(&mut typed, *key))
    }

    #[test]
    fn a_line_is_typed_and_corrected() {
        let typed = |keys: &str| of(keys.as_bytes()).flatten();
        assert_eq!(typed("abc\n").as_deref(), Some("abc"));
        assert_eq!(typed("abé\x7fc\r").as_deref(), Some("abc"));
        assert_eq!(typed("wrong\x15right\n").as_deref(), Some("right"));
        assert_eq!(of(b"abc\x03"), Some(None));
        assert_eq!(of(b"abc"), None);
    }
}

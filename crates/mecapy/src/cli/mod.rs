//! The command line: options, language, dispatch, exit codes.

mod french;
mod refusal;
pub(crate) mod values;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use domain::Lang;

use crate::commands;
use crate::console::Console;
use crate::exit::{Exit, Failure};
use crate::settings::{Flags, Settings, Variables};

/// Runs Python calculations of engineers, isolated and exact.
#[derive(Debug, Parser)]
#[command(name = "mecapy", version, after_help = EXIT_CODES, disable_help_subcommand = true)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Global {
    /// Print JSON only, for programs
    #[arg(long, global = true)]
    pub json: bool,
    /// Language of messages, en or fr; else that of the locale
    #[arg(long, global = true, value_enum, hide_possible_values = true)]
    pub lang: Option<Language>,
    /// Settings file (TOML)
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder of the local server's data
    #[arg(long, global = true, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Server to talk to; else the local one
    #[arg(long, global = true, value_name = "URL")]
    pub api_url: Option<String>,
}

/// A language of messages.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Language {
    /// English
    En,
    /// French
    Fr,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start everything on this machine
    Up(commands::up::Up),
    /// Answer requests only, beside workers; on PostgreSQL, Redis and S3
    Api(commands::api::Api),
    /// Run calculations only; on PostgreSQL, Redis and S3
    Worker(commands::worker::Worker),
    /// Write a new function to begin with
    Init(commands::init::Init),
    /// Check a function and run its test cases and tests here, without a server
    Test(commands::test::Test),
    /// Send a function to the server, which checks and tests it
    Deploy(commands::deploy::Deploy),
    /// Run a function, or a file with --code, and print its result
    Run(commands::run::Run),
    /// List, follow, cancel calculations; fetch results and files
    Tasks(commands::tasks::Tasks),
    /// List, show, delete deployed functions
    Functions(commands::functions::Functions),
    /// Log in to a server and keep a token for it
    Login(commands::login::Login),
    /// Forget the token that a login kept, and revoke it
    Logout(commands::login::Logout),
    /// Make, list, revoke your own tokens
    Token(commands::token::Tokens),
    /// List, invite, remove the members of your company; set your password
    User(commands::user::Users),
    /// List and create companies, as the platform's administrator
    Company(commands::company::Companies),
    /// Measure how fast the server runs a function
    Bench(commands::bench::Bench),
    /// Check whether this machine can run calculations, and say how to mend it
    Doctor(commands::doctor::Doctor),
    /// Write everything the server keeps to one file, while it runs
    Backup(commands::backup::Backup),
    /// Bring a backup back, into an empty data folder
    Restore(commands::restore::Restore),
    /// Bring the database's schema up, or back to an earlier revision
    Migrate(commands::migrate::Migrate),
    /// Print what makes a shell complete this program's words
    Completions(commands::completions::Completions),
    /// Print the manual page, or write one for each command
    Man(commands::man::Man),
    /// Print the settings page of the documentation
    #[command(hide = true)]
    Settings(commands::settings::Reference),
}

/// Shown under every long help; the same list stands in docs/cli.md.
const EXIT_CODES: &str = "\
Exit codes: 0 done · 1 the calculation, test, deployment or check of the machine failed · 2 command line, settings or inputs can't be used · 3 server unreachable · 4 not authorised · 5 server too busy or broken · 6 still running when --wait ended";

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let variables = Variables::of_process();
    run(std::env::args_os().collect(), &variables).into()
}

/// Runs the command that `arguments` ask for.
pub fn run(arguments: Vec<OsString>, variables: &Variables) -> Exit {
    let arguments = asked_for_help(arguments);
    let lang = spoken_in(&arguments).unwrap_or_else(|| variables.lang());
    let cli = match parse(&arguments, lang) {
        Ok(cli) => cli,
        Err(error) => return refusal::show(&error, lang, &arguments, variables),
    };
    let console = Console::new(lang, cli.global.json, variables);
    match dispatch(cli, console, variables) {
        Ok(exit) => exit,
        Err(failure) => {
            console.fail(&failure);
            failure.exit
        }
    }
}

/// Reads a command line whose help speaks `lang`.
///
/// # Errors
/// What clap has to say, help and version included.
pub fn parse(arguments: &[OsString], lang: Lang) -> Result<Cli, clap::Error> {
    let matches = command(lang).try_get_matches_from(arguments)?;
    Cli::from_arg_matches(&matches)
}

/// The command line as clap knows it, in `lang`.
#[must_use]
pub fn command(lang: Lang) -> clap::Command {
    let command = Cli::command().term_width(96);
    match lang {
        Lang::En => command,
        Lang::Fr => french::translate(command),
    }
}

fn dispatch(cli: Cli, console: Console, variables: &Variables) -> Result<Exit, Failure> {
    let Cli { global, command } = cli;
    let mut flags =
        Flags { config: global.config, data: global.data, port: None, api_url: global.api_url };
    match &command {
        Command::Up(up) => flags.port = up.port,
        Command::Api(api) => flags.port = api.port,
        _ => {}
    }
    let settings = || Settings::load(variables, &flags);
    match command {
        Command::Up(up) => up.run(settings()?, console),
        Command::Api(api) => api.run(settings()?, console),
        Command::Worker(worker) => worker.run(settings()?, console),
        Command::Init(init) => settings().map_err(Failure::from).and_then(|_| init.run(console)),
        Command::Test(test) => test.run(settings()?, console),
        Command::Deploy(deploy) => deploy.run(&settings()?, console),
        Command::Run(run) => run.run(&settings()?, console),
        Command::Tasks(tasks) => tasks.run(&settings()?, console),
        Command::Functions(functions) => functions.run(&settings()?, console),
        Command::Login(login) => login.run(&settings()?, console),
        Command::Logout(logout) => logout.run(&settings()?, console),
        Command::Token(tokens) => tokens.run(&settings()?, console),
        Command::User(users) => users.run(&settings()?, console),
        Command::Company(companies) => companies.run(&settings()?, console),
        Command::Bench(bench) => bench.run(&settings()?, console),
        Command::Doctor(doctor) => doctor.run(&settings()?, console),
        Command::Backup(backup) => backup.run(&settings()?, console),
        Command::Restore(restore) => restore.run(&settings()?, console),
        Command::Migrate(migrate) => migrate.run(&settings()?, console),
        // A shell asks for these at its start, whatever the settings are.
        Command::Completions(completions) => Ok(completions.run(console)),
        Command::Man(man) => man.run(console),
        Command::Settings(reference) => Ok(reference.run(console)),
    }
}

/// `help tasks list` as `tasks list --help`, which it means.
fn asked_for_help(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let mut is_value = false;
    let first = arguments.iter().skip(1).position(|word| {
        let is_option = word.to_string_lossy().starts_with('-');
        let is_word = !is_option && !is_value;
        is_value = is_option && WITH_VALUE.iter().any(|option| word == option);
        is_word
    });
    if let Some(at) = first.map(|at| at + 1)
        && arguments[at] == "help"
    {
        arguments.remove(at);
        arguments.push("--help".into());
    }
    arguments
}

/// The options of every command that take a value.
const WITH_VALUE: [&str; 4] = ["--lang", "--config", "--data", "--api-url"];

/// The language that `--lang` asks for, found before clap reads the line:
/// its own messages must already speak it.
fn spoken_in(arguments: &[OsString]) -> Option<Lang> {
    let mut words = arguments.iter().skip(1).map(|word| word.to_string_lossy());
    while let Some(word) = words.next() {
        let value = match word.strip_prefix("--lang") {
            Some("") => words.next()?.into_owned(),
            Some(rest) => rest.strip_prefix('=')?.to_owned(),
            None if word == "--" => return None,
            None => continue,
        };
        return match value.as_str() {
            "fr" => Some(Lang::Fr),
            "en" => Some(Lang::En),
            _ => None,
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn the_command_line_is_consistent_in_both_languages() {
        command(Lang::En).debug_assert();
        command(Lang::Fr).debug_assert();
    }

    #[test]
    fn help_may_be_asked_for_as_a_command() {
        for (typed, meant) in [
            ("mecapy help", "mecapy --help"),
            ("mecapy help tasks list", "mecapy tasks list --help"),
            ("mecapy --lang fr help up", "mecapy --lang fr up --help"),
            ("mecapy --json help", "mecapy --json --help"),
            ("mecapy --data help up", "mecapy --data help up"),
            ("mecapy run help", "mecapy run help"),
        ] {
            assert_eq!(asked_for_help(words(typed)), words(meant), "{typed}");
        }
    }

    #[test]
    fn the_option_lang_comes_before_the_locale() {
        assert_eq!(spoken_in(&words("mecapy run --lang fr x")), Some(Lang::Fr));
        assert_eq!(spoken_in(&words("mecapy run --lang=en x")), Some(Lang::En));
        assert_eq!(spoken_in(&words("mecapy run x -- --lang fr")), None);
        assert_eq!(spoken_in(&words("mecapy run x")), None);
    }
}

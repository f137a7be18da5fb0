//! What `mecapy doctor` finds out: whether this machine can run calculations,
//! what is in the way, and how to mend it.
//!
//! `machine` reads `facts`, each of the `checks` makes a [`Finding`] of them
//! without looking at the machine itself, and [`show`] prints. The last finding
//! is a real calculation in the sandbox, which outweighs what the others only
//! foresee.

mod checks;
mod facts;
mod machine;
mod means;
mod mounts;
pub mod show;
#[cfg(test)]
mod systems;
#[cfg(test)]
mod tests;

pub use facts::{Calculated, Obstacle};
pub use machine::examine;

use domain::{Severity, Text};

use facts::{Facts, Seen, Unseen};
use means::Means;

/// What was found, a finding for each check, in the order of [`Check`].
#[derive(Clone, Debug)]
pub struct Report {
    /// All of them; the calculation comes last.
    pub findings: Vec<Finding>,
}

/// What one check found.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Which check.
    pub check: Check,
    /// What there is, in a few words.
    pub found: Text,
    /// What belongs below it, a line each.
    pub details: Vec<Text>,
    /// What is wrong; nothing where all is well.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong, and how it is mended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Whether it keeps calculations from running.
    pub severity: Severity,
    /// What was expected and what was found.
    pub missing: Text,
    /// What to do.
    pub remedy: Text,
    /// The commands that do it, where there are any.
    pub commands: Vec<String>,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Nothing is wrong.
    Ok,
    /// Calculations run; something will or may go wrong.
    Warning,
    /// Calculations can't run.
    Failed,
}

/// The checks, in the order in which they are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Kernel and processor.
    System,
    /// Control groups, which keep the limits.
    Cgroups,
    /// The kinds of namespaces.
    Namespaces,
    /// Filters of system calls.
    Seccomp,
    /// The user ids of sandboxes.
    UidMaps,
    /// The Pythons.
    Interpreters,
    /// The program that installs packages.
    Uv,
    /// Room for data, temporary files, and memory.
    Disk,
    /// The wall clock.
    Clock,
    /// A real calculation in the sandbox.
    Calculation,
}

impl Report {
    /// Decides on everything that was read.
    fn of(facts: &Facts) -> Self {
        let means = facts.host.as_ref().map(Means::of).unwrap_or_default();
        let of_host = |check, decide: fn(&facts::Host, &Means) -> Finding| match &facts.host {
            Ok(host) => decide(host, &means),
            Err(unseen) => Finding::unseen(check, unseen),
        };
        let mut findings = vec![
            of_host(Check::System, checks::system),
            of_host(Check::Cgroups, checks::cgroups),
            of_host(Check::Namespaces, checks::namespaces),
            of_host(Check::Seccomp, checks::seccomp),
            of_host(Check::UidMaps, checks::uid_maps),
            seen(Check::Interpreters, &facts.pythons, |pythons| {
                checks::interpreters(pythons, &means)
            }),
            seen(Check::Uv, &facts.uv, checks::uv),
            seen(Check::Disk, &facts.disk, checks::disk),
            seen(Check::Clock, &facts.clock, |clock| checks::clock(clock, &means)),
        ];
        let calculation = seen(Check::Calculation, &facts.calculation, checks::calculation);
        if calculation.status() == Status::Ok {
            findings.iter_mut().filter(|f| f.check.foresees()).for_each(Finding::disprove);
        }
        findings.push(calculation);
        Self { findings }
    }

    /// How many checks ended like this.
    #[must_use]
    pub fn count(&self, status: Status) -> usize {
        self.findings.iter().filter(|finding| finding.status() == status).count()
    }

    /// Whether calculations can run: no check failed.
    #[must_use]
    pub fn can_run(&self) -> bool {
        self.count(Status::Failed) == 0
    }
}

fn seen<T>(check: Check, facts: &Seen<T>, decide: impl Fn(&T) -> Finding) -> Finding {
    match facts {
        Ok(facts) => decide(facts),
        Err(unseen) => Finding::unseen(check, unseen),
    }
}

impl Finding {
    fn new(check: Check, found: Text, problems: Vec<Problem>) -> Self {
        Self { check, found, details: Vec::new(), problems }
    }

    /// A check whose facts could not be read.
    fn unseen(check: Check, unseen: &Unseen) -> Self {
        let (found, problem) = match unseen {
            Unseen::Late(limit) => {
                let seconds = limit.as_secs();
                (
                    Text::new("no answer", "pas de réponse"),
                    Problem::error(
                        Text::new(
                            format!("the machine did not answer within {seconds} s"),
                            format!("la machine n’a pas répondu en {seconds} s"),
                        ),
                        Text::new(
                            "look for a disk or a network mount that hangs, or wait until the machine is less busy, then try again",
                            "cherchez un disque ou un montage réseau qui ne répond plus, ou attendez que la machine soit moins chargée, puis réessayez",
                        ),
                    ),
                )
            }
            Unseen::Broken(reason) => (
                Text::new("not looked at", "non contrôlé"),
                Problem::error(
                    Text::new(
                        format!("the check itself broke: {reason}"),
                        format!("le contrôle lui-même a échoué : {reason}"),
                    ),
                    Text::new(
                        "this is a fault of MecaPy: report it with this line",
                        "c’est un défaut de MecaPy : signalez-le avec cette ligne",
                    ),
                ),
            ),
        };
        Self::new(check, found, vec![problem])
    }

    /// The worst of its problems.
    #[must_use]
    pub fn status(&self) -> Status {
        let of = |problem: &Problem| match problem.severity {
            Severity::Error => Status::Failed,
            Severity::Warning => Status::Warning,
        };
        self.problems.iter().map(of).max().unwrap_or(Status::Ok)
    }

    /// A calculation ran in spite of what was foreseen.
    fn disprove(&mut self) {
        for problem in &mut self.problems {
            problem.severity = Severity::Warning;
        }
    }
}

impl Problem {
    fn error(missing: Text, remedy: Text) -> Self {
        Self { severity: Severity::Error, missing, remedy, commands: Vec::new() }
    }

    fn warning(missing: Text, remedy: Text) -> Self {
        Self { severity: Severity::Warning, ..Self::error(missing, remedy) }
    }

    fn run(mut self, commands: impl IntoIterator<Item = String>) -> Self {
        self.commands.extend(commands);
        self
    }
}

impl Status {
    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }
}

impl Check {
    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Cgroups => "cgroups",
            Self::Namespaces => "namespaces",
            Self::Seccomp => "seccomp",
            Self::UidMaps => "uid_maps",
            Self::Interpreters => "interpreters",
            Self::Uv => "uv",
            Self::Disk => "disk",
            Self::Clock => "clock",
            Self::Calculation => "calculation",
        }
    }

    /// The name for people.
    #[must_use]
    pub fn label(self) -> Text {
        match self {
            Self::System => Text::new("system", "système"),
            Self::Namespaces => Text::new("namespaces", "espaces de noms"),
            Self::UidMaps => Text::new("uid maps", "plages d’uid"),
            Self::Interpreters => Text::new("interpreters", "interpréteurs"),
            Self::Disk => Text::new("disk", "disque"),
            Self::Clock => Text::new("clock", "horloge"),
            Self::Calculation => Text::new("calculation", "calcul"),
            Self::Cgroups | Self::Seccomp | Self::Uv => Text::same(self.name()),
        }
    }

    /// Whether it foresees what the sandbox needs, which the calculation proves.
    fn foresees(self) -> bool {
        matches!(
            self,
            Self::System | Self::Cgroups | Self::Namespaces | Self::Seccomp | Self::UidMaps
        )
    }
}

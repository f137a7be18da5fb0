//! Why requirements can't be installed, found by asking about each alone and
//! then about them together.

mod facts;
mod words;

use std::path::Path;

use domain::manifest::{BaseImage, PythonVersion};
use domain::{Fault, Text};
use tokio::task::JoinSet;

use crate::error::{Error, Problem};
use crate::interpreter::{Interpreter, Interpreters};
use crate::log::{KeptLog, Log};
use crate::requirement::{self, normalised};
use crate::resolve::{self, AT_A_TIME, Answer, Bounds, Question};
use crate::uv::Uv;
use facts::Fact;

/// Requirements that came to nothing.
pub(crate) struct Case<'a> {
    pub(crate) uv: &'a Uv,
    pub(crate) scratch: &'a Path,
    pub(crate) interpreters: &'a Interpreters,
    pub(crate) interpreter: &'a Interpreter,
    pub(crate) image: BaseImage,
    pub(crate) requirements: &'a [String],
    pub(crate) bounds: Bounds,
}

impl Case<'_> {
    /// Every reason that is found; at least one.
    pub(crate) async fn problems(&self, said: &str) -> Result<Vec<Problem>, Error> {
        let mut problems = Vec::new();
        for (position, said) in self.unsolvable_each(true).await? {
            let requirement = &self.requirements[position];
            let fault = self.by_itself(requirement, &facts::read(&said)).await?;
            problems.push(Problem { requirement: Some(position), fault });
        }
        if !problems.is_empty() {
            return Ok(problems);
        }
        // Each can be had, but not what it needs.
        for (position, said) in self.unsolvable_each(false).await? {
            let facts: Vec<Fact> = facts::read(&said)
                .into_iter()
                .filter(|fact| !matches!(fact, Fact::Required(_)))
                .collect();
            let told = self.told(&facts);
            let fault = words::needs_the_impossible(&self.requirements[position], &told);
            problems.push(Problem { requirement: Some(position), fault });
        }
        if problems.is_empty() {
            problems.push(Problem { requirement: None, fault: self.together(said).await? });
        }
        Ok(problems)
    }

    /// The requirements that can't be met even without the others, with
    /// `uv`'s words.
    async fn unsolvable_each(&self, alone: bool) -> Result<Vec<(usize, String)>, Error> {
        let mut asked = JoinSet::new();
        let mut unsolvable = Vec::new();
        let mut waiting = self.requirements.iter().enumerate();
        loop {
            while (asked.len() as u64) < AT_A_TIME
                && let Some((position, requirement)) = waiting.next()
            {
                let (uv, scratch) = (self.uv.clone(), self.scratch.to_path_buf());
                let (interpreter, bounds) = (self.interpreter.clone(), self.bounds);
                let requirements = [requirement.clone()];
                asked.spawn(async move {
                    let question = Question { alone, ..Question::new(&interpreter, &requirements) };
                    let log = KeptLog::live_only(&Log::silent());
                    (position, resolve::ask(&uv, &scratch, &question, &log, bounds).await)
                });
            }
            let Some(answer) = asked.join_next().await else { break };
            if let Ok((position, answer)) = answer
                && let Answer::Unsolvable(said) = answer?
            {
                unsolvable.push((position, said));
            }
        }
        unsolvable.sort();
        Ok(unsolvable)
    }

    /// A requirement that can't be met even alone.
    async fn by_itself(&self, requirement: &str, facts: &[Fact]) -> Result<Fault, Error> {
        let Some(parts) = requirement::parts(requirement) else {
            return Ok(words::unclear(requirement, &self.told(facts)));
        };
        let name = normalised(parts.name);
        if facts.iter().any(|fact| matches!(fact, Fact::Unknown(_))) {
            return Ok(words::unknown(parts.name));
        }
        let elsewhere = self.other_pythons(requirement).await?;
        let python = self.interpreter.minor;
        let Some(newest) = self.version(&name, false).await? else {
            let any_wheel = facts.iter().any(|fact| {
                matches!(fact, Fact::NoWheel { missing, .. } if *missing != facts::Missing::Any)
            });
            return Ok(if any_wheel || !elsewhere.is_empty() {
                words::no_wheel_for_this(&name, python, &elsewhere)
            } else {
                words::source_only(&name)
            });
        };
        let oldest = self.version(&name, true).await?.unwrap_or_else(|| newest.clone());
        let nearest = match parts.versions().strip_prefix("==").map(str::trim) {
            Some(pin) if !pin.contains(['*', ',', '=']) => {
                self.version(&format!("{name}>{pin}"), true).await?
            }
            _ => None,
        };
        let would_do = words::WouldDo { oldest, newest, nearest, elsewhere };
        let exists = facts.iter().any(|fact| matches!(fact, Fact::NoWheel { .. }));
        Ok(if exists {
            words::no_wheel(requirement, python, &would_do)
        } else {
            words::no_version(requirement, python, &would_do)
        })
    }

    /// Requirements that can be met one by one but not together.
    async fn together(&self, said: &str) -> Result<Fault, Error> {
        let facts = facts::read(said);
        let involved = |requirement: &&String| {
            let name = requirement::parts(requirement).map(|parts| normalised(parts.name));
            facts.iter().any(|fact| match (fact, &name) {
                (Fact::Required(required), Some(name)) => {
                    requirement::parts(required).is_some_and(|r| normalised(r.name) == *name)
                }
                _ => false,
            })
        };
        let mut mends = Vec::new();
        let involved: Vec<&String> = self.requirements.iter().filter(involved).take(4).collect();
        for requirement in involved {
            mends.extend(self.mend(requirement).await?);
        }
        Ok(words::conflict(&self.told(&facts), &mends))
    }

    /// What one requirement could be instead for all to fit.
    async fn mend(&self, requirement: &str) -> Result<Option<(String, String)>, Error> {
        let Some(parts) = requirement::parts(requirement) else { return Ok(None) };
        if parts.versions().is_empty() {
            return Ok(None);
        }
        let name = normalised(parts.name);
        let bare = format!("{name}{}", parts.extras);
        let others = self.requirements.iter().filter(|other| *other != requirement).cloned();
        let base = self.image.requirements().iter().map(|name| (*name).to_owned());
        let requirements: Vec<String> = base.chain(others).chain([bare]).collect();
        let question = Question::new(self.interpreter, &requirements);
        Ok(match self.ask(&question).await? {
            Answer::Packages(packages) => packages
                .into_iter()
                .find(|package| package.name == name)
                .map(|package| (requirement.to_owned(), format!("{name}=={}", package.version))),
            Answer::Unsolvable(_) => None,
        })
    }

    /// The newest or oldest version that this interpreter could have.
    async fn version(&self, requirement: &str, oldest: bool) -> Result<Option<String>, Error> {
        let requirements = [requirement.to_owned()];
        let question =
            Question { alone: true, oldest, ..Question::new(self.interpreter, &requirements) };
        Ok(match self.ask(&question).await? {
            Answer::Packages(packages) => packages.into_iter().next().map(|found| found.version),
            Answer::Unsolvable(_) => None,
        })
    }

    /// The other Python versions of this machine that could meet a
    /// requirement.
    async fn other_pythons(&self, requirement: &str) -> Result<Vec<PythonVersion>, Error> {
        let requirements = [requirement.to_owned()];
        let mut found = Vec::new();
        for minor in PythonVersion::SUPPORTED {
            let Ok(other) = self.interpreters.get(minor) else { continue };
            if minor == self.interpreter.minor {
                continue;
            }
            let question = Question { alone: true, ..Question::new(other, &requirements) };
            if let Answer::Packages(packages) = self.ask(&question).await?
                && !packages.is_empty()
            {
                found.push(minor);
            }
        }
        Ok(found)
    }

    async fn ask(&self, question: &Question<'_>) -> Result<Answer, Error> {
        let log = KeptLog::live_only(&Log::silent());
        resolve::ask(self.uv, self.scratch, question, &log, self.bounds).await
    }

    fn told(&self, facts: &[Fact]) -> Text {
        let given_by = |what: &str| {
            let asked = self.requirements.iter().any(|requirement| {
                requirement::parts(requirement)
                    .is_some_and(|parts| normalised(parts.name) == normalised(what))
            });
            let image = self.image.requirements().iter().any(|name| normalised(name) == what);
            (image && !asked).then(|| self.image.to_string())
        };
        facts::told(facts, &self.interpreter.minor.to_string(), given_by)
    }
}

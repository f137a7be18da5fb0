//! Compiles the reviewable filter files into kernel programs.
//!
//! `seccomp/template.json` is the allow list of everything in a sandbox,
//! `seccomp/run.json` is what a run loses of it. Both stay installed in a run,
//! and the kernel takes the stricter answer of the two. What the first allows
//! is there because it was traced (`seccomp/traced.json`) or with an argument;
//! `seccomp/allowed.txt` is what comes of both.

use seccompiler::{BpfProgram, TargetArch, sock_filter};
use serde::Deserialize;
use serde_json::{Value, json};

const TEMPLATE: &str = include_str!("../seccomp/template.json");
const RUN: &str = include_str!("../seccomp/run.json");

/// Clone flags of a run, the only namespaces a template can ask for:
/// NEWUSER, NEWPID, NEWNS, NEWIPC, PARENT, CHILD_SETTID, CHILD_CLEARTID, SIGCHLD.
/// The template's filter holds the same number.
pub(crate) const FORK_FLAGS: u64 = 0x3922_8011;

/// The two programs.
#[derive(Debug)]
pub(crate) struct Filters {
    /// Installed before the template's interpreter starts.
    pub(crate) template: BpfProgram,
    /// Added by each run to itself.
    pub(crate) run: BpfProgram,
}

/// A filter file that can't be compiled for this machine.
#[derive(Debug, thiserror::Error)]
#[error("the {file} system call filter can't be compiled for {arch}: {detail}")]
pub(crate) struct Error {
    file: &'static str,
    arch: &'static str,
    detail: String,
}

#[derive(Clone, Deserialize)]
struct AllowList {
    traced: Names,
    traced_when: Vec<Conditional>,
    argued: Vec<Calls>,
    argued_when: Vec<Conditional>,
    unsupported: Vec<Unsupported>,
}

#[derive(Clone, Deserialize)]
struct RefuseList {
    refuse: Vec<Calls>,
    refuse_when: Vec<Conditional>,
}

#[derive(Clone, Deserialize)]
struct Names {
    all: Vec<String>,
    /// System calls that newer architectures don't have.
    x86_64: Vec<String>,
}

#[derive(Clone, Deserialize)]
struct Calls {
    syscalls: Vec<String>,
    /// The one architecture that has them or needs them.
    only: Option<String>,
}

#[derive(Clone, Deserialize)]
struct Conditional {
    syscall: String,
    only: Option<String>,
    args: Value,
}

/// A call that is said not to exist, so that libc takes its older form.
#[derive(Clone, Deserialize)]
struct Unsupported {
    syscall: String,
}

/// Compiles both files for this machine.
pub(crate) fn compile() -> Result<Filters, Error> {
    let arch = std::env::consts::ARCH;
    Ok(Filters {
        template: template(&read("template", TEMPLATE)?, arch)?,
        run: run(&read("run", RUN)?, arch)?,
    })
}

/// The program's instructions as the kernel reads them.
pub(crate) fn instructions(program: &BpfProgram) -> Vec<u8> {
    program
        .iter()
        .flat_map(|i| {
            let [code, k] = [i.code.to_ne_bytes().to_vec(), i.k.to_ne_bytes().to_vec()];
            [code, vec![i.jt, i.jf], k].concat()
        })
        .collect()
}

fn template(list: &AllowList, arch: &'static str) -> Result<BpfProgram, Error> {
    let mut rules: Vec<Value> = list.traced.all.iter().map(unconditional).collect();
    if arch == X86_64 {
        rules.extend(list.traced.x86_64.iter().map(unconditional));
    }
    rules.extend(calls(&list.argued, arch));
    rules.extend(conditionals(&list.traced_when, arch));
    rules.extend(conditionals(&list.argued_when, arch));
    let (allow, refuse) = (json!("allow"), json!({"errno": libc::EPERM}));
    let body = compile_rules("template", arch, rules, allow, refuse)?;
    let mut program = vec![LOAD_NUMBER];
    if arch == X86_64 {
        program.extend([jump_if_at_least(X32_BIT, 0, 1), answer(libc::SECCOMP_RET_KILL_PROCESS)]);
    }
    for call in &list.unsupported {
        let number = number("template", arch, &call.syscall)?;
        let unsupported = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;
        program.extend([jump_if_equal(number, 0, 1), answer(unsupported)]);
    }
    program.extend(body);
    Ok(program)
}

fn run(list: &RefuseList, arch: &'static str) -> Result<BpfProgram, Error> {
    let mut rules: Vec<Value> = calls(&list.refuse, arch).collect();
    rules.extend(conditionals(&list.refuse_when, arch));
    compile_rules("run", arch, rules, json!({"errno": libc::EPERM}), json!("allow"))
}

fn unconditional(name: &String) -> Value {
    json!({"syscall": name})
}

fn calls(lists: &[Calls], arch: &str) -> impl Iterator<Item = Value> {
    let here = lists.iter().filter(move |list| is_for(list.only.as_deref(), arch));
    here.flat_map(|list| list.syscalls.iter().map(unconditional))
}

fn conditionals(rules: &[Conditional], arch: &str) -> impl Iterator<Item = Value> {
    let here = rules.iter().filter(move |rule| is_for(rule.only.as_deref(), arch));
    here.map(|rule| json!({"syscall": rule.syscall, "args": rule.args}))
}

fn is_for(only: Option<&str>, arch: &str) -> bool {
    only.is_none_or(|only| only == arch)
}

fn read<'a, T: Deserialize<'a>>(file: &'static str, text: &'a str) -> Result<T, Error> {
    let arch = std::env::consts::ARCH;
    serde_json::from_str(text).map_err(|error| Error { file, arch, detail: error.to_string() })
}

fn compile_rules(
    file: &'static str,
    arch: &'static str,
    rules: Vec<Value>,
    matched: Value,
    unmatched: Value,
) -> Result<BpfProgram, Error> {
    let failed = |detail: String| Error { file, arch, detail };
    let target = TargetArch::try_from(arch).map_err(|error| failed(error.to_string()))?;
    let source = json!({
        file: {"match_action": matched, "mismatch_action": unmatched, "filter": rules}
    });
    let mut compiled = seccompiler::compile_from_json(source.to_string().as_bytes(), target)
        .map_err(|error| failed(format!("{error:?}")))?;
    compiled.remove(file).ok_or_else(|| failed("no program came out".to_owned()))
}

/// A system call's number, read from a program compiled for it alone.
fn number(file: &'static str, arch: &'static str, name: &str) -> Result<u32, Error> {
    let rules = vec![json!({"syscall": name})];
    let program = compile_rules(file, arch, rules, json!("allow"), json!("log"))?;
    let after_load =
        program.iter().skip_while(|i| (i.code, i.k) != (LOAD_NUMBER.code, LOAD_NUMBER.k));
    after_load.skip(1).find(|i| i.code == JUMP_EQUAL).map(|i| i.k).ok_or_else(|| Error {
        file,
        arch,
        detail: format!("the number of {name} is unknown"),
    })
}

const X86_64: &str = "x86_64";

// Classic BPF, as in linux/filter.h; seccomp_data begins with the call's number.
const JUMP_EQUAL: u16 = 0x15;
const JUMP_AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;
const LOAD_NUMBER: sock_filter = sock_filter { code: 0x20, jt: 0, jf: 0, k: 0 };
const X32_BIT: u32 = 0x4000_0000;

fn jump_if_equal(k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code: JUMP_EQUAL, jt, jf, k }
}

fn jump_if_at_least(k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code: JUMP_AT_LEAST, jt, jf, k }
}

fn answer(k: u32) -> sock_filter {
    sock_filter { code: RETURN, jt: 0, jf: 0, k }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    const ARCH: &str = std::env::consts::ARCH;
    #[cfg(target_arch = "x86_64")]
    const AUDIT_ARCH: u32 = 0xC000_003E;
    #[cfg(target_arch = "aarch64")]
    const AUDIT_ARCH: u32 = 0xC000_00B7;
    /// Past the last system call of any kernel so far.
    const NUMBERS: std::ops::RangeInclusive<i64> = 0..=600;

    const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
    const EPERM: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
    const ENOSYS: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;

    type Arguments = [u64; 6];

    /// What a program answers to a call, by a small BPF interpreter.
    fn answer_to(program: &BpfProgram, number: i64, arguments: Arguments) -> u32 {
        let mut data = [0u8; 64];
        data[0..4].copy_from_slice(&(number as u32).to_ne_bytes());
        data[4..8].copy_from_slice(&AUDIT_ARCH.to_ne_bytes());
        for (place, argument) in data[16..].chunks_exact_mut(8).zip(arguments) {
            place.copy_from_slice(&argument.to_ne_bytes());
        }
        let (mut at, mut a) = (0usize, 0u32);
        loop {
            let i = &program[at];
            at += 1;
            let branch = |taken: bool| if taken { i.jt as usize } else { i.jf as usize };
            match i.code {
                0x20 => a = u32::from_ne_bytes(data[i.k as usize..][..4].try_into().unwrap()),
                0x54 => a &= i.k,
                0x05 => at += i.k as usize,
                0x15 => at += branch(a == i.k),
                0x25 => at += branch(a > i.k),
                0x35 => at += branch(a >= i.k),
                0x06 => return i.k,
                code => panic!("instruction {code:#x}"),
            }
        }
    }

    /// What the kernel does with both installed: the stricter answer.
    fn answer_of_both(filters: &Filters, number: i64, arguments: Arguments) -> u32 {
        let answers = [&filters.template, &filters.run].map(|p| answer_to(p, number, arguments));
        // Killing is the highest bit, which makes it the least of all.
        answers.into_iter().min_by_key(|answer| *answer as i32).unwrap()
    }

    fn lists() -> (AllowList, RefuseList) {
        (read("template", TEMPLATE).unwrap(), read("run", RUN).unwrap())
    }

    fn compiled(allow: &AllowList, refuse: &RefuseList) -> Filters {
        Filters { template: template(allow, ARCH).unwrap(), run: run(refuse, ARCH).unwrap() }
    }

    fn number_of(name: &str) -> i64 {
        i64::from(number("a test", ARCH, name).unwrap())
    }

    /// Every rule with conditions that counts here.
    fn conditions(allow: &AllowList, refuse: &RefuseList) -> Vec<Conditional> {
        [&allow.traced_when, &allow.argued_when, &refuse.refuse_when]
            .into_iter()
            .flatten()
            .filter(|rule| is_for(rule.only.as_deref(), ARCH))
            .cloned()
            .collect()
    }

    /// Arguments that make a difference to the rules of a system call.
    fn probes(rules: &[Conditional]) -> BTreeMap<i64, Vec<Arguments>> {
        let mut probes: BTreeMap<i64, Vec<Arguments>> =
            NUMBERS.map(|number| (number, vec![[0; 6], [u64::MAX; 6]])).collect();
        for rule in rules {
            let mut matching = [0; 6];
            for condition in rule.args.as_array().unwrap() {
                let index = condition["index"].as_u64().unwrap() as usize;
                matching[index] = condition["val"].as_u64().unwrap();
            }
            probes.get_mut(&number_of(&rule.syscall)).unwrap().push(matching);
        }
        probes
    }

    /// Names of the calls that a list allows whatever their arguments.
    fn plainly_allowed(list: &AllowList) -> Vec<String> {
        let old = if ARCH == X86_64 { &list.traced.x86_64[..] } else { &[] };
        let argued = list.argued.iter().filter(|calls| is_for(calls.only.as_deref(), ARCH));
        let argued = argued.flat_map(|calls| &calls.syscalls);
        list.traced.all.iter().chain(old).chain(argued).cloned().collect()
    }

    #[test]
    fn the_template_forks_only_plainly_or_into_the_one_namespace_set() {
        let filters = compile().unwrap();
        let clone = |flags| answer_to(&filters.template, libc::SYS_clone, [flags, 0, 0, 0, 0, 0]);
        assert_eq!(clone(FORK_FLAGS), ALLOW);
        assert_eq!(clone(0x3d_0f00), ALLOW, "a thread");
        assert_eq!(clone(0x120_0011), ALLOW, "a fork");
        for flag in [
            libc::CLONE_NEWUSER,
            libc::CLONE_NEWNS,
            libc::CLONE_NEWNET,
            libc::CLONE_NEWPID,
            libc::CLONE_NEWIPC,
            libc::CLONE_NEWUTS,
            libc::CLONE_NEWCGROUP,
            libc::CLONE_PARENT,
            libc::CLONE_PTRACE,
            libc::CLONE_UNTRACED,
        ] {
            assert_eq!(clone(flag as u32 as u64 | 17), EPERM, "{flag:#x}");
        }
        assert_eq!(clone(FORK_FLAGS | libc::CLONE_NEWNET as u64), EPERM);
        let run = |flags| answer_of_both(&filters, libc::SYS_clone, [flags, 0, 0, 0, 0, 0]);
        assert_eq!(run(FORK_FLAGS), EPERM);
        assert_eq!(run(0x3d_0f00), ALLOW);
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn the_x32_interface_kills_and_clone3_is_said_not_to_exist() {
        let filters = compile().unwrap();
        let template = |number| answer_to(&filters.template, number, [0; 6]);
        assert_eq!(template(libc::SYS_clone3), ENOSYS);
        assert_eq!(template(libc::SYS_read | 0x4000_0000), libc::SECCOMP_RET_KILL_PROCESS);
    }

    #[test]
    fn the_lists_compile_for_every_architecture() {
        let (allow, refuse) = lists();
        for arch in [X86_64, "aarch64"] {
            template(&allow, arch).unwrap();
            run(&refuse, arch).unwrap();
        }
    }

    /// What `scripts/trace-syscalls` saw.
    #[derive(Deserialize)]
    struct Trace {
        calls: Vec<Call>,
        values: Vec<CallWith>,
    }

    #[derive(Deserialize)]
    struct Call {
        syscall: String,
    }

    #[derive(Deserialize)]
    struct CallWith {
        syscall: String,
        value: u64,
    }

    /// What template.json says of calls that were asked for in vain.
    #[derive(Deserialize)]
    struct Refused {
        refused: Vec<Calls>,
        refused_values: Vec<RefusedValues>,
    }

    #[derive(Deserialize)]
    struct RefusedValues {
        syscall: String,
        values: Vec<u64>,
    }

    fn trace() -> Trace {
        serde_json::from_str(include_str!("../seccomp/traced.json")).unwrap()
    }

    fn sorted<'a>(names: impl IntoIterator<Item = &'a String>) -> Vec<&'a String> {
        let mut names: Vec<_> = names.into_iter().collect();
        names.sort();
        names
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn each_allowed_call_was_traced_or_is_argued_for_and_each_other_is_told() {
        let (allow, _) = lists();
        let told: Refused = serde_json::from_str(TEMPLATE).unwrap();
        let trace = trace();
        let traced: BTreeSet<&String> = trace.calls.iter().map(|call| &call.syscall).collect();
        let conditional = allow.traced_when.iter().map(|rule| &rule.syscall);
        let refused = told.refused.iter().flat_map(|calls| &calls.syscalls);
        let unsupported = allow.unsupported.iter().map(|call| &call.syscall);
        let listed = allow.traced.all.iter().chain(&allow.traced.x86_64).chain(refused);
        let mut listed: Vec<&String> = listed.chain(unsupported).collect();
        listed.extend(conditional.collect::<BTreeSet<_>>());
        // Neither side has more, and nothing stands in two places.
        assert_eq!(sorted(listed), sorted(traced.iter().copied()));
        for name in allow.argued.iter().flat_map(|calls| &calls.syscalls) {
            assert!(!traced.contains(name), "{name} was traced, it needs no argument");
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn each_allowed_argument_was_traced_or_is_argued_for_and_each_other_is_told() {
        let (allow, _) = lists();
        let told: Refused = serde_json::from_str(TEMPLATE).unwrap();
        let values = trace().values;
        let allows = |rule: &Conditional, value: &CallWith| {
            let place = rule.args[0]["index"].as_u64().unwrap() as usize;
            let mut arguments = [0; 6];
            arguments[place] = value.value;
            let rules = vec![json!({"syscall": rule.syscall, "args": rule.args})];
            let program = compile_rules("a test", ARCH, rules, json!("allow"), json!("trap"));
            let answer = answer_to(&program.unwrap(), number_of(&value.syscall), arguments);
            rule.syscall == value.syscall && answer == ALLOW
        };
        for rule in &allow.traced_when {
            let why = format!("{} {}", rule.syscall, rule.args);
            assert!(values.iter().any(|value| allows(rule, value)), "{why} was not traced");
        }
        for rule in &allow.argued_when {
            let why = format!("{} {}", rule.syscall, rule.args);
            assert!(!values.iter().any(|value| allows(rule, value)), "{why} was traced");
        }
        let told: BTreeSet<(&str, u64)> = told
            .refused_values
            .iter()
            .flat_map(|told| told.values.iter().map(|value| (told.syscall.as_str(), *value)))
            .collect();
        let refused: BTreeSet<(&str, u64)> = values
            .iter()
            .filter(|value| {
                let mut rules = allow.traced_when.iter().filter(|r| r.syscall == value.syscall);
                rules.clone().next().is_some() && !rules.any(|rule| allows(rule, value))
            })
            .map(|value| (value.syscall.as_str(), value.value))
            .collect();
        assert_eq!(refused, told);
    }

    /// What becomes of a system call under each of the programs.
    fn reviewed(
        filters: &Filters,
        probes: &BTreeMap<i64, Vec<Arguments>>,
    ) -> BTreeMap<i64, String> {
        let word = |answers: Vec<u32>| match answers.iter().filter(|a| **a == ALLOW).count() {
            0 => "never",
            all if all == answers.len() => "always",
            _ => "sometimes",
        };
        let line = |(number, probes): (&i64, &Vec<Arguments>)| {
            let template = probes.iter().map(|a| answer_to(&filters.template, *number, *a));
            let run = probes.iter().map(|a| answer_of_both(filters, *number, *a));
            let words = [word(template.collect()), word(run.collect())];
            (words != ["never", "never"]).then(|| (*number, words.join(" ")))
        };
        probes.iter().filter_map(line).collect()
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn the_answers_to_all_calls_are_those_that_were_reviewed() {
        let (allow, refuse) = lists();
        let conditions = conditions(&allow, &refuse);
        let mut names = plainly_allowed(&allow);
        names.extend(conditions.iter().map(|rule| rule.syscall.clone()));
        let names: BTreeMap<i64, String> =
            names.into_iter().map(|name| (number_of(&name), name)).collect();
        let found: Vec<String> = reviewed(&compiled(&allow, &refuse), &probes(&conditions))
            .iter()
            .map(|(number, words)| format!("{number} {} {words}", names[number]))
            .collect();
        let file = include_str!("../seccomp/allowed.txt");
        let reviewed: Vec<&str> = file.lines().filter(|line| !line.starts_with('#')).collect();
        assert!(found == reviewed, "expected in seccomp/allowed.txt:\n{}", found.join("\n"));
    }

    #[test]
    fn no_rule_is_without_effect() {
        let (allow, refuse) = lists();
        let probes = probes(&conditions(&allow, &refuse));
        let answers = |filters: &Filters| -> Vec<(u32, u32)> {
            let all = probes.iter().flat_map(|(number, probes)| {
                probes.iter().map(move |arguments| (*number, *arguments))
            });
            all.map(|(number, arguments)| {
                let template = answer_to(&filters.template, number, arguments);
                (template, answer_of_both(filters, number, arguments))
            })
            .collect()
        };
        let whole = answers(&compiled(&allow, &refuse));
        let mut tried = 0;
        let mut expect_effect = |allow: &AllowList, refuse: &RefuseList, what: &str| {
            tried += 1;
            assert!(answers(&compiled(allow, refuse)) != whole, "{what} is without effect");
        };
        for name in plainly_allowed(&allow) {
            let mut less = allow.clone();
            let kept = |other: &String| *other != name;
            less.traced.all.retain(kept);
            less.traced.x86_64.retain(kept);
            less.argued.iter_mut().for_each(|calls| calls.syscalls.retain(kept));
            expect_effect(&less, &refuse, &name);
        }
        let here = |rule: &Conditional| is_for(rule.only.as_deref(), ARCH);
        for pick in [
            (|list| &mut list.traced_when) as fn(&mut AllowList) -> &mut Vec<Conditional>,
            |list| &mut list.argued_when,
        ] {
            for at in 0..pick(&mut allow.clone()).len() {
                let mut less = allow.clone();
                let rule = pick(&mut less).remove(at);
                if here(&rule) {
                    expect_effect(&less, &refuse, &format!("{} {}", rule.syscall, rule.args));
                }
            }
        }
        for at in 0..allow.unsupported.len() {
            let mut less = allow.clone();
            let call = less.unsupported.remove(at).syscall;
            expect_effect(&less, &refuse, &call);
        }
        for at in 0..refuse.refuse.len() {
            let mut less = refuse.clone();
            let calls = less.refuse.remove(at).syscalls.join(" ");
            expect_effect(&allow, &less, &calls);
        }
        for at in 0..refuse.refuse_when.len() {
            let mut less = refuse.clone();
            let rule = less.refuse_when.remove(at);
            expect_effect(&allow, &less, &format!("{} {}", rule.syscall, rule.args));
        }
        assert!(tried > 100, "{tried} rules");
    }
}

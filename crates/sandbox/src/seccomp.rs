//! Compiles the reviewable filter files into kernel programs.
//!
//! `seccomp/template.json` is the allow list of everything in a sandbox,
//! `seccomp/run.json` is what a run loses of it. Both stay installed in a run,
//! and the kernel takes the stricter answer of the two.

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

#[derive(Deserialize)]
struct AllowList {
    allow: Names,
    allow_when: Vec<Conditional>,
    unsupported: Vec<String>,
}

#[derive(Deserialize)]
struct RefuseList {
    refuse: Names,
    refuse_when: Vec<Conditional>,
}

#[derive(Deserialize)]
struct Names {
    all: Vec<String>,
    /// System calls that newer architectures don't have.
    x86_64: Vec<String>,
}

#[derive(Deserialize)]
struct Conditional {
    syscall: String,
    args: Value,
}

/// Compiles both files for this machine.
pub(crate) fn compile() -> Result<Filters, Error> {
    Ok(Filters { template: template(TEMPLATE)?, run: run(RUN)? })
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

fn template(text: &str) -> Result<BpfProgram, Error> {
    let list: AllowList = read("template", text)?;
    let mut rules = names(list.allow);
    rules.extend(conditionals(list.allow_when));
    let body = compile_rules("template", rules, json!("allow"), json!({"errno": libc::EPERM}))?;
    let mut program = vec![LOAD_NUMBER];
    if cfg!(target_arch = "x86_64") {
        program.extend([jump_if_at_least(X32_BIT, 0, 1), answer(libc::SECCOMP_RET_KILL_PROCESS)]);
    }
    for name in list.unsupported {
        let number = number("template", &name)?;
        let unsupported = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;
        program.extend([jump_if_equal(number, 0, 1), answer(unsupported)]);
    }
    program.extend(body);
    Ok(program)
}

fn run(text: &str) -> Result<BpfProgram, Error> {
    let list: RefuseList = read("run", text)?;
    let mut rules = names(list.refuse);
    rules.extend(conditionals(list.refuse_when));
    compile_rules("run", rules, json!({"errno": libc::EPERM}), json!("allow"))
}

fn names(names: Names) -> Vec<Value> {
    let old = if cfg!(target_arch = "x86_64") { names.x86_64 } else { Vec::new() };
    names.all.into_iter().chain(old).map(|name| json!({"syscall": name})).collect()
}

fn conditionals(rules: Vec<Conditional>) -> impl Iterator<Item = Value> {
    rules.into_iter().map(|rule| json!({"syscall": rule.syscall, "args": rule.args}))
}

fn read<'a, T: Deserialize<'a>>(file: &'static str, text: &'a str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| failed(file, error.to_string()))
}

fn compile_rules(
    file: &'static str,
    rules: Vec<Value>,
    matched: Value,
    unmatched: Value,
) -> Result<BpfProgram, Error> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)
        .map_err(|error| failed(file, error.to_string()))?;
    let source = json!({
        file: {"match_action": matched, "mismatch_action": unmatched, "filter": rules}
    });
    let mut compiled = seccompiler::compile_from_json(source.to_string().as_bytes(), arch)
        .map_err(|error| failed(file, format!("{error:?}")))?;
    compiled.remove(file).ok_or_else(|| failed(file, "no program came out".to_owned()))
}

/// A system call's number, read from a program compiled for it alone.
fn number(file: &'static str, name: &str) -> Result<u32, Error> {
    let program =
        compile_rules(file, vec![json!({"syscall": name})], json!("allow"), json!("log"))?;
    let after_load =
        program.iter().skip_while(|i| (i.code, i.k) != (LOAD_NUMBER.code, LOAD_NUMBER.k));
    after_load
        .skip(1)
        .find(|i| i.code == JUMP_EQUAL)
        .map(|i| i.k)
        .ok_or_else(|| failed(file, format!("the number of {name} is unknown")))
}

fn failed(file: &'static str, detail: String) -> Error {
    Error { file, arch: std::env::consts::ARCH, detail }
}

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
    use super::*;

    /// What a program answers to a call, by a small BPF interpreter.
    fn answer_to(program: &BpfProgram, number: i64, first: u64, second: u64) -> u32 {
        let mut data = [0u8; 64];
        data[0..4].copy_from_slice(&(number as u32).to_ne_bytes());
        data[4..8].copy_from_slice(&ARCH.to_ne_bytes());
        data[16..24].copy_from_slice(&first.to_ne_bytes());
        data[24..32].copy_from_slice(&second.to_ne_bytes());
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

    #[cfg(target_arch = "x86_64")]
    const ARCH: u32 = 0xC000_003E;
    #[cfg(target_arch = "aarch64")]
    const ARCH: u32 = 0xC000_00B7;

    const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
    const EPERM: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;

    #[test]
    fn the_template_forks_only_plainly_or_into_the_one_namespace_set() {
        let filters = compile().unwrap();
        let clone = |flags| answer_to(&filters.template, libc::SYS_clone, flags, 0);
        assert_eq!(clone(FORK_FLAGS), ALLOW);
        assert_eq!(clone(0x3d_0f00), ALLOW, "a thread");
        assert_eq!(clone(0x120_0011), ALLOW, "a fork");
        for flag in [libc::CLONE_NEWUSER, libc::CLONE_NEWNS, libc::CLONE_NEWNET, libc::CLONE_PARENT]
        {
            assert_eq!(clone(flag as u64 | 17), EPERM, "{flag:#x}");
        }
        assert_eq!(clone(FORK_FLAGS | libc::CLONE_NEWNET as u64), EPERM);
    }

    #[test]
    fn a_run_gets_no_namespace_and_executes_nothing() {
        let filters = compile().unwrap();
        let run = |number, first| answer_to(&filters.run, number, first, 0);
        assert_eq!(run(libc::SYS_clone, FORK_FLAGS), EPERM);
        assert_eq!(run(libc::SYS_clone, 0x3d_0f00), ALLOW);
        assert_eq!(run(libc::SYS_execve, 0), EPERM);
        assert_eq!(run(libc::SYS_read, 0), ALLOW);
    }

    #[test]
    fn attacks_are_refused_and_clone3_is_said_not_to_exist() {
        let filters = compile().unwrap();
        let template = |number| answer_to(&filters.template, number, 0, 0);
        for number in [
            libc::SYS_mount,
            libc::SYS_unshare,
            libc::SYS_setns,
            libc::SYS_ptrace,
            libc::SYS_process_vm_readv,
            libc::SYS_bpf,
            libc::SYS_perf_event_open,
            libc::SYS_userfaultfd,
            libc::SYS_io_uring_setup,
            libc::SYS_keyctl,
            libc::SYS_kexec_load,
            libc::SYS_init_module,
            libc::SYS_socket,
            libc::SYS_connect,
            libc::SYS_shmget,
            libc::SYS_pidfd_getfd,
            libc::SYS_open_by_handle_at,
        ] {
            assert_eq!(template(number), EPERM, "{number}");
        }
        let enosys = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;
        assert_eq!(template(libc::SYS_clone3), enosys);
        let tiocsti = answer_to(&filters.template, libc::SYS_ioctl, 0, libc::TIOCSTI);
        assert_eq!(tiocsti, EPERM);
        #[cfg(target_arch = "x86_64")]
        assert_eq!(template(libc::SYS_read | 0x4000_0000), libc::SECCOMP_RET_KILL_PROCESS);
    }
}

//! The template's fork loop and the isolation of its children, in machine code.
//!
//! The template forks a run for each task. Whatever it or its child writes to
//! is copied, page by page, and an interpreter writes to dozens of pages for
//! the least that it does. So from an order to the isolated child no bytecode
//! runs. Built without a standard library into a shared object that the runner
//! loads with ctypes; `kernel.py` describes what it is given.

#![no_std]

use core::arch::asm;
use core::ffi::{c_int, c_void};
use core::ptr;

/// What `kernel.py` prepares once. The layout is shared with its `_Plan`.
#[repr(C)]
pub struct Plan {
    /// Where messages are received.
    buffer: *mut u8,
    buffer_size: usize,
    /// `PyOS_BeforeFork`, `PyOS_AfterFork_Parent`, `PyOS_AfterFork_Child`.
    before_fork: extern "C" fn(),
    after_fork_parent: extern "C" fn(),
    after_fork_child: extern "C" fn(),
    /// Where libc keeps this thread's id.
    thread_id: *mut c_int,
    fork_flags: usize,
    /// The run's `struct sock_fprog`.
    filter: *const c_void,
}

/// What `serve` answers in a child; other negative values are error numbers.
const IN_CHILD: isize = -4096;
/// How an order to fork begins; every other message is the runner's.
const FORK: u8 = b'F';
const CONTROL_FD: usize = 3;
/// Files of one order: control, result, standard output and error, groups.
const MOST_FILES: usize = 32;
const LEAST_FILES: usize = 4;

/// Serves orders to fork until there is another message, and answers its
/// length; 0 when the launcher is gone.
///
/// # Safety
///
/// `plan` points to what its type says, and the process has one thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn serve(plan: *const Plan) -> isize {
    let plan = unsafe { &*plan };
    loop {
        let mut files = Files { list: [0; MOST_FILES], count: 0 };
        let length = receive(plan, &mut files);
        if length == -EINTR {
            continue;
        }
        // SAFETY: the buffer holds at least one byte.
        if length <= 0 || unsafe { *plan.buffer } != FORK {
            return length;
        }
        (plan.before_fork)();
        let forked = fork(plan);
        if forked == 0 {
            isolate(plan, &files);
            (plan.after_fork_child)();
            return IN_CHILD;
        }
        (plan.after_fork_parent)();
        for file in files.list.iter().take(files.count) {
            call(CLOSE, [*file as usize, 0, 0, 0, 0, 0]);
        }
        if forked < 0 {
            return forked;
        }
    }
}

/// Handles SIGABRT by ending with 134, as shells say it.
#[unsafe(no_mangle)]
pub extern "C" fn aborted(signal: c_int) -> ! {
    loop {
        call(EXIT_GROUP, [128 + signal as usize, 0, 0, 0, 0, 0]);
    }
}

struct Files {
    list: [c_int; MOST_FILES],
    count: usize,
}

#[repr(C)]
struct MessageHead {
    name: *mut c_void,
    name_size: u32,
    parts: *mut Part,
    part_count: usize,
    control: *mut c_void,
    control_size: usize,
    flags: c_int,
}

#[repr(C)]
struct Part {
    base: *mut u8,
    size: usize,
}

#[repr(C)]
struct Ancillary {
    size: usize,
    level: c_int,
    kind: c_int,
    files: [c_int; MOST_FILES],
}

fn receive(plan: &Plan, files: &mut Files) -> isize {
    let mut part = Part { base: plan.buffer, size: plan.buffer_size };
    let mut ancillary = Ancillary { size: 0, level: 0, kind: 0, files: [0; MOST_FILES] };
    let mut head = MessageHead {
        name: ptr::null_mut(),
        name_size: 0,
        parts: &raw mut part,
        part_count: 1,
        control: (&raw mut ancillary).cast(),
        control_size: size_of::<Ancillary>(),
        flags: 0,
    };
    let length = call(RECVMSG, [CONTROL_FD, (&raw mut head) as usize, MSG_CMSG_CLOEXEC, 0, 0, 0]);
    let beside = 2 * size_of::<usize>();
    if length > 0
        && head.control_size >= beside
        && (ancillary.level, ancillary.kind) == (SOL_SOCKET, SCM_RIGHTS)
    {
        files.count = ((ancillary.size - beside) / size_of::<c_int>()).min(MOST_FILES);
        files.list = ancillary.files;
    }
    length
}

/// Forks into new namespaces, as a child of the launcher.
fn fork(plan: &Plan) -> isize {
    let thread_id = plan.thread_id as usize;
    // The order of the last two differs by architecture.
    #[cfg(target_arch = "x86_64")]
    let last = [thread_id, 0];
    #[cfg(target_arch = "aarch64")]
    let last = [0, thread_id];
    call(CLONE, [plan.fork_flags, 0, 0, last[0], last[1], 0])
}

/// What the child does to itself before it is anybody's; ends it where it fails.
fn isolate(plan: &Plan, files: &Files) {
    if files.count < LEAST_FILES {
        fail(b"its files", -EINTR);
    }
    let [control, result, out, error] = [0, 1, 2, 3].map(|index| files.list[index] as usize);
    for group in files.list.iter().take(files.count).skip(LEAST_FILES) {
        // The process itself joins its limits: the kernel moves a thread that
        // asks for itself without stopping the rest of the machine.
        let zero = b"0";
        check(b"joining its limits", WRITE, [*group as usize, zero.as_ptr() as usize, 1, 0, 0, 0]);
    }
    // One of its own: the template's is the same open file for all its runs,
    // and what one sets on it another could read.
    let null = c"/dev/null".as_ptr() as usize;
    let null = check(b"/dev/null", OPENAT, [AT_FDCWD, null, O_RDONLY, 0, 0, 0]) as usize;
    // The template keeps 0 to 3 busy, so no source but `result` can be 4, and
    // that comes last.
    for (file, target) in [(null, 0), (out, 1), (error, 2), (control, 3), (result, 4)] {
        if file != target {
            check(b"placing its files", DUP3, [file, target, 0, 0, 0, 0]);
        }
    }
    check(b"closing files", CLOSE_RANGE, [5, u32::MAX as usize, 0, 0, 0, 0]);
    // The one user and group of the template, in the new user namespace.
    for (path, text) in [
        (c"/proc/self/setgroups", &b"deny"[..]),
        (c"/proc/self/gid_map", &b"1000 1000 1"[..]),
        (c"/proc/self/uid_map", &b"1000 1000 1"[..]),
    ] {
        let path = path.as_ptr() as usize;
        let file = check(b"mapping its ids", OPENAT, [AT_FDCWD, path, O_WRONLY, 0, 0, 0]) as usize;
        let text = [file, text.as_ptr() as usize, text.len(), 0, 0, 0];
        check(b"mapping its ids", WRITE, text);
        check(b"mapping its ids", CLOSE, [file, 0, 0, 0, 0, 0]);
    }
    // A session and process group of its own: a signal or a priority for the
    // group reaches every member with the same user on the host, in whatever
    // pid namespace.
    check(b"setsid", SETSID, [0; 6]);
    // A package may have left the template in its /tmp, which is one for all.
    check(b"the root folder", CHDIR, [c"/".as_ptr() as usize, 0, 0, 0, 0, 0]);
    // Here and not in the template: the kernel counts a run also in what its
    // template may have, so all runs together would have that.
    let signals = [MOST_SIGNALS; 2];
    let signals = [0, RLIMIT_SIGPENDING, signals.as_ptr() as usize, 0, 0, 0];
    check(b"limiting its signals", PRLIMIT64, signals);
    check(b"PR_SET_PDEATHSIG", PRCTL, [PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0, 0]);
    let version: [u32; 2] = [CAPABILITY_VERSION_3, 0];
    let none = [0u32; 6];
    let capabilities = [version.as_ptr() as usize, none.as_ptr() as usize, 0, 0, 0, 0];
    check(b"giving up capabilities", CAPSET, capabilities);
    let filter = plan.filter as usize;
    check(b"seccomp", PRCTL, [PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter, 0, 0, 0]);
}

fn check(step: &[u8], number: usize, arguments: [usize; 6]) -> isize {
    let answer = call(number, arguments);
    if answer < 0 {
        fail(step, answer);
    }
    answer
}

/// Says on standard error which step failed, and ends the child.
fn fail(step: &[u8], answer: isize) -> ! {
    let mut digits = [b'0'; 5];
    let mut left = answer.unsigned_abs();
    for digit in digits.iter_mut().rev() {
        *digit += (left % 10) as u8;
        left /= 10;
    }
    for text in [step, b": error ", &digits, b"\n"] {
        call(WRITE, [2, text.as_ptr() as usize, text.len(), 0, 0, 0]);
    }
    loop {
        call(EXIT_GROUP, [70, 0, 0, 0, 0, 0]);
    }
}

const EINTR: isize = 4;
const AT_FDCWD: usize = -100isize as usize;
const O_RDONLY: usize = 0;
const O_WRONLY: usize = 1;
const SOL_SOCKET: c_int = 1;
const SCM_RIGHTS: c_int = 1;
const MSG_CMSG_CLOEXEC: usize = 0x4000_0000;
const PR_SET_PDEATHSIG: usize = 1;
const PR_SET_SECCOMP: usize = 22;
const SECCOMP_MODE_FILTER: usize = 2;
const RLIMIT_SIGPENDING: usize = 11;
/// Signals and timers that may wait in one run.
const MOST_SIGNALS: u64 = 1024;
const SIGKILL: usize = 9;
const CAPABILITY_VERSION_3: u32 = 0x2008_0522;

#[cfg(target_arch = "x86_64")]
mod number {
    pub(crate) const CAPSET: usize = 126;
    pub(crate) const CHDIR: usize = 80;
    pub(crate) const CLONE: usize = 56;
    pub(crate) const CLOSE: usize = 3;
    pub(crate) const DUP3: usize = 292;
    pub(crate) const EXIT_GROUP: usize = 231;
    pub(crate) const OPENAT: usize = 257;
    pub(crate) const PRCTL: usize = 157;
    pub(crate) const PRLIMIT64: usize = 302;
    pub(crate) const RECVMSG: usize = 47;
    pub(crate) const SETSID: usize = 112;
    pub(crate) const WRITE: usize = 1;
}
#[cfg(target_arch = "aarch64")]
mod number {
    pub(crate) const CAPSET: usize = 91;
    pub(crate) const CHDIR: usize = 49;
    pub(crate) const CLONE: usize = 220;
    pub(crate) const CLOSE: usize = 57;
    pub(crate) const DUP3: usize = 24;
    pub(crate) const EXIT_GROUP: usize = 94;
    pub(crate) const OPENAT: usize = 56;
    pub(crate) const PRCTL: usize = 167;
    pub(crate) const PRLIMIT64: usize = 261;
    pub(crate) const RECVMSG: usize = 212;
    pub(crate) const SETSID: usize = 157;
    pub(crate) const WRITE: usize = 64;
}
use number::{
    CAPSET, CHDIR, CLONE, CLOSE, DUP3, EXIT_GROUP, OPENAT, PRCTL, PRLIMIT64, RECVMSG, SETSID, WRITE,
};
/// The same number on every architecture.
const CLOSE_RANGE: usize = 436;

/// One system call; errors are negative error numbers.
fn call(number: usize, arguments: [usize; 6]) -> isize {
    let [a, b, c, d, e, f] = arguments;
    let answer: isize;
    // SAFETY: the kernel writes only where the arguments point to, and every
    // caller passes pointers that live across the call.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => answer,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") a as isize => answer,
            in("x1") b, in("x2") c, in("x3") d, in("x4") e, in("x5") f,
            options(nostack),
        );
    }
    answer
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    fail(b"a fault in the fork loop", 0)
}

/// Named by the standard library's tables; nothing here unwinds.
#[unsafe(no_mangle)]
pub extern "C" fn rust_eh_personality() {}

"""System calls that Python has no function for, made through ctypes."""

import ctypes
import os
import struct

# PyDLL keeps the interpreter lock: nothing else may run between the hooks
# around a fork and the fork itself.
_libc = ctypes.PyDLL(None, use_errno=True)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long
_python = ctypes.pythonapi

_PR_SET_PDEATHSIG = 1
_PR_SET_SECCOMP = 22
_PR_GET_TID_ADDRESS = 40
_SECCOMP_MODE_FILTER = 2
_SIGKILL = 9
_CAPABILITY_VERSION_3 = 0x20080522

_LAST_FILE = ctypes.c_uint(0xFFFFFFFF)

_fork_arguments = ()
_no_capabilities = ()
_close_range = None
_filter = None
_filter_bytes = b""


def prepare(boot):
    """Keeps what the launcher told, and finds where libc keeps the thread id."""
    global _fork_arguments, _filter, _filter_bytes, _no_capabilities, _close_range
    numbers = boot["syscalls"]
    _close_range = ctypes.c_long(numbers["close_range"])
    header = struct.pack("Ii", _CAPABILITY_VERSION_3, 0)
    _no_capabilities = (ctypes.c_long(numbers["capset"]), header, bytes(24))
    _filter_bytes = bytes.fromhex(boot["run_filter"])
    code = ctypes.create_string_buffer(_filter_bytes, len(_filter_bytes))
    # struct sock_fprog: number of instructions, pointer to them.
    _filter = (code, struct.pack("HxxxxxxP", len(_filter_bytes) // 8, ctypes.addressof(code)))
    tid = _tid_address()
    if boot["clone_tls_before_ctid"]:
        arguments = (boot["fork_flags"], 0, 0, 0, tid)
    else:
        arguments = (boot["fork_flags"], 0, 0, tid, 0)
    _fork_arguments = tuple(
        ctypes.c_long(value) for value in (numbers["clone"], *arguments)
    )


def fork():
    """Forks like `os.fork`, into new namespaces, as a child of the launcher."""
    _python.PyOS_BeforeFork()
    pid = _syscall(*_fork_arguments)
    if pid == 0:
        _python.PyOS_AfterFork_Child()
        return 0
    _python.PyOS_AfterFork_Parent()
    if pid < 0:
        raise OSError(ctypes.get_errno(), "clone: " + os.strerror(ctypes.get_errno()))
    return pid


def restrict():
    """Gives up all capabilities of the own user namespace and adds the run's filter."""
    if _libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if _syscall(*_no_capabilities) != 0:
        raise OSError(ctypes.get_errno(), "capset")
    if _libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, _filter[1], 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "seccomp")


def close_from(first):
    """Closes every file from `first` on."""
    if _syscall(_close_range, first, _LAST_FILE, 0) != 0:
        raise OSError(ctypes.get_errno(), "close_range")


def _tid_address():
    """Where libc keeps this thread's id, so that a raw clone can renew it as fork does."""
    address = ctypes.c_void_p()
    if _libc.prctl(_PR_GET_TID_ADDRESS, ctypes.byref(address), 0, 0, 0) == 0 and address.value:
        return address.value
    # Kernels without checkpoint support: the id stands in the thread's own
    # descriptor, near its start.
    _libc.pthread_self.restype = ctypes.c_void_p
    base = _libc.pthread_self()
    for offset in range(0, 2048, 4):
        if ctypes.c_int.from_address(base + offset).value == os.getpid():
            return base + offset
    raise OSError("libc keeps the thread id where it can't be found; use a glibc-based Python")

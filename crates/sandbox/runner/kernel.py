"""The template's fork loop, which is machine code, and what it has to be told."""

import ctypes
import os

# PyDLL keeps the interpreter lock: nothing else may run between the hooks
# around a fork and the fork itself.
_libc = ctypes.PyDLL(None, use_errno=True)
_python = ctypes.pythonapi
_native = ctypes.PyDLL(os.path.join(os.path.dirname(__file__), "fork_loop.so"))
_native.serve.restype = ctypes.c_ssize_t

_PR_GET_TID_ADDRESS = 40
_SIGABRT = 6
_IN_CHILD = -4096


class _Filter(ctypes.Structure):
    """`struct sock_fprog`."""

    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


class _Plan(ctypes.Structure):
    """What the fork loop is given; `runner/native/fork_loop.rs` has the same."""

    _fields_ = [
        ("buffer", ctypes.c_void_p),
        ("buffer_size", ctypes.c_size_t),
        ("before_fork", ctypes.c_void_p),
        ("after_fork_parent", ctypes.c_void_p),
        ("after_fork_child", ctypes.c_void_p),
        ("thread_id", ctypes.c_void_p),
        ("fork_flags", ctypes.c_size_t),
        ("filter", ctypes.c_void_p),
    ]


class ForkLoop:
    """Forks as the launcher orders, until it says something else."""

    def __init__(self, boot, buffer):
        self.buffer = (ctypes.c_char * len(buffer)).from_buffer(buffer)
        self.instructions = bytes.fromhex(boot["run_filter"])
        self.filter = _Filter(len(self.instructions) // 8, self.instructions)
        hooks = (
            _python.PyOS_BeforeFork,
            _python.PyOS_AfterFork_Parent,
            _python.PyOS_AfterFork_Child,
        )
        plan = _Plan(
            ctypes.addressof(self.buffer),
            len(buffer),
            *(ctypes.cast(hook, ctypes.c_void_p).value for hook in hooks),
            _thread_id_address(),
            boot["fork_flags"],
            ctypes.addressof(self.filter),
        )
        self.plan = plan
        self.argument = ctypes.c_void_p(ctypes.addressof(plan))

    def serve(self):
        """The length of the next message in the buffer; None in a forked child, isolated."""
        length = _native.serve(self.argument)
        if length == _IN_CHILD:
            return None
        if length < 0:
            raise OSError(-length, "the fork loop: " + os.strerror(-length))
        return length


def catch_abort():
    """Has a run that calls abort end by a code that says so.

    The kernel spares the first process of a pid namespace, which each run is,
    and libc then ends it by an invalid instruction.
    """
    _libc.signal(_SIGABRT, _native.aborted)


def _thread_id_address():
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

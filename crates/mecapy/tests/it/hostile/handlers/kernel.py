"""System calls as an attacker makes them: by number, past every library."""

import ctypes
import errno
import os

libc = ctypes.CDLL(None, use_errno=True)


def call(number, *arguments):
    """The answer of a system call: 'ok', or the error's name."""
    ctypes.set_errno(0)
    answer = libc.syscall(number, *arguments)
    return "ok" if answer != -1 else errno.errorcode.get(ctypes.get_errno(), "?")


def attempt(action):
    """What an action gives: its value, or its error's name."""
    try:
        return action()
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))


def in_child(action):
    """How a forked child ends that does something: its exit code, or the
    signal that ended it as a negative number."""
    child = os.fork()
    if child == 0:
        try:
            action()
        finally:
            os._exit(0)
    status = os.waitpid(child, 0)[1]
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)

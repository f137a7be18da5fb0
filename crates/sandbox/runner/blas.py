"""Raises the thread count of numeric libraries to a run's CPU limit.

They are loaded with one thread, because a thread would not survive the fork.
"""

import ctypes
import os

_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_SETTERS = (
    "scipy_openblas_set_num_threads64_",
    "scipy_openblas_set_num_threads",
    "openblas_set_num_threads64_",
    "openblas_set_num_threads",
    "MKL_Set_Num_Threads",
    "omp_set_num_threads",
)
_CPUS = os.cpu_count() or 1
_setters = []
_seen = set()


def find():
    """Looks for thread-count functions in the libraries loaded so far."""
    try:
        with open("/proc/self/maps") as maps:
            paths = {line[73:].rstrip("\n") for line in maps if len(line) > 74}
    except OSError:
        return
    for path in sorted(paths - _seen):
        _seen.add(path)
        name = os.path.basename(path)
        if not any(part in name for part in ("openblas", "mkl_rt", "gomp", "iomp")):
            continue
        try:
            library = ctypes.CDLL(path, mode=os.RTLD_NOLOAD | os.RTLD_NOW)
        except OSError:
            continue
        for symbol in _SETTERS:
            if hasattr(library, symbol):
                _setters.append(getattr(library, symbol))
                break


def raise_threads(cores):
    """Lets loaded and later loaded libraries use as many threads as cores are allowed."""
    threads = max(1, min(int(cores + 0.5), _CPUS))
    if threads == 1:
        return
    for variable in _VARIABLES:
        os.environ[variable] = str(threads)
    for setter in _setters:
        setter(ctypes.c_int(threads))

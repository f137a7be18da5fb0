"""The job that compiles the code folder to bytecode, executing nothing of it."""

import importlib.util
import json
import os
import py_compile
import warnings

from mecapy_runner import child

SOURCE = "/code"
# Tests are half of the code of the large packages, and not imported.
SKIPPED = frozenset(("__pycache__", "tests"))


def run(header, body):
    warnings.simplefilter("ignore")
    work = list(sources())
    workers = max(1, min(int(header["cpu_cores"]), os.cpu_count() or 1, len(work) // 20))
    pipes = [start(work[index::workers]) for index in range(workers)]
    failed = [entry for pipe in pipes for entry in finish(pipe)]
    report = {"written": len(work) - len(failed), "failed": sorted(failed)}
    child.flush()
    child.send(b"R", {"non_finite": []}, json.dumps(report).encode())


def sources():
    """Paths of the modules, relative to the code folder."""
    for folder, folders, files in os.walk(SOURCE):
        folders[:] = sorted(name for name in folders if name not in SKIPPED)
        for name in sorted(files):
            if name.endswith(".py"):
                yield os.path.relpath(os.path.join(folder, name), SOURCE)


def start(share):
    """Compiles a share of the work in a process of its own."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        try:
            os.close(reader)
            failed = [[name, why] for name in share for why in [compile_one(name)] if why]
            with open(writer, "w") as pipe:
                json.dump(failed, pipe)
        finally:
            os._exit(0)
    os.close(writer)
    return reader


def finish(reader):
    with open(reader) as pipe:
        text = pipe.read()
    try:
        os.wait()
    except ChildProcessError:
        # A package may have told the kernel to reap.
        pass
    if not text:
        raise MemoryError("a compiling process ended early")
    return json.loads(text)


def compile_one(relative):
    """Compiles one source; the message when it can't be."""
    source = os.path.join(SOURCE, relative)
    cached = os.path.basename(importlib.util.cache_from_source(source))
    target = os.path.join(child.OUTPUTS, os.path.dirname(relative), "__pycache__", cached)
    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        # The hash is not checked at import: what was compiled never changes.
        py_compile.compile(
            source,
            cfile=target,
            doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
    except (py_compile.PyCompileError, ValueError, RecursionError, UnicodeError) as error:
        # Packages ship sources for other Python versions and broken test data.
        return child.text(error)[:500] or type(error).__name__
    return None

"""The job that compiles the code folder to bytecode, executing nothing of it."""

import importlib.util
import os
import py_compile

from mecapy_runner import child

SOURCE = "/code"


def run(header, body):
    started = child.now_ns()
    written, failed = 0, []
    for folder, folders, files in os.walk(SOURCE):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted(files):
            if not name.endswith(".py"):
                continue
            relative = os.path.relpath(os.path.join(folder, name), SOURCE)
            message = compile_one(relative)
            if message is None:
                written += 1
            else:
                failed.append([relative, message])
    report = child.json.dumps({"written": written, "failed": failed}).encode()
    child.flush()
    child.send(b"R", {"started_ns": started, "non_finite": [], "files": []}, report)


def compile_one(relative):
    """Compiles one source; the message when it can't be."""
    source = os.path.join(SOURCE, relative)
    cached = os.path.basename(importlib.util.cache_from_source(source))
    target = os.path.join(child.OUTPUTS, os.path.dirname(relative), "__pycache__", cached)
    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        py_compile.compile(
            source,
            cfile=target,
            doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
    except (py_compile.PyCompileError, ValueError, RecursionError, UnicodeError) as error:
        # Packages ship sources for other Python versions and broken test data.
        return child.text(error)[:500]
    return None

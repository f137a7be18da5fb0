"""Compiles the modules below SITE into the same places below OUTPUT."""

import os
import py_compile
import sys
import warnings

warnings.simplefilter("ignore")
site, output = sys.argv[1], sys.argv[2]
tag = sys.implementation.cache_tag


def modules():
    for folder, names, files in os.walk(site):
        # Tests are half of the code of the large packages, and not imported.
        names[:] = [name for name in names if name not in ("__pycache__", "tests")]
        for file in files:
            if file.endswith(".py"):
                yield os.path.relpath(folder, site), file


def compile_one(folder, file):
    source = os.path.join(site, folder, file)
    compiled = "{}.{}.pyc".format(file[:-3], tag)
    target = os.path.normpath(os.path.join(output, folder, "__pycache__", compiled))
    try:
        # The hash is not checked at import: site-packages never change, and
        # neither the files' times nor their contents are then looked at.
        py_compile.compile(
            source,
            cfile=target,
            doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
    except (py_compile.PyCompileError, SyntaxError, ValueError, RecursionError, MemoryError):
        pass


def share(index, workers, work):
    for position, (folder, file) in enumerate(work):
        if position % workers == index:
            compile_one(folder, file)


work = sorted(modules())
workers = min(len(os.sched_getaffinity(0)), 8) if len(work) > 50 else 1
children = []
for index in range(1, workers):
    child = os.fork()
    if child == 0:
        status = 1
        try:
            share(index, workers, work)
            status = 0
        finally:
            os._exit(status)
    children.append(child)
share(0, workers, work)
failed = [child for child in children if os.waitpid(child, 0)[1] != 0]
sys.exit(1 if failed else 0)

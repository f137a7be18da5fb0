"""Says who this interpreter is, as one JSON object."""

import json
import os
import platform
import sys
import sysconfig

missing = []
for module in ("ctypes", "ssl", "zlib", "bz2", "lzma", "sqlite3", "decimal", "select", "socket"):
    try:
        __import__(module)
    except ImportError:
        # These few are needed by the runner or by the packages of the base
        # images; the others are a function's own affair.
        if module in ("ctypes", "zlib", "decimal", "select", "socket"):
            missing.append(module)

libraries = set()
with open("/proc/self/maps") as maps:
    for line in maps:
        path = line.rstrip("\n").partition("/")[2]
        name = os.path.basename(path)
        if path and (".so." in name or name.endswith(".so")):
            libraries.add("/" + path)

stdlib = [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")]
json.dump(
    {
        "implementation": sys.implementation.name,
        "version": platform.python_version(),
        "abi": sysconfig.get_config_var("SOABI"),
        "platform": sysconfig.get_platform(),
        "prefixes": list(
            dict.fromkeys(os.path.realpath(p) for p in (sys.base_prefix, sys.base_exec_prefix))
        ),
        "stdlib": list(dict.fromkeys(os.path.realpath(p) for p in stdlib if p)),
        "libraries": sorted(libraries),
        "missing": missing,
    },
    sys.stdout,
)

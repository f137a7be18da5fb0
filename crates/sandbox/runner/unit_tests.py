"""The job that runs the archive's tests with pytest and tells of each as it ends.

The tests run in this very process: what is told here is what they let through.
"""

import importlib.util
import json

from mecapy_runner import calculate, child

NAME_CHARACTERS = 300
MESSAGE_CHARACTERS = 500
TEXT_CHARACTERS = 3000
PRINTED_CHARACTERS = 1000


class Reports:
    """A pytest plugin that tells of each test when it begins and when it has ended."""

    def __init__(self):
        self.open = {}

    def pytest_runtest_logstart(self, nodeid, location):
        tell(nodeid, "started")

    def pytest_runtest_logreport(self, report):
        test = self.open.setdefault(report.nodeid, {"outcome": "passed", "duration": 0.0})
        test["duration"] += report.duration
        # The first thing that went wrong counts; a fixture may fail after its test.
        if report.outcome != "passed" and test["outcome"] in ("passed", "skipped"):
            in_test = report.when == "call" or report.outcome == "skipped"
            test["outcome"] = report.outcome if in_test else "error"
            test.update(reason(report))
        if report.when == "teardown":
            tell(report.nodeid, **self.open.pop(report.nodeid))

    def pytest_collectreport(self, report):
        if report.failed:
            tell(report.nodeid or "tests", "error", **reason(report))


def tell(name, outcome, **more):
    more.update(name=name[:NAME_CHARACTERS], outcome=outcome)
    more.setdefault("duration", 0.0)
    child.send(b"T", more)


def reason(report):
    """Where and why a test did not pass."""
    longrepr = report.longrepr
    if hasattr(report, "wasxfail"):
        return {"message": cut("xfail: " + report.wasxfail)}
    if isinstance(longrepr, tuple):
        file, line, message = longrepr
        return {"file": own(file), "line": line, "message": cut(message)}
    crash = getattr(longrepr, "reprcrash", None)
    file, line = (None, None) if crash is None else (own(crash.path), crash.lineno)
    if file is None and getattr(report, "location", None):
        # It failed in a package: the test itself is what its author can look at.
        file, line = own(report.location[0]), report.location[1]
        line = None if line is None else line + 1
    text = str(longrepr)
    message = text.strip().rsplit("\n", 1)[-1].lstrip("E ") if crash is None else crash.message
    printed = "\n".join("--- %s ---\n%s" % section for section in report.sections)
    if printed:
        text = text[-TEXT_CHARACTERS:] + "\n" + printed[-PRINTED_CHARACTERS:]
    return {
        "file": own(report.fspath) if file is None else file,
        "line": line,
        "message": cut(message),
        "text": text[-TEXT_CHARACTERS - PRINTED_CHARACTERS :],
    }


def own(path):
    """The path below the code folder, or None where it lies elsewhere."""
    path = str(path)
    if path.startswith(calculate.CODE + "/"):
        return path[len(calculate.CODE) + 1 :]
    return None if not path or path.startswith(("/", "<")) else path


def cut(message):
    return str(message)[:MESSAGE_CHARACTERS]


def shadow():
    """The archive's own module that stands in the way of pytest, if there is one."""
    for name in ("pytest", "_pytest", "pluggy", "iniconfig"):
        spec = importlib.util.find_spec(name)
        places = [] if spec is None else [spec.origin or "", *(spec.submodule_search_locations or [])]
        if any(place.startswith(calculate.CODE + "/") for place in places):
            return name
    return None


def run(header, body):
    try:
        status = run_pytest()
    except BaseException as error:
        calculate.fail("user_error", error)
    else:
        child.flush()
        child.send(b"R", {"non_finite": []}, json.dumps({"exit_status": int(status)}).encode())


def run_pytest():
    name = shadow()
    if name is not None:
        raise calculate.HandlerError(
            "the archive's own module `%s` takes the place of the one that pytest needs, so tests/ "
            "can't be run; give it another name" % name,
            "le module `%s` de l'archive prend la place de celui dont pytest a besoin : tests/ ne "
            "peut pas être exécuté ; donnez-lui un autre nom" % name,
        )
    try:
        import pytest
    except Exception as error:
        problem = "%s: %s" % (type(error).__name__, child.text(error)[:MESSAGE_CHARACTERS])
        raise calculate.HandlerError(
            "pytest can't be loaded beside the function's packages (%s); require a `pytest` that "
            "goes with them, or loosen their versions" % problem,
            "pytest ne peut pas être chargé à côté des paquets de la fonction (%s) ; demandez un "
            "`pytest` compatible, ou élargissez leurs versions" % problem,
        ) from None
    options = ["-q", "--tb=short", "--color=no", "-p", "no:cacheprovider", "--rootdir=/code"]
    return pytest.main([*options, "/code/tests"], plugins=[Reports()])

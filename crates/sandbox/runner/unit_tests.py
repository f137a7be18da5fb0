"""The job that runs the archive's tests with pytest and reports each of them."""

import json

from mecapy_runner import child

TEXT_CHARACTERS = 4000


class Reports:
    """A pytest plugin that keeps one line per test."""

    def __init__(self):
        self.tests = {}

    def pytest_runtest_logreport(self, report):
        entry = self.tests.setdefault(
            report.nodeid, {"name": report.nodeid, "outcome": "passed", "duration": 0.0, "text": ""}
        )
        entry["duration"] += report.duration
        if report.outcome != "passed":
            entry["outcome"] = report.outcome
            entry["text"] = str(report.longrepr)[-TEXT_CHARACTERS:]

    def pytest_collectreport(self, report):
        if report.failed:
            self.tests[report.nodeid] = {
                "name": report.nodeid,
                "outcome": "failed",
                "duration": 0.0,
                "text": str(report.longrepr)[-TEXT_CHARACTERS:],
            }


def run(header, body):
    try:
        import pytest
    except ImportError as error:
        child.flush()
        child.send(
            b"E",
            {
                "kind": "internal",
                "exception": "ImportError",
                "message": "pytest is not among the packages: " + child.text(error),
                "traceback": None,
            },
        )
        return
    reports = Reports()
    status = pytest.main(
        ["-q", "-p", "no:cacheprovider", "--rootdir=/code", "/code/tests"], plugins=[reports]
    )
    report = {"exit_status": int(status), "tests": list(reports.tests.values())}
    child.flush()
    child.send(
        b"R",
        {"non_finite": []},
        json.dumps(report).encode(),
    )

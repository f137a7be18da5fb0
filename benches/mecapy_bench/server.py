"""MecaPy itself: one `mecapy up` with its data in a temporary folder."""

from __future__ import annotations

import io
import json
import os
import subprocess
import time
import zipfile
from pathlib import Path
from typing import Any

from mecapy_bench.checks import REPOSITORY, Check
from mecapy_bench.http import Connection, Reply, request
from mecapy_bench.processes import Child, FailedError, without_settings

READY = b"MecaPy is ready at http://127.0.0.1:"
DEPLOY_S = 600


def archive(folder: Path) -> bytes:
    """The ZIP of a function's folder."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archived:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                archived.write(path, path.relative_to(folder))
    return written.getvalue()


def execute(name: str, inputs: object, token: str, wait_s: int | None) -> bytes:
    """The request that runs a function; where `wait_s` is None it asks for no result."""
    query = "" if wait_s is None else f"?wait={wait_s}"
    body = json.dumps({"inputs": inputs}).encode()
    return request("POST", f"/functions/{name}/execute{query}", token, body)


def completed(reply: Reply, check: Check) -> dict[str, Any]:
    """The task of an answer to `?wait`, which must hold the right result."""
    task: dict[str, Any] = reply.expect(200)
    if task["status"] != "completed":
        raise FailedError(f"{check.name} is {task['status']}: {task.get('error')}")
    check.judge(task["result"])
    return task


class Server:
    """The server; it can be stopped and started again on the same data."""

    def __init__(self, binary: Path, folder: Path, python: Path) -> None:
        self.binary = binary
        self.data = folder / "data"
        self.log = folder / "mecapy.log"
        version = subprocess.run(
            [python, "-I", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            capture_output=True,
            check=True,
            text=True,
        )
        self.env = without_settings() | {
            # The interpreter that every other contender runs on.
            "MECAPY_PYTHONS": str(python),
            "MECAPY_DEFAULT_PYTHON": version.stdout.strip(),
            "LOG_LEVEL": "warn",
            # One user is a thousand watchers.
            "MECAPY_STREAMS_PER_USER": "1000",
        }
        uv = REPOSITORY / ".tools" / "bin" / "uv"
        if uv.exists():
            self.env["MECAPY_UV"] = str(uv)
        self.child: Child | None = None
        self.port = 0
        self.token = ""

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Starts it and waits for its line."""
        command = [str(self.binary), "up", "--port", "0", "--data", str(self.data)]
        self.child = Child(command, self.log, self.env, out=subprocess.PIPE)
        assert self.child.process.stdout is not None
        for line in self.child.process.stdout:
            if line.startswith(READY):
                self.port = int(line[len(READY) :].strip().rstrip(b"/"))
                break
        else:
            self.child.process.wait(10)
            self.child.check()
        self.token = (self.data / "admin.token").read_text().strip()

    def stop(self) -> None:
        """Stops it as an operator would."""
        if self.child is not None:
            self.child.stop()
            self.child = None

    def restart(self) -> None:
        """A new process on the same data: environments stay, templates go."""
        self.stop()
        self.start()

    @property
    def pid(self) -> int:
        assert self.child is not None
        return self.child.pid

    def connect(self) -> Connection:
        return Connection(self.port, DEPLOY_S + 30)

    def ask(self, method: str, path: str, body: object = None) -> Reply:
        """One request on a connection of its own."""
        encoded = b"" if body is None else json.dumps(body).encode()
        with self.connect() as connection:
            return connection.exchange(request(method, path, self.token, encoded))

    def deploy(self, zipped: bytes, token: str = "") -> float:
        """Deploys an archive; the seconds that it took."""
        started = time.perf_counter()
        path = f"/functions?wait={DEPLOY_S}"
        wanted = request("POST", path, token or self.token, zipped, "application/zip")
        with self.connect() as connection:
            deployment = connection.exchange(wanted).expect(200, 201)
        if deployment["status"] != "deployed":
            raise FailedError(f"a deployment is {deployment['status']}")
        return time.perf_counter() - started

    def run(self, check: Check, token: str = "") -> tuple[float, dict[str, Any]]:
        """One calculation on a connection of its own: seconds, and the task."""
        with self.connect() as connection:
            wanted = execute(check.name, check.inputs, token or self.token, 60)
            started = time.perf_counter()
            reply = connection.exchange(wanted)
            seconds = time.perf_counter() - started
        return seconds, completed(reply, check)

    def environment_site(self, *packages: str) -> Path:
        """The folder of a built environment that holds all these packages."""
        for root, _, _ in os.walk(self.data):
            # The cache of downloaded wheels holds each package by itself.
            if all((Path(root, package) / "__init__.py").exists() for package in packages):
                return Path(root)
        raise FailedError(f"no environment under {self.data} holds {', '.join(packages)}")

"""What Schemathesis asks about: things that exist, and things to be destroyed.

Everything is made over the API, as any caller would.
"""

from __future__ import annotations

import io
import itertools
import json
import time
import urllib.request
import zipfile
from dataclasses import dataclass, field
from typing import Any

PASSWORD = "correct horse battery staple"
HANDLER = """
import pathlib
from mecapy_runtime import outputs


def calculate(inputs):
    (outputs() / "report.csv").write_text("a;b\\n1;2\\n")
    print("calculated")
    return {"sum": sum(inputs.get("numbers", [])), "ok": True}
"""
INPUTS = {
    "beam-deflection": {"load": 10, "span": "6 m", "second_moment": "8356 cm⁴"},
    "bolt-stress": {"force": 1000, "section": 10},
    "made-for-tests": {"numbers": [1, 2.5]},
}


@dataclass
class World:
    """A server with its data; `token` is an administrator's."""

    url: str
    token: str
    known: dict[str, str] = field(default_factory=dict)
    session: dict[str, str] = field(default_factory=dict)
    numbers: Any = field(default_factory=itertools.count)

    def ask(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """The JSON of an answer; an error where it refuses."""
        data = more.get("data", b"" if body is None else json.dumps(body).encode())
        headers = {
            "Authorization": f"Bearer {more.get('token', self.token)}",
            "Content-Type": more.get("media", "application/json"),
            **more.get("headers", {}),
        }
        if more.get("token", self.token) is None:
            del headers["Authorization"]
        request = urllib.request.Request(self.url + path, data or None, headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            self.cookie = answer.headers.get("Set-Cookie", "")
            text = answer.read()
        return json.loads(text) if text else None

    def name(self, word: str) -> str:
        """A name that nothing has yet."""
        return f"{word}-{next(self.numbers)}"

    def zip(self, name: str) -> bytes:
        """The archive of a small function."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            manifest = {
                "version": "1.0",
                "metadata": {"name": name},
                "io": {"inputs_schema": {"type": "object"}},
            }
            archive.writestr("mecapy.yaml", json.dumps(manifest))
            archive.writestr("handler.py", HANDLER)
        return buffer.getvalue()

    def deploy(self, name: str) -> dict[str, Any]:
        """Deploys a small function and waits for it."""
        return self.ask("POST", "/functions?wait=60", data=self.zip(name), media="application/zip")

    def task(self) -> str:
        """A task that has ended, with an artifact."""
        body = {"inputs": INPUTS["made-for-tests"]}
        task = self.ask("POST", "/functions/made-for-tests/execute?wait=60", body)
        assert task["status"] == "completed", task
        return task["task_id"]

    def company(self) -> str:
        return self.ask("POST", "/companies", {"name": self.name("company")})["company"]["company_id"]

    def member(self) -> str:
        path = f"/companies/{self.known['company']}/members"
        return self.ask("POST", path, {"name": self.name("member")})["member"]["user_id"]

    def invite(self) -> dict[str, Any]:
        path = f"/companies/{self.known['company']}/invitations"
        return self.ask("POST", path, {"name": self.name("guest")})

    def new_token(self) -> dict[str, Any]:
        return self.ask("POST", "/tokens", {"name": self.name("token")})

    def fill(self) -> None:
        """Makes what is asked about."""
        deployed = self.deploy("made-for-tests")
        self.known |= {
            "deployment": deployed["deployment_id"],
            "function": deployed["function_id"],
            "company": self.company(),
            "task": self.task(),
        }
        self.task()
        artifacts = self.ask("GET", f"/tasks/{self.known['task']}/artifacts")
        self.known["artifact"] = artifacts["items"][0]["artifact_id"]
        form = (
            b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n"
            b"Content-Type: text/csv\r\n\r\n1;2\r\n--b--\r\n"
        )
        media = "multipart/form-data; boundary=b"
        self.known["file"] = self.ask("POST", "/files", data=form, media=media)["ref"]
        self.known["cursor"] = self.ask("GET", "/tasks?limit=1")["next_cursor"]
        self.ask("POST", "/auth/password", {"new_password": PASSWORD})
        self.log_in()

    def log_in(self) -> None:
        """A session of the administrator's."""
        account = self.ask("POST", "/auth/login", {"name": "admin", "password": PASSWORD}, token=None)
        self.session = {
            "secret": self.cookie.split("=", 1)[1].split(";")[0],
            "csrf": account["csrf_token"],
            "company": account["company"]["company_id"],
        }


def wait_for_line(path: Any, start: str, alive: Any, patience_s: float = 120) -> str:
    """The rest of a file's line that begins with `start`."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        for line in path.read_text().splitlines():
            if line.startswith(start):
                return line.removeprefix(start)
        if not alive():
            raise RuntimeError("the server did not start")
        time.sleep(0.05)
    raise RuntimeError(f"no line {start!r} within {patience_s} s")

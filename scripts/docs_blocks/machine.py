"""Where the commands of one page run: a home, a server and programs of its own."""

from __future__ import annotations

import os
import re
import select
import shutil
import subprocess
from pathlib import Path

from .blocks import Wrong
from .shell import Shell, end_group

ROOT = Path(__file__).resolve().parents[2]
WHEELS = ROOT / "target/docs-wheels"
SHOWN = "127.0.0.1:8000"  # the address on the pages; here it is a free port
DATA = "/var/lib/mecapy"  # and the data folder of a service
READY = re.compile(r"http://(127\.0\.0\.1:\d+)")


class Machine:
    """A machine of which everything but the program is new."""

    def __init__(self, folder: Path, program: Path, french: bool) -> None:
        self.folder = folder
        self.work = folder / "work"
        self.server: subprocess.Popen | None = None
        self.address: str | None = None
        programs = folder / "bin"
        for path in (self.work, programs, folder / "home"):
            path.mkdir(parents=True)
        (programs / "mecapy").symlink_to(program)
        curl = programs / "curl"
        # A refusal is a failure here, though not to curl.
        curl.write_text(f'#!/bin/sh\nexec {shutil.which("curl")} -s --fail-with-body "$@"\n')
        curl.chmod(0o755)
        (self.work / "examples").symlink_to(ROOT / "examples")
        self.data = folder / "home/.local/share/mecapy"
        # Wheels are fetched once for all pages; environments are each page's own.
        WHEELS.mkdir(parents=True, exist_ok=True)
        (self.data / "cache").mkdir(parents=True)
        (self.data / "cache/uv").symlink_to(WHEELS)
        self.environment = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "HOME": str(folder / "home"),
            "LANG": "fr_FR.UTF-8" if french else "en_GB.UTF-8",
            "PYTHONIOENCODING": "utf-8",
            "MECAPY_UV": str(ROOT / ".tools/bin/uv"),
        }
        self.shell = Shell(self.work, self.environment, folder)

    def serve(self, command: str = "mecapy up") -> str:
        """Starts the server on a free port; gives the line that it prints."""
        log = (self.folder / "server.log").open("w")
        arguments = [*command.split(), "--port", "0"]
        self.server = subprocess.Popen(
            [self.environment["PATH"].split(":")[0] + "/" + arguments[0], *arguments[1:]],
            cwd=self.work,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
        ready, _, _ = select.select([self.server.stdout], [], [], 60)
        line = self.server.stdout.readline().decode() if ready else ""
        found = READY.search(line)
        if not found:
            raise Wrong("the server did not start: " + (self.folder / "server.log").read_text())
        self.address = found[1]
        return self.shown(line)

    def run(self, command: str) -> tuple[int, str]:
        """Types a command; addresses are those of this server, and back."""
        if self.address:
            command = command.replace(SHOWN, self.address)
        command = command.replace(DATA, str(self.data))
        status, printed = self.shell.run(command)
        return status, self.shown(printed)

    def shown(self, printed: str) -> str:
        printed = printed.replace(str(self.data), DATA)
        return printed.replace(self.address, SHOWN) if self.address else printed

    def close(self) -> None:
        self.shell.close()
        if self.server:
            end_group(self.server)

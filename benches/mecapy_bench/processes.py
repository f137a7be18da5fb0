"""Child processes: started in a group of their own, ended, measured."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

# Settings of the user's that would change what is measured.
SETTINGS = ("MECAPY_", "PYTHON", "CELERY_", "OMP_", "OPENBLAS_", "MKL_")
SETTING = ("PORT", "ENVIRONMENT", "LOG_LEVEL", "DATABASE_URL", "REDIS_URL", "CORS_ALLOW_ORIGINS")


class FailedError(Exception):
    """Something that the measurement needs did not start or did not answer."""


def without_settings() -> dict[str, str]:
    """The environment without what would change the measurement."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(SETTINGS) and name not in SETTING
    }


def free_port() -> int:
    """A port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(what: str, ready: Callable[[], bool], seconds: float = 30.0) -> None:
    """Asks until the answer is yes."""
    until = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > until:
            raise FailedError(f"{what} was not there within {seconds:.0f} s")
        time.sleep(0.02)


class Child:
    """A process with its own group, ended with the block that holds it."""

    def __init__(
        self, command: list[str], log: Path, env: dict[str, str], out: IO[bytes] | int | None = None
    ) -> None:
        self.log = log
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=errors if out is None else out,
                stderr=errors,
                env=env,
                start_new_session=True,
            )

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self.process.pid

    def check(self) -> None:
        """Raises when the process ended by itself."""
        if self.process.poll() is not None:
            last = self.log.read_text(errors="replace")[-2000:]
            raise FailedError(f"{self.process.args!r} ended with {self.process.returncode}: {last}")

    def stop(self, seconds: float = 40.0) -> None:
        """Asks it to end, then ends it; its own process only, by its id."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

"""Docker as first planned: a hardened container per function, an exec per call."""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import shutil
import socket
import subprocess
import sysconfig
import tarfile
import time
from pathlib import Path

from mecapy_bench.checks import BOLT, Check
from mecapy_bench.interpreter import PROGRAM, call
from mecapy_bench.processes import Child, FailedError, wait_for, without_settings
from mecapy_bench.samples import Samples

IMAGE = "mecapy-bench"
GROUP = "mecapy-bench"
HARDENED = ["--network=none", "--read-only", "--cap-drop=ALL", "--memory=256m"]
HARDENED += ["--security-opt=no-new-privileges", "--pids-limit=64", "--tmpfs=/tmp:size=64m"]
HARDENED += ["--user=65534:65534"]


def minimal_root(python: Path) -> bytes:
    """A tar of the interpreter, its standard library and their libraries."""
    standard_library = Path(sysconfig.get_path("stdlib"))
    binaries = [python, *sorted(standard_library.glob("lib-dynload/*.so"))]
    listed = subprocess.run(["ldd", *map(str, binaries)], capture_output=True, text=True)
    words = {word for word in listed.stdout.split() if word.startswith("/")}
    libraries = {Path(word) for word in words if not word.endswith(":")}
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as tar:
        for path in [python, *sorted(libraries)]:
            # Under the name that the loader asks for, the file itself.
            tar.add(path.resolve(), arcname=str(path).lstrip("/"))
        tar.add(
            standard_library,
            arcname=str(standard_library).lstrip("/"),
            filter=lambda info: None if "/config-" in info.name else info,
        )
        for folder in ("tmp", "code", "proc", "dev", "etc"):
            info = tarfile.TarInfo(folder)
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(info)
    return written.getvalue()


class UnixConnection(http.client.HTTPConnection):
    """HTTP on the daemon's socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(60)
        self.sock.connect(str(self.path))


class Docker:
    """A daemon of its own, with its files and its socket in one folder."""

    def __init__(self, folder: Path, python: Path) -> None:
        self.folder = folder
        self.python = python
        self.socket = folder / "docker.sock"
        self.stack = contextlib.ExitStack()
        self.container = ""
        self.driver = ""

    def __enter__(self) -> Docker:
        with contextlib.ExitStack() as stack:
            stack.callback(self._remove_groups)
            self._start_daemon(stack)
            self._start_container()
            stack.callback(self._docker, "rm", "--force", self.container)
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def _start_daemon(self, stack: contextlib.ExitStack) -> None:
        for name in ("dockerd", "docker"):
            if shutil.which(name) is None:
                raise FailedError(f"there is no program {name}")
        why = None
        # vfs copies the whole image for each container, so it comes last.
        for driver in ("overlay2", "vfs"):
            attempt = contextlib.ExitStack()
            try:
                self._await(attempt.enter_context(self._daemon(driver)))
            except FailedError as failed:
                attempt.close()
                why = failed
                continue
            self.driver = driver
            stack.push(attempt.pop_all())
            return
        raise FailedError(f"dockerd does not start: {why}")

    def _daemon(self, driver: str) -> Child:
        command = ["dockerd", "--data-root", str(self.folder / driver)]
        command += ["--exec-root", str(self.folder / "exec"), "--host", f"unix://{self.socket}"]
        command += ["--pidfile", str(self.folder / "docker.pid"), "--storage-driver", driver]
        command += ["--iptables=false", "--ip6tables=false", "--bridge=none"]
        command += ["--cgroup-parent", f"/{GROUP}", "--config-file", str(self.folder / "none.json")]
        (self.folder / "none.json").write_text("{}")
        return Child(command, self.folder / "dockerd.log", without_settings())

    def _await(self, daemon: Child) -> None:
        def answers() -> bool:
            daemon.check()
            return self._docker("version", may_fail=True).returncode == 0

        wait_for("dockerd", answers)

    def _docker(
        self, *words: str, may_fail: bool = False, data: bytes | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        done = subprocess.run(
            ["docker", "--host", f"unix://{self.socket}", *words],
            input=data,
            capture_output=True,
            check=False,
            env=without_settings() | {"DOCKER_CONFIG": str(self.folder / "client")},
        )
        if done.returncode and not may_fail:
            raise FailedError(f"docker {words[0]}: {done.stderr[-500:].decode()}")
        return done

    def _start_container(self) -> None:
        self._docker("import", "-", IMAGE, data=minimal_root(self.python))
        sleep = "import time; time.sleep(86400)"
        command = [*HARDENED, f"--volume={BOLT.folder}:/code:ro", IMAGE]
        command += [str(self.python), "-I", "-c", sleep]
        self.container = self._docker("run", "--detach", *command).stdout.decode().strip()

    def _remove_groups(self) -> None:
        for folder in [*Path("/sys/fs/cgroup").glob(f"*/{GROUP}"), Path("/sys/fs/cgroup", GROUP)]:
            if folder.is_dir():
                folder.rmdir()

    def run(self, check: Check, count: int) -> Samples:
        """`docker run` for each call."""
        command = ["docker", "--host", f"unix://{self.socket}", "run", "--rm", *HARDENED]
        command += [f"--volume={check.folder}:/code:ro", IMAGE, str(self.python), "-I", "-c"]
        return call([*command, PROGRAM, json.dumps(check.inputs)], check, count)

    def execute(self, check: Check, count: int) -> Samples:
        """An exec in the warm container for each call, through the Engine API.

        The command `docker exec` does the same and starts a program first.
        """
        samples = Samples()
        began = time.perf_counter()
        for _ in range(count):
            started = time.perf_counter()
            outputs = self._execute(check)
            samples.seconds.append(time.perf_counter() - started)
            check.judge(json.loads(outputs))
        samples.elapsed_s = time.perf_counter() - began
        return samples

    def _execute(self, check: Check) -> bytes:
        command = [str(self.python), "-I", "-c", PROGRAM, json.dumps(check.inputs)]
        wanted = {"AttachStdout": True, "AttachStderr": True, "Cmd": command}
        exec_id = json.loads(self._post(f"/containers/{self.container}/exec", wanted))["Id"]
        stream = self._post(f"/exec/{exec_id}/start", {"Detach": False, "Tty": False})
        # Frames of eight bytes' head: the stream's number, then the length.
        outputs, at = b"", 0
        while at < len(stream):
            length = int.from_bytes(stream[at + 4 : at + 8], "big")
            frame = stream[at + 8 : at + 8 + length]
            if stream[at] == 2:
                raise FailedError(f"in the container: {frame[-500:].decode()}")
            outputs += frame
            at += 8 + length
        return outputs

    def _post(self, path: str, body: object) -> bytes:
        connection = UnixConnection(self.socket)
        try:
            head = {"Content-Type": "application/json"}
            connection.request("POST", path, json.dumps(body), head)
            answer = connection.getresponse()
            read = answer.read()
        finally:
            connection.close()
        if answer.status >= 300:
            raise FailedError(f"the Docker daemon answered {answer.status}: {read[:300].decode()}")
        return read

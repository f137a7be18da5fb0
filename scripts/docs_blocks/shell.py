"""A shell that commands of one page are typed into, one after the other."""

from __future__ import annotations

import os
import select
import signal
import subprocess
from pathlib import Path

from .blocks import Wrong

# Root's own shell must not be able to change the machine, whatever a page says:
# in a mount namespace of its own, these can only be read.
KEPT = ("/boot", "/etc", "/opt", "/usr", "/var")
GUARD = f"""
for folder in {" ".join(KEPT)}; do
    [ -d $folder ] || continue
    mount --bind $folder $folder && mount -o remount,bind,ro $folder || exit 1
done
exec "$@"
"""
GUARDED = ["unshare", "--mount", "--propagation", "private", "sh", "-c", GUARD, "sh"]

# Longer than any command of the documentation takes, the first installation of
# SciPy on a slow line included.
PATIENCE_S = 300


class Shell:
    """One bash: variables and folders that a command sets are the next one's."""

    def __init__(self, folder: Path, environment: dict[str, str], state: Path) -> None:
        self.state = state
        self.reading, writing = os.pipe()
        bash = ["bash", "--noprofile", "--norc"]
        self.process = subprocess.Popen(
            [*GUARDED, *bash] if os.geteuid() == 0 else bash,
            cwd=folder,
            env=environment | {"DOCS_STATUS": str(writing)},
            stdin=subprocess.PIPE,
            pass_fds=[writing],
            start_new_session=True,
        )
        os.close(writing)

    def run(self, command: str) -> tuple[int, str]:
        """What a command (or a script) printed, and the worst exit code in it."""
        script, out = self.state / "command.sh", self.state / "command.out"
        script.write_text(command + "\n", "utf-8")
        # The trap sees each command that fails, not the last one alone.
        line = (
            f"failed=0; trap 'failed=$?' ERR; source '{script}' >'{out}' 2>&1 </dev/null; "
            "trap - ERR; echo $failed >&$DOCS_STATUS\n"
        )
        self.process.stdin.write(line.encode())
        self.process.stdin.flush()
        ready, _, _ = select.select([self.reading], [], [], PATIENCE_S)
        status = os.read(self.reading, 16) if ready else b""
        printed = out.read_text("utf-8", errors="replace") if out.exists() else ""
        if not status:
            raise Wrong(f"`{command}` has not ended within {PATIENCE_S} s, or ended the shell:\n{printed}")
        return int(status), printed

    def close(self) -> None:
        """End the shell and whatever it started."""
        end_group(self.process)
        os.close(self.reading)


def end_group(process: subprocess.Popen) -> None:
    """SIGTERM to a process that leads its group; SIGKILL if that is not enough."""
    if process.stdin:
        process.stdin.close()
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            pass
        try:
            process.wait(timeout=30)
            return
        except subprocess.TimeoutExpired:
            continue

"""What it means to run a block, by its language."""

from __future__ import annotations

import configparser
import json
import textwrap
import tomllib

import yaml

from . import compare
from .blocks import Block, Wrong, commands
from .machine import Machine

SHELLS = {"console", "sh"}
PYTHON_FRAGMENT = """\
{given}

def calculate(inputs: dict) -> dict:
{body}
    return {{"reached": True}}
"""


def run(block: Block, machine: Machine | None) -> str:
    """Runs a block; says what that was: `run`, `read`, `written` or `text`."""
    if setup := block.marks.get("setup"):
        expect(machine.run(setup), 0, setup)
    how = run_itself(block, machine)
    if then := block.marks.get("then"):
        expect(machine.run(then), 0, then)
        how = "run"
    return how


def run_itself(block: Block, machine: Machine | None) -> str:
    if block.language == "text":
        return "text"
    if block.language in SHELLS:
        (console if block.language == "console" else script)(block, machine)
        return "run"
    read = READERS.get(block.language)
    if read is None:
        known = ", ".join(sorted({*READERS, *SHELLS, "text"}))
        raise Wrong(f"expected one of the languages {known}, found {block.language or 'none'}")
    read(block.code)
    if block.file:
        write(block, machine)
        return "written"
    if block.language == "python":
        python(block, machine)
        return "run"
    return "read"


def console(block: Block, machine: Machine) -> None:
    typed = commands(block.code)
    last = len(typed) - 1
    for at, (command, shown) in enumerate(typed):
        if "serves" in block.marks:
            status, printed = 0, machine.serve(command)
        else:
            status, printed = machine.run(command)
        lines = [line.rstrip() for line in printed.rstrip("\n").split("\n")] if printed.strip() else []
        while shown and not shown[-1]:
            shown.pop()
        if not compare.same(shown, lines):
            raise Wrong(f"`{command}` printed something else:\n{compare.difference(shown, lines)}")
        wanted = int(block.marks.get("exits", 0)) if at == last else 0
        expect((status, printed), wanted, command)


def script(block: Block, machine: Machine) -> None:
    expect(machine.run(block.code), int(block.marks.get("exits", 0)), block.code)


def python(block: Block, machine: Machine) -> None:
    """A whole `calculate` or a fragment of one, as code that is not deployed."""
    given = block.marks.get("given", "")
    if "def calculate" in block.code:
        code = f"{given}\n{block.code}"
    else:
        body = textwrap.indent(block.code, "    ")
        code = PYTHON_FRAGMENT.format(given=given, body=body)
    (machine.work / "block.py").write_text(code, "utf-8")
    (machine.work / "inputs.json").write_text(block.marks.get("inputs", "{}"), "utf-8")
    raises = block.marks.get("raises")
    command = "mecapy run --code block.py --base-image python-base --inputs inputs.json"
    status, printed = machine.run(command)
    expect((status, printed), 1 if raises else 0, block.code)
    if raises and raises not in printed:
        raise Wrong(f"expected {raises}, found:\n{printed}")


def write(block: Block, machine: Machine) -> None:
    path = machine.work / block.file
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a" if "into" in block.marks else "w", encoding="utf-8") as file:
        file.write(block.code)


def expect(result: tuple[int, str], wanted: int, command: str) -> None:
    status, printed = result
    if status != wanted:
        raise Wrong(f"expected exit code {wanted}, found {status} of\n{command}\n{printed}")


def read_json(code: str) -> None:
    json.loads(code)


def read_ini(code: str) -> None:
    configparser.ConfigParser(interpolation=None).read_string(code)


READERS = {
    "ini": read_ini,
    "json": read_json,
    "python": lambda code: compile(code, "block", "exec"),
    "toml": tomllib.loads,
    "yaml": yaml.safe_load,
    "csv": lambda code: None,
}

"""Makes the runner's folder importable under the name it has in the sandbox."""

import sys
import types
from pathlib import Path

if "mecapy_runner" not in sys.modules:
    package = types.ModuleType("mecapy_runner")
    package.__path__ = [str(Path(__file__).parent.parent)]
    sys.modules["mecapy_runner"] = package

from mecapy_runner import encode

LIMIT = 1 << 24


def json_of(value, limit=LIMIT, files=str):
    """The result's text; fails where non-finite numbers were found."""
    text, non_finite = encode.encode(value, limit, files)
    assert non_finite == [], non_finite
    return text.decode()


def refusal(value):
    """Pointer and message of the refusal."""
    try:
        found = encode.encode(value, LIMIT, str)
    except encode.Unencodable as error:
        return error.pointer, str(error)
    raise AssertionError("encoded as %r" % (found,))

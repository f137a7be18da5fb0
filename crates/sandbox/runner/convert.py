"""What stands in the result for values that JSON has no type for.

The encodings are documented in docs/results.md. NumPy and pandas are looked up
among the loaded modules, never imported: a value of theirs can't exist before
they are loaded. `writer` is the encoder: its place in the result, its limit,
and what turns a path into text.
"""

import sys
from array import array
from collections import deque
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from os import PathLike, fspath
from types import FunctionType, ModuleType

BLOCK = 8192
_POINTER_CHARACTERS = 300
_TOLIST_ELEMENTS = 1000000


class Unencodable(Exception):
    """A value of the result has no encoding; `pointer` says where it stands.

    The message and its French name the place, which is given to both.
    """

    def __init__(self, pointer, message, french):
        # Names may hold lone surrogates, which no report could carry.
        self.pointer = _carried(shortened(pointer))
        self.message = _carried(message) % (self.pointer or "the top")
        self.french = _carried(french) % (self.pointer or "sa racine")
        super().__init__(self.message)


class TooLarge(Exception):
    """The result is beyond its limit; `measured` is what was counted until then."""

    def __init__(self, limit, measured):
        super().__init__(
            "the result takes at least %d bytes as JSON, the limit is %d; write large data to a "
            "file in outputs() and return its path" % (measured, limit)
        )
        self.limit = limit
        self.measured = measured


def convert(value, writer):
    """What stands for a value that JSON has no type for."""
    numpy, pandas = _loaded("numpy"), _loaded("pandas")
    if pandas is not None and (value is pandas.NaT or value is pandas.NA):
        return None
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        seconds = value.days * 86400 + value.seconds
        # Timedelta of pandas counts nanoseconds too.
        rest = value.microseconds * 1000 + getattr(value, "nanoseconds", 0)
        return _duration(seconds * 10**9 + rest, 9)
    if isinstance(value, complex):
        return {"real": value.real, "imag": value.imag}
    if isinstance(value, Decimal):
        if value.is_finite():
            return str(value)
        # float() refuses a signalling NaN.
        return float("nan") if value.is_nan() else float(value)
    if isinstance(value, Fraction):
        return "%d/%d" % (value.numerator, value.denominator)
    if isinstance(value, PathLike):
        if not isinstance(fspath(value), str):
            raise refused(value, writer)
        return writer.files(value)
    if numpy is not None and isinstance(value, numpy.ndarray):
        return _array(numpy, value, writer)
    if numpy is not None and isinstance(value, numpy.generic):
        return _numpy_scalar(numpy, value, writer)
    if pandas is not None:
        converted = _of_pandas(pandas, value, writer)
        if converted is not None:
            return converted
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    raise refused(value, writer)


def _array(numpy, value, writer):
    _check_count(value.size, writer)
    if value.ndim == 0:
        masked = getattr(sys.modules.get("numpy.ma"), "masked", None)
        return None if value is masked else value[()]
    kind = value.dtype.kind
    if kind not in "biufcUSO" or value.dtype.char in "gG":
        # tolist() would give ns dates as ints and records without names.
        return Rows(value[at] for at in range(len(value)))
    if value.size <= _TOLIST_ELEMENTS:
        return value.tolist()
    if value.ndim > 1:
        return Rows(_rows_of(value))
    if kind not in "iuf" or type(value) is not numpy.ndarray:
        return Rows(_rows_of(value))
    return Numbers(_blocks_of(value), kind == "f")


def _numpy_scalar(numpy, value, writer):
    if isinstance(value, numpy.bool_):
        return bool(value)
    if isinstance(value, numpy.timedelta64):
        return _numpy_duration(numpy, value, writer)
    if isinstance(value, numpy.integer):
        return int(value)
    if isinstance(value, numpy.floating):
        nearest = float(value)
        if value == value and type(value)(nearest) != value:
            raise Unencodable(
                writer.pointer(),
                "the longdouble %s at %%s is no 64-bit float; return float(value) to round it"
                % literal(shown(value)),
                "le longdouble %s en %%s n'est pas un flottant de 64 bits ; renvoyez "
                "float(value) pour l'arrondir" % literal(shown(value)),
            )
        return nearest
    if isinstance(value, numpy.complexfloating):
        return {"real": value.real, "imag": value.imag}
    if isinstance(value, numpy.datetime64):
        return None if numpy.isnat(value) else str(numpy.datetime_as_string(value))
    if isinstance(value, numpy.void) and value.dtype.names:
        return {name: value[name] for name in value.dtype.names}
    raise refused(value, writer)


def _numpy_duration(numpy, value, writer):
    if numpy.isnat(value):
        return None
    unit, step = numpy.datetime_data(value.dtype)
    count = int(value.astype("int64")) * step
    if unit in ("Y", "M"):
        return "%sP%d%s" % ("-" if count < 0 else "", abs(count), unit)
    if unit in _UNIT_SECONDS:
        return _duration(count * _UNIT_SECONDS[unit], 0)
    if unit in _UNIT_DECIMALS:
        return _duration(count, _UNIT_DECIMALS[unit])
    raise refused(value, writer)


def _of_pandas(pandas, value, writer):
    if isinstance(value, pandas.DataFrame):
        _check_count(value.size, writer)
        columns = [value.iloc[:, at].tolist() for at in range(value.shape[1])]
        rows = zip(*columns) if columns else ((),) * len(value.index)
        return {"columns": value.columns, "index": value.index, "data": Rows(rows)}
    if isinstance(value, pandas.Series):
        _check_count(value.size, writer)
        return {"index": value.index, "data": value.tolist(), "name": value.name}
    if isinstance(value, (pandas.Index, pandas.api.extensions.ExtensionArray)):
        _check_count(len(value), writer)
        return value.tolist()
    if isinstance(value, pandas.Period):
        return str(value)
    return None


def _check_count(count, writer):
    # Each element takes a character and a comma at least.
    if 2 * count > writer.limit:
        raise TooLarge(writer.limit, 2 * count)


def refused(value, writer):
    name = literal(type_name(type(value)))
    advice, french = _advice(value)
    return Unencodable(
        writer.pointer(),
        "%s at %%s can't be written as JSON; %s" % (_with_article(name), advice),
        "la valeur de type %s en %%s ne s'écrit pas en JSON ; %s" % (name, french),
    )


class Rows:
    """An array whose elements are made one at a time."""

    def __init__(self, rows):
        self.rows = rows


class Numbers:
    """A large array's floats or ints, as lists that are made one at a time."""

    def __init__(self, blocks, floats):
        self.blocks = blocks
        self.floats = floats


_UNIT_SECONDS = {"W": 604800, "D": 86400, "h": 3600, "m": 60, "s": 1}
_UNIT_DECIMALS = {"ms": 3, "us": 6, "ns": 9, "ps": 12, "fs": 15, "as": 18}

_LIST_KINDS = (range, deque, array, type({}.keys()), type({}.values()), type({}.items()))
_SAVE = (
    "save it into a file in outputs() and return its path",
    "enregistrez-la dans un fichier de outputs() et renvoyez son chemin",
)
_ADVICE = {
    "pint": ("return the number: value.m_as('mm')", "renvoyez le nombre : value.m_as('mm')"),
    "sympy": (
        "return float(value), int(value) or str(value)",
        "renvoyez float(value), int(value) ou str(value)",
    ),
    "matplotlib": _SAVE,
    "PIL": _SAVE,
    "pydantic": ("return value.model_dump()", "renvoyez value.model_dump()"),
    "xarray": (
        "return value.to_dict() or value.values",
        "renvoyez value.to_dict() ou value.values",
    ),
    "polars": ("return value.to_dicts()", "renvoyez value.to_dicts()"),
    "uuid": ("return str(value)", "renvoyez str(value)"),
}


def _advice(value):
    """What to return instead, in English and in French."""
    if isinstance(value, (set, frozenset)):
        return (
            "sets have no order: return sorted(value)",
            "un ensemble n'a pas d'ordre : renvoyez sorted(value)",
        )
    if isinstance(value, (bytes, bytearray, memoryview)):
        return (
            "return text, or write a file in outputs() and return its path",
            "renvoyez du texte, ou écrivez un fichier dans outputs() et renvoyez son chemin",
        )
    if isinstance(value, _LIST_KINDS) or hasattr(type(value), "__next__"):
        return "return list(value)", "renvoyez list(value)"
    if isinstance(value, (FunctionType, type(len))):
        return "return what it gives: call it", "appelez-la et renvoyez ce qu'elle donne"
    if hasattr(type(value), "toarray"):
        return "return value.toarray()", "renvoyez value.toarray()"
    for base in type(value).__mro__:
        advice = _ADVICE.get(str(base.__module__).split(".")[0])
        if advice:
            return advice
    return (
        "return numbers, text, booleans, None, lists and dicts with text keys",
        "renvoyez des nombres, textes, booléens, None, listes et dicts à clés textuelles",
    )


def _rows_of(value):
    """The elements of a large array's first axis, a block at a time."""
    step = max(1, BLOCK // (value.size // len(value)))
    if step == 1:
        for at in range(len(value)):
            yield value[at]
        return
    for start in range(0, len(value), step):
        yield from value[start : start + step].tolist()


def _blocks_of(value):
    for start in range(0, len(value), BLOCK):
        yield value[start : start + BLOCK].tolist()


def _duration(ticks, decimals):
    """ISO 8601: -P1DT2H3M4.5S; no years and months, whose length varies."""
    sign = "-" if ticks < 0 else ""
    whole, part = divmod(abs(ticks), 10**decimals)
    days, rest = divmod(whole, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, seconds = divmod(rest, 60)
    fraction = ("%0*d" % (decimals, part)).rstrip("0") if part else ""
    time_part = "".join(
        ["%d%s" % (count, letter) for count, letter in ((hours, "H"), (minutes, "M")) if count]
    )
    if seconds or fraction or not (days or time_part):
        time_part += "%d%sS" % (seconds, "." + fraction if fraction else "")
    return sign + "P" + ("%dD" % days if days else "") + ("T" + time_part if time_part else "")


def _loaded(name):
    module = sys.modules.get(name)
    return module if isinstance(module, ModuleType) and hasattr(module, "__version__") else None


def type_name(kind):
    module = kind.__module__
    return kind.__qualname__ if module == "builtins" else "%s.%s" % (module, kind.__qualname__)


def _with_article(name):
    return ("an " if name[:1].lower() in "aeiou" else "a ") + name


def shown(value):
    try:
        text = repr(value)
    except Exception:
        return "(its repr fails)"
    return text if len(text) <= 60 else text[:60] + "…"


def literal(text):
    """A text as it may stand in a template of `%`."""
    return text.replace("%", "%%")


def _carried(text):
    return text.encode("utf-8", "backslashreplace").decode()


def shortened(pointer):
    if len(pointer) <= _POINTER_CHARACTERS:
        return pointer
    half = _POINTER_CHARACTERS // 2
    return pointer[:half] + "…" + pointer[-half:]

"""JSON in and out without loss: what `calculate` receives and what it returned.

Plain results go through the C encoder of the standard library after a check of
their exact types; everything else is written by `_Writer`, which keeps its own
stack, asks `convert` for what has a documented encoding (docs/results.md) and
names the JSON Pointer of what has none.
"""

import sys
from json import JSONDecoder
from json.encoder import c_make_encoder, encode_basestring

from mecapy_runner.convert import (
    BLOCK,
    Numbers,
    Rows,
    TooLarge,
    Unencodable,
    convert,
    literal,
    refused,
    shown,
    type_name,
)

__all__ = ["MAX_DEPTH", "TooLarge", "Unencodable", "decode", "encode"]

# Deep enough for any result, and shallow enough for every reader's recursion.
MAX_DEPTH = 500

_FAST_DEPTH = 50
_FAST_CONTAINERS = 2000000


def encode(value, limit_bytes, files):
    """The result as UTF-8 JSON, and the pointers of its non-finite numbers.

    `files` gives the text that stands for a path object. Raises `Unencodable`
    or `TooLarge`.
    """
    bound = _plain_size(value, limit_bytes)
    if bound is not None and bound <= limit_bytes:
        try:
            return _plain(value).encode("utf-8"), []
        except (ValueError, RecursionError):
            # NaN, a lone surrogate or an int beyond the interpreter's limit of
            # digits: the writer knows what to do, and where.
            pass
    return _Writer(limit_bytes, files).run(value)


def decode(data):
    """The value of UTF-8 JSON; ints of any size, floats as Python rounds them."""
    text = data.decode("utf-8")
    if len(text) < 640:
        return _decode(text)
    with _AllDigits():
        return _decode(text)


def _refuse_constant(name):
    raise ValueError("%s is no JSON; the platform writes such numbers as strings" % name)


_decode = JSONDecoder(parse_constant=_refuse_constant).decode


class _AllDigits:
    """Lifts the interpreter's limit on the digits of an int, where it has one."""

    def __enter__(self):
        self.previous = _get_max_digits()
        _set_max_digits(0)

    def __exit__(self, *_):
        _set_max_digits(self.previous)


_get_max_digits = getattr(sys, "get_int_max_str_digits", lambda: 0)
_set_max_digits = getattr(sys, "set_int_max_str_digits", lambda _: None)


def _refuse_default(_value):
    raise ValueError("the types were checked before")


# Made once: JSONEncoder.encode makes one per call. Cycles can't reach it,
# because the check of types gives up at a depth.
_encode_parts = c_make_encoder(
    None, _refuse_default, encode_basestring, None, ":", ",", False, False, False
)


def _plain(value, _parts=_encode_parts, _join="".join):
    return _join(_parts(value, 0))


_CONTAINERS = frozenset((dict, list, tuple))
# The most that a value of the type can take; None: depends on the value.
_SIZES = {float: 25, bool: 6, type(None): 5, int: None, str: None}


def _plain_size(root, limit):
    """An upper bound of the JSON's size, or None where a value isn't plain.

    Plain are exact builtin types and subclasses of float; the C encoder writes
    those as they are, and would silently turn an int key into a string.
    """
    level, size, containers = ((root,),), 0, 0
    for _ in range(_FAST_DEPTH):
        inner = []
        for children in level:
            if type(children) is dict:
                for key in children:
                    if type(key) is not str:
                        return None
                    size += 6 * len(key) + 4
                children = children.values()
            count = len(children)
            size += count + 2
            kinds = set(map(type, children))
            for kind in kinds:
                if kind in _CONTAINERS:
                    found = [child for child in children if type(child) is kind]
                    containers += len(found)
                    if containers > _FAST_CONTAINERS:
                        return None
                    inner += found
                elif kind is int:
                    # 0.302 digits per bit, rounded up to a third.
                    bits = sum([int.bit_length(child) for child in children if type(child) is int])
                    size += bits // 3 + 3 * count
                elif kind is str:
                    size += 6 * sum([len(child) for child in children if type(child) is str])
                    size += 2 * count
                elif kind in _SIZES:
                    size += _SIZES[kind] * count
                elif issubclass(kind, float):
                    size += 25 * count
                else:
                    return None
        if not inner or size > limit:
            return size
        level = inner
    return None


class _Frame:
    """A container being written; `token` is the key or index being written."""

    __slots__ = ("items", "keyed", "token", "close", "marker", "keeps", "first")

    def __init__(self, items, keyed, marker, keeps):
        self.items = items
        self.keyed = keyed
        self.token = ""
        self.close = "}" if keyed else "]"
        self.marker = marker
        # Keeps converted objects alive, so that no other one gets their id.
        self.keeps = keeps
        self.first = True


class _Writer:
    """Writes one result, whatever is in it, without recursion."""

    def __init__(self, limit, files):
        self.limit = limit
        self.files = files
        self.out = bytearray()
        self.parts = []
        self.pending = 0
        self.charged = 0
        self.non_finite = []
        self.stack = []
        self.active = set()

    def run(self, root):
        self.begin(root)
        stack = self.stack
        while stack:
            frame = stack[-1]
            for token, value in frame.items:
                frame.token = token
                if frame.first:
                    frame.first = False
                else:
                    self.emit(",")
                if frame.keyed:
                    self.emit(self.quoted(token) + ":")
                if self.begin(value):
                    break
            else:
                stack.pop()
                self.active.discard(frame.marker)
                self.emit(frame.close)
        self.flush()
        return bytes(self.out), self.non_finite

    def begin(self, value):
        """Writes a scalar, or opens a container; tells whether it opened one."""
        marker, keeps = id(value), value
        for _ in range(4):
            kind = type(value)
            if kind is float:
                self.float(value)
            elif kind is str:
                self.emit(self.quoted(value))
            elif value is None or kind is bool:
                self.emit("null" if value is None else "true" if value else "false")
            elif isinstance(value, int):
                self.int(value)
            elif isinstance(value, float):
                self.float(float.__float__(value))
            elif isinstance(value, str):
                self.emit(self.quoted(str.__str__(value)))
            elif isinstance(value, dict):
                return self.open(_Frame(self.members(value), True, marker, keeps), "{")
            elif isinstance(value, (list, tuple)):
                return self.sequence(value, marker, keeps)
            elif kind is Rows:
                return self.open(_Frame(enumerate(value.rows), False, marker, keeps), "[")
            elif kind is Numbers:
                self.numbers(value.blocks, value.floats)
            else:
                value = convert(value, self)
                continue
            return False
        raise refused(keeps, self)

    def sequence(self, value, marker, keeps):
        kinds = set(map(type, value))
        if kinds == {float} or kinds == {int}:
            blocks = (value[at : at + BLOCK] for at in range(0, len(value), BLOCK))
            self.numbers(blocks, kinds == {float})
            return False
        return self.open(_Frame(enumerate(value), False, marker, keeps), "[")

    def open(self, frame, opening):
        if frame.marker in self.active:
            raise Unencodable(
                self.pointer(),
                "the result contains itself at %s; return a copy without the cycle",
                "le résultat se contient lui-même en %s ; renvoyez une copie sans le cycle",
            )
        if len(self.stack) >= MAX_DEPTH:
            raise Unencodable(
                self.pointer(),
                "the result is nested deeper than %d levels at %%s; return a flatter structure"
                % MAX_DEPTH,
                "le résultat dépasse %d niveaux d'imbrication en %%s ; renvoyez une structure "
                "plus plate" % MAX_DEPTH,
            )
        self.active.add(frame.marker)
        self.stack.append(frame)
        self.emit(opening)
        return True

    def members(self, value):
        """The dict's items after a check of its keys."""
        if set(map(type, value)) <= {str}:
            return iter(value.items())
        texts = set()
        for key in value:
            if not isinstance(key, str):
                named = literal(shown(key)), literal(type_name(type(key)))
                raise Unencodable(
                    self.pointer(),
                    "the object at %%s has the key %s of type %s; JSON keys are strings: use "
                    "str(key), and mind that 1 and '1' are one key then" % named,
                    "l'objet en %%s a la clé %s de type %s ; les clés de JSON sont des textes : "
                    "utilisez str(key), 1 et '1' étant alors une même clé" % named,
                )
            text = str.__str__(key)
            if text in texts:
                raise Unencodable(
                    self.pointer(),
                    "the object at %%s has two keys that are both written %s; rename one"
                    % literal(shown(text)),
                    "l'objet en %%s a deux clés qui s'écrivent toutes deux %s ; renommez-en une"
                    % literal(shown(text)),
                )
            texts.add(text)
        return ((str.__str__(key), member) for key, member in value.items())

    def float(self, value):
        if value - value == 0:
            self.emit(float.__repr__(value))
        else:
            self.emit(self.non_finite_number(value, self.pointer()))

    def non_finite_number(self, value, pointer):
        self.non_finite.append(pointer)
        # Pointers travel beside the result and count as part of it.
        self.charged += len(pointer)
        if value != value:
            return '"NaN"'
        return '"Infinity"' if value > 0 else '"-Infinity"'

    def int(self, value):
        # Counted before it is written, which takes long for a huge one.
        if int.bit_length(value) * 3 // 10 > self.limit:
            raise TooLarge(self.limit, int.bit_length(value) * 3 // 10)
        try:
            digits = int.__repr__(value)
        except ValueError:
            with _AllDigits():
                digits = int.__repr__(value)
        self.emit(digits)

    def numbers(self, blocks, floats):
        """A list of exact floats or of exact ints."""
        self.emit("[")
        start = 0
        for block in blocks:
            if start:
                self.emit(",")
            self.block(block, start, floats)
            start += len(block)
        self.emit("]")

    def block(self, block, start, floats):
        if not floats:
            digits = sum(map(int.bit_length, block)) * 3 // 10
            if digits > self.limit:
                raise TooLarge(self.limit, digits)
            try:
                self.emit(",".join(map(int.__repr__, block)))
            except ValueError:
                with _AllDigits():
                    self.emit(",".join(map(int.__repr__, block)))
            return
        text = ",".join(map(float.__repr__, block))
        # Only nan and inf have this letter.
        if "n" in text:
            before = self.pointer() + "/"
            text = ",".join(
                [
                    float.__repr__(value)
                    if value - value == 0
                    else self.non_finite_number(value, before + str(start + at))
                    for at, value in enumerate(block)
                ]
            )
        self.emit(text)

    def quoted(self, text):
        if len(text) > self.limit:
            raise TooLarge(self.limit, len(text))
        if not text.isascii():
            try:
                text.encode("utf-8")
            except UnicodeEncodeError:
                raise Unencodable(
                    self.pointer(),
                    "the text at %s holds half of a surrogate pair, which UTF-8 can't carry; "
                    "decode bytes with errors='replace' or remove it",
                    "le texte en %s contient une moitié de paire de substitution, que l'UTF-8 "
                    "n'admet pas ; décodez avec errors='replace' ou retirez-la",
                ) from None
        return encode_basestring(text)

    def emit(self, text):
        self.parts.append(text)
        self.pending += len(text)
        if self.pending > 65536:
            self.flush()

    def flush(self):
        self.out += "".join(self.parts).encode("utf-8")
        self.parts.clear()
        self.pending = 0
        if len(self.out) + self.charged > self.limit:
            raise TooLarge(self.limit, len(self.out) + self.charged)

    def pointer(self):
        return "".join(
            ["/" + str(frame.token).replace("~", "~0").replace("/", "~1") for frame in self.stack]
        )

"""The job that imports `handler.py` and calls `calculate(inputs)`."""

import errno
import inspect
import json
import marshal
import os
import sys
import traceback
import types
from importlib.machinery import (
    SOURCE_SUFFIXES,
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from importlib.util import MAGIC_NUMBER, spec_from_file_location

from mecapy_runner import child, encode

CODE = "/code"
OWN_FOLDER = os.path.dirname(__file__)
HANDLER = CODE + "/handler.py"
BYTECODE = CODE + "/__pycache__/handler.%s.pyc" % sys.implementation.cache_tag
# How bytecode begins that holds whatever its source's time and content.
UNCHECKED = MAGIC_NUMBER + b"\1\0\0\0"
BYTECODE_HEADER = 16
USUAL_BYTECODE = 1 << 16
LONGEST_BYTECODE = 1 << 28
ALL_FINITE = b'{"non_finite":[]}'
MESSAGE_CHARACTERS = 4000
TRACEBACK_CHARACTERS = 20000
# Causes of causes that a traceback shows.
LINKED_ERRORS = 10


class HandlerError(Exception):
    """The handler isn't what the platform can call; says so in French, too."""

    def __init__(self, message, french):
        super().__init__(message)
        self.french = french


def run(header, body):
    try:
        inputs = encode.decode(body)
        value = load_handler()(inputs)
        if type(value) is not dict and (inspect.isawaitable(value) or inspect.isgenerator(value)):
            kind = type(value).__name__
            raise HandlerError(
                "calculate returned a %s; write it as a plain function that returns a dict" % kind,
                "calculate a renvoyé un %s ; écrivez une fonction ordinaire qui renvoie un dict"
                % kind,
            )
        payload, non_finite = encode.encode(value, header["result_bytes"], os.fspath)
        meta = ALL_FINITE
        if non_finite:
            meta = json.dumps({"non_finite": non_finite}).encode()
            if len(meta) > header["result_bytes"]:
                raise encode.TooLarge(header["result_bytes"], len(meta))
    except encode.TooLarge as error:
        fail("output_too_large", error, limit=error.limit, measured=error.measured)
    except encode.Unencodable as error:
        fail("unencodable", error, pointer=error.pointer)
    except BaseException as error:
        number = getattr(error, "errno", None) if isinstance(error, OSError) else None
        if isinstance(error, MemoryError) or number == errno.ENOMEM:
            fail("out_of_memory", error)
        else:
            fail("user_error", error, advice(error, number, header))
    else:
        child.flush()
        child.send(b"R", meta, payload)


def advice(error, number, header):
    """Which limit of the platform stands behind an error, in English and French."""
    if number == errno.EAGAIN or (
        isinstance(error, RuntimeError) and error.args == ("can't start new thread",)
    ):
        most = header["processes"]
        return (
            "; a run may have %d processes and threads: start fewer at once" % most,
            " ; une exécution peut avoir %d processus et fils : lancez-en moins à la fois" % most,
        )
    if number == errno.EMFILE:
        import resource

        most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        return (
            "; a run may have %d files open at once: close those it has read" % most,
            " ; une exécution peut avoir %d fichiers ouverts : fermez ceux qu'elle a lus" % most,
        )
    return None


def prepare_import():
    """Makes the finder of the code folder ahead, so that no run has to ask every path hook."""
    sys.path.insert(0, CODE)
    sys.path_importer_cache[CODE] = finder(CODE)


def finder(folder):
    return FileFinder(
        folder,
        (ExtensionFileLoader, EXTENSION_SUFFIXES),
        (SourceFileLoader, SOURCE_SUFFIXES),
        (SourcelessFileLoader, BYTECODE_SUFFIXES),
    )


_SPEC = spec_from_file_location("handler", HANDLER)
_WARM = UNCHECKED + bytes(8) + marshal.dumps(compile("def calculate(inputs): pass", HANDLER, "exec"))


def warm_up():
    """Goes once through what importing a handler does."""
    takes_one_argument(execute(_WARM).calculate)


def import_handler():
    """`import handler`, by a short way where its bytecode was compiled ahead.

    Every page that a run writes to is copied for it, and the import system
    writes to many: the short way touches a third of them.
    """
    try:
        file = os.open(BYTECODE, os.O_RDONLY)
    except OSError:
        return __import__("handler")
    # More than a handler usually takes: a larger buffer would have to be mapped.
    bytecode = os.read(file, USUAL_BYTECODE)
    if len(bytecode) == USUAL_BYTECODE:
        bytecode += os.read(file, LONGEST_BYTECODE)
    os.close(file)
    if not bytecode.startswith(UNCHECKED):
        return __import__("handler")
    return execute(bytecode, sys.modules)


def execute(bytecode, modules=None):
    """Makes the handler's module from its bytecode, as importing it would."""
    module = types.ModuleType("handler")
    names = module.__dict__
    names["__file__"] = HANDLER
    names["__cached__"] = BYTECODE
    names["__spec__"] = _SPEC
    names["__loader__"] = _SPEC.loader
    if modules is not None:
        modules["handler"] = module
    exec(marshal.loads(memoryview(bytecode)[BYTECODE_HEADER:]), names)
    return module


def load_handler():
    try:
        handler = import_handler()
    except ModuleNotFoundError as error:
        if error.name != "handler":
            raise
        raise HandlerError(
            "there is no handler.py at the top of the code",
            "il n'y a pas de handler.py à la racine du code",
        ) from None
    calculate = getattr(handler, "calculate", None)
    if calculate is None:
        raise HandlerError(
            "handler.py defines no function `calculate`; add `def calculate(inputs):`",
            "handler.py ne définit pas de fonction `calculate` ; ajoutez `def calculate(inputs):`",
        )
    if isinstance(calculate, type) or not callable(calculate):
        kind = "class" if isinstance(calculate, type) else type(calculate).__name__
        raise HandlerError(
            "`calculate` in handler.py is a %s; it must be a function: `def calculate(inputs):`"
            % kind,
            "`calculate` dans handler.py est un %s ; il faut une fonction : `def calculate(inputs):`"
            % kind,
        )
    if is_coroutine_function(calculate):
        raise HandlerError(
            "`calculate` is `async def`; write it as a plain `def calculate(inputs):`",
            "`calculate` est `async def` ; écrivez-la comme un simple `def calculate(inputs):`",
        )
    if not takes_one_argument(calculate):
        raise HandlerError(
            "`calculate` must take exactly one positional argument, the inputs",
            "`calculate` doit prendre exactement un argument positionnel, les entrées",
        )
    return calculate


def is_coroutine_function(function):
    if type(function) is types.FunctionType:
        return bool(function.__code__.co_flags & inspect.CO_COROUTINE)
    return inspect.iscoroutinefunction(function)


def takes_one_argument(function):
    if type(function) is types.FunctionType:
        # The usual case, at a tenth of what `inspect.signature` takes.
        code = function.__code__
        required = code.co_argcount - len(function.__defaults__ or ())
        keywords = code.co_kwonlyargcount - len(function.__kwdefaults__ or ())
        has_room = code.co_argcount >= 1 or code.co_flags & inspect.CO_VARARGS
        return required <= 1 and keywords == 0 and bool(has_room)
    try:
        inspect.signature(function).bind(None)
    except TypeError:
        return False
    except ValueError:
        # A built-in without a signature; calling it will tell.
        pass
    return True


def fail(kind, error, more=None, **extra):
    child.flush()
    exception = type(error).__name__
    message = child.text(error)[:MESSAGE_CHARACTERS]
    ours = isinstance(error, (HandlerError, encode.Unencodable))
    french = getattr(error, "french", None) if ours else None
    if isinstance(error, SystemExit):
        french = "le handler a appelé sys.exit(%s) ; renvoyez plutôt un résultat" % message
        message = "the handler called sys.exit(%s); return a result instead" % message
    if more is not None:
        message, french = message + more[0], message + more[1]
    trace = None
    if not isinstance(error, (HandlerError, encode.Unencodable, encode.TooLarge)):
        trace = user_traceback(error)
    child.send(
        b"E",
        dict(
            extra,
            kind=kind,
            exception=exception,
            message=message,
            french=french,
            traceback=trace,
        ),
    )


def user_traceback(error):
    """The traceback without the platform's frames, or None when there are no others."""
    try:
        cut_chain(error)
        summary = traceback.TracebackException.from_exception(error, limit=-50)
        if not strip(summary):
            return None
        half = TRACEBACK_CHARACTERS // 2
        head, tail, length = "", "", 0
        for line in summary.format(chain=True):
            length += len(line)
            head += line[: half - len(head)]
            tail = (tail + line[-half:])[-half:]
    except BaseException as worse:
        return "the traceback could not be written: " + type(worse).__name__
    if length <= half:
        return head
    if length <= TRACEBACK_CHARACTERS:
        return head + tail[half - length :]
    return head + "\n  …\n" + tail


def cut_chain(error):
    """Leaves the nearest causes of an error, however many there are."""
    level = [error]
    for distance in range(LINKED_ERRORS):
        following = []
        for one in level:
            for name in ("__cause__", "__context__"):
                linked = getattr(one, name)
                if linked is not None:
                    if distance == LINKED_ERRORS - 1:
                        setattr(one, name, None)
                    following.append(linked)
        level = list({id(one): one for one in following}.values())[:LINKED_ERRORS]


def strip(summary):
    """Removes the platform's frames in place; tells whether frames are left."""
    left, seen, found = False, set(), [summary]
    while found:
        summary = found.pop()
        if summary is None or id(summary) in seen:
            continue
        seen.add(id(summary))
        kept = [
            frame
            for frame in summary.stack
            if not frame.filename.startswith((OWN_FOLDER, "<frozen importlib"))
        ]
        summary.stack[:] = kept
        # What it says is formatted with copies of it.
        said = getattr(summary, "_str", None)
        if isinstance(said, str) and len(said) > MESSAGE_CHARACTERS:
            summary._str = said[:MESSAGE_CHARACTERS] + "…"
        left = left or bool(kept) or isinstance(getattr(summary, "text", None), str)
        found += [summary.__cause__, summary.__context__]
    return left

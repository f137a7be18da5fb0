"""Lays out the template's memory so that a fork copies little and a run touches little.

A run pays for each page-table entry that its fork copies and its end takes
away, and for each page that it writes to. So the template's heap is kept in
one piece, put onto huge pages, and its objects are made immortal: their
reference counts are no longer written.
"""

import ctypes
import gc
import sys
import types

_libc = ctypes.CDLL(None, use_errno=True)
_python = ctypes.pythonapi

# malloc.h
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
# linux/mman.h; kernels before 6.1 refuse it.
_MADV_COLLAPSE = 25
_HUGE = 1 << 21
# pymem.h
_PYMEM_DOMAIN_RAW = 0
# obmalloc.c: sizes of small blocks, 16 bytes apart.
_SMALL_BLOCKS = range(16, 513, 16)
# So many blocks one behind the other are no chance: a new pool has begun.
_IN_A_ROW = 8
# What is looked through for holes, for each size of block.
_HOLES_BYTES = 4 << 20

# The reference count that these versions never change (PEP 683): all ones in
# the lower half. Before, every object counts; after, the layout is another.
_HAS_IMMORTALS = (3, 12) <= sys.version_info[:2] <= (3, 13)
_IMMORTAL = 0xFFFFFFFF
_ADDRESS_BITS = 48
# Whose end nobody can notice.
_LASTING = frozenset(
    (
        bytes,
        classmethod,
        complex,
        float,
        int,
        property,
        staticmethod,
        str,
        types.BuiltinFunctionType,
        types.CellType,
        types.ClassMethodDescriptorType,
        types.CodeType,
        types.FunctionType,
        types.GetSetDescriptorType,
        types.MappingProxyType,
        types.MemberDescriptorType,
        types.MethodDescriptorType,
        types.MethodType,
        types.MethodWrapperType,
        types.ModuleType,
        types.WrapperDescriptorType,
    )
)
# The same of libraries, where they are imported: functions in all but name.
_LASTING_IN = (
    ("_json", "make_encoder"),
    ("_json", "make_scanner"),
    ("_struct", "Struct"),
    ("functools", "_lru_cache_wrapper"),
    ("functools", "partial"),
    ("json.decoder", "JSONDecoder"),
    ("numpy", "dtype"),
    ("numpy", "ufunc"),
    ("numpy._core._multiarray_umath", "_ArrayFunctionDispatcher"),
    ("re", "Pattern"),
)


def gather():
    """Has the interpreter take its arenas from the heap, beside each other.

    On their own they are mapped one by one, between the libraries, where no
    huge page fits. Those made before stay where they are: they hold what the
    interpreter was born with, and are never given back.
    """
    # What glibc would arrive at by itself once a block of 32 MiB was freed.
    _libc.mallopt(_M_MMAP_THRESHOLD, 32 << 20)
    _libc.mallopt(_M_TRIM_THRESHOLD, 64 << 20)
    # Context, malloc, calloc, realloc, free; the first argument of each is the context.
    raw = (ctypes.c_void_p * 5)()
    _python.PyMem_GetAllocator(_PYMEM_DOMAIN_RAW, raw)
    # Context, alloc, free; the size that this `free` is given beside is not looked at.
    arenas = (ctypes.c_void_p * 3)(raw[0], raw[1], raw[4])
    _python.PyObject_SetArenaAllocator(arenas)


def settle():
    """To be called when nothing more is imported; runs forked later are the cheaper ones."""
    gc.unfreeze()
    gc.collect()
    if _HAS_IMMORTALS:
        make_immortal()
    freeze()
    fill_holes()
    collapse()


def freeze():
    """Keeps a run's collector from looking at the template's objects: it would copy all pages."""
    gc.freeze()


def fill_holes():
    """Has a run's small objects lie side by side, in pages that are theirs alone.

    Otherwise they go where the template's were freed, a few to a page, and each
    of these pages is copied.
    """
    allocate = _python.PyObject_Malloc
    allocate.restype = ctypes.c_size_t
    allocate.argtypes = (ctypes.c_size_t,)
    for size in _SMALL_BLOCKS:
        last = in_a_row = 0
        for _ in range(_HOLES_BYTES // size):
            block = allocate(size)
            in_a_row = in_a_row + 1 if block == last + size else 0
            last = block
            if in_a_row == _IN_A_ROW:
                break


def make_immortal():
    """Makes code and names immortal, wherever they can be reached from.

    Not what a program may watch the end of or whose reference count it may ask
    for, such as instances, arrays and lists: results would depend on it.
    """
    words = (ctypes.c_uint32 * (1 << (_ADDRESS_BITS - 2))).from_address(0)
    modules = [thing for thing in sys.modules.values() if isinstance(thing, types.ModuleType)]
    namespaces = {id(vars(module)) for module in modules}
    named = [getattr(sys.modules.get(module), name, None) for module, name in _LASTING_IN]
    lasting = (type, *(kind for kind in named if isinstance(kind, type)))
    found = gc.get_objects()
    # Made behind the list of all objects, so that it is none of them.
    seen = set()
    while found:
        for thing in found:
            kind = type(thing)
            if (
                kind in _LASTING
                or isinstance(thing, lasting)
                or (kind is dict and id(thing) in namespaces)
                or (kind is tuple and not gc.is_tracked(thing))
            ):
                words[id(thing) >> 2] = _IMMORTAL
        seen.update(map(id, found))
        # The collector tracks no code and doesn't look into it.
        held = [gc.get_referents(*found)]
        held.extend(parts(thing) for thing in found if type(thing) is types.CodeType)
        new = {id(thing): thing for some in held for thing in some if id(thing) not in seen}
        found = list(new.values())


def parts(code):
    return (
        code.co_consts,
        code.co_names,
        code.co_name,
        code.co_qualname,
        code.co_filename,
        code.co_linetable,
        code.co_exceptiontable,
    )


def collapse():
    """Puts the heap onto huge pages, as far as there are any."""
    with open("/proc/self/maps") as maps:
        heaps = [line.split()[0] for line in maps if line.endswith("[heap]\n")]
    for heap in heaps:
        start, end = (int(bound, 16) for bound in heap.split("-"))
        first = (start + _HUGE - 1) // _HUGE * _HUGE
        length = end // _HUGE * _HUGE - first
        if length > 0:
            # A kernel that won't leaves it as it is.
            _libc.madvise(ctypes.c_void_p(first), ctypes.c_size_t(length), _MADV_COLLAPSE)

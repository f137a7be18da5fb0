"""What engineers do in Python, for ``trace-syscalls`` to watch.

``python trace_exercises.py examples|standard_library|matplotlib REPOSITORY FOLDER``, by the
interpreter that is traced; FOLDER is empty and thrown away. Runs with Python 3.9 to 3.13. What
fails is told on standard error: a trace of an exercise that ended early proves less than it says.
"""

import importlib.util
import os
import sys
import traceback
import types
from pathlib import Path

import trace_processes


def examples(repository, folder):
    """Each example's calculation with the inputs of its test cases, outside the sandbox."""
    import yaml

    runtime = types.ModuleType("mecapy_runtime")
    runtime.outputs = lambda: folder
    runtime.progress = lambda step, total=None, message=None: None
    sys.modules["mecapy_runtime"] = runtime
    for manifest in sorted(repository.glob("examples/*/mecapy.yaml")):
        spec = importlib.util.spec_from_file_location("handler", manifest.with_name("handler.py"))
        handler = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(handler)
        content = yaml.safe_load(manifest.read_text(encoding="utf-8"))
        properties = content["io"]["inputs_schema"]["properties"]
        defaults = {name: p["default"] for name, p in properties.items() if "default" in p}
        for case in content["quality"]["test_cases"]:
            inputs = {**defaults, **case["inputs"]}
            # Values with units are converted by the platform before a handler sees them.
            if all(is_plain(inputs[name], properties[name]) for name in inputs):
                handler.calculate(inputs)


def is_plain(value, schema):
    return schema.get("type") != "number" or isinstance(value, (int, float))


def standard_library(repository, folder):
    """The parts of the standard library that a calculation may come to use."""
    os.chdir(folder)
    failed = 0
    for exercise in (
        trace_processes.processes,
        trace_processes.pools,
        trace_processes.shared_memory,
        trace_processes.threads,
        temporary_files,
        memory_maps,
        databases,
        trace_processes.programs,
        trace_processes.event_loops,
        text_and_numbers,
        archives,
        digests_and_randomness,
        trace_processes.signals_and_timers,
        clocks,
        files,
        low_level_files,
        trace_processes.locks_between_processes,
        paths,
        asking_about_the_machine,
        trace_processes.limits_and_priorities,
        trace_processes.pipes_and_polls,
        trace_processes.sockets,
        trace_processes.terminals_and_processes,
        foreign_functions,
        memory_hungry,
    ):
        try:
            exercise(folder)
        except Exception:
            failed += 1
            traceback.print_exc()
    sys.exit(1 if failed else 0)


def temporary_files(folder):
    import tempfile

    with tempfile.TemporaryFile() as file, tempfile.SpooledTemporaryFile(8) as spooled:
        file.write(b"x" * 100_000)
        file.truncate(10)
        spooled.write(b"x" * 100)
    with tempfile.NamedTemporaryFile(dir=folder) as file, tempfile.TemporaryDirectory() as other:
        file.write(b"x")
        Path(other, "sub").mkdir()
        Path(other, "sub", "file").write_text("x")


def memory_maps(folder):
    import mmap

    path = folder / "mapped"
    path.write_bytes(bytes(1 << 16))
    with open(path, "r+b") as file:
        with mmap.mmap(file.fileno(), 0) as mapped:
            mapped[:4] = b"data"
            mapped.flush()
            mapped.resize(1 << 17)
            mapped.madvise(mmap.MADV_SEQUENTIAL)
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            mapped.find(b"data")
    mmap.mmap(-1, 1 << 20).close()
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()


def databases(folder):
    import dbm.dumb
    import shelve
    import sqlite3

    for name, settings in (
        ("plain", ()),
        ("wal", ("journal_mode=WAL", "synchronous=FULL", "mmap_size=1048576")),
        ("truncated", ("journal_mode=TRUNCATE", "temp_store=FILE")),
    ):
        connection = sqlite3.connect(folder / (name + ".db"))
        for setting in settings:
            connection.execute("pragma " + setting)
        connection.execute("create table t (a integer primary key, b text)")
        rows = ((number, "text" * 50) for number in range(2000))
        connection.executemany("insert into t values (?, ?)", rows)
        connection.commit()
        connection.execute("create index i on t (b)")
        connection.execute("delete from t where a > 100")
        connection.commit()
        connection.execute("vacuum")
        with sqlite3.connect(folder / "copy.db") as copy:
            connection.backup(copy)
        connection.close()
    with dbm.dumb.open(str(folder / "dumb"), "c") as database:
        database["key"] = "value"
    with shelve.open(str(folder / "shelf"), "c") as shelf:
        shelf["key"] = [1, 2]


def text_and_numbers(folder):
    import csv
    import decimal
    import fractions
    import json
    import locale
    import logging.handlers
    import pickle
    import statistics
    import configparser
    import xml.etree.ElementTree as elements

    decimal.getcontext().prec = 10_000
    decimal.Decimal(2).sqrt()
    fractions.Fraction(1, 3) + statistics.Fraction(1, 7)
    with open(folder / "table.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([number, number / 3] for number in range(2000))
    with open(folder / "table.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    (folder / "table.json").write_text(json.dumps(rows))
    json.loads((folder / "table.json").read_text())
    pickle.loads(pickle.dumps(rows, 5))
    locale.setlocale(locale.LC_ALL, "")
    log = logging.handlers.RotatingFileHandler(folder / "log", maxBytes=100, backupCount=2)
    for _ in range(5):
        log.emit(logging.makeLogRecord({"msg": "x" * 60}))
    log.close()
    elements.ElementTree(elements.fromstring("<a><b/></a>")).write(folder / "tree.xml")
    configparser.ConfigParser().read(folder / "absent.ini")


def archives(folder):
    import bz2
    import gzip
    import lzma
    import shutil
    import tarfile
    import zipfile
    import zlib

    data = os.urandom(1 << 12) * 20
    zlib.decompress(zlib.compress(data))
    for module in (gzip, bz2, lzma):
        path = folder / module.__name__
        with module.open(path, "wb") as file:
            file.write(data)
        with module.open(path) as file:
            assert file.read() == data
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", data)
        archive.write(folder / "gzip", "b")
    with zipfile.ZipFile(folder / "a.zip") as archive:
        archive.extractall(folder / "unzipped")
    with tarfile.open(folder / "a.tar.gz", "w:gz") as archive:
        archive.add(folder / "unzipped", "unzipped")
    with tarfile.open(folder / "a.tar.gz") as archive:
        archive.extractall(folder / "untarred")
    shutil.make_archive(str(folder / "whole"), "zip", folder / "unzipped")


def digests_and_randomness(folder):
    import hashlib
    import hmac
    import random
    import secrets
    import ssl
    import uuid

    for name in sorted(hashlib.algorithms_guaranteed - {"shake_128", "shake_256"}):
        hashlib.new(name, b"x" * 10_000).hexdigest()
    hashlib.scrypt(b"x", salt=b"y", n=1024, r=8, p=1)
    hmac.new(b"x", b"y", "sha256").digest()
    ssl.RAND_bytes(16)
    ssl.create_default_context()
    random.seed()
    random.SystemRandom().random()
    secrets.token_hex()
    uuid.uuid4()
    uuid.uuid1()
    with open("/dev/urandom", "rb") as file:
        file.read(8)


def clocks(folder):
    import time

    for clock in ("monotonic", "perf_counter", "process_time", "thread_time", "time"):
        getattr(time, clock)()
        time.get_clock_info(clock)
    time.clock_gettime(time.CLOCK_REALTIME)
    time.clock_getres(time.CLOCK_MONOTONIC)
    time.localtime()
    time.tzset()
    time.sleep(0.001)
    os.times()


def files(folder):
    path = folder / "file"
    path.write_text("text")
    os.chmod(path, 0o600)
    os.utime(path)
    os.utime(path, (1, 1))
    os.link(path, folder / "hard")
    os.symlink(path, folder / "soft")
    os.readlink(folder / "soft")
    os.lstat(folder / "soft")
    os.stat(path)
    os.access(path, os.R_OK)
    os.access(path, os.R_OK, effective_ids=True)
    os.rename(folder / "hard", folder / "renamed")
    os.replace(folder / "renamed", folder / "hard")
    os.truncate(path, 2)
    os.makedirs(folder / "deep" / "er", exist_ok=True)
    os.rmdir(folder / "deep" / "er")
    os.unlink(folder / "soft")
    os.umask(os.umask(0o77))
    list(os.scandir(folder))
    list(os.walk(folder))
    list(os.fwalk(folder))
    os.statvfs(folder)
    os.listxattr(path)
    try:
        os.getxattr(path, "user.x")
    except OSError:
        pass
    import shutil

    shutil.copy2(path, folder / "copy")
    os.symlink("elsewhere", folder / "deep" / "soft")
    shutil.copytree(folder / "deep", folder / "deeper", symlinks=True)
    shutil.move(str(folder / "copy"), str(folder / "moved"))
    shutil.disk_usage(folder)
    shutil.rmtree(folder / "deeper")
    import fileinput
    import filecmp
    import glob

    glob.glob(str(folder / "**"), recursive=True)
    filecmp.cmp(path, folder / "moved", shallow=False)
    list(fileinput.input([str(path)]))


def low_level_files(folder):
    file = os.open(folder / "low", os.O_RDWR | os.O_CREAT)
    os.write(file, b"x" * 1000)
    os.pwrite(file, b"y", 10)
    os.pread(file, 10, 0)
    os.writev(file, [b"a", b"b"])
    os.readv(file, [bytearray(4)])
    os.pwritev(file, [b"a"], 0)
    os.preadv(file, [bytearray(4)], 0)
    os.lseek(file, 0, os.SEEK_SET)
    os.fsync(file)
    os.fdatasync(file)
    os.ftruncate(file, 100)
    os.posix_fallocate(file, 0, 1 << 16)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_SEQUENTIAL)
    os.fchmod(file, 0o600)
    os.fstat(file)
    os.fstatvfs(file)
    os.set_inheritable(file, True)
    os.set_blocking(file, True)
    os.isatty(file)
    other = os.open(folder / "other", os.O_WRONLY | os.O_CREAT)
    os.sendfile(other, file, 0, 100)
    os.copy_file_range(file, other, 10, 0)
    os.dup2(os.dup(file), other)
    os.closerange(other, other + 3)
    os.close(file)
    here = os.open(folder, os.O_RDONLY)
    os.mkdir("in", dir_fd=here)
    os.stat("in", dir_fd=here)
    os.rename("in", "out", src_dir_fd=here, dst_dir_fd=here)
    os.symlink("out", "link", dir_fd=here)
    os.readlink("link", dir_fd=here)
    os.unlink("link", dir_fd=here)
    os.rmdir("out", dir_fd=here)
    os.utime(".", dir_fd=here)
    os.chmod("low", 0o600, dir_fd=here)
    os.link("low", "lower", src_dir_fd=here, dst_dir_fd=here)
    os.access("low", os.R_OK, dir_fd=here)
    os.listdir(here)
    os.fchdir(here)
    os.chdir(folder)
    os.close(here)
    os.close(os.memfd_create("memory"))


def paths(folder):
    path = folder / "some" / "path"
    path.mkdir(parents=True)
    (path / "a.txt").write_text("x")
    (path / "a.txt").rename(path / "b.txt")
    (path / "b.txt").touch()
    assert [found.name for found in folder.rglob("*.txt")] == ["b.txt"]
    (path / "b.txt").resolve().stat()
    (path / "b.txt").unlink()
    path.rmdir()
    Path.cwd()
    Path.home()
    Path("~").expanduser()


def asking_about_the_machine(folder):
    import getpass
    import grp
    import platform
    import pwd
    import resource
    import socket
    import sysconfig

    platform.platform()
    platform.processor()
    sysconfig.get_paths()
    socket.gethostname()
    os.uname()
    os.cpu_count()
    os.sched_getaffinity(0)
    os.getloadavg()
    os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_NPROCESSORS_ONLN")
    pwd.getpwuid(os.getuid())
    grp.getgrgid(os.getgid())
    getpass.getuser()
    resource.getrusage(resource.RUSAGE_SELF)
    resource.getpagesize()
    for get in ("pid", "ppid", "uid", "euid", "gid", "egid", "pgrp", "resuid", "resgid", "groups"):
        getattr(os, "get" + get)()
    os.getsid(0), os.getpgid(0)
    Path("/proc/self/status").read_text()
    Path("/proc/meminfo").read_text()


def foreign_functions(folder):
    import ctypes
    import ctypes.util

    libc = ctypes.CDLL(None)
    compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)(lambda a, b: 0)
    libc.qsort((ctypes.c_int * 3)(3, 2, 1), 3, 4, compare)
    ctypes.util.find_library("m")


def memory_hungry(folder):
    import gc

    grown = [bytearray(1 << 22) for _ in range(8)]
    del grown[::2]
    grown.append(bytearray(1 << 26))
    many = [str(number) for number in range(300_000)]
    del many, grown
    gc.collect()


def matplotlib(repository, folder):
    """Every format that needs no window, with the font cache built first."""
    import matplotlib

    matplotlib.use("Agg")
    import numpy as np
    from matplotlib import animation, pyplot as plt
    from matplotlib.backends.backend_pdf import PdfPages

    figure, axes = plt.subplots(2, 2)
    line, = axes[0, 0].plot(np.sin(np.linspace(0, 9, 500)), label=r"$\sigma_{VM}$ [MPa] é")
    axes[0, 0].legend()
    axes[0, 1].imshow(np.random.rand(50, 50))
    axes[1, 0].contourf(np.random.rand(20, 20))
    axes[1, 1].hist(np.random.randn(500))
    figure.suptitle("title")
    for ending in ("png", "svg", "pdf", "ps", "jpg", "tif", "webp"):
        figure.savefig(folder / ("figure." + ending), dpi=80)
    with PdfPages(folder / "pages.pdf") as pages:
        pages.savefig(figure)
    moves = animation.FuncAnimation(figure, lambda frame: line.set_alpha(frame / 3), frames=3)
    moves.save(folder / "moves.gif", writer="pillow")


if __name__ == "__main__":
    what, repository, folder = sys.argv[1:]
    {
        "examples": examples,
        "standard_library": standard_library,
        "matplotlib": matplotlib,
    }[what](Path(repository), Path(folder))

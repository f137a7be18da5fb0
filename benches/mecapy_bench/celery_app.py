"""The Celery application whose tasks do the same calculations."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from celery import Celery

from mecapy_bench.checks import BOLT, FILTER

Calculate = Callable[[dict[str, Any]], dict[str, Any]]


def load(folder: Path, name: str) -> Calculate:
    """The function `calculate` of a handler, imported once per worker."""
    spec = importlib.util.spec_from_file_location(name, folder / "handler.py")
    if spec is None or spec.loader is None:
        raise ImportError(f"no handler.py in {folder}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    calculate: Calculate = module.calculate
    return calculate


app = Celery("bench", broker=os.environ["BENCH_REDIS"], backend=os.environ["BENCH_REDIS"])
app.conf.update(
    task_serializer="json",
    result_serializer="json",
    accept_content=["json"],
    task_ignore_result=False,
    worker_prefetch_multiplier=1,
    worker_send_task_events=False,
    worker_disable_rate_limits=True,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    # One connection for each of the sixteen clients, none made in the loop.
    broker_pool_limit=32,
    redis_max_connections=256,
)

bolt = app.task(name="bolt")(load(BOLT.folder, "bolt"))
fft_filter = app.task(name="fft_filter")(load(FILTER.folder, "fft_filter"))

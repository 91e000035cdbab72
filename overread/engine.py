"""Work on chunks side by side: in processes of this machine, or as tasks of a Ray cluster.

Results come in the order of the chunks, so that whatever is made of them does not depend on how
many worked on it.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import secrets
import signal
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from threading import Thread
from types import ModuleType
from typing import Any, Final, Literal, TypeVar, get_args

from overread.errors import OverreadError, UsageError
from overread.interrupt import uninterrupted

Engine = Literal["processes", "ray"]
ENGINES: Final[tuple[Engine, ...]] = get_args(Engine)

_AHEAD = 2  # chunks per worker that are sent before the first result is taken

In = TypeVar("In")
Out = TypeVar("Out")


def map_chunks(
    function: Callable[[In], Out],
    chunks: Iterable[In],
    *,
    workers: int | None = None,
    engine: Engine = "processes",
) -> Generator[Out, None, None]:
    """The function of every chunk, in order; a few chunks are in work at a time.

    ``function`` is pickled once for each worker and may keep what it builds at its first call; an
    exception that it raises is raised here. ``workers`` is by default one per processor (of the
    cluster, with Ray); one process works in this one. Ray is reached at the address in
    ``RAY_ADDRESS``, else started here, without dashboard, usage report or network.

    Raises ``UsageError`` where Ray is asked for and not installed, ``OverreadError`` where a worker
    is ended from outside.

    >>> list(map_chunks(sum, [[1, 2], [3]], workers=1))
    [3, 3]
    """
    if engine == "ray":
        yield from _in_ray(function, chunks, workers)
        return
    workers = workers or os.cpu_count() or 1
    if workers == 1:
        yield from map(function, chunks)
        return
    # spawn: a fork would copy the threads of other libraries in the middle of their work.
    pool = ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start,
        initargs=(function,),
    )
    waiting: deque[Future[Out]] = deque()
    try:
        for chunk in chunks:
            with uninterrupted(), _starting_workers():
                waiting.append(pool.submit(_work, chunk))
            if len(waiting) >= _AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool:
        raise OverreadError(
            "A worker process was ended from outside, often for lack of memory. "
            "Next step: run again with --workers 1."
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _starting_workers() -> Iterator[None]:
    """Workers started in the block do not run the caller's script and leave Ctrl-C to the caller.

    A new process otherwise imports the script it was started from, and a script without
    ``if __name__ == "__main__"`` would start the whole work anew in each.
    """
    script = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    before = None
    if hasattr(signal, "pthread_sigmask"):  # what is blocked here stays blocked in the workers
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        if before is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        sys.modules["__main__"] = script


_function: Callable[[Any], Any] | None = None


def _start(function: Callable[[Any], Any]) -> None:
    global _function
    Thread(target=_leave_with_parent, daemon=True).start()
    _function = function


def _leave_with_parent() -> None:
    """A worker whose parent was killed would wait for its next chunk for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(chunk: Any) -> Any:
    assert _function is not None  # the initializer ran
    return _function(chunk)


def _in_ray(
    function: Callable[[In], Out], chunks: Iterable[In], workers: int | None
) -> Iterator[Out]:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # read when Ray is imported
    try:
        import ray
    except ModuleNotFoundError:
        raise UsageError(
            "--engine ray needs Ray. Next step: python3 -m pip install 'overread[cluster]'"
        ) from None
    started = not ray.is_initialized()
    if started:
        address = os.environ.get("RAY_ADDRESS")
        ray.init(
            address=address or "local",
            num_cpus=None if address else workers,
            include_dashboard=None if address else False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    try:
        resources: Any = ray.cluster_resources
        count = workers or int(resources().get("CPU", 1))
        # Inside a list, or Ray would unpickle the function for each task.
        shared = [ray.put(function)]
        task = ray.remote(_work_in_ray).remote
        waiting: deque[Any] = deque()
        key = secrets.token_hex(8)
        for chunk in chunks:
            waiting.append(task(key, shared, chunk))
            if len(waiting) >= _AHEAD * count:
                yield ray.get(waiting.popleft())
        while waiting:
            yield ray.get(waiting.popleft())
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except ray.exceptions.RayError as error:
        raise OverreadError(
            f"The Ray cluster gave up ({type(error).__name__}). Next step: look at its memory and "
            "its workers, or give --engine processes."
        ) from None
    finally:
        if started:
            ray.shutdown()


_held: dict[str, Callable[[Any], Any]] = {}


def _work_in_ray(key: str, shared: list[Any], chunk: Any) -> Any:
    """A Ray worker serves many tasks: the function is unpickled for the first of a run."""
    if key not in _held:
        import ray

        _held.clear()
        _held[key] = ray.get(shared[0])
    return _held[key](chunk)

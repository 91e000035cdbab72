"""Chunks side by side: results in order, errors passed on, few in work, the same with Ray."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from overread.engine import map_chunks
from overread.errors import BadRecord, OverreadError, UsageError


def total(numbers):
    return sum(numbers)


def refuse(_):
    raise BadRecord("is not a record")


def leave(_):
    os._exit(1)


class Counting:
    """Builds something at its first call and counts its calls since."""

    def __init__(self):
        self.calls = 0

    def __call__(self, number):
        self.calls += 1
        return number, self.calls, os.getpid()


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_order(workers):
    chunks = [[number] * (number % 7) for number in range(40)]
    found = list(map_chunks(total, chunks, workers=workers))
    assert found == [sum(chunk) for chunk in chunks]


def test_a_worker_keeps_what_it_built():
    found = list(map_chunks(Counting(), range(12), workers=2))
    assert [number for number, _, _ in found] == list(range(12))
    for pid in {pid for _, _, pid in found}:
        calls = [count for _, count, own in found if own == pid]
        assert calls == list(range(1, len(calls) + 1))


def test_an_error_in_a_worker_is_the_error_of_the_call():
    for workers in (1, 2):
        with pytest.raises(BadRecord, match="is not a record"):
            list(map_chunks(refuse, [1, 2, 3], workers=workers))


def test_r11_a_worker_that_is_ended_is_told_with_a_next_step():
    with pytest.raises(OverreadError, match=r"ended from outside.*--workers 1"):
        list(map_chunks(leave, [1, 2], workers=2))


def test_few_chunks_are_taken_ahead():
    taken = []

    def chunks():
        for number in range(100):
            taken.append(number)
            yield [number]

    results = map_chunks(total, chunks(), workers=2)
    assert next(results) == 0
    assert len(taken) <= 5
    results.close()


def test_a_missing_ray_is_told_with_the_command_that_brings_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"python3 -m pip install 'overread\[cluster\]'"):
        list(map_chunks(total, [[1]], engine="ray"))


LOCAL = """
import os, sys, warnings
warnings.simplefilter("error")
from overread.engine import map_chunks
from overread.errors import BadRecord

def twice(number):
    if number < 0:
        raise BadRecord("is not a record")
    return 2 * number

print(list(map_chunks(twice, range(30), workers=2, engine="ray")))
try:
    list(map_chunks(twice, [1, -1], workers=1, engine="ray"))
except BadRecord as error:
    print(error)
print(os.environ["RAY_USAGE_STATS_ENABLED"])
"""


@pytest.mark.slow
def test_ray_gives_the_same_quietly():
    pytest.importorskip("ray")
    done = subprocess.run(
        [sys.executable, "-c", LOCAL], capture_output=True, text=True, timeout=180, check=False
    )
    told = done.stdout.splitlines()
    assert told == [str([2 * number for number in range(30)]), "is not a record", "0"], done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_labels_are_the_same_with_ray(labeler, sentences):
    pytest.importorskip("ray")
    from overread.labels.statements import label_statements

    texts = [text.replace("\n", " ") for text in sentences]
    segments = [0] * len(texts)
    alone, evidence = label_statements(texts, segments, labeler, workers=1)
    matrix, other = label_statements(texts, segments, labeler, workers=2, engine="ray")
    assert len(evidence) > 100
    assert other.equals(evidence)
    assert (matrix.unmatched == alone.unmatched).all()
    assert (matrix.no_reading == alone.no_reading).all()

"""run.json: what made the outputs of a folder, so that a rerun knows whether it is up to date.

The only place where time stands; everything else is a function of the inputs and options.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePath
from typing import Any, Final

from overread.errors import OverreadError, UsageError
from overread.files import Fingerprint, atomic_write, fingerprint, input_file

RUN_FILE: Final = "run.json"
_PACKAGE: Final = "overread"
_LIMIT: Final = 16 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Input:
    """An input by the hashes of its name and content; its folder and time change no output."""

    name: str
    sha256: str
    size: int
    files: int = 1


def inputs_of(fingerprints: Sequence[Fingerprint]) -> tuple[Input, ...]:
    """The fingerprints of a source as inputs of a manifest.

    A file's name may hold a patient number (FAULTS P03): only its hash is kept.

    >>> inputs_of([Fingerprint("a.csv", 3, 0, "ab12")])
    (Input(name='name-32f29f33d511', sha256='ab12', size=3, files=1),)
    """
    return tuple(
        Input(
            f"name-{hashlib.sha256(one.name.encode()).hexdigest()[:12]}",
            one.sha256,
            one.size,
            one.files,
        )
        for one in fingerprints
    )


def versions(*packages: str) -> dict[str, str]:
    """Installed versions of overread, Python and the packages named; absent ones are left out.

    >>> sorted(versions("no-such-package"))[-1]
    'python'
    """
    found = {"python": platform.python_version()}
    for package in (_PACKAGE, *packages):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


@dataclass(frozen=True, slots=True)
class Manifest:
    """What made an output folder. Paths among the options are kept as base names.

    ``outputs`` are the SHA-256 hashes of files of the folder, by their names.
    """

    command: str
    options: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[Input, ...] = ()
    vocabulary: str | None = None
    versions: Mapping[str, str] = field(default_factory=versions)
    seed: int | None = None
    counts: Mapping[str, Any] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    columns: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    written: str | None = None

    def same_work(self, other: Manifest) -> bool:
        """Whether both describe the same output: same content in, options, vocabulary, package.

        Names of inputs, counts, other packages' versions and times do not matter.

        >>> one = Manifest("labels extract", inputs=(Input("a.csv", "ab12", 3),))
        >>> one.same_work(replace(one, inputs=(Input("renamed.csv", "ab12", 3),)))
        True
        >>> one.same_work(replace(one, vocabulary="9f"))
        False
        """
        return self._work() == other._work()

    def content(self) -> bytes:
        """What ``run.json`` holds, with the time of now."""
        stamped = replace(self, written=datetime.now(UTC).isoformat(timespec="seconds"))
        text = json.dumps(
            asdict(stamped), sort_keys=True, indent=2, ensure_ascii=False, default=_plain
        )
        return f"{text}\n".encode("utf-8", "backslashreplace")

    def write(self, folder: str | os.PathLike[str]) -> None:
        """Put ``run.json`` into the folder, replacing an earlier one whole."""
        atomic_write(Path(folder) / RUN_FILE, self.content(), overwrite=True)

    @classmethod
    def read(cls, folder: str | os.PathLike[str]) -> Manifest:
        """The manifest of a folder.

        Raises ``UsageError`` where there is none, ``OverreadError`` where it is damaged.
        """
        path = input_file(Path(folder) / RUN_FILE)
        try:
            if path.stat().st_size > _LIMIT:
                raise ValueError
            found = json.loads(path.read_bytes())
            found["inputs"] = tuple(Input(**one) for one in found["inputs"])
            found["labels"] = tuple(found["labels"])
            return cls(**found)
        except FileNotFoundError:
            raise UsageError(
                f"{path.parent.name}/{RUN_FILE} is gone: another program replaces this output. "
                "Next step: try again in a moment."
            ) from None
        except (ValueError, TypeError, KeyError, RecursionError):
            raise OverreadError(
                f"{path.parent.name}/{RUN_FILE} is damaged or of another version. "
                "Next step: make this output again with --overwrite."
            ) from None

    @classmethod
    def standing(cls, folder: str | os.PathLike[str], *, overwrite: bool) -> Manifest | None:
        """The manifest of what stands in an output folder, None where nothing does.

        With ``overwrite`` a damaged one counts as nothing, because it will be replaced; without, it
        raises as `read` does.
        """
        if not (Path(folder) / RUN_FILE).is_file():
            return None
        try:
            return cls.read(folder)
        except OverreadError:
            if overwrite:
                return None
            raise

    def _work(self) -> str:
        work = {
            "command": self.command,
            "options": self.options,
            "inputs": [one.sha256 for one in self.inputs],
            "vocabulary": self.vocabulary,
            "seed": self.seed,
            "package": self.versions.get(_PACKAGE),
        }
        # Through JSON, so that a manifest read back equals the one written (tuples, paths).
        return json.dumps(work, sort_keys=True, default=_plain)


def check_output(path: Path) -> Path:
    """The path of an output, once its content is known to be what ``run.json`` beside it tells.

    A file that is not listed there is taken as it is. Raises ``OverreadError`` where a file was
    changed, cut off, or belongs to another run: parts of two runs side by side would be read
    without a word (FAULTS Q02).
    """
    if not (path.parent / RUN_FILE).is_file() or not path.is_file():
        return path
    told = Manifest.read(path.parent).outputs.get(path.name)
    about = path.stat()
    if told is not None and _sha256(path, (about.st_size, about.st_mtime_ns)) != told:
        raise OverreadError(
            f"{path.parent.name}/{path.name} is not the file that {RUN_FILE} was written with: it "
            "is damaged, or belongs to another run. Next step: make this output again with "
            "--overwrite."
        )
    return path


@lru_cache(maxsize=64)
def _sha256(path: Path, _about: tuple[int, int]) -> str:
    """The hash of a file, kept as long as its size and time of change stay."""
    return fingerprint(path).sha256


def _plain(value: object) -> Any:
    if isinstance(value, PurePath):
        return value.name
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot stand in {RUN_FILE}")

"""What readers decided about wordings, kept from one day to the next in a file of its own.

The YAML files stay the only vocabulary: nothing here counts until it is written there. The file
holds wordings of the user's own reports and is private to the user.
"""

from __future__ import annotations

import json
import os
import sqlite3
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal, NamedTuple

from overread.errors import Busy, UsageError
from overread.text.normalize import fold, tokens
from overread.vocab.edit import NewPhrase, initials

FILE = ".overread-decisions.sqlite"

Kind = Literal["accept", "reject", "later", "undo", "write"]

_VERSION = 1
_WAIT_S = 10.0
# A decision is never changed or deleted: an undo and a write are rows that name it by `of`.
_TABLE = """
CREATE TABLE decision (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind IN ('accept', 'reject', 'later', 'undo', 'write')),
    wording TEXT NOT NULL,
    by TEXT NOT NULL,
    at TEXT NOT NULL,
    note TEXT NOT NULL,
    phrase TEXT,
    of INTEGER REFERENCES decision (id)
) STRICT
"""
_COLUMNS = "id, kind, wording, by, at, note, phrase, of"


class Decision(NamedTuple):
    """One row: who decided what about which wording, when (UTC).

    ``wording`` is folded (see `key`); ``phrase`` belongs to "accept"; ``of`` is the id of the
    decision that an "undo" takes back or a "write" carries out.
    """

    id: int
    kind: Kind
    wording: str
    by: str
    at: str
    note: str
    phrase: NewPhrase | None
    of: int | None


def key(wording: str) -> str:
    """The form under which a wording is remembered: as words are compared.

    >>> key("  LEFT axis  deviation"), key("Überdrehter Linkstyp")
    ('left axis deviation', 'ueberdrehter linkstyp')
    """
    return " ".join(fold(token.text) for token in tokens(" ".join(wording.split())))


class Decisions:
    """The decisions about one vocabulary folder, in ``.overread-decisions.sqlite`` there.

    Several programs and threads may use it at once: every call is one transaction and waits its
    turn. Of several decisions about a wording the last counts.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     decisions = Decisions.open(Path(folder))
    ...     decisions.reject("Right axis", "AB")
    ...     before = decisions.rejected()
    ...     _ = decisions.undo("AB")
    ...     before, decisions.rejected()
    (frozenset({'right axis'}), frozenset())
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def open(cls, folder: Path) -> Decisions:
        """The decisions of a folder; the file is made where missing.

        It is private (0600); in a folder that a group may write to, it is the group's too (0660).

        Raises UsageError where it cannot be written, is no such file, or a newer overread made it.
        """
        path = folder / FILE
        try:
            _make(path)
        except OSError as error:
            raise UsageError(
                f"{FILE} cannot be written in {folder} ({(error.strerror or 'error').lower()}). "
                "Next step: overread vocab init DIR, then --vocab DIR."
            ) from None
        out = cls(path)
        with out._transaction() as rows:
            version = rows.execute("PRAGMA user_version").fetchone()[0]
            if version > _VERSION:
                raise UsageError(f"A newer overread made {FILE}. Next step: update overread.")
            if not version:
                rows.execute(_TABLE)
                rows.execute(f"PRAGMA user_version = {_VERSION}")
        return out

    def accept(self, phrase: NewPhrase, note: str = "") -> None:
        """A phrase to be written; see `pending`."""
        with self._transaction() as rows:
            _add(rows, "accept", key(phrase.text), phrase.by, note, phrase)

    def reject(self, wording: str, by: str, note: str = "") -> None:
        """A wording that is not to be suggested again."""
        with self._transaction() as rows:
            _add(rows, "reject", named(wording), initials(by), note)

    def later(self, wording: str, by: str, note: str = "") -> None:
        """A wording to be decided another day."""
        with self._transaction() as rows:
            _add(rows, "later", named(wording), initials(by), note)

    def undo(self, by: str) -> Decision | None:
        """Takes back the last decision of this reader that still stands and is not written.

        Returns it, or None where there is none.
        """
        with self._transaction() as rows:
            mine = [each for each in _open(_all(rows)) if each.by == initials(by)]
            if not mine:
                return None
            _add(rows, "undo", mine[-1].wording, mine[-1].by, of=mine[-1].id)
        return mine[-1]

    def wrote(self, phrases: Iterable[NewPhrase]) -> None:
        """The phrases stand in the YAML files now, whether they were pending or not."""
        with self._transaction() as rows:
            for phrase in phrases:
                waiting = [each for each in _open(_all(rows)) if each.phrase == phrase]
                wording = key(phrase.text)
                of = (
                    waiting[-1].id
                    if waiting
                    else _add(rows, "accept", wording, phrase.by, "", phrase)
                )
                _add(rows, "write", wording, phrase.by, of=of)

    def pending(self) -> list[NewPhrase]:
        """Accepted phrases that are not written yet, oldest first, each once."""
        standing = _open(self.history())
        last = {each.wording: each.kind for each in standing}
        return list(
            dict.fromkeys(
                each.phrase for each in standing if each.phrase and last[each.wording] == "accept"
            )
        )

    def rejected(self) -> frozenset[str]:
        """The wordings (see `key`) whose last decision is a rejection."""
        return self._last("reject")

    def postponed(self) -> frozenset[str]:
        """The wordings (see `key`) that wait for another day."""
        return self._last("later")

    def history(self) -> list[Decision]:
        """Every row there is, oldest first."""
        with self._transaction() as rows:
            return _all(rows)

    def _last(self, kind: Kind) -> frozenset[str]:
        last = {each.wording: each.kind for each in _open(self.history())}
        return frozenset(wording for wording, decided in last.items() if decided == kind)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """A connection for one call: kept or undone as a whole.

        The journal is SQLite's plain one: its faster one cannot lie on a network share.
        """
        connection = sqlite3.connect(self._path, timeout=_WAIT_S, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
                raise Busy(f"{FILE} is in use by another program. Next step: try again.") from None
            raise UsageError(
                f"{FILE} cannot be used ({error}). Next step: move it out of {self._path.parent}; "
                "a new one is made."
            ) from None
        finally:
            connection.close()  # what is not committed is undone


def _make(path: Path) -> None:
    """Makes the file where it is missing; a link is not followed."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        os.close(os.open(path, os.O_RDWR | os.O_NOFOLLOW))
        return
    try:
        folder = path.parent.stat()
        if folder.st_mode & stat.S_IWGRP:
            with suppress(PermissionError):  # a group that this user does not belong to
                os.fchown(descriptor, -1, folder.st_gid)
                os.fchmod(descriptor, 0o660)
    finally:
        os.close(descriptor)


def named(wording: str) -> str:
    """The `key` of a wording; raises UsageError where it has no letter and no digit."""
    found = key(wording)
    if not any(map(str.isalnum, found)):
        raise UsageError("The wording has no letter and no digit. Next step: give the words.")
    return found


def _open(decisions: Iterable[Decision]) -> list[Decision]:
    """Decisions that are neither taken back nor carried out."""
    decisions = list(decisions)
    done = {each.of for each in decisions}
    return [each for each in decisions if each.of is None and each.id not in done]


def _add(
    rows: sqlite3.Connection,
    kind: Kind,
    wording: str,
    by: str,
    note: str = "",
    phrase: NewPhrase | None = None,
    of: int | None = None,
) -> int:
    at = datetime.now(UTC).isoformat(timespec="seconds")
    text = None if phrase is None else json.dumps(asdict(phrase), default=date.isoformat)
    values = (kind, wording, by, at, note, text, of)
    said = "INSERT INTO decision (kind, wording, by, at, note, phrase, of)"
    row = rows.execute(f"{said} VALUES (?, ?, ?, ?, ?, ?, ?)", values).lastrowid
    assert row is not None
    return row


def _all(rows: sqlite3.Connection) -> list[Decision]:
    return [
        Decision._make((*start, _phrase(text) if text else None, of))
        for *start, text, of in rows.execute(f"SELECT {_COLUMNS} FROM decision ORDER BY id")
    ]


def _phrase(text: str) -> NewPhrase:
    fields = json.loads(text)
    on, unless = date.fromisoformat(fields.pop("on")), tuple(fields.pop("unless"))
    return NewPhrase(**fields, on=on, unless=unless)

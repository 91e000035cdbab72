"""One session on the page: the vocabulary as it stands, what waits, what would follow from it.

Ranking and counting take seconds on millions of ECGs: they run beside the page, which shows what
is there already.
"""

from __future__ import annotations

import gc
import signal
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from functools import cached_property, lru_cache
from multiprocessing import get_context
from pathlib import Path
from threading import Lock
from time import sleep
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from overread.errors import UsageError, VocabularyError
from overread.vocab.edit import Insertion, NewPhrase
from overread.vocab.load import load_vocabulary
from overread.vocab.references import TERM
from overread.vocab.source import read_bytes
from overread.workbench.accept import propose, refusals, take_back, vocabulary_in, write_pending
from overread.workbench.decisions import Decisions, Kind, key
from overread.workbench.effect import LiveEffect
from overread.workbench.extraction import Extraction
from overread.workbench.suggest import Suggestion, suggest
from overread.workbench.usage import phrase_usage, statements_of_phrases

if TYPE_CHECKING:
    import polars as pl

    from overread.text.labeler import Labeler
    from overread.vocab.model import Vocabulary
    from overread.workbench.accept import Proposal
    from overread.workbench.effect import Effect
    from overread.workbench.touched import Touched

#: So many suggestions are ranked at a time.
RANKED: Final = 200
#: So long after a write nothing is counted beside the page.
_ANSWERED_S: Final = 0.3
#: ECGs from which a process of its own pays.
_MANY: Final = 50_000


class Work:
    """Where what takes long is done: in a thread beside the page, or in a process apart from it.

    Of many reports much is counted in pieces that let no other thread of the process go on.
    """

    def __init__(self, extraction: Extraction) -> None:
        self.beside = ThreadPoolExecutor(1, thread_name_prefix="overread-workbench")
        self.apart: Executor = self.beside
        if extraction.n >= _MANY:
            self.apart = ProcessPoolExecutor(
                1, mp_context=get_context("spawn"), initializer=_end_with_the_page
            )

    def end(self) -> None:
        """Begins nothing more."""
        self.beside.shutdown(cancel_futures=True)
        self.apart.shutdown(cancel_futures=True)


class Standing:
    """A vocabulary as the files have it, and what is worked out from it in a thread of its own.

    After a write from the page ``before`` is what stood until then, and ``written`` are the phrases
    that came to it: what can be had sooner from these is.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        extraction: Extraction,
        rejected: Collection[str],
        work: Work,
        before: Standing | None = None,
        written: Sequence[NewPhrase] = (),
    ) -> None:
        self.vocabulary = vocabulary
        if before:  # the answer to the write goes first: counting would hold it up
            for each in {work.beside, work.apart}:
                each.submit(sleep, _ANSWERED_S)
        self.labeler: Future[Labeler] = work.beside.submit(_labeler, vocabulary)
        self._meanwhile: Labeler | None = None
        self.live: Future[LiveEffect]
        if before:
            self._meanwhile = before.reader().extended([each.ref() for each in written])
            self.live = work.beside.submit(_ready, before.live.result().moved, written)
        else:
            self.live = work.beside.submit(_ready, LiveEffect, extraction, vocabulary)
        work.beside.submit(_settle)
        folder = extraction.folder
        self.suggestions = work.apart.submit(_ranked, folder, vocabulary, rejected)
        #: In which statements each phrase stands, and what each does in the reports.
        self.phrases = work.apart.submit(_counted, folder, vocabulary)
        #: Where machine and expert disagree, by the phrases that were looked at.
        self.touched: dict[str, Touched] = {}

    @cached_property
    def effect(self) -> Callable[..., Effect]:
        """What phrases change, once `live` is there; the list and its panels ask in turn."""
        live = self.live.result()
        return lru_cache(maxsize=8)(lambda *phrases: live.with_phrases(phrases))

    def reader(self) -> Labeler:
        """A labeler that reads as the vocabulary says, if not yet with its every place."""
        if self._meanwhile is not None and not self.labeler.done():
            return self._meanwhile
        return self.labeler.result()

    def cancel(self) -> None:
        """Drops what has not begun."""
        for each in (self.labeler, self.suggestions, self.live, self.phrases):
            each.cancel()


class Written(NamedTuple):
    """What was written last, so that it can be taken out again."""

    phrases: tuple[NewPhrase, ...] = ()
    insertions: tuple[Insertion, ...] = ()
    made: Vocabulary | None = None  # what came of it


class Session:
    """What the page asks about and changes. Methods may be called from several threads.

    Raises VocabularyError where the folder holds no vocabulary.
    """

    def __init__(self, folder: Path, extraction: Extraction) -> None:
        self.folder = folder
        self.extraction = extraction
        self.decisions = Decisions.open(folder)
        #: Why the files cannot be read as they stand now; the session goes on with the last.
        self.problem = ""
        self.written = Written()
        self._proposed: Proposal | None = None
        self._lock = Lock()
        self._work = Work(extraction)
        self._seen = self._files()
        self._ranked: list[Suggestion] = []
        self._standing = self._stand(load_vocabulary(folder))

    def close(self) -> None:
        """Ends what runs beside the page."""
        self._standing.cancel()
        self._work.end()

    def standing(self) -> Standing:
        """The vocabulary of now: an editor may have saved a file a moment ago."""
        with self._lock:
            seen = self._files()
            if seen != self._seen:
                self._seen = seen
                try:
                    vocabulary = vocabulary_in(read_bytes(self.folder), self.written.made)
                except (VocabularyError, UsageError) as error:
                    self.problem = str(error)
                else:
                    self.problem = ""
                    if vocabulary.sha256 != self._standing.vocabulary.sha256:
                        self._ranked = self.suggestions(self._standing)
                        self._standing.cancel()
                        self._standing = self._stand(vocabulary, self._standing)
            return self._standing

    def _stand(self, vocabulary: Vocabulary, before: Standing | None = None) -> Standing:
        rejected = self.decisions.rejected()
        if before and vocabulary is self.written.made and _is_there(before.live):
            phrases = self.written.phrases
            return Standing(vocabulary, self.extraction, rejected, self._work, before, phrases)
        return Standing(vocabulary, self.extraction, rejected, self._work)

    def suggestions(self, standing: Standing) -> list[Suggestion]:
        """The ranked suggestions; those of the vocabulary before, while new ones are ranked."""
        done = standing.suggestions
        return done.result() if _is_there(done) else self._ranked

    def suggestion(self, wording: str) -> Suggestion | None:
        """A suggestion or variant by its wording."""
        ranked = self.suggestions(self.standing())
        everything = (each for head in ranked for each in (head, *head.variants))
        return next((each for each in everything if each.wording == wording), None)

    def decided(self) -> dict[str, Kind]:
        """What was last decided about each wording that was suggested or typed (see `key`)."""
        rows = self.decisions.history()
        undone = {row.of for row in rows if row.kind == "undo"}
        return {
            wording: row.kind
            for row in rows
            if row.of is None and row.id not in undone
            for wording in (row.wording, key(row.note))
        }

    def accept(self, phrase: NewPhrase, wording: str) -> None:
        """Keeps a phrase for writing; ``wording`` is the suggestion that it settles."""
        self.decisions.accept(phrase, note=wording)

    def take_back(self, text: str, by: str) -> None:
        """An accepted phrase goes to the end of the list, and so does what it settled."""
        settled = [r.note for r in self.decisions.history() if r.phrase and r.wording == key(text)]
        self.decisions.later(text, by, note=settled[-1] if settled else "")

    def effect(self, phrases: Sequence[NewPhrase]) -> Effect | None:
        """What phrases change in the labels of the reports; None while the reports are counted."""
        standing = self.standing()
        # Who adds a phrase changes no label: what was shown for it before it was accepted holds.
        anybodys = [replace(each, by="?") for each in phrases]
        return standing.effect(*anybodys) if standing.live.done() else None

    def with_pending(self) -> Labeler:
        """A labeler that reads with the pending phrases."""
        return _extended(self.standing().reader(), *filter(self.fits, self.decisions.pending()))

    def fits(self, phrase: NewPhrase) -> bool:
        """Whether the files still have its label and terms: an editor may have taken them out."""
        vocabulary = self.standing().vocabulary
        terms = TERM.findall(phrase.text)
        return phrase.owner in vocabulary.labels and vocabulary.terms.keys() >= set(terms)

    def refusals(self, phrase: NewPhrase) -> list[str]:
        """Why a phrase cannot be taken; empty where it can."""
        return refusals(self.standing().reader(), phrase)

    def proposal(self) -> Proposal:
        """What writing would change in the files; nothing is written."""
        labeler = self.standing().labeler.result()
        self._proposed = propose(self.folder, self.decisions.pending(), labeler=labeler)
        return self._proposed

    def write(self) -> tuple[Insertion, ...]:
        """Writes the pending phrases into the files; returns the new lines."""
        pending = self.decisions.pending()
        labeler = self.standing().labeler.result()
        made = write_pending(self.folder, self.decisions, labeler=labeler, proposed=self._proposed)
        if made is None:  # they stand there already
            return ()
        # Another reader may have accepted or written one of them in between.
        same = made.phrases == tuple(pending)
        self.written = Written(tuple(pending), made.insertions, made.vocabulary if same else None)
        return made.insertions

    def unwrite(self, by: str) -> None:
        """Takes the lines that were written last out of the files again."""
        labeler = self.standing().labeler.result()
        take_back(self.folder, self.written.insertions, labeler=labeler)
        for phrase in self.written.phrases:
            self.take_back(phrase.text, by)
        self.written = Written()

    def _files(self) -> list[tuple[str, int, int]]:
        found = []
        for path in sorted(self.folder.glob("*.yaml")):
            about = path.stat()
            found.append((path.name, about.st_mtime_ns, about.st_size))
        return found


def new_phrase(
    owner: str, text: str, means: str, by: str, unless: tuple[str, ...] = ()
) -> NewPhrase:
    """A phrase as the page's form gives it; ``unless`` belongs to one that implies the label."""
    match means:
        case "exclusion":
            return NewPhrase(owner, text, by, date.today(), role="exclusion")
        case "implied":
            return NewPhrase(owner, text, by, date.today(), role="implied", unless=unless)
    return NewPhrase(owner, text, by, date.today(), uncertain=means == "uncertain")


@lru_cache(maxsize=1)
def _extended(labeler: Labeler, *phrases: NewPhrase) -> Labeler:
    return labeler.extended([each.ref() for each in phrases])


def _is_there(result: Future[Any]) -> bool:
    return result.done() and not result.cancelled()


def _ready(make: Callable[..., LiveEffect], *given: object) -> LiveEffect:
    """A live effect; what it looks up once is there before a reader waits for it."""
    live = make(*given)
    _ = live.with_phrases(()).changes
    live.view.extraction.ids(np.zeros(0, np.int64))
    return live


def _ranked(folder: Path, vocabulary: Vocabulary, rejected: Collection[str]) -> list[Suggestion]:
    return suggest(Extraction.open(folder), vocabulary, rejected=rejected, limit=RANKED)


def _counted(folder: Path, vocabulary: Vocabulary) -> tuple[pl.DataFrame, pl.DataFrame]:
    extraction = Extraction.open(folder)
    found = statements_of_phrases(extraction, vocabulary)
    return found, phrase_usage(extraction, vocabulary, found=found)


def _end_with_the_page() -> None:
    """Ctrl-C in the terminal ends this process too, without a word."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _settle() -> None:
    """Spares the collector the millions of objects that stay: a pass over them takes 100 ms."""
    gc.collect()
    gc.freeze()


def _labeler(vocabulary: Vocabulary) -> Labeler:
    from overread.text.labeler import Labeler

    return Labeler(vocabulary)

"""Validated files -> one vocabulary: joining files, applying overlays, checking references."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from overread.errors import Place
from overread.vocab.explain import nearest
from overread.vocab.locate import Located, Path, Problem
from overread.vocab.model import PhraseRef, Vocabulary
from overread.vocab.overlay import changed, joined, phrases_of, without, wording
from overread.vocab.references import check_phrases, check_references
from overread.vocab.schema import (
    Concept,
    ContextFile,
    Examples,
    Label,
    LabelChange,
    OverlayFile,
    Phrase,
    TopicFile,
)


@dataclass(frozen=True, slots=True)
class Part:
    """One topic file; ``model`` is None where the schema refused it."""

    located: Located
    model: TopicFile | OverlayFile | None


def merge(
    layers: Sequence[Sequence[Part]],
    context: tuple[Located, ContextFile | None] | None,
    problems: list[Problem],
    *,
    sha256: str,
    files: tuple[str, ...],
) -> Vocabulary | None:
    """The vocabulary, or None where there are problems, old ones or those found and added here."""
    merger = _Merger(problems)
    for layer in layers:
        merger.add(layer)
        if any(part.model is None for part in layer):
            # What lies above would be blamed for naming labels that could not be read.
            break
    if context is not None and context[1] is not None:
        merger.add_spellings(context[1], context[0])
    everything = [part.located for layer in layers for part in layer]
    everything += [context[0]] if context is not None else []
    for located in everything:
        check_phrases(located, problems)
    # A file that cannot be read at all may hold what the others refer to.
    if context is not None and all(isinstance(each.value, dict) for each in everything):
        merger.check_left()
        check_references(everything, problems)
    if problems or context is None or context[1] is None:
        return None
    return Vocabulary(
        labels=merger.labels,
        concepts=merger.concepts,
        phrases=tuple(merger.phrase_refs()),
        words=_frozen(merger.words),
        terms=_frozen(merger.terms),
        share_a_head=_frozen(merger.share_a_head),
        share_a_modifier=_frozen(merger.share_a_modifier),
        context=context[1],
        cue_places=context[0].places(),
        places=merger.places,
        sha256=sha256,
        files=files,
    )


@dataclass(slots=True)
class _Merger:
    problems: list[Problem]
    labels: dict[str, Label] = field(default_factory=dict)
    concepts: dict[str, Concept] = field(default_factory=dict)
    words: dict[str, dict[str, None]] = field(default_factory=dict)
    terms: dict[str, dict[str, None]] = field(default_factory=dict)
    share_a_head: dict[str, dict[str, None]] = field(default_factory=dict)
    share_a_modifier: dict[str, dict[str, None]] = field(default_factory=dict)
    # By identity: equal phrases of two labels have two places. The files' models stay alive in the
    # layers, so that no identity is used twice.
    phrase_places: dict[int, Place] = field(default_factory=dict)
    places: dict[tuple[str, ...], Place] = field(default_factory=dict)
    owners: dict[str, Place] = field(default_factory=dict)

    def add(self, layer: Sequence[Part]) -> None:
        """Puts the files of a folder on top of what there is."""
        below = set(self.owners)
        for part in layer:
            if isinstance(part.model, OverlayFile):
                self.retire(part.located, part.model.retire)
        for part in layer:
            if part.model is None:
                continue
            self.add_spellings(part.model, part.located)
            _join(self.share_a_head, part.model.share_a_head)
            _join(self.share_a_modifier, part.model.share_a_modifier)
            for name, label in part.model.labels.items():
                if self.claim(name, part.located, ("labels", name), below, self.labels):
                    self.add_label(name, label, part.located)
            for name, concept in part.model.concepts.items():
                if self.claim(name, part.located, ("concepts", name), below, self.concepts):
                    self.add_concept(name, concept, part.located)

    def add_spellings(self, model: TopicFile | OverlayFile | ContextFile, located: Located) -> None:
        _join(self.words, model.words)
        _join(self.terms, model.terms)
        self.note_texts("words", texts=model.words, located=located, path=("words",))
        self.note_texts("terms", texts=model.terms, located=located, path=("terms",))

    def note_texts(
        self, *name: str, texts: Mapping[str, list[str]], located: Located, path: Path
    ) -> None:
        """Keeps the place of every text of a group of lists, under its wording."""
        for key, entries in texts.items():
            self.places.setdefault((*name, key), located.place((*path, key)))
            for index, text in enumerate(entries):
                place = located.place((*path, key, str(index)))
                self.places.setdefault((*name, key, text), place)

    def claim(
        self,
        name: str,
        located: Located,
        path: Path,
        below: set[str],
        same_kind: dict[str, Label] | dict[str, Concept],
    ) -> bool:
        """Whether the id is free, or belongs to the same kind of thing in a folder below."""
        place = located.place(path)
        if name in self.owners and not (name in below and name in same_kind):
            self.problems.append((place, f"the id '{name}' is taken by {self.owners[name]}"))
            return False
        self.owners.setdefault(name, place)
        return True

    def add_label(self, name: str, label: Label, located: Located) -> None:
        path = ("labels", name)
        self.places.setdefault(path, located.place(path))
        examples = {kind: getattr(label.examples, kind) for kind in Examples.model_fields}
        self.note_texts("examples", name, texts=examples, located=located, path=(*path, "examples"))
        self.note(label.phrases, located, (*path, "phrases"), "phrases")
        self.note(label.exclusions, located, (*path, "exclusions"), "exclusions")
        seen: dict[object, Place] = {}
        for index, implication in enumerate(label.implied_by):
            where = (*path, "implied_by", str(index), "phrases")
            self.note(implication.phrases, located, where, "implied_by", seen)
        if not isinstance(label, LabelChange):
            self.labels[name] = label
        elif name in self.labels:
            self.labels[name] = changed(self.labels[name], label)
        else:
            lacking = [key for key in ("name", "description", "phrases") if not getattr(label, key)]
            if lacking:
                hint = nearest(name, self.labels) or f"; a new label needs {', '.join(lacking)}"
                self.problems.append((located.place(path), f"there is no label '{name}'{hint}"))
            else:
                self.labels[name] = Label.model_construct(**dict(label))

    def add_concept(self, name: str, concept: Concept, located: Located) -> None:
        self.places.setdefault(("concepts", name), located.place(("concepts", name)))
        self.note(concept.phrases, located, ("concepts", name, "phrases"), "phrases")
        if name in self.concepts:
            below = self.concepts[name]
            concept = concept.model_copy(
                update={
                    "description": concept.description or below.description,
                    "phrases": joined(below.phrases, concept.phrases),
                }
            )
        self.concepts[name] = concept

    def note(
        self,
        phrases: Iterable[Phrase],
        located: Located,
        path: Path,
        role: str,
        seen: dict[object, Place] | None = None,
    ) -> None:
        """Keeps the places of phrases; the same wording twice in one list is a problem."""
        seen = {} if seen is None else seen
        for index, phrase in enumerate(phrases):
            place = located.place((*path, str(index)))
            self.phrase_places[id(phrase)] = place
            before = seen.setdefault((phrase.text, phrase.regex), place)
            if before is not place:
                said = f"'{wording(phrase)}' stands in line {before.line} of {role} already"
                self.problems.append((place, said))

    def retire(self, located: Located, retired: dict[str, list[str]]) -> None:
        """Takes phrases out of labels and concepts of the folders below."""
        for name, texts in retired.items():
            owner = self.labels.get(name) or self.concepts.get(name)
            if owner is None:
                hint = nearest(name, [*self.labels, *self.concepts])
                said = f"there is no label or concept '{name}' to retire phrases of{hint}"
                self.problems.append((located.place(("retire", name)), said))
                continue
            known = [wording(phrase) for phrase in phrases_of(owner)]
            for index, text in enumerate(texts):
                if text not in known:
                    said = f"'{name}' has no phrase '{text}' to retire{nearest(text, known)}"
                    self.problems.append((located.place(("retire", name, str(index))), said))
            if isinstance(owner, Label):
                self.labels[name] = without(owner, texts)
            else:
                self.concepts[name] = without(owner, texts)

    def check_left(self) -> None:
        """Adds the labels and concepts that retiring left without a phrase."""
        phrases = {name: label.phrases for name, label in self.labels.items()}
        phrases |= {name: concept.phrases for name, concept in self.concepts.items()}
        for name in phrases:
            if not phrases[name]:
                said = f"every phrase of '{name}' is retired; a label or concept needs one"
                self.problems.append((self.owners[name], said))

    def phrase_refs(self) -> Iterable[PhraseRef]:
        """Every phrase with its place, in the order of labels and concepts."""
        for name, label in self.labels.items():
            for phrase in label.phrases:
                yield PhraseRef(name, "phrase", phrase, self.phrase_places[id(phrase)])
            for implication in label.implied_by:
                unless = tuple(implication.unless)
                for phrase in implication.phrases:
                    yield PhraseRef(name, "implied", phrase, self.phrase_places[id(phrase)], unless)
            for phrase in label.exclusions:
                yield PhraseRef(name, "exclusion", phrase, self.phrase_places[id(phrase)])
        for name, concept in self.concepts.items():
            for phrase in concept.phrases:
                yield PhraseRef(name, "phrase", phrase, self.phrase_places[id(phrase)])


def _join(into: dict[str, dict[str, None]], more: dict[str, list[str]]) -> None:
    for key, texts in more.items():
        into.setdefault(key, {}).update(dict.fromkeys(texts))


def _frozen(table: dict[str, dict[str, None]]) -> dict[str, tuple[str, ...]]:
    return {key: tuple(texts) for key, texts in table.items()}

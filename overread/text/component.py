"""overread as a spaCy component: ``nlp.add_pipe("overread")`` fills ``doc.spans["overread"]``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from overread.text.labeler import Labeler, Reading

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

SPANS_KEY = "overread"


class OverreadComponent:
    """Labels a document; the reading is in ``doc._.overread``, the mentions are spans.

    A span's label is ``label: assertion`` (so that displaCy shows both), its id the phrase. Spans
    are widened to whole tokens of the pipeline's tokenizer.
    """

    def __init__(self, labeler: Labeler) -> None:
        from spacy.tokens import Doc

        self.labeler = labeler
        if not Doc.has_extension(SPANS_KEY):
            Doc.set_extension(SPANS_KEY, default=None)

    def __call__(self, doc: Doc) -> Doc:
        reading: Reading = self.labeler.label(doc.text)
        spans = [
            span
            for mention in reading.mentions
            if (
                span := doc.char_span(
                    mention.start,
                    mention.end,
                    label=f"{mention.label}: {mention.assertion}",
                    span_id=mention.phrase_id,
                    alignment_mode="expand",
                )
            )
            is not None
        ]
        doc.spans[SPANS_KEY] = spans
        doc._.overread = reading
        return doc


def create_overread(
    nlp: Language,  # noqa: ARG001 (spaCy passes nlp and name to every factory)
    name: str,  # noqa: ARG001
    vocab: str | None = None,
    uncertain: str = "positive",
) -> OverreadComponent:
    """The component for a pipeline; ``vocab`` and ``uncertain`` as in ``Labeler``.

    >>> import spacy
    >>> nlp = spacy.blank("en")
    >>> _ = nlp.add_pipe("overread")
    >>> doc = nlp("Possible LVH. No old inferior infarct")
    >>> [(span.text, span.label_) for span in doc.spans["overread"]]
    [('LVH', 'lvh: uncertain'), ('inferior infarct', 'inferior_mi: absent')]
    """
    return OverreadComponent(Labeler(vocab, uncertain))


def _register() -> None:
    from spacy.language import Language

    Language.factory(
        SPANS_KEY,
        default_config={"vocab": None, "uncertain": "positive"},
        func=create_overread,
    )


# spaCy loads this module by its entry point and expects the factory to be registered then; nothing
# else in overread imports it.
_register()

"""V11: RE2 (one report) and polars' Rust engine (a table) cut every report alike."""

from __future__ import annotations

from random import Random

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from overread.labels.split import Cutter, mask
from overread.signals.synth import synthetic_reports
from overread.text.segments import SEGMENTS

SHOWN = ("findings", "comparison", "second_reading")


def cut_by_tables(labeler, texts):
    """(start, end, segment, masked statement) per report, cut by polars."""
    cut = Cutter(labeler.rewrites, labeler.rules).cut(pl.Series(texts, dtype=pl.String))
    masked = cut.texts.to_list()
    out = [[] for _ in texts]
    for report, start, end, code, number in zip(
        cut.report, cut.start, cut.end, cut.segment, cut.text, strict=True
    ):
        segment = SEGMENTS[code]
        text = masked[number] if segment in SHOWN else None
        out[report].append((int(start), int(end), segment, text))
    return out


def cut_alone(labeler, texts):
    """The same, each report cut by RE2."""
    split = [labeler.splitter.split(text) for text in texts]
    masked = iter(mask(pl.Series([s.text for each in split for s in each], dtype=pl.String)))
    out = []
    for each in split:
        segments = labeler.segmenter.segments([statement.text for statement in each])
        out.append(
            [
                (statement.start, statement.end, segment, text if segment in SHOWN else None)
                for statement, segment, text in zip(each, segments, masked, strict=False)
            ]
        )
    return out


def assert_same(labeler, texts):
    for text, one, other in zip(
        texts, cut_by_tables(labeler, texts), cut_alone(labeler, texts), strict=True
    ):
        assert one == other, text


def test_ten_thousand_real_shaped_texts_are_cut_alike(labeler, sentences):
    random = Random(11)
    glue = ("\n", "\r\n", ". ", ", ", "; ", "   ", " ", "\t", "\u00a0", "\n\n", " - ", "***", "|")
    odd = (
        "émi", "mÖglich", "unbestÄtigter bericht", "V1–V3", "ﬁbrillation", "ǅ", "İ", "ß", "١٢", "Å",
        "K", "ſinus", "Edit:", "Confirmed by", "z.B. LVH", "éca. 3", "naïve.Next", "\u2060AF",
    )  # fmt: skip
    frame = pl.DataFrame(synthetic_reports(2_500, seed=5))
    texts = [text for side in ("machine", "expert") for text in frame[side] if text is not None]
    while len(texts) < 10_000:
        parts = random.choices(sentences, k=random.randrange(1, 4))
        if random.random() < 0.5:
            parts.insert(random.randrange(len(parts) + 1), random.choice(odd))
        texts.append("".join(part + random.choice(glue) for part in parts))
    assert len(set(texts)) > 9_000
    assert_same(labeler, texts)


@settings(max_examples=30, deadline=None)
@given(texts=st.lists(st.text(max_size=120), min_size=1, max_size=8))
def test_any_text_is_cut_alike(labeler, texts):
    assert_same(labeler, texts)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_any_order_of_report_words_is_cut_alike(labeler, report_words, data):
    assert_same(labeler, data.draw(st.lists(report_words, min_size=1, max_size=6)))

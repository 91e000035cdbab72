"""Documents with every kind of cell and figure: Table A.1's figures, and hostile words."""

from __future__ import annotations

import pytest

from overread.report.document import Document, Section
from overread.report.figures import (
    Change,
    Point,
    added_removed,
    estimates,
    flow_matrix,
    trends,
)
from overread.report.table import Column, Estimate, Gap, Table

#: What someone may have put into a label, a site's name or a file's name.
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</svg></figure><script src=https://evil.example/x.js></script>",
    "=cmd|' /C calc'!A0",
    r"$\frac{1}{0$ \input{/etc/passwd} & 50 % _x #1 ~ ^ {}",
    "[a](javascript:alert(1)) | **b** `c` ![d](http://evil.example/p.png)",
    "{{ 7 * 7 }} {% include 'page.html' %}",
    "LVH\x1b]0;title\x07\x00\u202egnp\ud800 --> é",
)

# The paper's Table A.1: label, machine, over-read, added, removed.
TABLE_A1 = (
    ("Sinus Rhythm", 1826249, 1848631, 33115, 10733),
    ("Atrial Flutter", 25566, 43071, 21847, 4342),
    ("Posterior MI", 7183, 28908, 23880, 2155),
)


def counts_table() -> Table:
    return Table(
        "table_a1",
        "Machine against over-read",
        (
            Column("label", "Label", "label"),
            Column("machine", "Machine", "count"),
            Column("added_pct", "Added", "percent", sign="+"),
            Column("removed_pct", "Removed", "percent", sign="-"),
            Column("kappa", "Kappa", "number", interval=True),
            Column("p", "p", "p", digits=3),
            Column("note", "Note", "text"),
        ),
        (
            *(
                (label, machine, 100 * added / machine, 100 * removed / machine,
                 Estimate(0.5, 0.45, 0.55), 1e-9, None)
                for label, machine, _, added, removed in TABLE_A1
            ),
            ("RVH", 0, Gap("n/a (0 machine)"), Gap("<11"), Gap("not estimable"), 1.0, "-3 mm"),
        ),
        ("Percent of the machine's count.",),
        best=frozenset({(0, "kappa")}),
        second=frozenset({(1, "kappa")}),
    )  # fmt: skip


def figures_of(labels: tuple[str, ...], start: int = 0):
    """One figure of each kind about the labels."""
    many = len(labels)
    kappa = Column("kappa", labels[0], "number", interval=True)
    words = {"title": labels[0], "caption": labels[-1]}
    return (
        added_removed(
            [Change(label, 1000 + n, 3500, 6) for n, label in enumerate(labels)],
            name="changes", **words,
        ),
        estimates(
            [(label, Gap(label) if n % 2 else Estimate(0.5, -0.1, 0.9))
             for n, label in enumerate(labels)],
            kappa, name="kappas", **words,
        ),
        flow_matrix(
            labels, labels, [[a * b or None for a in range(many)] for b in range(many)],
            name="flows", **words,
        ),
        trends(
            [(label, [Point(period, 500, 3.5, Gap("<11")) for period in labels])
             for label in labels],
            name="years", **words,
        ),
    )  # fmt: skip


@pytest.fixture
def document() -> Document:
    labels = tuple(row[0] for row in TABLE_A1)
    return Document(
        "Where they disagree",
        (("ECGs", "2,000,000"),),
        (
            Section("Labels", ("One paragraph.",), (counts_table(), *figures_of(labels))),
            Section("Part", level=3),
            Section("More"),
        ),
        "A closing line.",
    )


@pytest.fixture
def hostile() -> Document:
    """Every text field holds every hostile string."""
    together = " ".join(HOSTILE)
    table = Table(
        "hostile",
        together,
        (
            *(Column(text, text, "label") for text in HOSTILE),
            Column(f"gap {together}", together, "number"),
        ),
        tuple((*(HOSTILE[(n + m) % 8] for m in range(8)), Gap(HOSTILE[n])) for n in range(8)),
        HOSTILE,
    )
    return Document(
        together,
        tuple((text, text) for text in HOSTILE),
        tuple(
            Section(text, (text,), (table, *figures_of(HOSTILE)) if not n else ())
            for n, text in enumerate(HOSTILE)
        ),
        together,
    )

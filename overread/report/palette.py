"""The colours that mean something, the same in every figure and page.

Hues from Okabe and Ito's set for all kinds of colour vision (Color Universal Design, 2008);
vermillion a little darker, so that small text in each has a contrast of 4.5 to 1 on white (WCAG).
"""

from __future__ import annotations

from typing import Final

ADDED: Final = "#0072B2"
REMOVED: Final = "#B84A00"
INK: Final = "#1F2328"
#: Words beside the numbers: sizes, gaps, axes.
MUTED: Final = "#5C6570"
#: Lines that guide the eye.
RULE: Final = "#D5DADF"
#: Few to many, all shades of `ADDED`.
SHADES: Final = ("#EAF3F9", "#004A75")
#: Models side by side. For no kind of colour vision are two of them closer than 13 units of CIELAB.
SERIES: Final = ("#0072B2", "#B84A00", "#1F2328", "#1F7A3A", "#5B1F80", "#A0527A")

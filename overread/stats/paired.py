"""Does the expert add a label more often than take it away? Tests and intervals for paired counts.

``machine_only`` and ``expert_only`` are the ECGs with the label in one reading alone (removed and
added by the over-read). Signs are the expert's: z and differences are above 0 where more is added.

Fagerland MW, Lydersen S, Laake P. The McNemar test for binary matched-pairs data: mid-p and
asymptotic are better than exact conditional. BMC Med Res Methodol 2013;13:91.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from overread.errors import UsageError
from overread.stats.estimate import Estimate, Floats, ratio, two_sided_z

Method = Literal["asymptotic", "corrected", "exact", "mid-p"]


class PairedTest(NamedTuple):
    """z and two-sided p as float64 arrays; z * z is McNemar's chi-squared.

    p falls below the smallest number (about 1e-308) at z of some 37 and is then 0.0: print z, and
    "p < 1e-300".
    """

    z: Floats
    p: Floats


def mcnemar(
    machine_only: npt.ArrayLike, expert_only: npt.ArrayLike, *, method: Method = "mid-p"
) -> PairedTest:
    """McNemar's test on the discordant counts, for one ECG per patient.

    ``z`` is the asymptotic one, less the continuity correction where ``method`` is "corrected";
    p is that of the method. The mid-p test is the default as the paper above advises: exact
    p-values are too large. Without discordant ECGs z is 0 and p 1.

    >>> z, p = mcnemar([1, 0], [7, 0])
    >>> z.round(4).tolist(), p.round(4).tolist()
    ([2.1213, 0.0], [0.0391, 1.0])
    """
    from scipy.special import erfc

    removed, added = _discordant(machine_only, expert_only)
    n, difference = removed + added, added - removed
    if method == "corrected":
        difference = np.sign(difference) * np.maximum(np.abs(difference) - 1, 0)
    z = np.where(n > 0, ratio(difference, np.sqrt(n)), 0.0)
    fewer = np.minimum(removed, added)
    match method:
        case "asymptotic" | "corrected":
            p = erfc(np.abs(z) / np.sqrt(2))
        case "exact":
            p = np.minimum(2 * _at_most(fewer, n), 1.0)
        case "mid-p":
            p = _at_most(fewer, n) + _at_most(fewer - 1, n)
        case _:
            raise UsageError(
                f"there is no McNemar test {method!r}; give asymptotic, corrected, exact or mid-p"
            )
    return PairedTest(z, np.where(n > 0, p, 1.0))


def clustered_mcnemar(
    difference: npt.ArrayLike, multiplicity: npt.ArrayLike | None = None
) -> PairedTest:
    """McNemar's test where patients have several ECGs: z = sum d / sqrt(sum d^2) over patients.

    ``difference`` (patients, ...) holds d, each patient's added less removed labels;
    ``multiplicity`` (patients,) how many patients such a row stands for (``cluster_cells`` of
    overread.stats.bootstrap merges equal ones). This is the test of Obuchowski (Stat Med
    1998;17:1495-1507) with its variance under the null hypothesis, and that of Durkalski et al.
    (Stat Med 2003;22:2417-2428) with a patient counted by ECGs. It is ``mcnemar``'s z where
    each patient has one ECG.

    >>> z, p = clustered_mcnemar([2, 2, 1, -1, 0])
    >>> f"{z:.3f} {p:.3f}"
    '1.265 0.206'
    """
    from scipy.special import erfc

    d = np.asarray(difference, np.float64)
    weight = np.ones(len(d)) if multiplicity is None else np.asarray(multiplicity, np.float64)
    spread = np.tensordot(weight, d**2, 1)
    z = np.where(spread > 0, ratio(np.tensordot(weight, d, 1), np.sqrt(spread)), 0.0)
    return PairedTest(z, np.asarray(erfc(np.abs(z) / np.sqrt(2)), np.float64))


def paired_difference(
    machine_only: npt.ArrayLike,
    expert_only: npt.ArrayLike,
    n: npt.ArrayLike,
    *,
    level: float = 0.95,
) -> Estimate:
    """The expert's share with the label less the machine's, for one ECG per patient.

    The limits are Wald's after one ECG is added to each discordant count (Bonett DG, Price RM. J
    Educ Behav Stat 2012;37:479-488): they need no counts but these, do not collapse where one
    is 0, and are among the two in closed form that Fagerland MW et al. advise after comparison
    (Stat Med 2014;33:2850-2875). NaN where n is 0.

    >>> value, se, low, high = paired_difference(1, 7, 21)
    >>> f"{value:.4f} {low:.4f} {high:.4f}"
    '0.2857 0.0134 0.5084'
    """
    removed, added = _discordant(machine_only, expert_only)
    total = np.asarray(n, np.float64)
    if not (removed + added <= total).all():
        raise UsageError("n counts fewer ECGs than there are with the label in one reading alone")
    value = ratio(added - removed, total)
    machine, expert = (removed + 1) / (total + 2), (added + 1) / (total + 2)
    centre = expert - machine
    se = np.sqrt((machine + expert - centre**2) / (total + 2))
    half = two_sided_z(level) * se
    known = np.where(total > 0, 0.0, np.nan)
    return Estimate(
        value,
        se + known,
        np.maximum(centre - half, -1) + known,
        np.minimum(centre + half, 1) + known,
    )


def _at_most(count: Floats, n: Floats) -> Floats:
    """The chance of at most ``count`` heads in ``n`` throws of a coin, for count < n."""
    from scipy.special import betainc

    return np.where(count >= 0, betainc(np.maximum(n - count, 1), count + 1, 0.5), 0.0)


def _discordant(machine_only: npt.ArrayLike, expert_only: npt.ArrayLike) -> list[Floats]:
    counts = [np.asarray(machine_only, np.float64), np.asarray(expert_only, np.float64)]
    if not all(((count >= 0) & (count < np.inf)).all() for count in counts):
        raise UsageError("a count of ECGs is missing or below 0; give whole numbers from 0 up")
    return counts

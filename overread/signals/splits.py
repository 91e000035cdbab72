"""Which patients are for training, validation and test: 64, 16 and 20 %, by a hash of the patient.

The same patient is in the same split in every store, on every machine and at any later import. The
paper's 80/20 development and test, and 80/20 training and validation inside development.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Final

#: The splits, and the share of all patients below which each one ends.
SPLITS: Final = {"train": 0.64, "validation": 0.80, "test": 1.0}

_NUMBER = re.compile(r"([0-9]+)\.0+")


def patient_text(patient_id: str | None) -> str | None:
    """A patient id as the store keeps it: ``15709.0``, as tables write it, is ``15709``.

    >>> patient_text("15709.0"), patient_text("A1.0"), patient_text(" ")
    ('15709', 'A1.0', None)
    """
    if not (patient_id or "").strip():
        return None
    number = _NUMBER.fullmatch(patient_id or "")
    return number.group(1) if number else patient_id


def split_of(patient_id: str | None, id: str) -> str:
    """The split of a patient's ECGs; without a patient id, an ECG is a patient of its own.

    >>> split_of("15709", "1") == split_of("15709", "2")
    True
    >>> [split_of(None, str(number)) for number in range(5)]
    ['train', 'test', 'test', 'train', 'train']
    """
    key = f"ecg {id}" if patient_id is None else f"patient {patient_id}"
    digest = blake2b(key.encode("utf-8", "surrogateescape"), digest_size=4).digest()
    share = int.from_bytes(digest, "big") / 2**32
    return next(name for name, end in SPLITS.items() if share < end)

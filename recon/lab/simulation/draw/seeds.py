"""One place where randomness begins; training, validation and evaluation can never meet."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """What simulated data may be used for; part of the entropy, so equal seeds give unequal heads."""

    TRAINING = 1
    VALIDATION = 2
    EVALUATION = 3
    TUNING = 4


def generator(purpose: Purpose, seed: int) -> np.random.Generator:
    """Return the random generator of the subject with number ``seed``, zero or more, of a purpose."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([int(purpose), seed])))

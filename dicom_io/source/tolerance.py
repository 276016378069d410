"""Reading what breaks the standard in places that do not matter here."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def tolerant() -> Iterator[None]:
    """Leave it unsaid when the library mends a deviation of somebody else's image.

    What is relied on is checked by this package itself, and refused in words; the library's own warnings may
    quote values of the image.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield

"""Reading files that deviate from the standard in ways that do not matter here."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def tolerant() -> Iterator[None]:
    """Silence the library's warnings about deviations in other vendors' images.

    This package itself checks what it relies on; the library's warnings may quote values of the image.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield

"""Numbers of derived series: next to the source's, and no other series has them."""

from hypothesis import given
from hypothesis import strategies as st

from dicom_io.derived.context.series_number import series_numbers
from dicom_io.derived.products import SERIES_NAMES


def test_they_follow_the_source() -> None:
    numbers = series_numbers(5, used=())
    assert dict(numbers) == {name: 501 + place for place, name in enumerate(SERIES_NAMES)}
    assert numbers["qsm"] == 501


def test_a_number_that_the_study_has_is_left_out() -> None:
    """A scanner's own reformat may be called 502."""
    numbers = series_numbers(5, used={502, 5})
    assert [numbers[name] for name in ("qsm", "swi", "true-swi")] == [501, 503, 504]


def test_each_revision_has_its_own() -> None:
    first = series_numbers(5, used=())
    second = series_numbers(5, used=(), revision=2)
    assert second["qsm"] == 521
    assert not set(first.values()) & set(second.values())


@given(
    source=st.one_of(st.none(), st.integers(-(2**31), 2**31 - 1)),
    used=st.sets(st.integers(0, 700)),
    revision=st.integers(1, 300),
)
def test_they_are_never_shared_and_fit_an_integer_string(source: int | None, used: set[int], revision: int) -> None:
    numbers = series_numbers(source, used=used, revision=revision)
    assert len(set(numbers.values())) == len(SERIES_NAMES)
    assert not set(numbers.values()) & used
    assert all(0 < number < 2**31 for number in numbers.values())

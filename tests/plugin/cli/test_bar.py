"""The bar: how far the work is and how long it will take, from the pace of the steps so far."""

import io

import pytest
from rich.console import Console

from plugin.cli.bar import Bar, evenly


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_the_time_left_follows_the_pace_of_the_steps_so_far(clock):
    bar = Bar(title="bench", typical=[("read", 10.0), ("invert", 20.0), ("write", 10.0)], clock=clock)
    bar.begin("read")
    assert (bar.share, bar.seconds_left) == (0.0, None)
    clock.now += 20.0  # half as fast as usual
    bar.begin("invert")
    assert (bar.share, bar.seconds_left) == (0.25, 60.0)
    clock.now += 30.0
    assert (bar.share, bar.seconds_left) == (0.625, 30.0)
    clock.now += 100.0
    assert (bar.share, bar.seconds_left) == (0.75, 20.0)
    bar.begin("write")
    assert bar.share == 0.75


def test_a_text_that_belongs_to_no_step_moves_nothing_and_an_earlier_one_begins_again(clock):
    bar = Bar(title="r", typical=[("read", 1.0), ("invert", 1.0)], clock=clock)
    for text, share in (("series-5: read", 0.0), ("a note", 0.0), ("series-5: invert", 0.5), ("series-6: read", 0.0)):
        bar.begin(text)
        assert bar.share == share
        clock.now += 1.0
    bar.begin("series-6: invert")
    bar.begin("series-6: invert")
    assert bar.share == 0.5


def test_steps_that_take_equally_long_are_counted(clock):
    bar = Bar(title="r", typical=evenly(4), clock=clock)
    for text in "abc":
        bar.begin(text)
    assert bar.share == 0.5
    counted = Bar(title="r", typical=evenly(4, "judged"), clock=clock)
    for text in ("simulating", "1 of 4 judged", "simulating", "2 of 4 judged", "more"):
        counted.begin(text)
    assert counted.share == 0.25


def test_work_of_a_given_time_counts_down(clock):
    bar = Bar(title="train", typical=[("step", 60.0)], is_timed=True, clock=clock)
    bar.begin("step 1: loss 0.1")
    clock.now += 20.0
    bar.begin("step 2: loss 0.1")
    assert bar.seconds_left == 40.0
    clock.now += 100.0
    assert (bar.seconds_left, bar.share) == (0.0, 1.0)


@pytest.mark.parametrize("typical", [(), [("read", 1.0), ("write", 5000.0)]])
def test_one_line_shows_it(clock, typical):
    bar = Bar(title="reconstruct", typical=typical, clock=clock)
    bar.begin("read")
    clock.now += 65.0
    bar.begin("write " + "and write " * 20)
    screen = io.StringIO()
    Console(file=screen, width=80).print(bar)
    (line,) = screen.getvalue().splitlines()
    assert line.startswith("reconstruct: write and")
    assert "1:05" in line
    assert ("left" in line) == bool(typical)

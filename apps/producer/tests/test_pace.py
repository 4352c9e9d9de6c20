import pytest

from localcloud_producer.pace import Pace


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_first_event_is_due_at_once_and_then_one_per_interval() -> None:
    clock = Clock()
    pace = Pace(2, clock)
    assert pace.due(10) == 1
    assert pace.due(10) == 0
    assert pace.wait() == pytest.approx(0.5)
    clock.now += 0.5
    assert pace.wait() == 0
    assert pace.due(10) == 1


def test_an_outage_does_not_end_in_a_burst() -> None:
    clock = Clock()
    pace = Pace(1, clock)
    pace.due(10)
    clock.now += 3600
    assert pace.due(10) == 2
    assert pace.due(10) == 0
    assert pace.wait() == pytest.approx(1)


@pytest.mark.parametrize(("rate", "step"), [(0.5, 0.09), (3, 0.01), (50, 0.03), (200, 0.045)])
def test_the_rate_is_kept_however_the_loop_runs(rate: float, step: float) -> None:
    clock = Clock()
    pace = Pace(rate, clock)
    events = 0
    seconds = 60
    while clock.now < 100 + seconds:
        events += pace.due(10)
        clock.now += step
    assert events == pytest.approx(seconds * rate, rel=0.01, abs=1)


@pytest.mark.parametrize(("rate", "most", "due"), [(1000, 10, 10), (1000, 3, 3), (1000, 0, 0), (1e308, 10, 10)])
def test_never_more_than_asked(rate: float, most: int, due: int) -> None:
    clock = Clock()
    pace = Pace(rate, clock)
    pace.due(1)
    clock.now += 10
    assert pace.due(most) == due

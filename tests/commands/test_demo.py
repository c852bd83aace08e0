"""The demo's program does under `memtally run` what it does without, and its lines are in the tables."""

import pathlib

import pytest

TOUR = pathlib.Path(__file__).parents[2] / "demo" / "library_tour.py"


@pytest.mark.skipif(not TOUR.exists(), reason="the demo is not part of an installed package")
def test_the_library_tour_ends_alike_and_shows_its_lines(workshop):
    done = workshop.side_by_side(TOUR, "0.3")
    assert done.status == 0
    assert "library_tour.py" in done.report
    assert "rebuilt[module] = compile(" in done.report

"""When `make soak` says that memory has grown."""

import soak


def samples(sizes):
    return [(float(at), at, size, 0.0) for at, size in enumerate(sizes)]


def test_growth_is_from_the_first_fifth_after_the_warm_up_to_the_last():
    steady = [50.0] * 10 + [100.0] * 90
    assert soak.grown(samples(steady)) == 0
    assert soak.grown(samples([100.0 + at for at in range(100)])) > 60


def test_one_odd_sample_at_the_end_decides_nothing():
    assert soak.grown(samples([100.0] * 99 + [500.0])) == 0


def test_every_turn_takes_a_path_of_its_own():
    found = list(soak.soak(0.01))
    assert found[-1][1] >= 1
    assert all(rss > 0 for _, _, rss, _ in found)

"""The lines that a failed run of the tests ends with."""

from support.failures import failures

OUTPUT = """\
TASK [Start Sentinel] ****
\x1b[0;32mok: [mol-redis-a-1]\x1b[0m
\x1b[0;31mfatal: [mol-redis-b-1]: FAILED! => {"msg": "no such unit"}\x1b[0m
>       assert whole(host, stack) == new
E       AssertionError: assert '10.0.0.1' == '10.0.0.2'
\x1b[31mFAILED\x1b[0m test_sentinel.py::test_x - AssertionError
1 failed, 5 passed in 60.2s
"""


def test_only_what_tells_why_is_kept_without_colours():
    assert failures(OUTPUT.splitlines()) == [
        'fatal: [mol-redis-b-1]: FAILED! => {"msg": "no such unit"}',
        "E       AssertionError: assert '10.0.0.1' == '10.0.0.2'",
        "FAILED test_sentinel.py::test_x - AssertionError"]


def test_the_last_ones_win_and_long_ones_are_cut():
    assert failures([f"E   {number} {'x' * 300}" for number in range(20)], most=2, width=8) == ["E   18 x", "E   19 x"]


def test_a_good_run_tells_nothing():
    assert failures(["896 passed, 1 skipped in 51 s", "ok: [a]: 0 failed"]) == []

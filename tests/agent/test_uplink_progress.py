"""When a link counts as silent, proven, or closed because of what was sent."""

from agent.uplink.progress import PROGRESS_S, PROMPT_S, PROVEN_S, SLOWEST_BYTES_S, Progress

NOW = 1000.0
LARGE = 100 * SLOWEST_BYTES_S
"""Takes a slow line 100 s."""


def linked() -> Progress:
    progress = Progress()
    progress.up(NOW)
    return progress


def test_a_link_is_silent_when_nothing_was_acknowledged_for_so_long() -> None:
    progress = linked()
    progress.sent(NOW + 60, alone=True)
    assert not progress.is_silent(NOW + 60 + PROGRESS_S - 0.1), "nothing was waited for before"
    assert progress.is_silent(NOW + 60 + PROGRESS_S)
    progress.acked(NOW + 63)
    progress.sent(NOW + 64, alone=False)
    assert progress.is_silent(NOW + 63 + PROGRESS_S), "sending alone is no progress"


def test_a_large_message_is_given_the_time_that_a_slow_line_needs() -> None:
    progress = linked()
    progress.sent(NOW, LARGE, alone=True)
    progress.sent(NOW, LARGE, alone=False)
    assert not progress.is_silent(NOW + 199)
    assert progress.is_silent(NOW + 200)


def test_the_next_link_has_no_time_left_over_from_the_one_before() -> None:
    progress = linked()
    progress.sent(NOW, LARGE, alone=True)
    progress.up(NOW + 10)
    progress.sent(NOW + 10, alone=True)
    assert progress.is_silent(NOW + 10 + PROGRESS_S)


def test_an_acknowledgement_proves_a_link_that_has_lasted() -> None:
    assert not linked().is_proven(NOW + PROVEN_S - 0.1)
    assert linked().is_proven(NOW + PROVEN_S)


def test_only_what_was_just_sent_may_be_why_the_link_is_closed() -> None:
    progress = linked()
    progress.sent(NOW, alone=True)
    assert progress.is_prompt(NOW + PROMPT_S)
    assert not progress.is_prompt(NOW + PROMPT_S + 0.1)

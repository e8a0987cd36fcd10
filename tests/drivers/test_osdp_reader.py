"""The state machine of one reader, in the clear and without I/O."""

import itertools

import pytest

from drivers.base import Card, Cue, DeviceFault, DeviceState, Reading, Report, Status
from drivers.osdp.config import OsdpReader, SecureChannel
from drivers.osdp.frames import Block, Frame, decode
from drivers.osdp.messages import Cmd, Nak, Reply
from drivers.osdp.reader import TRIES, Phase, ReaderLink

PDID = bytes(12)
CARD = bytes.fromhex("00011a0012345680")


class Bench:
    """A link and what it reports; time is a number."""

    def __init__(self, secure: SecureChannel = SecureChannel.OFF) -> None:
        self.reports: list[Report] = []
        self.link = ReaderLink(OsdpReader(id="reader", address=5, secure_channel=secure), self.reports.append)
        self.now = 100.0
        self.link.start(bytes(16) if secure is SecureChannel.REQUIRED else None, self.now)

    def sent(self) -> Frame:
        _, frame = decode(self.link.outgoing())
        assert frame is not None
        return frame

    def answer(self, code: int, data: bytes = b"", *, sequence: int | None = None) -> None:
        used = self.link._sent.sequence if self.link._sent is not None else 0
        frame = Frame(5, used if sequence is None else sequence, code, data, reply=True)
        assert self.link.accepts(frame)
        self.link.received(frame, self.now)

    def connect(self) -> None:
        for expected, code, data in ((Cmd.ID, Reply.PDID, PDID), (Cmd.CAP, Reply.PDCAP, bytes((2, 1, 2)))):
            assert self.sent().code == expected
            self.answer(code, data)
        assert self.sent().code == Cmd.LSTAT
        self.answer(Reply.LSTATR, b"\x00\x00")
        assert self.link.online
        while self.link.next_feedback(self.now) is not None:
            self.answer(Reply.ACK)
        self.reports.clear()

    @property
    def status(self) -> Status:
        return [report for report in self.reports if isinstance(report, Status)][-1]

    @property
    def cards(self) -> list[object]:
        return [r.value for r in self.reports if isinstance(r, Reading) and r.point == "card"]


def test_sequence_numbers_start_with_zero_and_go_round_one_to_three() -> None:
    bench = Bench()
    numbers = []
    for code, data in ((Reply.PDID, PDID), (Reply.PDCAP, b""), (Reply.LSTATR, b"\x00\x00")):
        numbers.append(bench.sent().sequence)
        bench.answer(code, data)
    for _ in range(5):
        numbers.append(bench.sent().sequence)
        bench.answer(Reply.ACK)
    assert numbers == [0, 1, 2, 3, 1, 2, 3, 1]


def test_an_unanswered_command_is_repeated_byte_for_byte_and_its_card_comes_once() -> None:
    bench = Bench()
    bench.connect()
    first = bench.link.outgoing()
    bench.link.missed(bench.now)
    assert bench.link.outgoing() == first
    bench.answer(Reply.RAW, CARD)
    assert bench.cards == [Card(26, 0x12345680 >> 6)]
    late = Frame(5, decode(first)[1].sequence, Reply.RAW, CARD, reply=True)  # type: ignore[union-attr] # it is one
    bench.link.outgoing()
    assert not bench.link.accepts(late)


def test_echoes_strangers_and_old_replies_are_not_accepted() -> None:
    bench = Bench()
    sent = bench.sent()
    assert not bench.link.accepts(sent)
    assert not bench.link.accepts(Frame(6, 0, Reply.PDID, PDID, reply=True))
    assert not bench.link.accepts(Frame(5, 2, Reply.PDID, PDID, reply=True))
    assert bench.link.accepts(Frame(5, 0, Reply.PDID, PDID, reply=True))


def test_a_reader_that_stops_answering_is_a_fault_after_three_tries() -> None:
    bench = Bench()
    bench.connect()
    for _ in range(TRIES):
        assert not bench.reports
        bench.link.outgoing()
        bench.link.missed(bench.now)
    assert bench.status.state is DeviceState.FAULT
    assert bench.status.reason == "no answer"
    assert bench.status.hint
    assert bench.link.phase is Phase.OFFLINE


def test_a_dead_reader_may_cost_a_full_time_out_every_five_seconds_only() -> None:
    bench = Bench()
    full = []
    while bench.now < 160:
        bench.now = max(bench.now, bench.link.retry_s)
        bench.link.outgoing()
        if bench.link.full_wait(bench.now):
            full.append(bench.now)
        bench.link.missed(bench.now)
        assert bench.link.retry_s - bench.now < 1
    later = [at for at in full if at > 105]
    assert len(later) > 8
    assert all(second - first >= 5 for first, second in itertools.pairwise(later))
    assert len(bench.reports) == 1


def test_busy_keeps_the_command_and_costs_no_try() -> None:
    bench = Bench()
    bench.connect()
    first = bench.link.outgoing()
    for _ in range(2 * TRIES):
        bench.answer(Reply.BUSY, sequence=0)
        assert bench.link.outgoing() == first
    bench.answer(Reply.RAW, CARD)
    assert len(bench.cards) == 1
    assert bench.link.online


def test_busy_for_ever_is_a_fault() -> None:
    bench = Bench()
    bench.connect()
    for _ in range(3):
        bench.link.outgoing()
        bench.answer(Reply.BUSY, sequence=0)
        bench.now += 4
    assert "busy" in bench.status.reason


def test_a_sequence_error_begins_again_in_silence_until_it_happens_often() -> None:
    bench = Bench()
    for lost in range(4):
        bench.connect()
        bench.link.outgoing()
        bench.answer(Reply.NAK, bytes((Nak.SEQUENCE,)), sequence=0)
        assert bench.link.phase is Phase.OFFLINE
        assert bool(bench.reports) == (lost == 3)
    assert "keeps breaking" in bench.status.reason
    assert bench.link.retry_s > bench.now


def test_a_bad_check_is_sent_again() -> None:
    bench = Bench()
    bench.connect()
    first = bench.link.outgoing()
    bench.answer(Reply.NAK, bytes((Nak.CHECK,)))
    assert bench.link.outgoing() == first
    bench.answer(Reply.ACK)
    assert bench.link.online


def test_a_refused_feedback_command_leaves_the_reader_online() -> None:
    bench = Bench()
    bench.connect()
    bench.link.feedback.show(Cue.DENIED, bench.now)
    assert bench.link.next_feedback(bench.now) is not None
    bench.answer(Reply.NAK, bytes((Nak.UNKNOWN_COMMAND,)))
    assert bench.link.next_feedback(bench.now) is not None
    bench.answer(Reply.ACK)
    assert bench.link.online
    assert not bench.reports


@pytest.mark.parametrize("code", [Nak.SECURITY_UNSUPPORTED, Nak.SECURITY_NEEDED, Nak.UNKNOWN_COMMAND])
def test_a_reader_that_refuses_the_secure_channel_is_never_polled_in_the_clear(code: Nak) -> None:
    bench = Bench(SecureChannel.REQUIRED)
    codes = []
    for _ in range(3):
        codes.append(bench.sent().code)
        bench.answer(Reply.PDID, PDID)
        codes.append(bench.sent().code)
        bench.answer(Reply.PDCAP, bytes((9, 0, 0)))  # "no communication security": not believed
        codes.append(bench.sent().code)
        bench.answer(Reply.NAK, bytes((code,)))
        assert bench.link.retry_s > bench.now
    assert set(codes) == {Cmd.ID, Cmd.CAP, Cmd.CHLNG}
    assert "refuses the secure channel" in bench.status.reason
    assert len(bench.reports) == 1


def test_a_reply_that_makes_no_sense_does_not_stop_an_online_reader() -> None:
    bench = Bench()
    bench.connect()
    for data in (b"", CARD[:6], b"\x00" * 3):
        bench.link.outgoing()
        bench.answer(Reply.RAW, data)
    bench.link.outgoing()
    bench.answer(Reply.RAW, CARD)
    assert bench.link.online
    assert len(bench.cards) == 1


def test_tamper_and_power_are_told_when_they_change() -> None:
    bench = Bench()
    bench.connect()
    for data in (b"\x01\x00", b"\x01\x00", b"\x00\x01"):
        bench.link.outgoing()
        bench.answer(Reply.LSTATR, data)
    told = [(r.point, r.value) for r in bench.reports if isinstance(r, Reading)]
    assert told == [("tamper", True), ("tamper", False), ("power", True)]


def test_the_newest_cue_replaces_an_older_one_and_an_old_one_is_dropped() -> None:
    bench = Bench()
    bench.connect()
    feedback = bench.link.feedback
    for cue in (Cue.GRANTED, Cue.DENIED, Cue.IDLE):
        feedback.show(cue, bench.now)
    assert len(feedback._pending) == 1
    assert feedback.take(bench.now + 60) is None
    assert not feedback


def test_outputs_held_on_come_back_with_the_reader_and_pulses_do_not() -> None:
    bench = Bench()
    bench.connect()
    feedback = bench.link.feedback
    feedback.switch(0, on=True, for_s=None, now=bench.now)
    feedback.switch(1, on=True, for_s=3.0, now=bench.now)
    feedback.restore(bench.now)
    sent = [command.data.hex() for _ in range(3) if (command := feedback.take(bench.now)) and command.code is Cmd.OUT]
    assert sent == ["00020000", "01010000"]
    with pytest.raises(DeviceFault):
        feedback.switch(2, on=True, for_s=None, now=bench.now)
    with pytest.raises(DeviceFault):
        feedback.switch(0, on=True, for_s=7000, now=bench.now)


def test_a_reader_that_answers_with_the_default_key_is_refused() -> None:
    bench = Bench(SecureChannel.REQUIRED)
    for code, data in ((Reply.PDID, PDID), (Reply.PDCAP, b"")):
        bench.sent()
        bench.answer(code, data)
    challenge = bench.sent()
    frame = Frame(5, challenge.sequence, Reply.CCRYPT, bytes(32), True, Block.CHALLENGE_REPLY, b"\x00")
    assert bench.link.accepts(frame)
    bench.link.received(frame, bench.now)
    assert "default key" in bench.status.reason
    assert bench.link.phase is Phase.OFFLINE


def test_a_mismatch_is_tried_once_more_before_it_is_called_a_wrong_key() -> None:
    bench = Bench(SecureChannel.REQUIRED)
    for faults in (0, 1):
        for code, data in ((Reply.PDID, PDID), (Reply.PDCAP, b"")):
            bench.sent()
            bench.answer(code, data)
        frame = Frame(5, bench.sent().sequence, Reply.CCRYPT, bytes(32), True, Block.CHALLENGE_REPLY, b"\x01")
        bench.link.received(frame, bench.now)
        assert len(bench.reports) == faults
    assert "wrong key" in bench.status.reason

"""The state machine of one reader, in the clear and without I/O."""

import itertools
from dataclasses import replace

import pytest

from drivers.base import Card, Cue, DeviceFault, DeviceState, Reading, Report, Status
from drivers.osdp.config import OsdpReader, SecureChannel
from drivers.osdp.frames import MARK, Block, Frame, decode, encode
from drivers.osdp.messages import Cmd, Nak, Reply
from drivers.osdp.outage import Outage
from drivers.osdp.reader import TRIES, Phase, ReaderLink
from drivers.osdp.secure import SCBK_D, SecureSession
from drivers.osdp.trust import AUTH_FAILURES

PDID = bytes.fromhex("feca00100100100000010203")
PIN = "feca00-10-00001000"
KEY, OTHER = b"k" * 16, b"o" * 16
CARD = bytes.fromhex("00011a0012345680")


class Bench:
    """A link and what it reports; time is a number."""

    def __init__(self, secure: SecureChannel = SecureChannel.OFF, keys: tuple[bytes, ...] = (), **more: object) -> None:
        self.reports: list[Report] = []
        config = OsdpReader.model_validate({"id": "reader", "address": 5, "secure_channel": secure, **more})
        self.link = ReaderLink(config, self.reports.append)
        self.now = 100.0
        self.proved: list[bytes] = []
        if secure is SecureChannel.REQUIRED:
            keys = keys or (KEY,)
        self.link.start(keys, self.now, self.proved.append)

    def sent(self) -> Frame:
        _, frame = decode(self.link.outgoing())
        assert frame is not None
        return frame

    def answer(self, code: int, data: bytes = b"", *, sequence: int | None = None) -> None:
        used = self.link._exchange.sent.sequence if self.link._exchange.sent is not None else 0
        frame = Frame(5, used if sequence is None else sequence, code, data, reply=True)
        assert self.link.accepts(frame)
        self.link.received(frame, self.now)

    def identify(self, data: bytes = PDID) -> None:
        assert self.sent().code == Cmd.ID
        self.answer(Reply.PDID, data)

    def asked(self) -> list[int]:
        """Answer everything that is waiting to be sent besides polls; returns its codes."""
        answers = {
            Cmd.ID: (Reply.PDID, PDID),
            Cmd.CAP: (Reply.PDCAP, bytes((2, 1, 2))),
            Cmd.LSTAT: (Reply.LSTATR, b"\x00\x00"),
        }
        codes = []
        while (wire := self.link.next_feedback(self.now)) is not None:
            _, frame = decode(wire)
            assert frame is not None
            codes.append(frame.code)
            self.answer(*answers.get(Cmd(frame.code), (Reply.ACK, b"")))
        return codes

    def connect(self) -> None:
        self.identify()
        assert self.link.online
        self.asked()
        self.reports.clear()

    def challenge(self, key: bytes, *, own: bool | None = None) -> None:
        """Play the reader's half of the handshake, up to its own proof; on the default key it says so by itself."""
        if self.link.phase is Phase.OFFLINE:
            self.identify()
        sent = self.sent()
        assert (sent.code, len(sent.data)) == (Cmd.CHLNG, 8)
        theirs = SecureSession(key, sent.data)
        made = theirs._encrypt(sent.data + bytes(8))
        flag = sent.block_data if own is None else bytes((own,))
        reply = Frame(5, sent.sequence, Reply.CCRYPT, bytes(16) + made, True, Block.CHALLENGE_REPLY, flag)
        assert self.link.accepts(reply)
        self.link.received(reply, self.now)

    def prove(self, key: bytes) -> None:
        """Play the reader's half of the whole handshake."""
        self.challenge(key)
        sent = self.sent()
        assert sent.code == Cmd.SCRYPT
        session = self.link._exchange.session
        assert session is not None
        start = session._mac2(session._mac1(sent.data))
        self.link.received(
            Frame(5, sent.sequence, Reply.RMAC_I, start, True, Block.CRYPTOGRAM_REPLY, b"\x01"), self.now
        )

    @property
    def status(self) -> Status:
        return [report for report in self.reports if isinstance(report, Status)][-1]

    def told(self, point: str) -> list[object]:
        return [r.value for r in self.reports if isinstance(r, Reading) and r.point == point]

    @property
    def cards(self) -> list[object]:
        return [r.value for r in self.reports if isinstance(r, Reading) and r.point == "card"]


def test_sequence_numbers_start_with_zero_and_go_round_one_to_three() -> None:
    bench = Bench()
    numbers = []
    numbers.append(bench.sent().sequence)
    bench.answer(Reply.PDID, PDID)
    for _ in range(7):
        numbers.append(bench.sent().sequence)
        bench.answer(Reply.ACK)
    assert numbers == [0, 1, 2, 3, 1, 2, 3, 1]


@pytest.mark.parametrize("before", ["nothing", "echo", "mark", "echo and mark"])
def test_an_acknowledged_poll_is_known_by_its_bytes(before: str) -> None:
    bench = Bench()
    bench.connect()
    for _ in range(4):
        wire = bench.link.outgoing()
        _, sent = decode(wire)
        assert sent is not None
        start = wire * ("echo" in before) + MARK * ("mark" in before)
        for code, sequence in ((Reply.ACK, sent.sequence % 3 + 1), (Reply.BUSY, sent.sequence), (Reply.NAK, 0)):
            assert not bench.link.acknowledged(start + encode(Frame(5, sequence, code, reply=True)))
        ack = encode(Frame(5, sent.sequence, Reply.ACK, reply=True))
        for other in (b"", start + ack[:-1], start + ack + b"\x53", encode(replace(sent, code=Reply.ACK))):
            assert not bench.link.acknowledged(other)
        assert bench.link.acknowledged(start + ack)
        assert not bench.link.acknowledged(start + ack)


def test_it_is_quiet_while_it_is_due_nothing_but_polls() -> None:
    bench = Bench()
    quiet = [bench.link.quiet]
    bench.connect()
    quiet.append(bench.link.quiet)
    bench.link.outgoing()
    quiet.append(bench.link.quiet)
    bench.answer(Reply.ACK)
    quiet.append(bench.link.quiet)
    bench.link.feedback.show(Cue.GRANTED, bench.now)
    quiet.append(bench.link.quiet)
    assert quiet == [False, True, False, True, False]


def test_nothing_but_a_poll_is_answered_by_bytes_alone() -> None:
    bench = Bench()
    bench.connect()
    bench.link.feedback.show(Cue.GRANTED, bench.now)
    wire = bench.link.next_feedback(bench.now)
    assert wire is not None
    _, sent = decode(wire)
    assert sent is not None
    assert not bench.link.acknowledged(encode(Frame(5, sent.sequence, Reply.ACK, reply=True)))


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


def test_a_reader_that_stops_answering_is_a_fault_after_its_last_try() -> None:
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


LIGHT_S = 0.026
FULL_S = 0.209
"""What a try costs the others at 9600 baud, with its command."""


def dead(outage: Outage, begun: float, seconds: float) -> list[tuple[float, bool]]:
    """Let tries fail for so long; returns the moment of each, and whether it waited in full."""
    tries, now = [], begun
    while now < begun + seconds:
        full = outage.full_wait(now)
        tries.append((now, full))
        now = outage.tried(now + (spent := FULL_S if full else LIGHT_S), spent, full=full)
    return tries


@pytest.mark.parametrize("prompt", [True, False, None])
def test_a_dead_reader_costs_the_others_one_time_out_in_five_seconds(prompt: bool | None) -> None:
    outage = Outage()
    outage.prompt = prompt
    outage.begins(100.0)
    tries = dead(outage, 100.0, 300)
    full = [at for at, full in tries if full]
    assert sum(FULL_S if full else LIGHT_S for _, full in tries) <= 300 / 5 * 0.2 + FULL_S
    assert len(full) >= 2
    assert all(second - first >= 5 for first, second in itertools.pairwise(full))


@pytest.mark.parametrize("prompt", [True, None])
def test_a_reader_not_known_to_be_late_is_tried_all_the_time(prompt: bool | None) -> None:
    outage = Outage()
    outage.prompt = prompt
    outage.begins(100.0)
    tries = [at for at, _ in dead(outage, 100.0, 300)]
    assert max(second - first for first, second in itertools.pairwise(tries)) < 0.9


def test_a_late_reader_is_waited_for_in_full_every_five_seconds() -> None:
    outage = Outage()
    outage.prompt = False
    outage.begins(100.0)
    full = [at for at, full in dead(outage, 100.0, 60) if full]
    assert max(second - first for first, second in itertools.pairwise(full)) < 5.5


def test_a_reader_that_is_overheard_is_waited_for_in_full_at_once() -> None:
    bench = Bench()
    bench.connect()
    bench.link.outage.answered(prompt=True)
    for _ in range(TRIES):
        bench.link.outgoing()
        bench.link.missed(bench.now)
    bench.link.overheard(Frame(6, 0, Reply.PDID, PDID, reply=True), bench.now)
    assert not bench.link.outage.full_wait(bench.now)
    bench.link.overheard(Frame(5, 0, Reply.PDID, PDID, reply=True), bench.now)
    assert bench.link.retry_s == bench.now
    assert bench.link.outage.full_wait(bench.now)


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
    for _ in range(AUTH_FAILURES):
        bench.identify()
        assert bench.sent().code == Cmd.CHLNG
        bench.answer(Reply.NAK, bytes((code,)))
        assert bench.link.next_feedback(bench.now) is None
        assert bench.link.retry_s > bench.now
    assert "refuses the secure channel" in bench.status.reason
    assert len([r for r in bench.reports if isinstance(r, Status)]) == 1
    assert bench.told("auth-failed") == [True]


@pytest.mark.parametrize("code", list(Nak))
def test_a_refused_question_or_cue_costs_no_contact_unless_the_session_is_in_doubt(code: Nak) -> None:
    bench = Bench()
    bench.connect()
    bench.link.feedback.show(Cue.GRANTED, bench.now)
    assert bench.link.next_feedback(bench.now) is not None
    for _ in range(TRIES):
        bench.answer(Reply.NAK, bytes((code,)))
        if not bench.link.unanswered:
            break
        bench.link.outgoing()
    in_doubt = code in (Nak.CHECK, Nak.SEQUENCE, Nak.SECURITY_NEEDED, Nak.SECURITY_UNSUPPORTED)
    assert bench.link.online is not in_doubt


def test_a_command_the_reader_does_not_know_is_left_out_while_the_contact_lasts() -> None:
    bench = Bench()
    bench.connect()
    bench.link.feedback.show(Cue.GRANTED, bench.now)
    bench.link.next_feedback(bench.now)
    bench.answer(Reply.NAK, bytes((Nak.UNKNOWN_COMMAND,)))
    assert bench.asked() == [Cmd.BUZ]
    bench.link.feedback.show(Cue.DENIED, bench.now)
    assert bench.asked() == [Cmd.BUZ]


def test_a_display_shows_the_text_of_a_cue() -> None:
    bench = Bench(texts={"idle": "GATE 1", "granted": "WELCOME"})
    bench.identify()
    texts = []
    for cue in (None, Cue.GRANTED, Cue.DENIED):
        if cue is not None:
            bench.link.feedback.show(cue, bench.now)
        while (command := bench.link.feedback.take(bench.now)) is not None:
            if command.code is Cmd.TEXT:
                texts.append((command.data[1], command.data[2], command.data[6:]))
    assert texts == [(2, 0, b"GATE 1"), (4, 3, b"WELCOME"), (4, 3, b"GATE 1")]


# ---------------------------------------------------------------- identity


def test_who_it_is_and_what_it_has_is_asked_after_it_serves_people() -> None:
    bench = Bench()
    bench.identify()
    assert bench.link.online
    assert bench.asked() == [Cmd.LED, Cmd.CAP, Cmd.LSTAT]
    assert bench.link.feedback.outputs == 2


def test_inputs_are_asked_for_where_there_are_some_and_told_when_they_change() -> None:
    bench = Bench()
    bench.identify()
    bench.link.feedback.clear()
    bench.link.next_feedback(bench.now)
    bench.answer(Reply.PDCAP, bytes((1, 1, 2)))
    assert bench.asked() == [Cmd.LSTAT, Cmd.ISTAT]
    for data in (b"\x00\x01", b"\x00\x01", b"\x00\x00"):
        bench.link.outgoing()
        bench.answer(Reply.ISTATR, data)
    assert bench.told("input-0") == [False]
    assert bench.told("input-1") == [True, False]


@pytest.mark.parametrize(("pinned", "changed"), [(PIN, False), (PIN[:-1] + "1", True), (None, False)])
def test_a_pinned_identity_is_compared(pinned: str | None, changed: bool) -> None:
    bench = Bench(identity=pinned)
    bench.identify()
    assert bench.told("identity-changed") == [changed]
    assert bench.link.online


def test_another_device_in_its_place_is_told_and_its_return_too() -> None:
    bench = Bench()
    for data in (PDID, PDID, PDID[:5] + bytes(4) + PDID[9:], PDID):
        bench.identify(data)
        bench.link.outgoing()
        bench.answer(Reply.NAK, bytes((Nak.SEQUENCE,)))
    assert bench.told("identity-changed") == [False, True, False]


# ---------------------------------------------------------------- keys


def test_the_identity_is_believed_only_inside_the_secure_channel() -> None:
    bench = Bench(SecureChannel.REQUIRED)
    bench.prove(KEY)
    assert bench.link.online
    assert bench.told("identity-changed") == []
    _, asked = decode(bench.link.next_feedback(bench.now) or b"")
    assert asked is not None
    assert asked.secured
    assert (bench.told("default-key"), bench.told("auth-failed")) == ([False], [False])


def test_a_new_key_is_tried_first_and_then_the_old_one() -> None:
    bench = Bench(SecureChannel.REQUIRED, (OTHER, KEY))
    bench.challenge(KEY)
    assert bench.link.retry_s == bench.now
    bench.prove(KEY)
    assert bench.proved == [KEY]
    bench.link.outgoing()
    bench.answer(Reply.NAK, bytes((Nak.SEQUENCE,)), sequence=0)
    bench.prove(KEY)
    assert bench.proved == [KEY, KEY]
    assert bench.told("auth-failed") == [False]


def test_a_key_is_sent_in_nothing_but_a_secure_channel() -> None:
    bench = Bench()
    with pytest.raises(DeviceFault):
        bench.link.keyset(KEY)
    bench.connect()
    with pytest.raises(DeviceFault):
        bench.link.keyset(KEY)
    secured = Bench(SecureChannel.REQUIRED)
    with pytest.raises(DeviceFault):
        secured.link.keyset(OTHER)
    secured.prove(KEY)
    wire = secured.link.keyset(OTHER)
    assert OTHER not in wire
    assert secured.link.trust.key == OTHER


def wrong_key(bench: Bench, key: bytes) -> None:
    """Fail with that key until the panel has given up for a while."""
    while bench.link.retry_s <= bench.now:
        bench.challenge(key)
    bench.now = bench.link.retry_s


def test_failed_authentications_in_a_row_are_an_alarm_until_one_succeeds() -> None:
    bench = Bench(SecureChannel.REQUIRED)
    wrong_key(bench, OTHER)
    assert bench.told("auth-failed") == []
    wrong_key(bench, OTHER)
    assert bench.link.trust.failures == AUTH_FAILURES
    assert bench.told("auth-failed") == [True]
    assert "wrong key" in bench.status.reason
    bench.prove(KEY)
    assert bench.told("auth-failed") == [True, False]
    assert bench.told("default-key") == [False]
    assert bench.status.state is DeviceState.OK


def test_a_reader_that_says_it_is_on_the_default_key_is_an_alarm_and_gets_no_proof() -> None:
    bench = Bench(SecureChannel.REQUIRED)
    bench.challenge(SCBK_D, own=False)
    assert "default key" in bench.status.reason
    assert bench.told("default-key") == [True]
    assert bench.link.phase is Phase.OFFLINE
    bench.prove(KEY)
    assert bench.told("default-key") == [True, False]


def test_a_reader_that_hides_that_it_is_on_the_default_key_is_found_out_and_gets_no_proof() -> None:
    bench = Bench(SecureChannel.REQUIRED)
    wrong_key(bench, SCBK_D)
    assert "default key" in bench.status.reason
    assert bench.told("default-key") == [True]
    assert bench.link.phase is Phase.OFFLINE


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


def test_a_mismatch_is_tried_once_more_before_it_is_called_a_wrong_key() -> None:
    bench = Bench(SecureChannel.REQUIRED)
    for _ in range(2):
        bench.challenge(OTHER)
        assert not bench.reports
    bench.challenge(OTHER)
    assert "wrong key" in bench.status.reason

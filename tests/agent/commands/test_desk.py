"""The desk: an order is noted down before it moves anything, done once, and answered, whatever fails on the way."""

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.audit import AuditError, AuditLog
from agent.commands.desk import STORAGE_S, TOLD_A_MINUTE, TOLD_AN_HOUR, WAITING, Commands
from agent.commands.gate import Gate
from agent.commands.inbox import FILE, Inbox, InboxError
from agent.commands.trust import Trust
from agent.commands.verbs import Site, Verbs
from agent.contract import MAX_MESSAGE_BYTES
from agent.contract.commands import CommandReply, Verb, Verdict
from agent.contract.jws import Token
from agent.events import Event, Kind
from agent.rules.step import Order
from drivers.base import Clock, ConfigError, SystemClock
from simulators.office import Office
from tests.clock import ManualClock

DOOR = {"door": "north-gate"}


class Desk:
    """A desk over real files; `moved` is what reached the rules, which answer as `rule` says."""

    def __init__(self, folder: Path, office: Office, clock: Clock, rule: Callable[[Order], Kind | None]) -> None:
        self.office = office
        self.moved: list[Order] = []
        self.events: list[Event] = []
        self.replies: list[CommandReply] = []
        self.restarts = 0
        self.audit = AuditLog(folder / "audit.log", clock)
        self.inbox = Inbox(folder)
        self._rule = rule
        self._clock = clock
        self.changed = asyncio.Event()
        site = Site(
            doors=("north-gate", "south-gate"),
            outputs=frozenset({"gpio/beacon"}),
            order=self._order,
            resend=lambda _: None,
            restart=self._restart,
            audit=self.audit,
        )
        self.commands = Commands(
            "gh-test01",
            clock,
            trust=Trust.open(office.pin(folder / "roots"), folder / "keys.jws"),
            per_minute=60,
            signed_receipts=True,
            inbox=self.inbox,
            audit=self.audit,
            verbs=Verbs(site, clock),
            say=self._say,
            reply=self._reply,
        )

    async def keyed(self) -> None:
        self.give("keys", self.office.keys())
        await self.until(lambda: self.commands.trust.version == 1)

    def sign(self, order_id: str, verb: Verb = Verb.UNLOCK, args: dict[str, Any] | None = None) -> bytes:
        return self.office.order(verb, DOOR if args is None else args, challenge=self.commands.challenge,
                                 order_id=order_id)  # fmt: skip

    def give(self, verb: str, payload: bytes, *, retained: bool = False) -> None:
        self.commands.received(verb, payload, retained=retained)

    async def ask(self, order_id: str, verb: Verb = Verb.UNLOCK, args: dict[str, Any] | None = None) -> CommandReply:
        return await self.answer(order_id, verb, self.sign(order_id, verb, args))

    async def answer(self, order_id: str, verb: Verb, payload: bytes) -> CommandReply:
        seen = len(self.replies)
        self.give(verb, payload)
        await self.until(lambda: any(reply.id == order_id for reply in self.replies[seen:]))
        return self.replies[-1]

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not holds():
                self.changed.clear()
                await self.changed.wait()

    def records(self) -> list[tuple[str, str]]:
        self.audit.verify()
        return [(r.what, str(r.facts.get("reason", r.facts.get("outcome", "")))) for r in self.audit.records()]

    def _order(self, order: Order) -> None:
        self.moved.append(order)
        kind = self._rule(order)
        if kind is not None:
            reason = {"reason": "interlock"} if kind is Kind.ORDER_REFUSED else {}
            event = Event(kind, order.door, self._clock.mono_s(), {"origin": order.origin, **reason})
            asyncio.get_running_loop().call_soon(self.commands.heard, event)
        self.changed.set()

    def _restart(self) -> None:
        self.restarts += 1

    def _say(self, event: Event) -> None:
        self.events.append(event)
        self.changed.set()

    def _reply(self, reply_id: str, payload: bytes) -> None:
        self.replies.append(CommandReply.model_validate_json(payload))
        assert self.replies[-1].id == reply_id
        self.changed.set()


@asynccontextmanager
async def desk(
    folder: Path,
    office: Office | None = None,
    *,
    clock: Clock | None = None,
    rule: Callable[[Order], Kind | None] = lambda _: Kind.ORDER_DONE,
) -> AsyncIterator[Desk]:
    made = Desk(folder, office or Office(), clock or SystemClock(), rule)
    task = asyncio.create_task(made.commands.run())
    try:
        await made.keyed()
        yield made
    finally:
        await ended(task)


async def drained(made: Desk) -> None:
    while made.commands._waiting:
        await SystemClock().sleep(0)


async def ended(task: asyncio.Task[None]) -> None:
    """Also the thread that has just said its last word."""
    task.cancel()
    await asyncio.wait([task])
    for thread in threading.enumerate():
        if thread.name == "commands":
            thread.join(5)


async def test_an_order_is_on_record_before_anything_moves(tmp_path: Path) -> None:
    found: list[list[tuple[str, str]]] = []

    def rule(_: Order) -> Kind:
        found.append(made.records())
        assert made.inbox.find("a-1") is not None
        return Kind.ACCESS_GRANTED

    async with desk(tmp_path, rule=rule) as made:
        assert (await made.ask("a-1")).outcome is Verdict.DONE
        assert found == [[("keys", ""), ("command", "")]]
        assert made.records()[-1] == ("command.ended", "done")
        (event,) = [event for event in made.events if event.kind is Kind.COMMAND_DONE]
        assert event.data["by"] == f"值班台 duty desk ({Token.parse(made.sign('x')).kid})"


async def test_an_order_that_the_disk_does_not_take_moves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise AuditError("no space left", hint="")

    async with desk(tmp_path) as made:
        monkeypatch.setattr(AuditLog, "append", full)
        refused = await made.ask("a-1")
        assert (refused.outcome, refused.reason) == (Verdict.REFUSED, "storage")
        assert made.moved == []
        monkeypatch.undo()
        assert (await made.ask("a-1")).outcome is Verdict.DONE, "it was not used up"


async def test_a_disk_that_hangs_refuses_after_five_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock()
    async with desk(tmp_path, clock=clock) as made:

        async def hang(name: str, work: object) -> None:
            await asyncio.get_running_loop().create_future()

        monkeypatch.setattr("agent.commands.desk.in_thread", hang)
        payload = made.sign("a-1")
        made.give("unlock", payload)
        for _ in range(4):
            await clock.advance(STORAGE_S + 0.1)
        assert made.replies[-1].reason == "storage"
        assert made.moved == []


async def test_a_repetition_gets_the_stored_answer_and_another_order_with_its_id_is_refused(tmp_path: Path) -> None:
    async with desk(tmp_path, rule=lambda order: Kind.ORDER_REFUSED if order.door == "south-gate" else
                    Kind.ACCESS_GRANTED) as made:  # fmt: skip
        payload = made.sign("a-1", args={"door": "south-gate"})
        first = await made.answer("a-1", Verb.UNLOCK, payload)
        assert (first.outcome, first.reason) == (Verdict.REFUSED, "interlock")
        assert await made.answer("a-1", Verb.UNLOCK, payload) == first
        other = await made.ask("a-1")
        assert (other.outcome, other.reason) == (Verdict.REFUSED, "id_reused")
        assert len(made.moved) == 1


async def test_a_rule_that_does_not_answer_leaves_the_outcome_unknown(tmp_path: Path) -> None:
    async with desk(tmp_path, rule=lambda _: None) as made:
        answer = await made.ask("a-1")
        assert (answer.outcome, answer.reason) == (Verdict.UNKNOWN, "no_answer")


async def test_a_picture_is_taken_for_a_reason_that_stands_in_the_record(tmp_path: Path) -> None:
    async def picture(camera: str, name: str, reason: str) -> str:
        if camera != "cam-lane":
            raise ConfigError(f"{camera} takes no pictures", hint="snapshots = true")
        assert reason == "alarm/17"
        return name

    look = {"camera": "cam-lane", "reason": "alarm/17"}
    async with desk(tmp_path) as made:
        assert (await made.ask("a-0", Verb.SNAPSHOT, look)).reason == "not_available"
        made.commands._verbs = Verbs(replace(made.commands._verbs._site, picture=picture), made._clock)
        assert (await made.ask("a-1", Verb.SNAPSHOT, look)).data == {"snapshot": "a-1"}
        refused = await made.ask("a-2", Verb.SNAPSHOT, {**look, "camera": "cam-yard"})
        assert (refused.outcome, refused.reason) == (Verdict.REFUSED, "not_available")
        asked = [record.facts["args"] for record in made.audit.records() if record.what == "command"]
        assert look in asked


async def test_an_order_that_hangs_holds_up_the_next_no_longer_than_half_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock()
    async with desk(tmp_path, clock=clock) as made:

        async def hang(*_: object) -> None:
            await asyncio.get_running_loop().create_future()

        with monkeypatch.context() as patch:
            patch.setattr(Verbs, "carry_out", hang)
            made.give("unlock", made.sign("a-1"))
            while not made.replies or made.replies[-1].id != "a-1":
                await SystemClock().sleep(0.02)
                await clock.advance(1.0)
        assert (made.replies[-1].outcome, made.replies[-1].reason) == (Verdict.UNKNOWN, "no_answer")
        assert (await made.ask("a-2")).outcome is Verdict.DONE


async def test_a_flood_of_forgeries_fills_no_disk_and_drowns_no_order(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        forged = made.sign("f")[:-4] + b"AAAA"
        for _ in range(10):
            for _ in range(WAITING):
                made.give("unlock", forged)
            await drained(made)
        for _ in range(WAITING + 5):
            made.give("unlock", forged)
        assert made.commands.dropped == 5
        await drained(made)
        assert (await made.ask("a-1")).outcome is Verdict.DONE
        assert made.records().count(("command.refused", "forged")) == TOLD_A_MINUTE


async def test_forgeries_that_go_on_for_hours_fill_no_disk_either(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = ManualClock()
    async with desk(tmp_path, clock=clock) as made:
        forged = made.sign("f")[:-4] + b"AAAA"
        for _ in range(TOLD_AN_HOUR // TOLD_A_MINUTE + 2):
            for _ in range(WAITING):
                made.give("unlock", forged)
            await drained(made)
            await clock.advance(60.0)
        assert (await made.ask("a-1")).outcome is Verdict.DONE
        assert made.records().count(("command.refused", "forged")) == TOLD_AN_HOUR
        assert caplog.text.count("an order is refused") == TOLD_AN_HOUR


async def test_the_longest_order_that_may_be_given_finds_room_in_the_record(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        doors = [chr(1) * 39 + chr(48 + n) for n in range(20)]
        refused = await made.ask("a-1", Verb.LOCKDOWN, {"on": True, "doors": doors})
        assert (refused.outcome, refused.reason) == (Verdict.REFUSED, "unknown_target")
        assert ("command.ended", "unknown_target") in made.records()


async def test_an_answer_fits_a_message_whatever_the_record_says(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        for _ in range(100):
            made.audit.append("值班台", "snapshot.shown", reason='看"' * 700)
        found = await made.ask("a-1", Verb.AUDIT, {"from": 2, "to": 200})
        assert 10 < len(found.data["records"]) < 100
        assert len(found.payload()) <= MAX_MESSAGE_BYTES


async def test_an_end_that_could_not_be_noted_down_is_said_to_be_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise InboxError("no space left", hint="")

    async with desk(tmp_path) as made:
        payload = made.sign("a-1")
        with monkeypatch.context() as patch:
            patch.setattr(Inbox, "end", full)
            assert (await made.answer("a-1", Verb.UNLOCK, payload)).outcome is Verdict.DONE
        again = await made.answer("a-1", Verb.UNLOCK, payload)
        assert (again.outcome, len(made.moved)) == (Verdict.UNKNOWN, 1)


async def test_a_bug_that_one_order_meets_costs_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with desk(tmp_path) as made:
        with monkeypatch.context() as patch:
            patch.setattr(Gate, "admit", lambda *_: 1 // 0)
            made.give("unlock", made.sign("a-1"))
            await drained(made)
            async with asyncio.timeout(30):
                while "an order is not answered" not in caplog.text:
                    await SystemClock().sleep(0.01)
        assert made.moved == []
        assert (await made.ask("a-2")).outcome is Verdict.DONE


async def test_a_table_that_is_no_database_is_kept_aside_and_begun_anew(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"nonsense" * 1000)
    async with desk(tmp_path) as made:
        assert (await made.ask("a-1")).outcome is Verdict.DONE
        assert (tmp_path / FILE).with_suffix(".damaged").read_bytes() == b"nonsense" * 1000


async def test_new_keys_are_in_force_at_once_and_after_a_restart(tmp_path: Path) -> None:
    office = Office()
    async with desk(tmp_path, office) as made:
        assert (await made.answer("keys-2", Verb.KEYS, office.keys(2, ["observe"]))).outcome is Verdict.DONE  # type: ignore[list-item]  # a role by its text
        refused = await made.ask("a-1")
        assert refused.reason == "not_allowed"
        old = await made.answer("keys-1", Verb.KEYS, office.keys(1))
        assert (old.outcome, old.reason) == (Verdict.REFUSED, "old_version")
        again = Trust.open(office.pin(tmp_path / "roots"), tmp_path / "keys.jws")
        assert again.version == 2


KILLED = """
import asyncio, json, os, pathlib, signal, sys
from simulators.office import Office
from tests.agent.commands import test_desk as t
from cryptography.hazmat.primitives.serialization import load_pem_private_key

async def main(folder):
    office = Office()
    office.operator, *office.roots = [load_pem_private_key(pem, None) for pem in
                                      (folder / "all.pem").read_bytes().split(b"\\n\\n")]
    async with t.desk(folder, office, rule=lambda _: os.kill(os.getpid(), signal.SIGKILL)) as made:
        payload = made.sign("a-1")
        (folder / "order").write_bytes(payload)
        await made.answer("a-1", t.Verb.UNLOCK, payload)

asyncio.run(main(pathlib.Path(sys.argv[1])))
"""


async def test_after_kill_9_between_act_and_result_the_answer_is_unknown_and_nothing_is_done_again(
    tmp_path: Path,
) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    office = Office()
    pem = [key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).strip()
           for key in (office.operator, *office.roots)]  # fmt: skip
    (tmp_path / "all.pem").write_bytes(b"\n\n".join(pem))
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    child = await asyncio.to_thread(subprocess.run, command, cwd=Path(__file__).parents[3], check=False)
    assert child.returncode == -signal.SIGKILL
    made = Desk(tmp_path, office, SystemClock(), lambda _: Kind.ACCESS_GRANTED)
    task = asyncio.create_task(made.commands.run())
    try:
        await made.until(lambda: bool(made.replies))
        assert (made.replies[0].id, made.replies[0].outcome) == ("a-1", Verdict.UNKNOWN)
        repeated = await made.answer("a-1", Verb.UNLOCK, (tmp_path / "order").read_bytes())
        assert repeated.outcome is Verdict.UNKNOWN
        assert made.moved == []
        assert made.records()[-2:] == [("command", ""), ("command.ended", "unknown")]
    finally:
        await ended(task)

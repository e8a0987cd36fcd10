"""Orders of the centre, in a whole compound: a real broker, real locks, and the agent as its own process."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from agent.audit import AUDIT_FILE, AuditLog
from agent.configuration import in_force
from agent.contract import Receipt
from agent.contract.commands import CommandReply, Handled, Verb, Verdict
from agent.events import JsonValue, Kind
from agent.settings import Protocol, Settings, load
from drivers.base import SystemClock
from simulators.broker import Broker
from simulators.compound import SimCompound
from simulators.registry import Answer
from tests.conftest import need
from tests.system.conftest import Said, about, compound, everything_confirmed, gatehouse

GATEWAY = "gh-demo01"
BEACON = 13


@pytest.fixture
def mosquitto() -> Callable[[Path], Broker]:
    need(Broker.has("mosquitto"), "mosquitto")
    return Broker.mosquitto


def challenge(running: SimCompound) -> str | None:
    status = running.centre.gateways[GATEWAY].status
    return None if status is None else status.challenge


def whats(folder: Path) -> list[tuple[str, str]]:
    """What the audit log says, after proof of its chain."""
    log = AuditLog(folder / "state" / AUDIT_FILE, SystemClock())
    log.verify()
    return [(record.what, str(record.facts.get("reason", record.facts.get("outcome", "")))) for record in log.records()]


@pytest.fixture(params=[Protocol.MQTT5, Protocol.MQTT311])
def protocol(request: pytest.FixtureRequest) -> Protocol:
    """What gateway and centre speak: all that orders can do, they can on either."""
    return Protocol(request.param)


def speaks(protocol: Protocol) -> Callable[[dict[str, object]], None]:
    def edit(table: dict[str, object]) -> None:
        centre = table["centre"]
        assert isinstance(centre, dict)
        centre["protocol"] = protocol.value

    return edit


async def test_the_centre_opens_locks_and_locks_down_and_everything_is_on_record(
    doors_only: Settings, folder: Path, mosquitto: Callable[[Path], Broker], protocol: Protocol
) -> None:
    async with compound(doors_only, folder, broker=mosquitto, protocol=protocol, mistakes=speaks(protocol)) as running:
        await running.centre.keyed(GATEWAY)
        granted = await running.order(Verb.UNLOCK, {"door": "north-gate", "keep": True})
        assert granted.outcome is Verdict.DONE, granted
        await running.lock_is("north-gate", unlocked=True)
        assert (await running.order(Verb.LOCK, {"door": "north-gate"})).outcome is Verdict.DONE
        await running.lock_is("north-gate", unlocked=False)

        assert (await running.order(Verb.LOCKDOWN, {"on": True})).outcome is Verdict.DONE
        refused = await running.order(Verb.UNLOCK, {"door": "north-gate"})
        assert (refused.outcome, refused.reason) == (Verdict.REFUSED, "locked_down")
        assert (await running.order(Verb.LOCKDOWN, {"on": False})).outcome is Verdict.DONE
        assert (await running.order(Verb.UNLOCK, {"door": "north-gate"})).outcome is Verdict.DONE
        nowhere = await running.order(Verb.UNLOCK, {"door": "moon-gate"})
        assert (nowhere.outcome, nowhere.reason) == (Verdict.REFUSED, "unknown_target")

        beacon: Mapping[str, JsonValue] = {"output": "gpio/beacon", "on": True, "for_s": 0.5}
        assert (await running.order(Verb.OUTPUT, beacon)).outcome is Verdict.DONE
        await running.gpio["gpio"].wait_level(BEACON, True)
        await running.gpio["gpio"].wait_level(BEACON, False)
        lock = await running.order(Verb.OUTPUT, {"output": "gpio/north-lock", "on": True})
        assert (lock.outcome, lock.reason) == (Verdict.REFUSED, "unknown_target"), "a door's lock is no output"

        again = await running.order(Verb.RESEND, {"epoch": "gone", "lane": "alarm", "from": 1, "to": 2})
        assert again.outcome is Verdict.DONE
        fetched = await running.order(Verb.AUDIT, {"from": 1, "to": 4})
        records = fetched.data["records"]
        assert [json.loads(line)["what"] for line in records] == ["keys", "command", "command.ended", "command"]

        running.set_point("stairwell-1/smoke", True)
        smoke = await running.centre.wait_for(about(Kind.SMOKE, "stairwell-1-smoke"))
        handled = await running.centre.handle(smoke, Handled.DISPATCHED, "grid worker")
        assert handled.data == {"event": smoke.identity, "state": "dispatched"}, handled
        assert running.centre.gateways[GATEWAY].handled == {smoke.identity: Handled.DISPATCHED}
        shown = await gatehouse("status", running.file, "--lang", "zh")
        assert "烟雾报警：已派员处置 (grid worker)" in shown.out

        await running.centre.wait_for(about(Kind.COMMAND_DONE, "commands"))
        await everything_confirmed(running)
    done = whats(folder)
    assert done[0] == ("keys", "")
    assert done.count(("command.ended", "done")) == 9
    assert ("command.ended", "locked_down") in done


async def test_what_comes_twice_is_done_once_and_what_nobody_vouches_for_is_not_done(
    doors_only: Settings, folder: Path, mosquitto: Callable[[Path], Broker], protocol: Protocol
) -> None:
    async with compound(doors_only, folder, broker=mosquitto, protocol=protocol, mistakes=speaks(protocol)) as running:
        await running.centre.keyed(GATEWAY)
        status = running.centre.gateways[GATEWAY].status
        assert status is not None
        topic = f"gatehouse/1/down/{running.centre.gateways[GATEWAY].path}/command/unlock"

        def signed(order_id: str, challenge: str | None = status.challenge) -> bytes:
            args = {"door": "north-gate"}
            return running.office.order(Verb.UNLOCK, args, challenge=challenge, gateway=GATEWAY, order_id=order_id)

        async def answered(payload: bytes, order_id: str, *, retain: bool = False) -> CommandReply:
            replies = running.centre.gateways[GATEWAY].replies
            replies.pop(order_id, None)
            running.centre.publish(Answer(topic, payload, retain=retain))
            await running.centre.wait_until(lambda: order_id in replies)
            return replies[order_id]

        once = signed("once")
        first = await answered(once, "once")
        assert first.outcome is Verdict.DONE
        await running.lock_is("north-gate", unlocked=True)
        await running.lock_is("north-gate", unlocked=False)
        moved = len([event for event in running.centre.since(0) if event.kind is Kind.ACCESS_GRANTED])
        assert await answered(once, "once") == first
        await running.agent.kill()
        await running.agent.start()
        await running.centre.wait_until(lambda: challenge(running) != status.challenge)
        assert await answered(once, "once") == first, "also after a restart"
        assert (await answered(signed("stale"), "stale")).reason == "stale_challenge"

        mark = running.centre.mark()
        running.centre.publish(Answer(topic, signed("forged")[:-4] + b"AAAA", retain=False))
        forged = await running.centre.wait_for(about(Kind.COMMAND_FORGED, "commands"), since=mark)
        assert (forged.data["reason"], forged.data["by"]) == ("forged", "unknown")
        mark = running.centre.mark()
        if protocol is Protocol.MQTT5:
            running.centre.publish(Answer(topic, signed("left"), retain=True))
        else:  # 3.1.1 marks as retained only what was left before the gateway subscribed
            await running.agent.kill()
            running.centre.publish(Answer(topic, signed("left"), retain=True))
            await running.agent.start()
        left = await running.centre.wait_for(about(Kind.COMMAND_FORGED, "commands"), since=mark)
        assert left.data["reason"] == "retained"
        mark = running.centre.mark()
        book = running.centre.gateways[GATEWAY]
        lie = Receipt(gateway=GATEWAY, epoch=book.epoch, counter=1 << 40).payload()
        running.centre.publish(Answer(f"gatehouse/1/down/{book.path}/receipt", lie, retain=True))
        await running.centre.wait_for(about(Kind.RECEIPT_FORGED, "uplink"), since=mark)
        await everything_confirmed(running)
        granted = [event for event in running.centre.since(0) if event.kind is Kind.ACCESS_GRANTED]
        assert len(granted) == moved == 1
    assert [reason for what, reason in whats(folder) if what == "command.refused"] == [
        "stale_challenge", "forged", "retained"
    ]  # fmt: skip


async def test_a_technician_gives_orders_from_the_command_line(
    doors_only: Settings, folder: Path, mosquitto: Callable[[Path], Broker], protocol: Protocol
) -> None:
    async with compound(doors_only, folder, broker=mosquitto, protocol=protocol, mistakes=speaks(protocol)) as running:
        await running.centre.keyed(GATEWAY)
        key = folder / "technician.key"
        key.write_bytes(running.office.operator.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

        async def command(*arguments: str) -> Said:
            return await gatehouse("command", *arguments, "--key", key, "--file", running.file, "--lang", "zh")

        assert (await command("unlock", "north-gate", "--keep")).out == "unlock: 已执行\n"
        await running.lock_is("north-gate", unlocked=True)
        refused = await command("unlock", "moon-gate")
        assert (refused.code, "unknown_target" in refused.out) == (1, True), refused
        wrong = await command("unlock", "north-gate", "--for", "-1")
        assert (wrong.code, wrong.out) == (2, ""), wrong
        assert (await command("restart")).code == 0
        assert await running.agent.ended() == 0
        await running.agent.start()
        await everything_confirmed(running)
        record = await gatehouse("audit", "verify", "--file", running.file)
        assert (record.code, "chain holds" in record.out) == (0, True)


async def test_a_configuration_is_kept_once_the_centre_is_reached_with_it(
    doors_only: Settings, folder: Path, mosquitto: Callable[[Path], Broker], protocol: Protocol
) -> None:
    async with compound(doors_only, folder, broker=mosquitto, protocol=protocol, mistakes=speaks(protocol)) as running:
        await running.centre.keyed(GATEWAY)
        wrong = await running.order(Verb.CONFIGURATION, {"toml": "nonsense"})
        assert (wrong.outcome, wrong.reason) == (Verdict.REFUSED, "invalid")
        text = running.file.read_text().replace("heartbeat_s = 5.0", "heartbeat_s = 7.0")
        begun = await running.order(Verb.CONFIGURATION, {"toml": text, "within_s": 60.0})
        assert begun.outcome is Verdict.STARTED
        assert await running.agent.ended() == 0
        await running.agent.start()
        replies = running.centre.gateways[GATEWAY].replies
        await running.centre.wait_until(lambda: replies[begun.id].outcome is Verdict.DONE, timeout_s=30)
        await running.centre.wait_for(about(Kind.CONFIGURATION_KEPT, "configuration"))
        assert in_force(running.file).centre.heartbeat_s == 7
        assert load(running.file).centre.heartbeat_s == 5, "the installer's file is his"

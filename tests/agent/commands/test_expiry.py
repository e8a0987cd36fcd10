"""An order that moves something is kept by no broker for longer than it is worth."""

import asyncio
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from agent.contract.commands import LIVES_S, Verb
from drivers.base import SystemClock
from simulators.broker import Broker
from simulators.centre import Centre
from simulators.office import Office
from tests.agent.house import GATEWAY, TOPICS, house
from tests.agent.test_uplink import to
from tests.conftest import need


async def test_an_order_that_moves_something_expires_at_the_broker_and_others_do_not(tmp_path: Path) -> None:
    need(Broker.has("mosquitto"), "mosquitto")
    loop, lives = asyncio.get_running_loop(), asyncio.Queue[tuple[str, int | None]]()

    def heard(_client: Client, _data: Any, message: MQTTMessage) -> None:
        verb, lives_s = message.topic.rpartition("/")[2], getattr(message.properties, "MessageExpiryInterval", None)
        loop.call_soon_threadsafe(lives.put_nowait, (verb, lives_s))

    def subscribed(*_: Any) -> None:
        loop.call_soon_threadsafe(listens.set)

    broker = Broker.mosquitto(tmp_path / "broker")
    async with (
        broker,
        Centre(broker.url, clock=SystemClock(), desk=Office()) as centre,
        house(tmp_path / "j", to(broker)),
    ):
        listener, listens = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5), asyncio.Event()
        listener.on_message = heard
        listener.on_subscribe = subscribed
        listener.connect("127.0.0.1", broker.port)
        listener.subscribe(TOPICS.command("+"), 1)
        listener.loop_start()
        try:
            await asyncio.wait_for(listens.wait(), 10)
            await centre.wait_until(lambda: GATEWAY.id in centre.gateways and bool(centre.gateways[GATEWAY.id].status))
            for verb in (Verb.UNLOCK, Verb.AUDIT):
                centre.publish(centre._registry.order(GATEWAY.id, verb, {})[1])
            (first, moves_s), (second, reads_s) = [await asyncio.wait_for(lives.get(), 10) for _ in range(2)]
        finally:
            listener.loop_stop()
    assert (first, second, reads_s) == ("unlock", "audit", None)
    assert moves_s is not None
    assert LIVES_S - 5 <= moves_s <= LIVES_S

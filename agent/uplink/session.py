"""One MQTT connection: one paho client, driven by the event loop, thrown away with its connection.

DNS, connect and TLS handshake run in the thread `uplink-connect`; from then on only the loop touches the client.
paho's callbacks push into a queue and wake the owner; nothing else happens inside them.
"""

import asyncio
import socket
import ssl
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from agent.settings import Protocol
from agent.uplink.dial import Cause, LinkDownError, Target, explain, refused
from agent.uplink.packets import identifiers, publish
from agent.uplink.wire import Wire
from drivers.base import Clock

if TYPE_CHECKING:
    from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

CONNECT_TIMEOUT_S: Final = 5.0
"""For each of TCP connect, TLS handshake and CONNACK."""
DIAL_TIMEOUT_S: Final = 30.0
"""For all of dialling, several addresses and a slow resolver included."""
_UNLIMITED: Final = 268_435_455


class Acked(NamedTuple):
    """PUBACK; `code` 128 and above is a refusal."""

    mid: int
    code: int
    name: str


@dataclass(frozen=True, slots=True)
class Message:
    """`retained`: published so, as far as the broker says; on 3.1.1 only when it was left from earlier."""

    topic: str
    payload: bytes
    retained: bool = False


@dataclass(frozen=True, slots=True)
class Subscribed:
    """SUBACK; `refused` names the first refusal, and is empty when there is none."""

    refused: str


@dataclass(frozen=True, slots=True)
class Closed:
    reason: str
    code: int = 0
    """Of the broker's DISCONNECT, where it sent one (MQTT 5)."""


@dataclass(frozen=True, slots=True)
class _Connack:
    code: int
    name: str
    receive_maximum: int
    maximum_packet: int
    lacks: str
    """What the contract needs and this broker says it does not take."""


Happening: TypeAlias = Acked | Message | Subscribed | Closed | _Connack


class Session:
    """`wake` is set whenever `take` has something. `context` is used for TLS; without it one is made of the files."""

    def __init__(
        self,
        target: Target,
        version: Protocol,
        client_id: str,
        keepalive_s: int,
        wake: asyncio.Event,
        context: ssl.SSLContext | None = None,
    ) -> None:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

        self.version = version
        self.receive_maximum = 65535
        self.maximum_packet = _UNLIMITED
        self._target = target
        self._context = context
        self._wake = wake
        self._keepalive_s = keepalive_s
        self._happened: deque[Happening] = deque()
        self._writing = False
        self._wire: Wire | None = None
        self._identifiers = identifiers()
        self._five = five = version is Protocol.MQTT5
        self._client: Client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=None if five else True,
            protocol=MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
        )
        client = self._client
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_subscribe = self._on_subscribe
        client.on_socket_close = self._on_socket_close
        client.on_socket_register_write = _later  # without it paho writes each packet at once, inside publish()

    def will(self, topic: str, payload: bytes) -> None:
        self._client.will_set(topic, payload, qos=1, retain=True)

    async def open(self, clock: Clock) -> None:
        """Dial and log in. Raises: LinkDownError."""
        try:
            async with clock.timeout(DIAL_TIMEOUT_S):
                await self._dial()
        except TimeoutError as err:
            raise explain(err, self._target) from err
        assert self._wire is not None
        asyncio.get_running_loop().add_reader(self._wire.fileno(), self._readable)
        self.flush()
        connack = await self._connack(clock)
        if connack.code:
            raise refused(connack.code, connack.name, self._target)
        if connack.lacks:
            hint = "the centre's broker must be set up for it, see config/brokers/README.md"
            raise LinkDownError(Cause.CONFIGURED, f"{self._target} takes no {connack.lacks}", hint=hint)
        self.receive_maximum = connack.receive_maximum
        self.maximum_packet = connack.maximum_packet

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, expiry_s: int | None = None) -> int:
        """Queue a QoS 1 message for the next `flush`; its PUBACK carries the number returned.

        `expiry_s` is for what is worse late than never (commands); MQTT 3.1.1 does not know it.
        """
        assert self._wire is not None
        mid = next(self._identifiers)
        self._wire.send(publish(topic, payload, mid, retain=retain, five=self._five, expiry_s=expiry_s))
        return mid

    def subscribe(self, topics: Sequence[str]) -> None:
        """On MQTT 5 the broker tells of each message whether it was published as a retained one."""
        from paho.mqtt.subscribeoptions import SubscribeOptions

        if self.version is Protocol.MQTT5:
            self._client.subscribe([(topic, SubscribeOptions(qos=1, retainAsPublished=True)) for topic in topics])
        else:
            self._client.subscribe([(topic, 1) for topic in topics])

    def take(self) -> Sequence[Happening]:
        """Everything that has happened since the last call."""
        taken = tuple(self._happened)
        self._happened.clear()
        return taken

    def flush(self) -> None:
        """Write what is queued, now as far as the socket takes it, and the rest when it is ready."""
        wire = self._wire
        if wire is None:
            return
        if self._client.want_write():
            self._client.loop_write()
        wire.flush()
        if wire.ended:
            self._read(wire)
        if wire.unsent == self._writing or self._client.socket() is None:
            return
        loop = asyncio.get_running_loop()
        if wire.unsent:
            loop.add_writer(wire.fileno(), self.flush)
        else:
            loop.remove_writer(wire.fileno())
        self._writing = wire.unsent

    def tick(self) -> None:
        """Keep-alive; to be called about once a second."""
        self._client.loop_misc()
        self.flush()

    def close(self) -> None:
        """DISCONNECT, so that the broker keeps the will to itself, and hang up."""
        if self._client.socket() is not None:
            self._client.disconnect()
            self.flush()
        self.abort()

    def abort(self) -> None:
        """Hang up without a word; the broker publishes the will."""
        sock = self._client.socket()
        if sock is None:
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(sock.fileno())
        loop.remove_writer(sock.fileno())
        _close(self._client)

    # ------------------------------------------------------------ dialling

    async def _dial(self) -> None:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()

        def settle(error: OSError | ValueError | None) -> None:
            if done.cancelled():
                _close(self._client)
            elif error is None:
                done.set_result(None)
            else:
                done.set_exception(error)

        def dial() -> None:
            failure: OSError | ValueError | None = None
            try:
                self._dial_blocking()
            except (OSError, ValueError) as error:
                failure = error
            try:
                loop.call_soon_threadsafe(settle, failure)
            except RuntimeError:  # the loop is gone; nobody waits any more
                _close(self._client)

        threading.Thread(target=dial, name="uplink-connect", daemon=True).start()
        try:
            await done
        except (OSError, ValueError) as error:
            raise explain(error, self._target) from error

    def _dial_blocking(self) -> None:
        if self._target.username is not None:
            self._client.username_pw_set(self._target.username, self._target.password())
        if self._target.tls:
            self._client.tls_set_context(self._context or self._target.context())
        self._client.connect(self._target.host, self._target.port, keepalive=self._keepalive_s)
        sock = self._client.socket()
        assert isinstance(sock, socket.socket)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # an alarm does not wait for a telemetry ACK
        self._wire = self._client._sock = Wire(sock)  # noqa: SLF001 - paho has no other place for it

    async def _connack(self, clock: Clock) -> _Connack:
        try:
            async with clock.timeout(CONNECT_TIMEOUT_S):
                while True:
                    self._wake.clear()
                    while self._happened:  # what came with it is the owner's
                        match happening := self._happened.popleft():
                            case _Connack():
                                return happening
                            case Closed():
                                raise LinkDownError(
                                    Cause.CLOSED,
                                    f"{self._target} hangs up on CONNECT",
                                    hint=self._target.hint,
                                )
                            case _:
                                pass
                    await self._wake.wait()
        except TimeoutError as err:
            raise LinkDownError(
                Cause.TIMEOUT,
                f"{self._target} accepts the connection and does not answer CONNECT",
                hint=self._target.hint,
            ) from err

    # ------------------------------------------------------------ the loop's and paho's callbacks

    def _readable(self) -> None:
        assert self._wire is not None
        self._wire.fill()
        self._read(self._wire)
        self.flush()

    def _read(self, wire: Wire) -> None:
        if wire.acks:
            self._happened.extend(Acked(mid, code, _name(code) if code else "") for mid, code in wire.acks)
            wire.acks.clear()
            self._wake.set()
        while wire.unread and self._client.socket() is not None:
            self._client.loop_read()

    def _push(self, happening: Happening) -> None:
        self._happened.append(happening)
        self._wake.set()

    def _on_connect(
        self, _client: "Client", _data: object, _flags: "ConnectFlags", code: "ReasonCode", more: "Properties | None"
    ) -> None:
        receive_maximum = getattr(more, "ReceiveMaximum", 65535)
        maximum_packet = getattr(more, "MaximumPacketSize", _UNLIMITED)
        lacks = "" if getattr(more, "MaximumQoS", 1) else "messages of QoS 1"
        lacks = lacks if getattr(more, "RetainAvailable", 1) else "retained messages"
        self._push(_Connack(code.value, str(code), receive_maximum, maximum_packet, lacks))

    def _on_disconnect(
        self,
        _client: "Client",
        _data: object,
        _flags: "DisconnectFlags",
        code: "ReasonCode",
        _more: "Properties | None",
    ) -> None:
        self._push(Closed(str(code), code.value))

    def _on_message(self, _client: "Client", _data: object, message: "MQTTMessage") -> None:
        self._push(Message(message.topic, bytes(message.payload), message.retain))

    def _on_subscribe(
        self, _client: "Client", _data: object, _mid: int, codes: "list[ReasonCode]", _more: "Properties"
    ) -> None:
        self._push(Subscribed(next((str(code) for code in codes if code.is_failure), "")))

    def _on_socket_close(self, _client: "Client", _data: object, sock: object) -> None:
        fd = sock.fileno() if hasattr(sock, "fileno") else -1
        with suppress(RuntimeError):  # closed by the connecting thread: it has no loop and registered nothing
            loop = asyncio.get_running_loop()
            loop.remove_reader(fd)
            loop.remove_writer(fd)
        self._writing = False


def _name(code: int) -> str:
    """Of a PUBACK's reason code."""
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.reasoncodes import ReasonCode

    try:
        return str(ReasonCode(PacketTypes.PUBACK, identifier=code))
    except (KeyError, ValueError):  # none at all, or none of a PUBACK
        return f"reason code {code:#x}"


def _later(_client: "Client", _data: object, _sock: object) -> None:
    """Writing is the owner's `flush`."""


def _close(client: "Client") -> None:
    """Make paho find its socket closed, so that it lets go of it."""
    wire = client.socket()
    if isinstance(wire, Wire):
        wire.hang_up()
    while client.socket() is not None:
        client.loop_read()

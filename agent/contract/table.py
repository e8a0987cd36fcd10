"""The closed list of all messages. A message that is not here is not in the published documents.

A new message: its model in `messages` or a module beside it, its topic in `topics.Suffix`, a sample in `samples`, and
a line here; `make contract` then writes the documents anew.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Final

from agent.contract import samples, signed_samples
from agent.contract.commands import CommandReply, KeySet, Verb, command_model
from agent.contract.health import HealthMessage
from agent.contract.messages import DeviceMessage, Document, Presence, Receipt, Request, RequestReply, StatusMessage
from agent.contract.samples import Sample
from agent.contract.topics import Suffix
from agent.words import Words

JOSE: Final = "application/jose"
_ORDERS: Final = {
    Verb.UNLOCK: Words("unlock a door", "开门"),
    Verb.LOCK: Words("lock a door", "锁门"),
    Verb.LOCKDOWN: Words("lock doors down, or end that", "紧急封锁及解除"),
    Verb.OUTPUT: Words("switch an output", "开关输出"),
    Verb.SNAPSHOT: Words("take a picture, masked", "抓拍（已遮挡）"),
    Verb.CREDENTIALS: Words("change the card list, encrypted", "更新通行名单（加密）"),
    Verb.CONFIGURATION: Words("try another compound file", "试用新配置"),
    Verb.RESTART: Words("restart the gateway's agent", "重启网关程序"),
    Verb.RESEND: Words("send entries again", "补发记录"),
    Verb.HANDLING: Words("how far an event is handled", "事件处置状态"),
    Verb.AUDIT: Words("fetch records of the audit log", "调取审计记录"),
}


class Direction(StrEnum):
    UP = "up"  # a gateway publishes, the centre subscribes
    DOWN = "down"  # the centre publishes, one gateway subscribes


@dataclass(frozen=True, slots=True)
class MessageType:
    """`name` is unique and never changes its meaning; `model` is the JSON of the payload, None of a picture."""

    name: str
    direction: Direction
    suffix: Suffix
    retain: bool
    model: type[Document] | None
    samples: Callable[[], Iterable[Sample]]
    words: Words
    qos: int = 1
    content_type: str = "application/json"
    """Of the payload: `application/jose` where `model` is what a JWS carries."""
    verb: Verb | None = None

    @property
    def address(self) -> str:
        """Below the gateway's path."""
        return self.suffix if self.verb is None else self.suffix.filled(verb=self.verb)


MESSAGES: Final = (
    MessageType("presence", Direction.UP, Suffix.PRESENCE, True, Presence, samples.presence,
        Words("Whether the gateway is online; its will says offline", "网关是否在线；断线时由遗嘱置为离线")),
    MessageType("status", Direction.UP, Suffix.STATUS, True, StatusMessage, samples.status,
        Words("What the gateway is, and the last entry of each lane", "网关自身情况与各通道末条记录")),
    MessageType("device", Direction.UP, Suffix.DEVICE, True, DeviceMessage, samples.device,
        Words("The state of one device and of its points", "一台设备及其各点位的状态")),
    MessageType("health", Direction.UP, Suffix.HEALTH, True, HealthMessage, samples.health,
        Words("How the gateway is: board, disk, link, queues, devices", "网关健康状况：主板、磁盘、链路、队列、设备")),
    MessageType("media", Direction.UP, Suffix.MEDIA, False, None, tuple,
        Words("A picture that an event names, people blurred", "事件所指的图片，人员已模糊"),
        content_type="image/jpeg"),
    MessageType("request-reply", Direction.UP, Suffix.REPLY, False, RequestReply, samples.request_reply,
        Words("Answers a request", "对补发请求的答复")),
    MessageType("receipt", Direction.DOWN, Suffix.RECEIPT, True, Receipt, samples.receipt,
        Words("The centre has stored everything up to these numbers", "回执：中心已存储至这些序号")),
    MessageType("receipt-signed", Direction.DOWN, Suffix.RECEIPT, True, Receipt, signed_samples.receipt,
        Words("The same, signed: what a gateway that pins roots asks for", "签名回执：固定根密钥的网关只认此种"),
        content_type=JOSE),
    MessageType("request", Direction.DOWN, Suffix.REQUEST, False, Request, samples.request,
        Words("The centre asks for entries again", "请求补发")),
    *(
        MessageType(f"command-{verb}", Direction.DOWN, Suffix.COMMAND, False, command_model(verb),
            partial(signed_samples.command, verb), Words(f"An order, signed: {_ORDERS[verb].en}",
            f"签名指令：{_ORDERS[verb].zh}"), content_type=JOSE, verb=verb)
        for verb in Verb if verb is not Verb.KEYS
    ),
    MessageType("command-keys", Direction.DOWN, Suffix.COMMAND, False, KeySet, signed_samples.keys,
        Words("The keys of the centre, signed by an offline root", "中心密钥集，由离线根密钥签名"), content_type=JOSE,
        verb=Verb.KEYS),
    MessageType("command-reply", Direction.UP, Suffix.REPLY, False, CommandReply, signed_samples.reply,
        Words("What became of an order", "指令执行结果")),
)  # fmt: skip
"""Beside these, every kind of `agent.events.CATALOGUE` is a message at `Suffix.EVENT`."""

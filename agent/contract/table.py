"""The closed list of all messages. A message that is not here is not in the published documents.

A new message: its model in `messages` or a module beside it, its topic in `topics.Suffix`, a sample in `samples`, and
a line here; `make contract` then writes the documents anew.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from agent.contract import samples
from agent.contract.messages import DeviceMessage, Document, Presence, Receipt, Request, RequestReply, StatusMessage
from agent.contract.samples import Sample
from agent.contract.topics import Suffix
from agent.words import Words


class Direction(StrEnum):
    UP = "up"  # a gateway publishes, the centre subscribes
    DOWN = "down"  # the centre publishes, one gateway subscribes


@dataclass(frozen=True, slots=True)
class MessageType:
    """`name` is unique and never changes its meaning; `model` is the JSON of the payload."""

    name: str
    direction: Direction
    suffix: Suffix
    retain: bool
    model: type[Document]
    samples: Callable[[], Iterable[Sample]]
    words: Words
    qos: int = 1
    content_type: str = "application/json"
    """Of the payload: `application/jose` where `model` is what a JWS carries."""


MESSAGES: Final = (
    MessageType("presence", Direction.UP, Suffix.PRESENCE, True, Presence, samples.presence,
        Words("Whether the gateway is online; its will says offline", "网关是否在线；断线时由遗嘱置为离线")),
    MessageType("status", Direction.UP, Suffix.STATUS, True, StatusMessage, samples.status,
        Words("What the gateway is, and the last entry of each lane", "网关自身情况与各通道末条记录")),
    MessageType("device", Direction.UP, Suffix.DEVICE, True, DeviceMessage, samples.device,
        Words("The state of one device and of its points", "一台设备及其各点位的状态")),
    MessageType("request-reply", Direction.UP, Suffix.REPLY, False, RequestReply, samples.request_reply,
        Words("Answers a request", "对补发请求的答复")),
    MessageType("receipt", Direction.DOWN, Suffix.RECEIPT, True, Receipt, samples.receipt,
        Words("The centre has stored everything up to these numbers", "回执：中心已存储至这些序号")),
    MessageType("request", Direction.DOWN, Suffix.REQUEST, False, Request, samples.request,
        Words("The centre asks for entries again", "请求补发")),
)  # fmt: skip
"""Beside these, every kind of `agent.events.CATALOGUE` is a message at `Suffix.EVENT`."""

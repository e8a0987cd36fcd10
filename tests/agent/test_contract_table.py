"""The list of messages is closed and true: topics, models and samples belong together."""

import re

import pytest

from agent.contract import Suffix, samples
from agent.contract.jws import Token
from agent.contract.table import JOSE, MESSAGES, Direction, MessageType


def fits(suffix: str, topic: str, direction: Direction) -> bool:
    root = f"gatehouse/1/{direction}/{samples.TOPICS.path}/"
    pattern = re.sub(r"\\\{\w+\\\}", "[^/+#]+", re.escape(suffix))
    return re.fullmatch(re.escape(root) + pattern, topic) is not None


def test_every_topic_is_in_the_list_once() -> None:
    assert len({message.name for message in MESSAGES}) == len(MESSAGES)
    assert {message.suffix for message in MESSAGES} | {Suffix.EVENT} == set(Suffix)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.name)
def test_every_sample_has_its_topic_and_reads_back(message: MessageType) -> None:
    for sample in message.samples():
        assert message.model is not None
        assert fits(message.address, sample.topic, message.direction)
        document = Token.parse(sample.payload).payload if message.content_type == JOSE else sample.payload
        assert message.model.model_validate_json(document).payload() == document

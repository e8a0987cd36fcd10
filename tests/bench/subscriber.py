"""A subscriber in a process of its own: `python -m tests.bench.subscriber PORT`.

Prints one line for each message: monotonic arrival in seconds, lane, and how many entries it carries.
"""

import re
import sys
import time

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

_RANGE = re.compile(rb'"from":(\d+),"to":(\d+)')


def main(port: int) -> None:
    def on_message(_: mqtt.Client, __: object, message: mqtt.MQTTMessage) -> None:
        arrived = time.monotonic()  # noqa: TID251 - an instrument
        lane = message.topic.split("/")[-2]
        found = _RANGE.search(message.payload) if lane == "telemetry" else None
        count = int(found[2]) - int(found[1]) + 1 if found else 1
        print(arrived, lane, count, flush=True)

    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.on_message = on_message
    client.on_subscribe = lambda *_: print("ready", flush=True)
    client.connect("127.0.0.1", port)
    client.subscribe("gatehouse/1/up/+/+/+/+/+/event/#", qos=1)
    client.loop_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]))

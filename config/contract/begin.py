"""The first twenty lines of a centre: every event of a lane once, in order, proven. `begin.py HOST PORT FILTER`."""

import hashlib
import json
import sys

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

last: dict[str, tuple[int, bytes]] = {}  # of each lane of an epoch; keep it in your database beside the events


def on_message(_client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
    event = json.loads(message.payload)
    sequence, (lane, _) = int(event["sequence"]), event["id"].split("/")
    start = hashlib.sha256(f"{event['source'].split('/')[2]}/{lane}".encode()).digest()
    before, digest = last.get(f"{event['source']}/{lane}", (0, start))
    if sequence <= before:
        return  # it came again
    body = b"{" + message.payload[message.payload.index(b'"type":') :]
    follows = hashlib.sha256(digest + body).hexdigest() == event["digest"]
    last[f"{event['source']}/{lane}"] = sequence, bytes.fromhex(event["digest"])
    proof = "proven" if follows else f"after {before} something is missing: ask for it with a request"
    print(event["id"], event["type"], event["subject"], event["data"]["title_zh"], proof, flush=True)


client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
client.on_message = on_message
client.on_connect = lambda client, *_: client.subscribe(sys.argv[3], qos=1)
client.connect(sys.argv[1], int(sys.argv[2]))
client.loop_forever()

"""The raw limit: paho alone, driven from the loop, QoS 1, a window of 100, no journal and no contract."""

import asyncio
import time

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

WINDOW = 100
PAYLOAD = b"x" * 420
"""As long as a typical event of ours with its envelope."""


async def publish(port: int, count: int) -> tuple[float, float]:
    """(seconds of wall time, seconds of CPU) for `count` acknowledged messages."""
    loop = asyncio.get_running_loop()
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.max_inflight_messages_set(0)  # the window is kept here: paho's own costs a walk over it at every PUBACK
    connected, done = loop.create_future(), loop.create_future()
    acknowledged = sent = 0

    def pump() -> None:
        nonlocal sent
        while sent < count and sent - acknowledged < WINDOW:
            client.publish("bench/raw", PAYLOAD, qos=1)
            sent += 1

    def on_publish(*_: object) -> None:
        nonlocal acknowledged
        acknowledged += 1
        if acknowledged == count:
            done.set_result(None)

    def on_readable() -> None:
        client.loop_read()
        pump()

    client.on_connect = lambda *_: connected.set_result(None)
    client.on_publish = on_publish

    def on_close(_: mqtt.Client, __: object, sock: "mqtt.SocketLike") -> None:
        loop.remove_reader(sock)

    def on_unregister_write(_: mqtt.Client, __: object, sock: "mqtt.SocketLike") -> None:
        loop.remove_writer(sock)

    client.on_socket_open = lambda _, __, sock: loop.add_reader(sock, on_readable)
    client.on_socket_close = on_close
    client.on_socket_register_write = lambda _, __, sock: loop.add_writer(sock, client.loop_write)
    client.on_socket_unregister_write = on_unregister_write
    client.connect("127.0.0.1", port)
    await connected
    wall, cpu = time.perf_counter(), time.process_time()
    pump()
    await done
    spent = time.perf_counter() - wall, time.process_time() - cpu
    client.disconnect()
    return spent

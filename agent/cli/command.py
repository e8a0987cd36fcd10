"""`gatehouse command …`: sign one order and wait for the answer, from a technician's laptop."""

import argparse
import asyncio
import getpass
import json
import secrets
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError

from agent.cli.complaints import COMPLAINTS
from agent.commands.seal import in_parts, seal
from agent.commands.signing import order, read_private
from agent.contract import StatusMessage, Topics
from agent.contract.commands import ARGS_OF, LIVES_S, MOVES, CommandReply, Handled, KeySet, Verb, Verdict, expiry_s
from agent.contract.jws import FlawError, Token
from agent.credentials import parse_change
from agent.events import JsonValue, Lane
from agent.settings import Centre, Protocol, Settings, load
from agent.uplink import Cause, LinkDownError, Session, Target
from agent.uplink.session import Closed, Message
from agent.words import Lang, Words
from drivers.base import Clock, ConfigError, GatehouseError, SystemClock

_SWITCH: Final = {"on": True, "off": False}
_SAID: Final = {
    Verdict.DONE: Words("done", "已执行"),
    Verdict.REFUSED: Words("refused", "被拒绝"),
    Verdict.FAILED: Words("failed", "失败"),
    Verdict.STARTED: Words("begun; the last word follows", "已开始，结果稍后给出"),
    Verdict.UNKNOWN: Words("unknown: look on site", "结果未知，请到现场查看"),
}


def add_arguments(command: argparse.ArgumentParser, default_file: Path, default_lang: Lang) -> None:
    """One subcommand a verb."""
    verbs = command.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(
        name: Verb, text: str, args: Callable[[argparse.Namespace], Mapping[str, JsonValue]]
    ) -> argparse.ArgumentParser:
        sub = verbs.add_parser(name, help=text, description=text)
        sub.add_argument("--key", type=Path, required=name is not Verb.KEYS, help="the signer's key file")
        sub.add_argument("--file", type=Path, default=default_file, help="compound's file: the gateway and its broker")
        sub.add_argument("--broker", help="another address of the broker: mqtts://host:8883")
        for name_, what in (("--ca-file", "who signed the broker's certificate"), ("--cert-file", "your certificate"),
                            ("--cert-key", "and its key")):  # fmt: skip
            sub.add_argument(name_, type=Path, help=f"{what}; default: as in the compound's file")
        sub.add_argument("--wait", type=float, default=30.0, help="seconds to wait for status and answer; default 30")
        sub.add_argument("--lang", choices=tuple(Lang), type=Lang, default=default_lang, help="language of the answer")
        sub.set_defaults(act=_command, args=args)
        return sub

    unlock = verb(Verb.UNLOCK, "unlock a door", _unlock)
    unlock.add_argument("door")
    unlock.add_argument("--for", dest="for_s", type=float, help="seconds; default: the door's own time")
    unlock.add_argument("--keep", action="store_true", help="until it is locked")
    verb(Verb.LOCK, "lock a door", lambda o: {"door": o.door}).add_argument("door")
    lockdown = verb(Verb.LOCKDOWN, "lock doors down, or end that", _lockdown)
    lockdown.add_argument("switch", choices=_SWITCH)
    lockdown.add_argument("door", nargs="*", help="default: every door")
    output = verb(Verb.OUTPUT, "switch an output that belongs to no door", _output)
    output.add_argument("output", help="device/point")
    output.add_argument("switch", choices=_SWITCH)
    output.add_argument("--for", dest="for_s", type=float, help="seconds; default: until it is switched off")
    snapshot = verb(Verb.SNAPSHOT, "take a picture", lambda o: {"camera": o.camera, "reason": o.reason})
    snapshot.add_argument("camera")
    snapshot.add_argument("--reason", required=True, help="stands in the audit record")
    verb(Verb.RESTART, "restart the agent", lambda _: {})
    resend = verb(Verb.RESEND, "send entries again", _resend)
    resend.add_argument("epoch")
    resend.add_argument("lane", choices=tuple(Lane), type=Lane)
    _range(resend)
    _range(verb(Verb.AUDIT, "fetch records of the audit log", lambda o: {"from": o.first, "to": o.last}))
    handling = verb(Verb.HANDLING, "say how far an event is handled", lambda o: {"event": o.event, "state": o.state})
    handling.add_argument("event", help="epoch/lane/sequence")
    handling.add_argument("state", choices=[state.value for state in Handled])
    configuration = verb(Verb.CONFIGURATION, "try another compound file", _configuration)
    configuration.add_argument("toml", type=Path)
    configuration.add_argument("--within", type=float, default=300.0, help="seconds to reach the centre; default 300")
    verb(Verb.KEYS, "hand over a key set signed by a root", lambda _: {}).add_argument("keys", type=Path)


def _range(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("first", type=int)
    sub.add_argument("last", type=int)


def _unlock(options: argparse.Namespace) -> Mapping[str, JsonValue]:
    return _given({"door": options.door, "for_s": options.for_s, "keep": options.keep})


def _lockdown(options: argparse.Namespace) -> Mapping[str, JsonValue]:
    return _given({"on": _SWITCH[options.switch], "doors": options.door or None})


def _output(options: argparse.Namespace) -> Mapping[str, JsonValue]:
    return _given({"output": options.output, "on": _SWITCH[options.switch], "for_s": options.for_s})


def _resend(options: argparse.Namespace) -> Mapping[str, JsonValue]:
    return {"epoch": options.epoch, "lane": options.lane.value, "from": options.first, "to": options.last}


def _configuration(options: argparse.Namespace) -> Mapping[str, JsonValue]:
    return {"toml": _read(options.toml).decode(), "within_s": options.within}


def _given(args: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    return {name: value for name, value in args.items() if value is not None}


def _command(options: argparse.Namespace) -> int:
    reply = asyncio.run(_give(options, load(options.file), SystemClock()))
    message = COMPLAINTS.both(reply.message).to(options.lang)
    said, why = _SAID[reply.outcome].to(options.lang), " ".join(filter(None, (reply.reason, message)))
    print(f"{reply.verb}: {said}{': ' if why else ''}{why}")
    for value in reply.data.values():
        for line in value if isinstance(value, list) else (json.dumps(value, ensure_ascii=False),):
            print(f"  {line}")
    return 0 if reply.outcome in (Verdict.DONE, Verdict.STARTED) else 1


async def _give(options: argparse.Namespace, settings: Settings, clock: Clock) -> CommandReply:
    """Raises: GatehouseError when there is no link or no answer."""
    verb, topics = Verb(options.verb), Topics.of(settings.gateway)
    wake = asyncio.Event()
    target = _target(options, settings.centre)
    version = Protocol.MQTT311 if settings.centre.protocol is Protocol.MQTT311 else Protocol.MQTT5
    session = Session(target, version, f"technician-{secrets.token_hex(4)}", 30, wake)
    try:
        await session.open(clock)
        session.subscribe([topics.status, topics.up("reply/+")])
        session.flush()
        status = StatusMessage.model_validate_json(await _next(session, wake, clock, topics.status, options.wait))
        for order_id, payload in _signed(options, verb, settings.gateway.id, status):
            session.publish(topics.command(verb), payload, expiry_s=expiry_s(verb))
            session.flush()
            said = await _next(session, wake, clock, topics.reply(order_id), options.wait)
            reply = CommandReply.model_validate_json(said)
            if reply.outcome is not Verdict.DONE:
                break
    except TimeoutError as err:
        hint = "is the gateway online? an order that nobody vouches for gets no answer: gatehouse keys show"
        raise GatehouseError(f"{topics.path}: no answer within {options.wait:.0f} s", hint=hint) from err
    finally:
        session.close()
    return reply


def _signed(options: argparse.Namespace, verb: Verb, gateway: str, status: StatusMessage) -> list[tuple[str, bytes]]:
    """One order, or as many as a long change of the card list takes."""
    if verb is Verb.KEYS:
        token = _read(options.keys).strip()
        try:
            return [(f"keys-{KeySet.model_validate_json(Token.parse(token).payload).version}", token)]
        except (FlawError, ValidationError) as err:
            raise ConfigError(f"{options.keys}: is no key set", hint="sign one: gatehouse keys sign") from err
    given = [options.args(options)] if verb is not Verb.CREDENTIALS else _sealed(options.change, status)
    for args in given:
        _check(verb, args)
    if status.challenge is None:
        raise GatehouseError("the gateway takes no orders", hint="commands.roots must name the centre's root keys")
    now = SystemClock().utc()
    exp = None if now is None else int(now.timestamp()) + LIVES_S
    challenge = status.challenge if verb in MOVES else None
    private = private_key(options.key, options.lang)
    return [order(private, gateway, verb, args, challenge=challenge, exp=exp) for args in given]


def _check(verb: Verb, args: Mapping[str, JsonValue]) -> None:
    try:
        ARGS_OF[verb].model_validate(dict(args))
    except ValidationError as err:
        first = err.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{where}: {first['msg']}", hint=f"see: gatehouse command {verb} --help") from err


def _sealed(path: Path, status: StatusMessage) -> list[Mapping[str, JsonValue]]:
    """Raises: GatehouseError."""
    raw = _read(path)
    parse_change(raw)
    if status.encryption is None:
        raise GatehouseError("the gateway has no key to encrypt to", hint="commands.roots must name the root keys")
    return [args.model_dump(exclude_none=True) for args in in_parts(seal(status.encryption, raw))]


def private_key(path: Path, lang: Lang) -> Ed25519PrivateKey:
    """Asks for a passphrase where the file wants one. Raises: ConfigError."""
    secret = b""
    if b"ENCRYPTED" in _read(path):
        asked = Words("passphrase: ", "口令：").to(lang)
        secret = (getpass.getpass(asked) if sys.stdin.isatty() else sys.stdin.readline().strip()).encode()
    return read_private(path, secret)


async def _next(session: Session, wake: asyncio.Event, clock: Clock, topic: str, within_s: float) -> bytes:
    async with clock.timeout(within_s):
        while True:
            wake.clear()
            for happening in session.take():
                match happening:
                    case Message(topic=heard, payload=payload) if heard == topic and payload:
                        return payload
                    case Closed(reason=reason):
                        raise LinkDownError(Cause.LOST, f"the broker closed the connection: {reason}")
                    case _:
                        pass
            await wake.wait()


def _target(options: argparse.Namespace, centre: Centre) -> Target:
    target = Target.of(centre, options.broker)
    return replace(
        target,
        ca_file=options.ca_file or target.ca_file,
        cert_file=options.cert_file or target.cert_file,
        key_file=options.cert_key or target.key_file,
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as err:
        raise ConfigError(f"{path}: {err.strerror}", hint="name a file that you may read") from err

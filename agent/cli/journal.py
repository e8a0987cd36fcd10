"""`gatehouse journal …`: a technician's look at the event journal, beside a running agent or on a copied card.

`status` and `tail` never show what is silent (duress), and where such an entry may stand, no number that tells of it.
`verify` and `export` leave nothing out.
"""

import argparse
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

from agent.cli.family import family
from agent.contract import MAX_BATCH_BYTES, MAX_BATCH_READINGS, batch_payload, event_payload
from agent.events import CATALOGUE, Lane
from agent.journal.opening import FILE
from agent.journal.proof import LaneProof, prove
from agent.journal.quarantine import kept
from agent.journal.reading import Moment, Row, moment
from agent.settings import load
from agent.words import Lang, Words
from drivers.base import ConfigError

SECRETIVE = frozenset(info.lane for info in CATALOGUE.values() if info.silent)
"""Lanes where something silent may stand."""
_IN_CHINESE = {
    Lane.ALARM: "报警",
    Lane.FAULT: "故障",
    Lane.LEDGER: "台账",
    Lane.ACCESS: "通行",
    Lane.TELEMETRY: "遥测",
    Lane.MEDIA: "图片",
}


def add_arguments(journal: argparse.ArgumentParser, default_file: Path, default_lang: Lang) -> None:
    """The subcommands status, tail, verify and export."""

    def own(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("--journal", type=Path, help="a journal or its folder, on a copied card; else the compound's")

    command = family(journal, "status|tail|verify|export", default_lang, default_file, own=own)
    command("status", _status, "how much is kept, and how much waits for the centre")
    tail = command("tail", _tail, "the newest entries of each lane")
    tail.add_argument("-n", dest="lines", type=int, default=10, help="so many of a lane; default 10")
    tail.add_argument("--lane", type=Lane, choices=tuple(Lane), help="of this lane only")
    command("verify", _verify, "prove that nothing is missing or changed; exits 0 or 1")
    export = command("export", _export, "write what waits to a file for the centre, a message a line as published")
    export.add_argument("to", type=Path, help="a new file")
    export.add_argument("--all", action="store_true", help="everything that is kept, what was confirmed too")
    export.add_argument("--gateway", help="the gateway's id; default: that of the compound's file")


# ---------------------------------------------------------------- status


def _status(options: argparse.Namespace) -> int:
    path, lang = _path(options), options.lang
    with moment(path) as now:
        size = path.stat().st_size / (1 << 20)
        print(f"{path}: {size:.1f} MB, {Words('epoch', '纪元').to(lang)} {now.epoch}")
        for lane in Lane:
            print(f"  {_name(lane, lang)}: {_counts(now, lane).to(lang)}")
    for damaged in sorted(kept(path.parent)):
        aside = Words(f"set aside as damaged: {damaged.name}", f"因损坏被隔离：{damaged.name}")
        print(f"  {aside.to(lang)}")
    return 0


def _counts(now: Moment, lane: Lane) -> Words:
    cursor = now.cursor(lane)
    if lane in SECRETIVE:
        waiting = now.count(lane, above=cursor.confirmed, kinds=_shown(lane))
        all_kept = now.count(lane, kinds=_shown(lane))
        return Words(f"{all_kept} kept, {waiting} waiting", f"保存 {all_kept} 条，待确认 {waiting} 条")
    oldest = now.oldest(lane) or cursor.last + 1
    dropped = [span for span in now.spans(lane) if span.first > oldest]
    all_kept = cursor.last - oldest + 1 - sum(span.last - span.first + 1 for span in dropped)
    above = [span for span in now.spans(lane) if span.first > cursor.confirmed]
    waiting = cursor.last - cursor.confirmed - sum(span.last - span.first + 1 for span in above)
    return Words(
        f"{cursor.last} written, confirmed up to {cursor.confirmed}, {all_kept} kept, {waiting} waiting",
        f"共写入 {cursor.last} 条，已确认到 {cursor.confirmed}，保存 {all_kept} 条，待确认 {waiting} 条",
    )


# ---------------------------------------------------------------- tail


def _tail(options: argparse.Namespace) -> int:
    if options.lines < 1:
        raise ConfigError(f"-n {options.lines} is no number of lines", hint="give 1 or more")
    with moment(_path(options)) as now:
        for lane in Lane if options.lane is None else (options.lane,):
            rows = now.newest(lane, options.lines, kinds=_shown(lane))
            confirmed = now.cursor(lane).confirmed
            if rows:
                print(_name(lane, options.lang))
            for row in rows:
                number = "" if lane in SECRETIVE else f"{row.sequence} "
                print(f"  {number}{'✓' if row.sequence <= confirmed else '…'} {_line(lane, row, options.lang)}")
    return 0


def _line(lane: Lane, row: Row, lang: Lang) -> str:
    """What happened, when and where, as the entry itself says it."""
    try:
        said = json.loads(row.body)
        return _reading(said) if lane is Lane.TELEMETRY else _event(row.kind, said, lang)
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"{row.kind} {row.body[:100]!r}"


def _event(kind: str, said: dict[str, Any], lang: Lang) -> str:
    data = said["data"]
    title = data.get(f"title_{lang}", kind)
    name = data["name"][lang] if "name" in data else ""
    return f"{said.get('time') or _uptime(said['uptime'])}  {title}  {said['subject']} {name}".rstrip()


def _reading(said: list[Any]) -> str:
    ref, value, unit, quality, uptime, time, _ = said
    return f"{time or _uptime(uptime)}  {ref} = {value} {unit} {'' if quality == 'good' else quality}".rstrip()


def _uptime(seconds: str) -> str:
    return f"+{seconds} s"


def _shown(lane: Lane) -> frozenset[str] | None:
    """Kinds that may be shown of a lane, None for all: one that only a newer version knows may be silent."""
    if lane not in SECRETIVE:
        return None
    return frozenset(kind.value for kind, info in CATALOGUE.items() if info.lane is lane and not info.silent)


# ---------------------------------------------------------------- verify


def _verify(options: argparse.Namespace) -> int:
    lang = options.lang
    found = prove(_path(options))
    for lane in found.lanes:
        print(f"✓ {_name(lane.lane, lang)}: {_proven(lane).to(lang)}")
    if found.pictures:
        print(f"✓ {Words(f'{found.pictures} waiting pictures are whole', f'{found.pictures} 张待传图片完好').to(lang)}")
    for flaw in found.flaws:
        print(f"✗ {flaw.place}: {flaw.what.to(lang)}")
    if found.flaws:
        cure = Words(
            "keep this file and send it to the maintainers; the agent sets a damaged journal aside at its next start",
            "请保留此文件并交给维护人员；网关下次启动时会隔离损坏的日志",
        )
        print(f"    → {cure.to(lang)}")
    else:
        print(Words("✓ Nothing is missing, nothing was changed.", "✓ 没有缺失，没有改动。").to(lang))
    return int(bool(found.flaws))


def _proven(lane: LaneProof) -> Words:
    en = f"1–{lane.last} = confirmed up to {lane.confirmed}, {lane.waiting} waiting, {lane.dropped} declared dropped"
    zh = f"1–{lane.last} = 已确认到 {lane.confirmed}，待确认 {lane.waiting} 条，申报丢弃 {lane.dropped} 条"
    if lane.unproven:
        en += f"; what stands before {lane.unproven} was released by an older version, which kept no digest of it"
        zh += f"；{lane.unproven} 之前的内容由旧版本清除，未留摘要"
    return Words(en, zh) if lane.last else Words("empty", "空")


# ---------------------------------------------------------------- export


def _export(options: argparse.Namespace) -> int:
    gateway = options.gateway or load(options.file).gateway.id
    try:
        with ExitStack() as on_failure, moment(_path(options)) as now:
            fd = os.open(options.to, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            on_failure.callback(options.to.unlink)
            with os.fdopen(fd, "wb") as file:
                written = sum(_write(file, gateway, now, lane, everything=options.all) for lane in Lane)
                file.flush()
                os.fsync(fd)
            on_failure.pop_all()
    except OSError as err:
        raise ConfigError(f"{options.to}: {err.strerror}", hint="name a new file in a folder with room") from err
    said = Words(
        f"{options.to}: {written} messages; for the centre alone: it holds what is never shown here",
        f"{options.to}：{written} 条消息；仅供综治中心使用：其中有本地从不显示的内容",
    )
    print(said.to(options.lang))
    return 0


def _write(file: BinaryIO, gateway: str, now: Moment, lane: Lane, *, everything: bool) -> int:
    """How many messages."""
    after = 0 if everything else now.cursor(lane).confirmed
    written = 0
    for payload in _payloads(gateway, now, lane, after):
        file.write(payload + b"\n")
        written += 1
    return written


def _payloads(gateway: str, now: Moment, lane: Lane, after: int) -> Iterator[bytes]:
    """Byte for byte what is published; telemetry in batches as full as they may be."""
    if lane is not Lane.TELEMETRY:
        for row in now.rows(lane, after):
            yield event_payload(gateway, now.epoch, lane, row.sequence, row.digest, row.body)
        return
    batch: list[Row] = []
    size = 0
    for row in now.rows(lane, after):
        size += len(row.body) + 1
        full = len(batch) == MAX_BATCH_READINGS or size > MAX_BATCH_BYTES
        if batch and (full or row.sequence != batch[-1].sequence + 1):
            yield _batch(gateway, now.epoch, batch)
            batch, size = [], len(row.body) + 1
        batch.append(row)
    if batch:
        yield _batch(gateway, now.epoch, batch)


def _batch(gateway: str, epoch: str, rows: list[Row]) -> bytes:
    return batch_payload(gateway, epoch, rows[0].sequence, [row.body for row in rows], rows[-1].digest)


# ---------------------------------------------------------------- for all of them


def _name(lane: Lane, lang: Lang) -> str:
    return lane.value if lang is Lang.EN else f"{_IN_CHINESE[lane]} {lane}"


def _path(options: argparse.Namespace) -> Path:
    named: Path = options.journal or load(options.file).storage.folder
    return named / FILE if named.is_dir() else named

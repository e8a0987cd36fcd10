"""`gatehouse audit …`: the record of who did what; its chain proven, and its lines shown."""

import argparse
import json
from pathlib import Path

from agent.audit import AUDIT_FILE, AuditLog
from agent.cli.family import family
from agent.settings import load
from agent.words import Lang, Words
from drivers.base import SystemClock


def add_arguments(audit: argparse.ArgumentParser, default_file: Path, default_lang: Lang) -> None:
    """The subcommands verify and show."""
    command = family(audit, "verify|show", default_lang, default_file)
    for name, act, text in (
        ("verify", _verify, "prove that no record is missing or changed; exits 1 where one is"),
        ("show", _show, "show the records, the oldest first"),
    ):
        sub = command(name, act, text)
        sub.add_argument("--log", type=Path, help="a copy of audit.log instead")
        if name == "show":
            sub.add_argument("--last", type=int, default=0, metavar="N", help="only the last N")


def _log(options: argparse.Namespace) -> AuditLog:
    return AuditLog(options.log or load(options.file).storage.folder / AUDIT_FILE, SystemClock())


def _verify(options: argparse.Namespace) -> int:
    log = _log(options)
    head = log.verify()
    print(Words(f"{log.path}: {head.count} records, the chain holds; head {head.chain}",
                f"{log.path}：共 {head.count} 条，链完整；末端 {head.chain}").to(options.lang))  # fmt: skip
    print(Words("compare count and head with the last audit.anchored at the centre",
                "请与中心收到的最近一条 audit.anchored 核对").to(options.lang))  # fmt: skip
    return 0


def _show(options: argparse.Namespace) -> int:
    records = list(_log(options).records())
    for record in records[-options.last :] if options.last > 0 else records:
        facts = json.dumps(record.facts, ensure_ascii=False)
        print(f"{record.number:6} {record.at or '+' + record.uptime:26} {record.what:18} {record.who}  {facts}")
    return 0

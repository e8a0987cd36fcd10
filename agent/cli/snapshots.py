"""`gatehouse snapshots …`: the pictures that are kept here. Every look is recorded before anything is shown."""

import argparse
import os
from pathlib import Path

from agent.audit import AUDIT_FILE, AuditLog
from agent.cli.family import family
from agent.pictures import store_of
from agent.settings import Settings, load
from agent.timekeeper import boot_id
from agent.words import Lang, Words
from drivers.base import ConfigError, SystemClock


def add_arguments(snapshots: argparse.ArgumentParser, default_file: Path, default_lang: Lang) -> None:
    """The subcommands list and show."""
    command = family(snapshots, "list|show", default_lang, default_file)

    command("list", _list, "show which pictures are kept, of which camera, and how long")
    show = command("show", _show, "open a picture into a file; who looked and why is recorded")
    show.add_argument("id", help="as the event names it")
    show.add_argument("--as", dest="who", required=True, metavar="NAME", help="who looks")
    show.add_argument("--reason", required=True, metavar="TEXT", help="why")
    show.add_argument("--out", type=Path, help="the file to write; default ID.jpg here")


def _list(options: argparse.Namespace) -> int:
    settings = load(options.file)
    unknown = Words("time unknown", "时间未知")
    count = 0
    for kept in store_of(settings, _clock(settings), boot_id()).kept():
        print(f"{kept.id:18}{kept.camera:22}{kept.taken or unknown.to(options.lang):28}→ {kept.expires}")
        count += 1
    print(Words(f"{count} pictures", f"共 {count} 张图片").to(options.lang))
    return 0


def _show(options: argparse.Namespace) -> int:
    settings = load(options.file)
    clock = _clock(settings)
    if not (options.who.strip() and options.reason.strip()):
        raise ConfigError("a look needs a name and a reason", hint="write --as NAME --reason TEXT")
    jpeg = store_of(settings, clock, boot_id()).open(options.id)
    log = AuditLog(settings.storage.folder / AUDIT_FILE, clock)
    log.append(options.who.strip()[:100], "snapshot.shown", snapshot=options.id, reason=options.reason.strip()[:500])
    path = options.out or Path(f"{options.id}.jpg")
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(jpeg)
    except OSError as err:
        raise ConfigError(f"{path}: {err.strerror}", hint="name another file with --out") from err
    print(Words(f"{path}; the look is recorded. When it is no longer needed: shred -u {path}",
                f"{path}；本次查看已记录。不再需要时请删除：shred -u {path}").to(options.lang))  # fmt: skip
    return 0


def _clock(settings: Settings) -> SystemClock:
    return SystemClock(settings.clock_trust)

"""`gatehouse card …`: the local card list by hand. Numbers and PINs are asked for, never arguments, never shown."""

import argparse
import getpass
import sys
from collections.abc import Iterable
from pathlib import Path
from zoneinfo import ZoneInfo

from agent.cli.family import family
from agent.credentials import Applied, CardList, Credential, add_card, add_entries, card_digest, remove_card
from agent.credentials.importing import House, Import, moment_of, read_cards
from agent.credentials.numbers import Form, card_of
from agent.credentials.table import CellError, Rejected
from agent.settings import Name, Settings, load
from agent.words import Lang, Words
from drivers.base import Card, ConfigError

_NUMBER = Words("card number: ", "卡号：")
IN_FORCE = Words("in force at the running agent within seconds", "运行中的网关几秒内生效")


def add_arguments(card: argparse.ArgumentParser, default_file: Path, default_lang: Lang) -> None:
    """The subcommands list, add, remove and import."""
    command = family(card, "list|add|remove|import", default_lang, default_file)

    def number(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("--bits", type=int, default=26, help="length of a card: 26 (default), 34, 37, or what it has")
        sub.add_argument("--form", type=Form, choices=tuple(Form), help="printed on the card, or all raw bits of it")

    command("list", _list, "show the cards by reference and holder")
    add = command("add", _add, "enter a card; its number is asked for")
    number(add)
    add.add_argument("holder", help="the property management's reference to a household or person, no name")
    add.add_argument("--door", action="append", default=[], help="a door it opens, by id; none means all")
    add.add_argument("--schedule", action="append", default=[], help="a schedule it opens in, by id; none means always")
    add.add_argument("--from", dest="valid_from", default="", metavar="DATE", help="first day, 2026-01-01")
    add.add_argument("--until", dest="valid_until", default="", metavar="DATE", help="last day, 2026-12-31")
    add.add_argument("--pin", action="store_true", help="ask for a PIN")
    add.add_argument("--duress", action="store_true", help="ask for a PIN and a duress PIN")
    add.add_argument("--extended", action="store_true", help="the door stays unlocked for its longer time")
    add.add_argument("--exempt", action="store_true", help="anti-passback does not concern it")
    remove = command("remove", _remove, "take a card off the list; its number is asked for")
    number(remove)
    remove.add_argument("--reference", help="name the card by its reference: a lost card cannot be read")
    read = command("import", _import, "enter the cards of a CSV file and report every line that is rejected")
    number(read)
    read.add_argument("csv", type=Path, help="UTF-8 or GB18030; titles card,holder[,doors,schedules,valid_until,…]")
    read.add_argument("--dry-run", action="store_true", help="report only")
    read.add_argument("--strict", action="store_true", help="enter nothing when a line is rejected")
    read.add_argument("--replace", action="store_true", help="make it the whole list; strict")


def _list(options: argparse.Namespace) -> int:
    settings, path = _open(options)
    zone = ZoneInfo(settings.gateway.timezone)
    cards = CardList.load(path)
    for credential in cards.credentials:
        print(_line(credential, zone))
    print(Words(f"{len(cards)} cards, version {cards.version}",
                f"共 {len(cards)} 张卡，版本 {cards.version}").to(options.lang))  # fmt: skip
    return 0


def _add(options: argparse.Namespace) -> int:
    settings, path = _open(options)
    _known("door", options.door, (door.id for door in settings.doors))
    _known("schedule", options.schedule, (schedule.id for schedule in settings.schedules))
    zone = ZoneInfo(settings.gateway.timezone)
    try:
        begin, end = moment_of(options.valid_from, zone), moment_of(options.valid_until, zone, last=True)
        card = card_of(_ask(_NUMBER, options.lang), options.bits, options.form)
    except CellError as err:
        raise _said(err, options.lang) from None
    added = add_card(
        path,
        card,
        options.holder,
        options.door,
        schedules=options.schedule,
        valid_from=begin,
        valid_until=end,
        extended=options.extended,
        exempt=options.exempt,
        pin=_ask(Words("PIN: ", "密码："), options.lang) if options.pin or options.duress else None,
        duress=_ask(Words("duress PIN: ", "胁迫密码："), options.lang) if options.duress else None,
    )
    print(f"{added.reference}  {added.holder}; {IN_FORCE.to(options.lang)}")
    return 0


def _remove(options: argparse.Namespace) -> int:
    _, path = _open(options)
    removed = remove_card(path, options.reference or _ask_card(options))
    print(f"{removed.reference}  {removed.holder}; {IN_FORCE.to(options.lang)}")
    return 0


def _import(options: argparse.Namespace) -> int:
    """Exit code 1 when a line was rejected."""
    settings, path = _open(options)
    try:
        content = options.csv.read_bytes()
    except OSError as err:
        raise ConfigError(f"{options.csv}: {err.strerror}", hint="name a CSV file you may read") from err
    found = read_cards(content, _house(settings, options))
    for rejected in found.rejected:
        print(_report(rejected, options.lang))
    print(_summary(path, found).to(options.lang))
    held_back = bool(found.rejected) and (options.strict or options.replace)
    if options.dry_run or held_back or not found.entries:
        print(Words("nothing was changed", "未作任何更改").to(options.lang))
    else:
        applied = add_entries(path, found.entries, replace_all=options.replace)
        print(_done(applied, options.csv).to(options.lang))
    return int(bool(found.rejected))


def _summary(path: Path, found: Import) -> Words:
    replaced = 0
    if path.exists():
        cards = CardList.load(path)
        replaced = sum(bool(cards.find(card_digest(cards.key, entry.card))) for entry in found.entries)
    count, bad = len(found.entries), len(found.rejected)
    return Words(
        f"{count} lines are good ({replaced} of them cards already on the list), {bad} rejected",
        f"{count} 行可录入（其中 {replaced} 张卡已在名单中），{bad} 行被拒绝",
    )


def _done(applied: Applied, csv: Path) -> Words:
    return Words(
        f"the list holds {applied.count} cards, version {applied.version}; {IN_FORCE.en}\n"
        f"the file holds card numbers; when it is no longer needed: shred -u {csv}",
        f"名单现有 {applied.count} 张卡，版本 {applied.version}；{IN_FORCE.zh}\n"
        f"该文件含有卡号，不再需要时请删除：shred -u {csv}",
    )


def _report(rejected: Rejected, lang: Lang) -> str:
    card = Words(f" ({rejected.card})", f"（{rejected.card}）") if rejected.card else Words("", "")
    where = Words(f"line {rejected.line}{card.en}: ", f"第 {rejected.line} 行{card.zh}：").to(lang)
    return f"{where}{rejected.reason.to(lang)} → {rejected.cure.to(lang)}"


def _line(credential: Credential, zone: ZoneInfo) -> str:
    """Whether there is a duress PIN is nobody's to see."""
    parts = [credential.reference, f"{credential.holder:20}", ",".join(credential.doors or ("*",))]
    parts += [",".join(credential.schedules)] if credential.schedules else []
    for mark, at in (("≥", credential.valid_from), ("<", credential.valid_until)):
        parts += [f"{mark}{at.astimezone(zone):%Y-%m-%d %H:%M}"] if at is not None else []
    flags = {"pin": credential.pin, "extended": credential.extended, "exempt": credential.exempt}
    return "  ".join([*parts, *(name for name, on in flags.items() if on)])


def _open(options: argparse.Namespace) -> tuple[Settings, Path]:
    settings = load(options.file)
    path = settings.access.credentials_file
    if path is None:
        raise ConfigError("the compound has no credentials_file", hint="set access.credentials_file in its file")
    return settings, path


def _house(settings: Settings, options: argparse.Namespace) -> House:
    return House(
        doors=_by_name((door.id, door.name) for door in settings.doors),
        schedules=_by_name((schedule.id, schedule.name) for schedule in settings.schedules),
        zone=ZoneInfo(settings.gateway.timezone),
        bits=options.bits,
        form=options.form,
    )


def _by_name(things: Iterable[tuple[str, Name]]) -> dict[str, str]:
    """Ids by themselves and by name; a name that two things share names none."""
    listed = tuple(things)
    names = [name for _, both in listed for name in {both.zh, both.en}]
    found = {name: thing for thing, both in listed for name in (both.zh, both.en) if names.count(name) == 1}
    return found | {thing: thing for thing, _ in listed}


def _known(noun: str, named: Iterable[str], there: Iterable[str]) -> None:
    known = tuple(there)
    unknown = sorted(set(named) - set(known))
    if unknown:
        raise ConfigError(
            f"no such {noun}: {', '.join(unknown)}", hint=f"the compound has: {', '.join(known) or 'none'}"
        )


def _ask_card(options: argparse.Namespace) -> Card:
    try:
        return card_of(_ask(_NUMBER, options.lang), options.bits, options.form)
    except CellError as err:
        raise _said(err, options.lang) from None


def _said(err: CellError, lang: Lang) -> ConfigError:
    return ConfigError(err.reason.to(lang), hint=err.cure.to(lang))


def _ask(prompt: Words, lang: Lang) -> str:
    return getpass.getpass(prompt.to(lang)).strip() if sys.stdin.isatty() else sys.stdin.readline().strip()

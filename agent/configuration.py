"""Which compound file is in force: the installer's, or one that the centre has sent since.

The centre's stand in the storage folder, below `configuration/`, each under its digest, and `state.json` says which one
holds. Every step is one replacement of that file, so a power cut leaves the state before or the state after:

    nothing ── propose ──▶ on trial ── keep ──▶ good        on trial ── roll_back ──▶ what was good before

One on trial is kept when the gateway has reached the centre with it. It is given up when that does not happen in time,
when it cannot even start (`MAX_STARTS`), and when the installer's file has been changed on site: what somebody on the
spot has written stands above everything that was sent before. Relative paths count from the installer's file. Blocking.
"""

import hashlib
import logging
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from agent.files import locked, write_whole
from agent.settings import Settings, load
from agent.settings.load import inspect_text
from drivers.base import ConfigError, Confined, GatehouseError

_log = logging.getLogger(__name__)
FOLDER: Final = "configuration"
MAX_STARTS: Final = 3
"""So often it may be started without reaching the centre; a fourth start means that it crashes."""


class Trial(Confined):
    """`order` and `who` are those of the order that brought it."""

    digest: str
    order: str
    who: str
    within_s: float
    starts: int = 0


class Ended(Confined):
    """A trial that was given up, until its order is answered."""

    order: str
    who: str
    reason: str


class State(Confined):
    """`base` is the digest of the installer's file that all of this stands on."""

    base: str
    good: str | None = None
    trial: Trial | None = None
    ended: Ended | None = None


class RejectionError(GatehouseError):
    """Why a proposed file is not even tried."""


class Configuration:
    """Of the installer's file at `file`."""

    def __init__(self, file: Path, settings: Settings, state: State) -> None:
        self.settings = settings
        """Those in force."""
        self._file = file
        self._folder = settings.storage.folder / FOLDER
        self._state = state

    @classmethod
    def read(cls, file: Path) -> "Configuration":
        """What is in force now. Raises: SettingsError when the installer's file is wrong and no other is in force."""
        own = load(file)
        base = _digest(file.read_bytes())
        state = _kept(own.storage.folder / FOLDER, base)
        found = cls(file, own, state)
        found.settings = found._chosen(own)
        return found

    @classmethod
    def begin(cls, file: Path) -> "Configuration":
        """For a start of the agent: one on trial is counted, and given up when it was started too often."""
        found = cls.read(file)
        with suppress(ConfigError):  # nothing can be written: it is tried again, and no worse than before
            found.count_start()
        return found

    def count_start(self) -> None:
        """One on trial is started; too often, and it is given up. Raises: ConfigError."""
        trial = self._state.trial
        if trial is None:
            return
        if trial.starts >= MAX_STARTS:
            self.roll_back(f"started {trial.starts} times, and the centre was not reached")
            return
        counted = trial.model_copy(update={"starts": trial.starts + 1})
        self._write(self._state.model_copy(update={"trial": counted}))

    @property
    def trial(self) -> Trial | None:
        return self._state.trial

    @property
    def ended(self) -> Ended | None:
        return self._state.ended

    def propose(self, text: str, order: str, who: str, within_s: float) -> None:
        """Tried from the next start on.

        Raises: RejectionError, with nothing changed; ConfigError when it cannot be kept.
        """
        if self._state.trial is not None:
            raise RejectionError("another one is on trial")
        inspection = inspect_text(text, self._file.parent.absolute())
        if inspection.settings is None:
            first = inspection.problems[0]
            raise RejectionError(f"{len(inspection.problems)} problems, the first: {first.key} {first.reason.en}")
        for name in _moved(self.settings, inspection.settings):
            raise RejectionError(f"{name} is changed, which takes a visit")
        digest = _digest(text.encode())
        self._clear(digest)
        with locked(self._folder):
            write_whole(self._folder / f"{digest}.toml", text.encode())
        self._write(self._state.model_copy(update={
            "trial": Trial(digest=digest, order=order, who=who, within_s=within_s), "ended": None,
        }))  # fmt: skip

    def keep(self) -> None:
        """The centre was reached with the one on trial. Raises: ConfigError."""
        trial = self._state.trial
        assert trial is not None
        self._write(self._state.model_copy(update={"good": trial.digest, "trial": None}))
        self._clear(trial.digest)

    def roll_back(self, reason: str) -> None:
        """What was good before is in force from the next start on, and in `settings` at once. Raises: ConfigError."""
        trial = self._state.trial
        assert trial is not None
        _log.error("the configuration on trial is given up: %s", reason)
        ended = Ended(order=trial.order, who=trial.who, reason=reason)
        self._write(self._state.model_copy(update={"trial": None, "ended": ended}))
        self.settings = self._chosen(load(self._file))

    def told(self) -> None:
        """The order of the one that was given up is answered. Raises: ConfigError."""
        self._write(self._state.model_copy(update={"ended": None}))

    def _chosen(self, own: Settings) -> Settings:
        """On trial, else the last good one, else the installer's; what cannot be read is passed over."""
        digests = [None if self._state.trial is None else self._state.trial.digest, self._state.good]
        for digest in filter(None, digests):
            try:
                text = (self._folder / f"{digest}.toml").read_text(encoding="utf-8")
            except (OSError, ValueError) as err:
                _log.error("configuration %s cannot be read: %s", digest, err)
                continue
            found = inspect_text(text, self._file.parent.absolute()).settings
            if found is not None and _digest(text.encode()) == digest and not list(_moved(own, found)):
                return found
            _log.error("configuration %s is not what was kept", digest)
        return own

    def _clear(self, digest: str) -> None:
        """Of those that were given up nothing stays but the last."""
        for path in self._folder.glob("*.toml"):
            if path.stem not in (digest, self._state.good):
                with suppress(OSError):  # it is in nobody's way
                    path.unlink(missing_ok=True)

    def _write(self, state: State) -> None:
        with locked(self._folder):
            write_whole(self._folder / "state.json", state.model_dump_json().encode())
        self._state = state


def in_force(file: Path) -> Settings:
    """Raises: SettingsError."""
    return Configuration.read(file).settings


def _kept(folder: Path, base: str) -> State:
    try:
        state = State.model_validate_json((folder / "state.json").read_bytes())
    except FileNotFoundError:
        return State(base=base)
    except (OSError, ValidationError) as err:
        _log.error("%s cannot be read (%s): the installer's file is in force", folder / "state.json", err)
        return State(base=base)
    if state.base == base:
        return state
    _log.warning("the compound's file was changed on site: what the centre sent before is given up")
    ended = state.ended
    if state.trial is not None:
        ended = Ended(order=state.trial.order, who=state.trial.who, reason="the file was changed on site")
    return State(base=base, ended=ended)


def _moved(own: Settings, other: Settings) -> Iterator[str]:
    """What no order may change: who the gateway is, whom it trusts, and where its records and secrets are.

    A file named as a password would be shown to the broker that the same order names.
    """
    for name in ("gateway.id", "commands.roots", "commands.signed_receipts", "storage.folder", "run.folder",
                 "access.credentials_file", "centre.cert_file", "centre.key_file", "centre.password_file",
                 "privacy.key_file"):  # fmt: skip
        section, key = name.split(".")
        if getattr(getattr(own, section), key) != getattr(getattr(other, section), key):
            yield name


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()

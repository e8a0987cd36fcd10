"""The desk of one gateway, built from its settings."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from agent.audit import AuditLog
from agent.commands.desk import Commands
from agent.commands.inbox import Inbox
from agent.commands.seal import Seal
from agent.commands.trust import Trust
from agent.commands.verbs import Site, Verbs
from agent.contract.commands import Handled
from agent.events import Event
from agent.rules.step import Order
from agent.settings import Settings
from drivers.base import Clock

KEYS_FILE = "keys.jws"
SEAL_FILE = "encryption.key"


def build_commands(
    settings: Settings,
    clock: Clock,
    audit: AuditLog,
    *,
    order: Callable[[Order], None],
    resend: Callable[[bytes], None],
    reply: Callable[[str, bytes], None],
    restart: Callable[[], None],
    say: Callable[[Event], None],
    on_turn: Callable[[], None],
    verified: Callable[[datetime], None],
    handle: Callable[[str, Handled, str], Handled | None],
    picture: Callable[[str, str, str], Awaitable[str]],
    propose: Callable[[str, str, str, float], None] | None = None,
) -> Commands:
    """Raises: ConfigError when a root key cannot be used."""
    folder = settings.storage.folder
    site = Site(
        doors=tuple(door.id for door in settings.doors),
        outputs=frozenset(settings.commands.outputs),
        order=order,
        resend=resend,
        restart=restart,
        audit=audit,
        credentials=settings.access.credentials_file,
        seal=Seal.open(folder / SEAL_FILE) if settings.commands.roots else None,
        handle=handle,
        picture=picture,
        propose=propose,
        verified=verified,
    )
    return Commands(
        settings.gateway.id,
        clock,
        trust=Trust.open(settings.commands.roots, folder / KEYS_FILE),
        signed_receipts=settings.commands.receipts_are_signed,
        per_minute=settings.commands.per_minute,
        inbox=Inbox(folder),
        audit=audit,
        verbs=Verbs(site, clock),
        say=say,
        reply=reply,
        on_turn=on_turn,
        encryption=None if site.seal is None else site.seal.public,
    )

"""The local list of cards: who may open which door, and when. Works with the line to the centre down.

A card's bits and number, and a PIN, are kept only as an HMAC-SHA256 under a key that lies in a file beside the list.
"""

from agent.credentials.cardlist import CardList
from agent.credentials.changes import (
    Base,
    CardNumber,
    ChangeRefused,
    Delta,
    Entry,
    Refusal,
    Snapshot,
    digest_after,
    parse_change,
    render_change,
)
from agent.credentials.credential import Credential, Times, card_digest, pin_digest
from agent.credentials.files import key_path
from agent.credentials.floor import TimeFloor
from agent.credentials.importing import House, Import, masked, moment_of, read_cards
from agent.credentials.live import Cards
from agent.credentials.numbers import Form, card_of
from agent.credentials.store import Applied, add_card, add_entries, apply_change, remove_card
from agent.credentials.table import CellError, Rejected
from agent.credentials.verdict import PinDemand, PinResult, Reason, Verdict

__all__ = [
    "Applied",
    "Base",
    "CardList",
    "CardNumber",
    "Cards",
    "CellError",
    "ChangeRefused",
    "Credential",
    "Delta",
    "Entry",
    "Form",
    "House",
    "Import",
    "PinDemand",
    "PinResult",
    "Reason",
    "Refusal",
    "Rejected",
    "Snapshot",
    "TimeFloor",
    "Times",
    "Verdict",
    "add_card",
    "add_entries",
    "apply_change",
    "card_digest",
    "card_of",
    "digest_after",
    "key_path",
    "masked",
    "moment_of",
    "parse_change",
    "pin_digest",
    "read_cards",
    "remove_card",
    "render_change",
]

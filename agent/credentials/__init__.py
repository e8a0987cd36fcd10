"""The local list of cards: who may open which door, and when. Works with the line to the centre down.

A card's bits and number, and a PIN, are kept only as an HMAC-SHA256 under a key that lies in a file beside the list.
What reads CSV files stands apart in `importing`: the running agent has no use for it.
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
from agent.credentials.live import Cards
from agent.credentials.store import Applied, add_card, add_entries, apply_change, remove_card
from agent.credentials.verdict import PinDemand, PinResult, Reason, Verdict

__all__ = [
    "Applied",
    "Base",
    "CardList",
    "CardNumber",
    "Cards",
    "ChangeRefused",
    "Credential",
    "Delta",
    "Entry",
    "PinDemand",
    "PinResult",
    "Reason",
    "Refusal",
    "Snapshot",
    "TimeFloor",
    "Times",
    "Verdict",
    "add_card",
    "add_entries",
    "apply_change",
    "card_digest",
    "digest_after",
    "key_path",
    "parse_change",
    "pin_digest",
    "remove_card",
    "render_change",
]

"""Orders of the centre: signed, fresh, noted down, carried out once, answered. See README.md."""

from agent.commands.building import build_commands
from agent.commands.desk import Commands
from agent.commands.trust import Trust

__all__ = ["Commands", "Trust", "build_commands"]

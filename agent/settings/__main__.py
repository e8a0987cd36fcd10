"""`python -m agent.settings` prints the published schema; `make schema` writes it to config/."""

import sys

from agent.settings.schema import schema_text

sys.stdout.write(schema_text())

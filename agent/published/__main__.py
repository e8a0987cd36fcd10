"""`python -m agent.published FOLDER` writes the published contract; with `--check` it only compares (`make check`)."""

import sys
from pathlib import Path

from agent.published.files import files

folder = Path(sys.argv[-1])
made = files()
if "--check" in sys.argv:
    stale = [name for name, text in made.items() if not (folder / name).exists() or (folder / name).read_text() != text]
    sys.exit(f"{folder} is not what the code makes ({', '.join(stale)}): make contract" if stale else 0)
for name, text in made.items():
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")

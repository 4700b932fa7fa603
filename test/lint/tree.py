"""The files of the project, as lint sees them: what git tracks or would track."""

import subprocess
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = "test/lint/fixtures/"
ROOMS = ("s2s", "io", "fed", "app")


@lru_cache(None)
def files():
    """Paths (strings, from the root) of all files, without lint's own bad examples."""
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return sorted(name for name in listed.split("\0")
                  if name and not name.startswith(FIXTURES) and (ROOT / name).is_file())


def c_files():
    return [name for name in files() if name.endswith((".c", ".h"))]


def room_of(name):
    """The room a file belongs to, or None (tests, bench)."""
    for room in ROOMS:
        if name.startswith((f"src/{room}/", f"include/{room}/")):
            return room
    return None


def read(name):
    return (ROOT / name).read_text(encoding="utf-8", errors="replace")

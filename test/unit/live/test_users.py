#!/usr/bin/python3
"""The live tests' users must put what arrives where their server took it: ejabberd lets a live
message overtake those it had stored, and the kill cases judge order by `got`. An order that
Causeway broke must stay broken."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "live"))
sys.dont_write_bytecode = True

from users import User  # noqa: E402  (found through the line above)

# name: (logins, each the numbers in order of arrival; a stored one is written as text), got
CASES = {
    "all live": ([[1, 2, 3]], [1, 2, 3]),
    "stored first": ([[1, 2], ["3", "4", 5]], [1, 2, 3, 4, 5]),
    "a live one overtakes": ([[1, 2], [5, "3", "4", 6]], [1, 2, 3, 4, 5, 6]),
    "two logins": ([[1], [3, "2"], [6, "4", 7, "5"]], [1, 2, 3, 4, 5, 6, 7]),
    "live ones out of order": ([[1, 3, 2]], [1, 3, 2]),
    "stored ones out of order": ([[1], [5, "3", "2"]], [1, 3, 2, 5]),
    "a live one that is late": ([[1], ["3", 4, 2]], [1, 3, 4, 2]),
}


def play(logins):
    user = User("ann@a.example", "192.0.2.1")
    for arrivals in logins:
        user.begin()
        for n in arrivals:
            user.keep(("bob@b.example", int(n)), isinstance(n, str))
    return user.numbers("bob@b.example")


def main():
    print(f"1..{len(CASES)}")
    failed = 0
    for at, (name, (logins, wanted)) in enumerate(CASES.items(), 1):
        got = play(logins)
        failed += got != wanted
        print(f"{'ok' if got == wanted else 'not ok'} {at} - {name}")
        if got != wanted:
            print(f"# got {got}, wanted {wanted}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

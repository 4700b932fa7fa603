"""Reading TAP: what a test program says about its tests.

A program is believed only when it says everything: a plan, as many tests as planned, and an exit
status that fits. Whatever else happens (no plan, a crash, a timeout) is one more failure.
"""

import re
from dataclasses import dataclass, field

POINT = re.compile(r"^(not )?ok\b\s*\d*\s*(?:-\s*)?(.*)$")
PLAN = re.compile(r"^1\.\.(\d+)\s*(?:#\s*skip\S*\s*(.*))?$", re.IGNORECASE)
DIRECTIVE = re.compile(r"\s#\s*skip\S*\s*(.*)$", re.IGNORECASE)


@dataclass
class Point:
    """One test: its name, and how it went: "ok", "failed" or "skipped"."""

    name: str
    result: str
    reason: str = ""


@dataclass
class Report:
    """All a program said so far."""

    points: list = field(default_factory=list)
    planned: int = None  # None: no plan seen
    skipped_whole: str = None  # why, when the plan was "1..0 # SKIP why"
    bailed: str = None

    def feed(self, line):
        """Takes one line; returns the Point it tells of, or None."""
        line = line.rstrip("\r\n")
        if line.startswith("Bail out!"):
            self.bailed = line
            return None
        plan = PLAN.match(line)
        if plan:
            # A cmocka program with several groups prints a plan for each.
            self.planned = (self.planned or 0) + int(plan.group(1))
            if plan.group(1) == "0" and plan.group(2) is not None:
                self.skipped_whole = plan.group(2) or "no reason given"
            return None
        found = POINT.match(line)
        if not found:
            return None
        point = self._point(found.group(1) is not None, found.group(2))
        self.points.append(point)
        return point

    @staticmethod
    def _point(failed, text):
        skip = DIRECTIVE.search(" " + text)
        name = DIRECTIVE.sub("", " " + text).strip()
        if failed:
            return Point(name, "failed")
        if skip:
            return Point(name, "skipped", skip.group(1).strip() or "no reason given")
        return Point(name, "ok")

    def count(self, result):
        return sum(point.result == result for point in self.points)

    def complaint(self, status):
        """Why this program cannot be believed, or None. `status` is how it exited: a number,
        negative for a signal, or None when it was stopped for taking too long."""
        if status is None:
            return "took too long and was stopped"
        if status < 0:
            return f"was ended by signal {-status}"
        if self.bailed is not None:
            return self.bailed
        if self.planned is None:
            return "printed no plan (1..N)"
        if self.planned != len(self.points):
            return f"planned {self.planned} tests and reported {len(self.points)}"
        if self.planned == 0 and self.skipped_whole is None:
            return "ran no test"
        if status != 0 and self.count("failed") == 0:
            return f"exited with status {status} although no test failed"
        return None

"""Medians, spreads and ratios, as they are written on the page."""

import statistics


def number(value, digits=None):
    """Three digits that count, or so many behind the point."""
    if digits is None:
        digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f}"


def spread(values, digits=None):
    """Median, least and most."""
    if not values:
        return "-"
    middle, least, most = statistics.median(values), min(values), max(values)
    return (f"**{number(middle, digits)}** {number(least, digits)}.."
            f"{number(most, digits)}")


def ratios(runs, base, pick):
    """Of the same round only: the machine may have been another one in the next."""
    by_round = {run["round"]: pick(run) for run in base}
    return [pick(run) / by_round[run["round"]] for run in runs
            if by_round.get(run["round"], 0) > 0]

"""Drawings of a run's figures: SVG written by hand, for a light and a dark page."""

import math
import statistics
from xml.sax.saxutils import escape

COLORS = {"causeway": "#d1495b", "relay": "#2878b5", "bytes": "#7bb3dd", "haproxy": "#3f8f5f",
          "nginx": "#8cc29b", "xmpp-proxy": "#b58900", "jabberd2": "#8f7ac9", "ejabberd": "#6a4ca3",
          "prosody": "#99582a"}
NAMES = {"causeway": "Causeway", "relay": "bare relay", "bytes": "bytes only",
         "haproxy": "haproxy", "nginx": "nginx stream", "xmpp-proxy": "xmpp-proxy",
         "jabberd2": "jabberd2", "ejabberd": "ejabberd", "prosody": "Prosody"}
WIDTH = 860
STYLE = """
.page { fill: #ffffff; stroke: #d9dde3; }
text { font: 13px system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: #39424e; }
.title { font-size: 18px; font-weight: 600; fill: #1b2330; }
.small { font-size: 11.5px; fill: #6b7685; }
.strong { font-weight: 600; }
.grid { stroke: #e7eaee; stroke-width: 1; }
.axis { stroke: #aab2bd; stroke-width: 1; }
.band { opacity: 0.14; }
.line { fill: none; stroke-width: 2.2; stroke-linejoin: round; stroke-linecap: round; }
.range { stroke-width: 5; stroke-linecap: round; opacity: 0.3; }
.hollow { fill: #ffffff; stroke-width: 2.4; }
@media (prefers-color-scheme: dark) {
  .page { fill: #161b22; stroke: #30363d; }
  text { fill: #c3cad3; }
  .title { fill: #eef2f6; }
  .small { fill: #929dab; }
  .grid { stroke: #262d36; }
  .axis { stroke: #57616d; }
  .hollow { fill: #161b22; }
}
"""


class Page:
    """An SVG of WIDTH by `height` with a title and what it shows."""

    def __init__(self, height, title, subtitle):
        self.height, self.parts = height, []
        self.add(f'<rect class="page" x="0.5" y="0.5" width="{WIDTH - 1}" '
                 f'height="{height - 1}" rx="10"/>')
        self.text(28, 36, title, "title")
        self.text(28, 57, subtitle, "small")

    def add(self, element):
        self.parts.append(element)

    def text(self, x, y, text, kind="", anchor="start", fill=None):
        color = f' style="fill:{fill}"' if fill else ""
        self.add(f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}"{color}>'
                 f'{escape(text)}</text>')

    def line(self, x1, y1, x2, y2, kind, color=None):
        stroke = f' stroke="{color}"' if color else ""
        self.add(f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" '
                 f'y2="{y2:.1f}"{stroke}/>')

    def dot(self, x, y, color, hollow=False):
        look = f'class="hollow" stroke="{color}"' if hollow else f'fill="{color}"'
        self.add(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" {look}/>')

    def path(self, points, kind, color, closed=False):
        d = "M" + " L".join(f"{x:.1f},{y:.1f}" for x, y in points) + (" Z" if closed else "")
        paint = f'fill="{color}"' if closed else f'stroke="{color}"'
        self.add(f'<path class="{kind}" d="{d}" {paint}/>')

    def write(self, file):
        file.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} '
                        f'{self.height}" width="{WIDTH}" height="{self.height}" role="img">'
                        f"<style>{STYLE}</style>\n" + "\n".join(self.parts) + "\n</svg>\n")


class Scale:
    """From values to a stretch of the page; logarithmic or not."""

    def __init__(self, least, most, begin, end, log=True):
        self.least, self.most, self.begin, self.end, self.log = least, most, begin, end, log

    def share(self, value):
        if self.log:
            return math.log(value / self.least) / math.log(self.most / self.least)
        return (value - self.least) / (self.most - self.least)

    def __call__(self, value):
        return self.begin + self.share(value) * (self.end - self.begin)

    def ticks(self):
        if not self.log:
            step = next(step for step in (0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1e9)
                        if self.most / step <= 7)
            return [n * step for n in range(int(self.most / step) + 1)]
        powers = [10 ** n for n in range(-2, 8)]
        found = [p * f for p in powers for f in (1, 2, 5) if self.least <= p * f <= self.most]
        return found if len(found) <= 8 else [p for p in powers if self.least <= p <= self.most]


def number(value):
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"


def micros(value):
    return f"{value / 1000:g} ms" if value >= 1000 else f"{value:g} µs"


def spread(runs, pick):
    """(median, least, most) or None."""
    values = [pick(run) for run in runs]
    return (statistics.median(values), min(values), max(values)) if values else None


def cpu(run):
    return run["cpu_per_million"]


# ---- cost against peers ----

def cost_rows(results):
    ways = [results.get("record-1", {}), results.get("out-1", {})]
    found = {}
    for name in NAMES:
        both = [spread(way.get(name, []), cpu) for way in ways]
        if both[0]:
            found[name] = both
    return sorted(found.items(), key=lambda item: item[1][0][0])


def draw_cost(results, file):
    """A row for each program: in, and hollow out."""
    rows = cost_rows(results)
    if len(rows) < 2:
        return None
    values = [v for _, both in rows for figures in both if figures for v in figures]
    page = Page(150 + 42 * len(rows), "CPU for one stanza",
                "microseconds, one link, a TLS record for each stanza; logarithmic; the bar is "
                "least to most of the rounds")
    x = Scale(min(values) / 1.4, max(values) * 1.5, 150, WIDTH - 150)
    bottom = 92 + 42 * len(rows)
    for tick in x.ticks():
        page.line(x(tick), 80, x(tick), bottom, "grid")
        page.text(x(tick), bottom + 18, f"{tick:g}", "small", "middle")
    for at, (name, both) in enumerate(rows):
        y = 106 + 42 * at
        page.text(138, y + 4, NAMES[name], "strong" if name == "causeway" else "", "end",
                  COLORS[name])
        for offset, figures in zip((-7, 7), both):
            if figures:
                page.line(x(figures[1]), y + offset, x(figures[2]), y + offset, "range",
                          COLORS[name])
                page.dot(x(figures[0]), y + offset, COLORS[name], hollow=offset > 0)
        told = " / ".join(number(figures[0]) for figures in both if figures)
        page.text(WIDTH - 136, y + 4, told, "strong" if name == "causeway" else "")
    page.dot(WIDTH - 300, bottom + 36, "#8a94a0")
    page.text(WIDTH - 290, bottom + 40, "from remote servers in", "small")
    page.dot(WIDTH - 142, bottom + 36, "#8a94a0", hollow=True)
    page.text(WIDTH - 132, bottom + 40, "out to them", "small")
    page.write(file)
    return "CPU for one stanza, Causeway beside its yardsticks and other servers"


# ---- lines ----

def put_labels(page, ends, right):
    """Names at the lines' ends, pushed apart."""
    last = -1e9
    for y, name in sorted(ends):
        y = max(y, last + 15)
        last = y
        page.text(right + 10, y + 4, NAMES[name], "strong" if name == "causeway" else "",
                  fill=COLORS[name])


def draw_line(page, x, y, name, points):
    """points: (x, (median, least, most)), of which the range may be absent."""
    if all(len(figures) == 3 for _, figures in points):
        page.path([(x(at), y(f[2])) for at, f in points]
                  + [(x(at), y(f[1])) for at, f in reversed(points)], "band", COLORS[name], True)
    page.path([(x(at), y(f[0])) for at, f in points], "line", COLORS[name])


def draw_growth(series, file, words):
    """Cost against a number. series: {program: [(number, spread)]}; words: title, subtitle, axis."""
    series = {name: points for name, points in series.items() if len(points) > 1}
    if not series:
        return None
    numbers = sorted({at for points in series.values() for at, _ in points})
    most = max(figures[2] for points in series.values() for _, figures in points)
    page = Page(400, words[0], words[1])
    x = Scale(numbers[0], numbers[-1], 70, WIDTH - 130)
    y = Scale(0, most * 1.08, 340, 84, log=False)
    for tick in y.ticks():
        page.line(70, y(tick), WIDTH - 130, y(tick), "grid")
        page.text(60, y(tick) + 4, f"{tick:g}", "small", "end")
    for at in numbers:
        page.line(x(at), 340, x(at), 345, "axis")
        page.text(x(at), 362, f"{at:,}", "small", "middle")
    page.line(70, 340, WIDTH - 130, 340, "axis")
    page.text((WIDTH - 60) / 2, 384, words[2], "small", "middle")
    ends = []
    for name, points in series.items():
        draw_line(page, x, y, name, points)
        for at, figures in points:
            page.dot(x(at), y(figures[0]), COLORS[name])
        ends.append((y(points[-1][1][0]) if points[-1][0] == numbers[-1] else 84, name))
    put_labels(page, ends, WIDTH - 130)
    page.write(file)
    return words[0]


def grown(results, scenarios, programs):
    series = {}
    for name in programs:
        points = [(at, spread(results.get(scenario, {}).get(name, []), cpu))
                  for at, scenario in scenarios]
        series[name] = [point for point in points if point[1]]
    return series


def draw_links(results, file):
    scenarios = [(1, "record-1"), (8, "record-8"), (64, "record-64"), (1000, "record-1000")]
    return draw_growth(grown(results, scenarios, ("causeway", "relay", "haproxy")), file,
                       ("CPU for one stanza against the number of links",
                        "microseconds; a TLS record for each stanza, all links busy; shaded: least "
                        "to most of the rounds", "links (logarithmic)"))


def draw_domains(results, file):
    scenarios = [(1000, "record-1000"), (3000, "pairs-3000"), (10_000, "pairs-10000")]
    return draw_growth(grown(results, scenarios, ("causeway", "relay")), file,
                       ("CPU for one stanza against the number of domain pairs",
                        "microseconds; 1,000 links, all pairs busy; shaded: least to most of the "
                        "rounds", "domain pairs (logarithmic)"))


# ---- latency ----

def rests_of(runs):
    """(share, median over the rounds of what all but that share of the stanzas do not exceed)."""
    by_share = {}
    for run in runs:
        for share, us in run.get("latency_rest_us", []):
            if 0.001 <= share <= 0.8 and us > 0:
                by_share.setdefault(share, []).append(us)
    return [(share, (statistics.median(values),)) for share, values in
            sorted(by_share.items(), reverse=True)]


def draw_panel(page, left, title, curves, y):
    right = left + 265
    x = Scale(0.8, 0.001, left, right)
    page.text(left, 88, title, "strong")
    for tick in y.ticks():
        page.line(left, y(tick), right, y(tick), "grid")
        page.text(left - 8, y(tick) + 4, micros(tick), "small", "end")
    for share, label in ((0.5, "50 %"), (0.1, "90 %"), (0.01, "99 %"), (0.001, "99.9 %")):
        page.line(x(share), 102, x(share), 400, "grid")
        page.text(x(share), 418, label, "small", "middle")
    for name, points in curves.items():
        draw_line(page, x, y, name, points)
    put_labels(page, [(y(points[-1][1][0]), name) for name, points in curves.items()], right)


def draw_latency(results, file):
    panels = []
    for scenario, title in (("rate-1000", "1,000 stanzas/s"), ("rate-5000", "5,000 stanzas/s")):
        curves = {name: rests_of(runs) for name, runs in results.get(scenario, {}).items()
                  if name in NAMES}
        curves = {name: points for name, points in curves.items() if points}
        if curves:
            panels.append((title, curves))
    if not panels:
        return None
    page = Page(450, "Latency", "from the time a stanza was to be sent, whether it could be or "
                "not, until it arrived; both axes logarithmic; median of the rounds")
    values = [f[0] for _, curves in panels for points in curves.values() for _, f in points]
    for at, (title, curves) in enumerate(panels):
        y = Scale(min(values) / 1.15, max(values) * 1.15, 400, 102)
        draw_panel(page, 74 + at * 420, title, curves, y)
    page.text(WIDTH / 2, 438, "share of the stanzas which took no longer", "small", "middle")
    page.write(file)
    return "Latency percentiles in an open loop"


DRAWN = {"cost.svg": draw_cost, "latency.svg": draw_latency, "links.svg": draw_links,
         "domains.svg": draw_domains}


def write_all(whole, folder):
    """Draws what the results allow; file names and captions of what was."""
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for name, draw in DRAWN.items():
        caption = draw(whole["results"], folder / name)
        if caption:
            written[name] = caption
        else:
            (folder / name).unlink(missing_ok=True)
    return written

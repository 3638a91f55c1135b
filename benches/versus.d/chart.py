"""Draws what benches/versus has measured: an SVG with a panel a section, and a group of bars a row; distributions as curves."""

import math
from xml.sax.saxutils import escape

WIDTH = 1000  # pixels, as all below
MARGIN = 24
LABELS = 250  # left of the bars
RATIOS = 150  # right of them
VALUES = 110  # room for the figure behind the longest bar
BAR = 13
GROUP_GAP = 9
PANEL_HEAD = 46
PANEL_FOOT = 40
HEAD = 92
CURVES = 3  # beside each other
CURVE_HEIGHT = 200
CURVE_LEFT = 44  # room for the figures at the axis
CURVE_GAP = 24  # between two of them

INK, PALE, GRID = "#1b2733", "#5b6b7a", "#dde3e8"
COLOURS = {"reference": "#93a1ad", "postern": "#1f6fb2", "against": "#e09b3d"}
BETTER, WORSE = "#1c7c3c", "#b3341f"
ALIKE = 0.05  # difference from 1 up to which a ratio has no colour
MARKED = {"p1": "1", "p50": "50", "p90": "90", "p99": "99", "p99.9": "99.9", "max": "max"}  # percentiles, at a curve's axis
LAST_PERCENT = 99.997  # where the longest of all is drawn, as if it were that percentile
LOGARITHMIC = 30  # times that the longest bar of a panel may be the shortest, before a linear axis hides that one


def draw(document: dict) -> str:
    """The whole picture."""
    parts: list[str] = []
    y = HEAD
    for section in (section for section in document["sections"] if not section["is_curve"]):
        y += panel(document, section, y, parts)
    distributions = [section for section in document["sections"] if section["is_curve"]]
    for first in range(0, len(distributions), CURVES):
        y += curves(document, distributions[first : first + CURVES], y, parts)
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + MARGIN}" width="{WIDTH}" height="{y + MARGIN}"'
        ' font-family="DejaVu Sans, Verdana, sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{y + MARGIN}" fill="#fbfcfd"/>',
        text(MARGIN, 34, "postern and nginx, the same work on one core", size=20, weight="bold"),
        text(MARGIN, 56, document["machine"]["summary"], fill=PALE),
        text(MARGIN, 74, document["measured"], fill=PALE),
    ]
    return "\n".join([*head, *parts, "</svg>"]) + "\n"


def curves(document: dict, sections: list[dict], top: int, parts: list[str]) -> int:
    """Adds distributions beside each other, with one axis of latencies for all; the height that they take."""
    values = [value for section in sections for row in section["rows"] for value in row["medians"].values()]
    least = 10 ** math.floor(math.log10(min(value for value in values if value > 0)))
    most = 10 ** math.ceil(math.log10(max(values)))
    y, height = top + PANEL_HEAD, CURVE_HEIGHT
    width = (WIDTH - 2 * MARGIN - (CURVES - 1) * CURVE_GAP) / CURVES
    for number, section in enumerate(sections):
        left = MARGIN + number * (width + CURVE_GAP)
        axis, length = left + CURVE_LEFT, width - CURVE_LEFT
        across = lambda percent: axis + nines(percent) / nines(LAST_PERCENT) * length  # noqa: E731
        down = lambda value: y + height * (1 - math.log(max(value, least) / least) / math.log(most / least))  # noqa: E731
        names, series = named(document, section)
        parts.append(text(left, top + 20, section["title"], size=14, weight="bold"))
        legend(names, series, axis, top, parts)
        for value in decades(least, most):
            parts.append(
                f'<line x1="{axis:.1f}" y1="{down(value):.1f}" x2="{axis + length:.1f}" y2="{down(value):.1f}" stroke="{GRID}"/>'
            )
            parts.append(text(axis - 6, down(value) + 4, figure(value), fill=PALE, size=10, anchor="end"))
        for row in section["rows"]:
            if mark := MARKED.get(row["name"]):
                x = across(row["percent"])
                parts.append(f'<line x1="{x:.1f}" y1="{y}" x2="{x:.1f}" y2="{y + height}" stroke="{GRID}"/>')
                parts.append(text(x, y + height + 14, mark, fill=PALE, size=10, anchor="middle"))
        parts.append(text(axis, y + height + 29, f"{section['unit']}, logarithmic, by percentile", fill=PALE, size=11))
        for kind in series:
            points = " ".join(f"{across(row['percent']):.1f},{down(row['medians'][kind]):.1f}" for row in section["rows"])
            parts.append(
                f'<polyline points="{points}" fill="none" stroke="{COLOURS[kind]}" stroke-width="2.5" stroke-linejoin="round"/>'
            )
    return PANEL_HEAD + height + PANEL_FOOT


def nines(percent: float) -> float:
    """How far to the right a percentile stands: 90 at 1, 99 at 2, 99.9 at 3."""
    return -math.log10(1 - min(percent, LAST_PERCENT) / 100)


def decades(least: float, most: float) -> list[float]:
    return [10.0**power for power in range(round(math.log10(least)), math.floor(math.log10(most)) + 1)]


def named(document: dict, section: dict) -> tuple[dict[str, str], list[str]]:
    """The names of all series, and those that there are, in the order in which they are drawn."""
    series = [kind for kind in ("reference", "against", "postern") if any(kind in row["medians"] for row in section["rows"])]
    return {"reference": section["reference"], "postern": section["measured"], "against": document["against"]}, series


def panel(document: dict, section: dict, top: int, parts: list[str]) -> int:
    """Adds a section; the height that it takes."""
    names, series = named(document, section)
    axis = Axis([value for row in section["rows"] for value in row["medians"].values()])
    better = "longer is better" if section["more_is_better"] else "shorter is better"
    parts.append(text(MARGIN, top + 20, section["title"], size=14, weight="bold"))
    legend(names, series, axis.left, top, parts)
    y = top + PANEL_HEAD
    bottom = y + sum(len(row["medians"]) * BAR + GROUP_GAP for row in section["rows"])
    for tick in axis.ticks():
        x = axis.at(tick)
        parts.append(f'<line x1="{x:.1f}" y1="{y - 4}" x2="{x:.1f}" y2="{bottom}" stroke="{GRID}"/>')
        parts.append(text(x, bottom + 14, figure(tick), fill=PALE, size=10, anchor="middle"))
    scale = ", logarithmic" if axis.logarithmic else ""
    parts.append(text(axis.left, bottom + 29, f"{section['unit']}{scale}; {better}", fill=PALE, size=11))
    if any(row["ratio"] for row in section["rows"]):
        parts.append(
            text(WIDTH - MARGIN, top + 36, f"{section['measured']} / {section['reference']}", fill=PALE, size=11, anchor="end")
        )
    for row in section["rows"]:
        bars = [kind for kind in series if kind in row["medians"]]
        middle = y + len(bars) * BAR / 2 + 4
        parts.append(text(axis.left - 10, middle, row["name"], anchor="end"))
        for kind in bars:
            value = row["medians"][kind]
            width = max(1.0, axis.at(value) - axis.left)
            parts.append(f'<rect x="{axis.left}" y="{y + 1}" width="{width:.1f}" height="{BAR - 2}" fill="{COLOURS[kind]}"/>')
            parts.append(text(axis.left + width + 5, y + BAR - 3, figure(value), size=10, fill=INK))
            y += BAR
        if row["ratio"]:
            parts.append(
                text(WIDTH - MARGIN, middle, f"× {row['ratio']:.2f}", fill=judgement(section, row), weight="bold", anchor="end")
            )
            if row["limit"]:
                parts.append(text(WIDTH - MARGIN, middle + 14, f"limit {row['limit']:.3g}", fill=PALE, size=10, anchor="end"))
        elif row["ceiling"] is not None:
            limit = f"limit {row['ceiling']:g} {section['unit']}"
            parts.append(text(WIDTH - MARGIN, middle, limit, fill=judgement(section, row), weight="bold", anchor="end"))
        y += GROUP_GAP
    return bottom + PANEL_FOOT - top


def is_met(section: dict, row: dict) -> bool:
    """Whether a ratio keeps its limit, or a figure its own."""
    if row["ceiling"] is not None:
        return row["medians"]["postern"] <= row["ceiling"]
    if row["ratio"] is None:
        return False
    return row["ratio"] >= row["limit"] if section["more_is_better"] else row["ratio"] <= row["limit"]


def judgement(section: dict, row: dict) -> str:
    """The colour of a ratio."""
    if row["limit"] or row["ceiling"] is not None:
        return BETTER if is_met(section, row) else WORSE
    if abs(row["ratio"] - 1) <= ALIKE or section["measured"] != "postern":
        return INK
    return BETTER if (row["ratio"] >= 1) == section["more_is_better"] else WORSE


def legend(names: dict[str, str], series: list[str], x: float, top: int, parts: list[str]) -> None:
    for kind in series:
        parts.append(f'<rect x="{x}" y="{top + 27}" width="10" height="10" fill="{COLOURS[kind]}"/>')
        parts.append(text(x + 15, top + 36, names[kind], fill=PALE, size=11))
        x += 40 + 7 * len(names[kind])


class Axis:
    """From a value to its place on the panel."""

    def __init__(self, values: list[float]) -> None:
        self.left = MARGIN + LABELS
        self.length = WIDTH - 2 * MARGIN - LABELS - RATIOS - VALUES / 2
        above = [value for value in values if value > 0] or [1.0]
        self.most = max(above)
        self.logarithmic = self.most / min(above) > LOGARITHMIC
        self.least = 10 ** (math.ceil(math.log10(min(above))) - 1) if self.logarithmic else 0

    def at(self, value: float) -> float:
        if self.logarithmic:
            share = math.log(max(value, self.least) / self.least) / math.log(self.most / self.least)
        else:
            share = value / self.most
        return self.left + share * self.length

    def ticks(self) -> list[float]:
        if self.logarithmic:
            return decades(self.least, self.most)
        rough = self.most / 5
        power = 10 ** math.floor(math.log10(rough))
        step = next(power * times for times in (1, 2, 5, 10) if power * times >= rough)
        return [step * number for number in range(int(self.most / step) + 1)]


def figure(value: float) -> str:
    """A number with about three digits that count."""
    if value == 0:
        return "0"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def text(x: float, y: float, words: str, fill: str = INK, size: int = 12, weight: str = "normal", anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{fill}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}">'
        f"{escape(words)}</text>"
    )

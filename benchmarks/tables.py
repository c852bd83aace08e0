"""Ratios to the first tracer, their means and worst, and the tables made of them."""

import math

Values = dict[str, dict[str, float]]  # tracer -> workload -> seconds, or KiB
Ratios = dict[str, dict[str, float]]


def ratios_to(base: str, values: Values) -> Ratios:
    """Each tracer's values as multiples of the base tracer's, where both have one."""
    return {
        tracer: {name: value / values[base][name] for name, value in row.items() if name in values[base]}
        for tracer, row in values.items()
    }


def geomean(ratios: dict[str, float]) -> float:
    """The geometric mean; NaN where there is nothing to take it of."""
    return math.exp(math.fsum(map(math.log, ratios.values())) / len(ratios)) if ratios else math.nan


def worst(ratios: dict[str, float]) -> float:
    return max(ratios.values(), default=math.nan)


def summary(base: str, seconds: Values, memory: Values) -> dict[str, dict[str, float]]:
    """Tracer -> what the tables tell of it."""
    times, sizes = ratios_to(base, seconds), ratios_to(base, memory)
    return {
        tracer: {
            "time": geomean(times[tracer]),
            "worst": worst(times[tracer]),
            "rss": geomean(sizes[tracer]),
            "worst rss": worst(sizes[tracer]),
        }
        for tracer in times
    }


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown that can be read as it is: the first column to the left, others to the right."""
    widths = [max(len(row[at]) for row in [head, *rows]) for at in range(len(head))]

    def line(cells: list[str]) -> str:
        others = [text.rjust(width) for text, width in zip(cells[1:], widths[1:])]
        return "| " + " | ".join([cells[0].ljust(widths[0]), *others]) + " |"

    rule = "|" + "|".join("-" * (w + 1) + ("-" if at == 0 else ":") for at, w in enumerate(widths)) + "|"
    return "\n".join([line(head), rule, *map(line, rows)])


def cell(value: float | None, form: str = "{:.2f}x") -> str:
    return "-" if value is None or math.isnan(value) else form.format(value)


def suite_table(seconds: Values, memory: Values) -> str:
    """One suite: a row for each workload, then the means and the worst."""
    base, *others = seconds
    times, means = ratios_to(base, seconds), summary(base, seconds, memory)
    rows = [
        [name, cell(untraced, "{:.3f} s"), *(cell(times[tracer].get(name)) for tracer in others)]
        for name, untraced in seconds[base].items()
    ]
    for label, key in (
        ("time, geometric mean", "time"),
        ("time, worst", "worst"),
        ("peak RSS, geometric mean", "rss"),
        ("peak RSS, worst", "worst rss"),
    ):
        rows.append([label, "", *(cell(means[tracer][key]) for tracer in others)])
    return table(["", base, *others], rows)


def shares_of_standard(means: dict[str, float]) -> dict[str, float]:
    """What each tracer adds, as a share of what the standard one adds with as many frames (25 at most)."""
    shares = {}
    for tracer, mean in means.items():
        name, _, frames = tracer.partition(":")
        peer = "std:" + str(min(int(frames or 1), 25)) if name == "memtally" else ""
        if peer in means:
            shares[tracer] = (mean - 1) / (means[peer] - 1)
    return shares

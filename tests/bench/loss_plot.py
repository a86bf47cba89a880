"""The plot of docs/benchmarks.md: colours that can be read on white and on black, no background."""

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

from loss_report import goals

INK, MET, MISSED = "#808080", "#2a9d8f", "#e07a3f"


def panel(axes, rows, what, title):
    axes.set_title(title, color=INK, fontsize=10)
    for place, row in enumerate(rows):
        if f"{what}_ratio" not in row:
            continue
        middle, low, high = row[f"{what}_ratio"]
        goal, met = next(((goal, met) for name, goal, _, met in goals(row) if name == what), (None, None))
        colour = {None: INK, True: MET, False: MISSED}[met]
        axes.barh(place, middle, color=colour, alpha=0.5 if colour == INK else 1, height=0.62)
        axes.plot([low, high], [place, place], color=INK, linewidth=1.5)
        if goal is not None:
            axes.plot([goal, goal], [place - 0.42, place + 0.42], color=INK, linewidth=2)
    axes.tick_params(colors=INK, labelsize=8)
    axes.grid(axis="x", color=INK, alpha=0.25)
    axes.set_axisbelow(True)
    for side in axes.spines.values():
        side.set_color(INK)
        side.set_alpha(0.5)


def draw(rows, path):
    """Batches beyond every cache; boxes also by thousands."""
    rows = [row for row in rows if row["limit"] and row["size"] in ("1GiB", "N=1000")]
    if not rows:
        return
    plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "gradeline", "font.family": "sans-serif"})
    figure, (left, right) = plt.subplots(1, 2, sharey=True, figsize=(10, 1.2 + 0.24 * len(rows)), layout="constrained")
    panel(left, rows, "eager", "times as fast as PyTorch eager")
    panel(right, rows, "limit", "share of what the machine could do")
    left.set_xscale("log")
    left.axvline(1, color=INK, linewidth=1, linestyle=":")
    left.xaxis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%g"))
    right.set_xlim(0, max(1.05, *(row.get("limit_ratio", [0])[0] * 1.05 for row in rows)))
    left.set_yticks(range(len(rows)), [f"{row['name']}  {row['size']}" for row in rows])
    left.set_ylim(len(rows) - 0.4, -0.6)
    figure.supxlabel("loss and gradient, f32, two threads; bar: median (green: goal met), line: 95 %, tick: goal", color=INK, fontsize=8)
    figure.savefig(path, transparent=True, metadata={"Date": None})
    plt.close(figure)

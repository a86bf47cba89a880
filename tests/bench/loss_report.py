"""What losses.py found, as lines, as Markdown tables, and in the folder of documents."""

import json
import re

BEGIN, END = "<!-- losses: begin; written by tests/bench/losses.py -->", "<!-- losses: end -->"
HOST_GOAL = 5e-6
FREE_GOAL = 1 / 1.03  # finite checks and fixed order cost at most 3 %
FLAT_GOAL = 1.25  # the slower size of a memory level next to the faster one
LEVELS = {"L2": ("E=2e4", "E=4e4"), "L3": ("E=1e6", "E=3e6"), "memory": ("E=1e7", "E=1e8")}
FREE = {"host_check": "the host's check", "fused_check": "the fused check", "fixed_order": "the fixed order"}
BUSY = 0.15  # with more of the machine in others' hands a row decides nothing: PyTorch's threads wait for each other


def seconds(value):
    for unit, factor in (("s", 1), ("ms", 1e3), ("µs", 1e6)):
        if value * factor >= 1 or unit == "µs":
            return f"{value * factor:.3g} {unit}"


def ratio(values, digits=2):
    return "–" if values is None else f"{values[0]:.{digits}f} [{values[1]:.{digits}f}, {values[2]:.{digits}f}]"


def peer_goal(row):
    """PyTorch pays per operation: of a few boxes more is wanted than of many."""
    few = row["size"].startswith("N=") and row["items"] <= 1000 and row["peer_goal"] >= 6
    return 20 if few else row["peer_goal"]


def goals(row):
    """[(what, goal, reached, met)] of one row: medians; met is None where the machine was too busy to tell."""
    found = []
    if row["size"] == "N=4":
        found.append(("host", HOST_GOAL, row["gradient"]["seconds"], row["gradient"]["seconds"] < HOST_GOAL))
    in_cache = row["size"] in ("L2", "N=100", "N=1000")
    for what, goal in (("limit", 0 if in_cache else row["limit_goal"]), ("eager", peer_goal(row))):
        reached = row.get(f"{what}_ratio")
        if goal and reached:
            found.append((what, goal, reached[0], reached[0] >= goal))
    for what in FREE:
        if what in row:
            found.append((what, FREE_GOAL, row[what][0], row[what][0] >= FREE_GOAL))
    return [(*goal, None) for *goal, _ in found] if row["others"] > BUSY else found


def verdict(row, what):
    for name, goal, _, met in goals(row):
        if name == what:
            return f" ≥ {goal:g} {'**machine busy**' if met is None else '✓' if met else '**missed**'}"
    return ""


def differs(row):
    """Where the peer computes something else, its time is compared all the same, and said so."""
    return max(row.get("loss_difference", 0), row.get("gradient_difference", 0)) > 1e-3


def line(row):
    parts = [f"{row['name']}/{row['size']}: {seconds(row['gradient']['seconds'])}"]
    for name in ("limit", "eager", "compiled"):
        if f"{name}_ratio" in row:
            parts.append(f"{name} {ratio(row[f'{name}_ratio'])}{verdict(row, name)}")
    if differs(row):
        parts.append(f"OTHER RESULT: loss {row['loss_difference']:.1e}, gradient {row['gradient_difference']:.1e}")
    parts.append(f"others {row['others'] * 100:.0f} %")
    return "  ".join(parts + [f"{row['rounds']} rounds, {row['dropped']} dropped"])


def cost(row, what):
    return f"{(1 / row[what][0] - 1) * 100:+.1f} %" if what in row else "–"


def compared(rows):
    has_compiled = any("compiled_ratio" in row for row in rows)
    head = ["loss", "batch", "gradient", "evaluate", "of the limit", "x PyTorch eager",
            *(["x compiled"] if has_compiled else []), "of exp alone", "check", "CPU, ours / PyTorch", "faults, ours / PyTorch", "rounds"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        eager = row.get("eager")
        lines.append("| " + " | ".join([
            f"`{row['name']}`" + (" ¹" if differs(row) else ""), row["size"], seconds(row["gradient"]["seconds"]),
            seconds(row["evaluate"]["seconds"]),
            f"{row['limit']} {ratio(row.get('limit_ratio'))}{verdict(row, 'limit')}",
            ratio(row.get("eager_ratio"), 1) + verdict(row, "eager"),
            *([ratio(row.get("compiled_ratio"), 1)] if has_compiled else []),
            ratio(row.get("exp_ratio")), cost(row, "host_check"),
            f"{seconds(row['gradient']['cpu_seconds'])} / {seconds(eager['cpu_seconds']) if eager else '–'}",
            f"{row['gradient']['minor_faults']:.0f} / {eager['minor_faults']:.0f}" if eager else "–",
            f"{row['rounds']}"]) + " |")
    return lines


def nanoseconds(row):
    return row["gradient"]["seconds"] / row["elements"] * 1e9


def flatness(rows):
    """{(name, level): how much slower the slower of its two sizes is}."""
    found = {}
    for name in dict.fromkeys(row["name"] for row in rows):
        times = {row["size"]: nanoseconds(row) for row in rows if row["name"] == name}
        for level, (small, large) in LEVELS.items():
            if small in times and large in times:
                found[name, level] = max(times[small], times[large]) / min(times[small], times[large])
    return found


def scaling(rows):
    sizes = list(dict.fromkeys(row["size"] for row in rows))
    lines = ["", "Nanoseconds per element of the prediction, with gradient, by the number of elements; and how much slower the "
             f"slower size of a memory level is (goal: at most {FLAT_GOAL:g}):", "",
             "| loss | " + " | ".join(size.removeprefix("E=") for size in sizes) + " | " + " | ".join(LEVELS) + " |",
             "|---|" + "---|" * (len(sizes) + len(LEVELS))]
    flat = flatness(rows)
    for name in dict.fromkeys(row["name"] for row in rows):
        cells = {row["size"]: f"{nanoseconds(row):.2f}" for row in rows if row["name"] == name}
        levels = [f"{flat[name, level]:.2f} {'✓' if flat[name, level] <= FLAT_GOAL else '**missed**'}" if (name, level) in flat
                  else "–" for level in LEVELS]
        lines.append(f"| `{name}` | " + " | ".join([*(cells.get(size, "–") for size in sizes), *levels]) + " |")
    return lines


def free(rows):
    """What is in no row of the comparison: costs that should not be seen."""
    lines = []
    for row in rows:
        costs = [f"{FREE[what]} {cost(row, what)}" for what in ("fused_check", "fixed_order") if what in row]
        if costs:
            lines += ["", f"`{row['name']}` {row['size']}: " + ", ".join(costs) + "; goal: at most 3 %."]
    return lines


def tables(result):
    rows, machine = result["rows"], result["machine"]
    dates = sorted({row["date"] for row in rows})
    every_goal = [met for row in rows for *_, met in goals(row)]
    every_goal += [slower <= FLAT_GOAL for slower in flatness([row for row in rows if row["size"].startswith("E=")]).values()]
    others = max((row["others"] for row in rows), default=0)
    lines = [f"{machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}; {machine['threads']} threads a side; PyTorch "
             f"{machine['torch']}; commit {machine['commit']}; {' to '.join(dict.fromkeys([dates[0], dates[-1]])) if dates else ''}; "
             f"`{result['command']}`.", "", f"Goals met: {every_goal.count(True)} of {len(every_goal)}, undecided: {every_goal.count(None)}. Other processes took up to {others * 100:.0f} % of the machine's time "
             "while a row was measured.", ""]
    against = [row for row in rows if row["limit"]]
    if against:
        lines += compared(against) + free(against)
    if any(map(differs, against)):
        lines += ["", "¹ PyTorch's usual code has another convention here: its loss or gradient differs by more than 1e-3."]
    flat = [row for row in rows if row["size"].startswith("E=")]
    if flat:
        lines += scaling(flat)
    host = [row for row in rows if row["size"] == "N=4"]
    if host:
        lines += ["", "The host, a batch of four items with gradient: " + ", ".join(
            f"`{row['name']}` {seconds(row['gradient']['seconds'])}" for row in host) + "; goal: under 5 µs."]
    return "\n".join(lines) + "\n"


def merged(result, path):
    """Rows that were measured again replace those of the same name; the command that made most of them stays."""
    if not path.exists():
        return result
    before = json.loads(path.read_text())
    new = {(row["name"], row["size"]): row for row in result["rows"]}
    rows = [new.pop((row["name"], row["size"]), row) for row in before["rows"]]
    return {**result, "command": before["command"], "rows": rows + list(new.values())}


def rounded(value):
    if isinstance(value, dict):
        return {key: rounded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def write(result, folder, partial):
    import loss_plot  # here: matplotlib is wanted only for this
    path = folder / "losses_benchmark.json"
    result = rounded(merged(result, path) if partial else result)
    rows = ",\n  ".join(json.dumps(row) for row in result["rows"])
    head = json.dumps({**result, "rows": []})
    path.write_text(head.replace('"rows": []', f'"rows": [\n  {rows}\n]') + "\n")
    loss_plot.draw(result["rows"], folder / "losses_benchmark.svg")
    page = folder / "benchmarks.md"
    text, count = re.subn(re.escape(BEGIN) + ".*?" + re.escape(END), lambda _: f"{BEGIN}\n{tables(result)}{END}",
                          page.read_text(), flags=re.S)
    if count != 1:
        raise SystemExit(f"{page} has no place for the table: {BEGIN} ... {END}")
    page.write_text(text)

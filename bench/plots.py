"""Pictures of the figures, by gnuplot: SVG for pages, PNG to look at quickly.

Bars show requests per second of server CPU with the best peer of each workload as 1, one bar a
product: of a product's settings the best counts. Lines show latency by percentile.
"""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from figures import PERCENTILES, Result
from server import Failure

PUBLISHED = Path(__file__).resolve().parent / "plots"
# what the README shows
README_PLOTS = ("http1", "http2", "latency")
FONT = "DejaVu Sans"
# of products; ours stand out, peers keep to cool greys and blues
COLOURS = {
    "nginx": "#4d7ea8",
    "lighttpd": "#86a8c4",
    "caddy": "#b7c9d8",
    "varnish": "#8d8d9b",
    "h2o": "#c3b8a5",
    "h2o-breaker": "#d1495b",
    "h2o-breaker-uv": "#edae49",
    "bare epoll": "#3d3d3d",
    "bare libuv": "#8a8a8a",
}
OTHER = "#999999"


@dataclass(frozen=True)
class Plot:
    name: str
    width: int
    height: int
    script: str
    data: str


def draw(results: list[Result], facts: dict, directory: Path, publish: bool) -> list[Path]:
    """Draws what there is; returns the paths. Without gnuplot there are no pictures."""
    if not shutil.which("gnuplot"):
        return []
    found = [plot for result in results if (plot := _plot(result, facts))]
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for plot in found:
        paths.extend(render(plot, directory))
    if publish:
        PUBLISHED.mkdir(exist_ok=True)
        for name in README_PLOTS:
            path = directory / f"{name}.svg"
            if path in paths:
                paths.append(Path(shutil.copy(path, PUBLISHED)))
    return paths


def _plot(result: Result, facts: dict) -> Plot | None:
    if not result.samples or not any(result.best_peer(w.name) for w in result.workloads):
        return None
    return _lines(result, facts) if result.rates else _bars(result, facts)


def render(plot: Plot, directory: Path) -> list[Path]:
    """Draws one picture, as SVG and as PNG."""
    (directory / f"{plot.name}.dat").write_text(plot.data)
    paths = []
    for kind, terminal in (
        ("svg", f"svg size {plot.width},{plot.height} font 'sans-serif,13' background '#ffffff'"),
        ("png", f"pngcairo size {2 * plot.width},{2 * plot.height} font '{FONT},10' fontscale 2"),
    ):
        path = directory / f"{plot.name}.{kind}"
        script = f"set terminal {terminal}\nset output '{path}'\n{plot.script}"
        (directory / f"{plot.name}.gnuplot").write_text(script)
        done = subprocess.run(
            ["gnuplot", f"{plot.name}.gnuplot"],
            cwd=directory,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise Failure(f"gnuplot: {done.stderr.strip()}")
        paths.append(path)
    return paths


def _about(facts: dict, products: list[str]) -> str:
    """Two lines below the picture: machine and date, versions."""
    machine = facts["machine"]
    versions = {p: _number(facts["versions"][p]) for p in products if p in facts["versions"]}
    shown = [f"{p} {v}" for p, v in versions.items() if not p.startswith(("bare", "h2o-breaker"))]
    shown += [f"h2o-breaker {v}" for p, v in versions.items() if p.startswith("h2o-breaker")][:1]
    return (
        f"{machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']},"
        f" {facts['date']}; medians of {facts['rounds']} rounds of {facts['seconds']} s\\n"
        f"{', '.join(shown)}"
    )


def _number(version: str) -> str:
    for word in version.replace("/", " ").replace("-", " ").split():
        if word[0].isdigit():
            return word
    return version


def _products(result: Result) -> list[str]:
    return list(dict.fromkeys(peer.product for peer in result.peers))


def _best_setting(result: Result, product: str, workload: str) -> str:
    names = [peer.name for peer in result.peers if peer.product == product]
    return result.best_of(names, workload)


def quote(text: str) -> str:
    return '"' + text.replace('"', "'") + '"'


FRAME = """\
set ytics nomirror out textcolor rgb '#555555'
set border 3 lc rgb '#999999'
set grid ytics lc rgb '#e2e2e2' lt 1 lw 0.6
"""


def _note(facts: dict, products: list[str], height: int) -> str:
    """What stands below a picture."""
    place = f"at screen 0.5,{40 / height:.4f} center textcolor rgb '#777777' font ',10'"
    return f"set label 99 {quote(_about(facts, products))} {place}\n"


def _bars(result: Result, facts: dict) -> Plot:
    products = _products(result)
    chunks = _chunks(result.workloads)
    blocks = []
    highest = 1.0
    for chunk in chunks:
        rows = [_bar_row(result, products, workload.name) for workload in chunk]
        highest = max(highest, *(value for _, values in rows for value in values if value))
        blocks.append("\n".join(_row_text(label, values) for label, values in rows))
    widest = max(map(len, chunks))
    width = max(720, 130 + 150 * widest)
    height = _HEAD + _ROW * len(chunks) + _FOOT
    script = f"{FRAME}set multiplot\nset style data histograms\n"
    script += "set style histogram clustered gap 1.4\n"
    script += f"set yrange [0:{highest * 1.06:.2f}]\nset boxwidth 0.94 relative\n"
    script += "set xtics nomirror scale 0 textcolor rgb '#333333'\n"
    script += f"set label 98 {quote(result.title)} at screen 0.5,{1 - 18 / height:.4f} center"
    script += " font ',14'\nset lmargin at screen 0.08\nset rmargin at screen 0.98\n"
    script += f"set label 97 {quote(_MEASURE)} at screen 0.5,{1 - 38 / height:.4f} center"
    script += " textcolor rgb '#555555' font ',12'\n" + _note(facts, products, height)
    for at in range(len(chunks)):
        script += _bars_row(result, products, at, widest, height)
    data = "\n\n\n".join(blocks) + "\n"
    return Plot(result.name, width, height, script + "unset multiplot\n", data)


# pixels: title and key, a row of bars, the note
_HEAD, _ROW, _FOOT = 106, 240, 62
_MEASURE = "requests per second of server CPU; in each workload the best peer is 1"
# workloads beside each other
_PER_ROW = 5


def _chunks(workloads: list) -> list[list]:
    """In rows of about the same length."""
    rows = -(-len(workloads) // _PER_ROW)
    length = -(-len(workloads) // rows)
    return [workloads[at : at + length] for at in range(0, len(workloads), length)]


def _bar_row(result: Result, products: list[str], workload: str) -> tuple[str, list[float | None]]:
    """A label, and each product's ratio to the best peer."""
    best = result.best_peer(workload)
    values = []
    for product in products:
        setting = _best_setting(result, product, workload)
        ratio = result.ratio(setting, best, workload) if setting and best else None
        values.append(ratio.median if ratio else None)
    rate = result.per_cpu_s(best, workload).median / 1000 if best else 0
    product = best.partition(",")[0]
    return f"{workload}\\n{product}: {rate:.{0 if rate >= 10 else 1}f} k/s", values


def _row_text(label: str, values: list[float | None]) -> str:
    return " ".join([quote(label), *(f"{value:.3f}" if value else "NaN" for value in values)])


def _bars_row(result: Result, products: list[str], at: int, widest: int, height: int) -> str:
    top = 1 - (_HEAD + _ROW * at) / height
    bottom = top - (_ROW - 52) / height
    script = f"set tmargin at screen {top:.4f}\nset bmargin at screen {bottom:.4f}\n"
    script += f"set xrange [-0.6:{widest - 0.4}]\n"
    script += "unset arrow\nset arrow from graph 0, first 1 to graph 1, first 1 nohead"
    script += " lc rgb '#444444' lw 1 dt 2 front\n"
    if at == 0:
        script += f"set key at screen 0.5,{1 - 50 / height:.4f} center top horizontal"
        script += " maxrows 2 samplen 1 spacing 1.15 width 1\n"
    else:
        script += "unset key\nunset label 97\nunset label 98\nunset label 99\n"
    plots = []
    for column, product in enumerate(products):
        colour = COLOURS.get(product, OTHER)
        source = f"'{result.name}.dat' index {at}" if column == 0 else f"'' index {at}"
        style = f"lc rgb '{colour}' fs solid 1 noborder"
        plots.append(f"{source} using {column + 2}:xtic(1) title {quote(product)} {style}")
    return script + "plot " + ", \\\n  ".join(plots) + "\n"


def _lines(result: Result, facts: dict) -> Plot:
    """Of the first workload: each product's setting with the lowest p99."""
    workload = result.workloads[0].name
    lines, data = [], []
    for product in _products(result):
        settings = [p.name for p in result.peers if p.product == product]
        able = [name for name in settings if result.latency(name, workload, "p99_us")]
        if not able:
            continue
        name = min(able, key=lambda n: result.latency(n, workload, "p99_us").median)
        for at, percentile in enumerate(PERCENTILES):
            data.append(f"{at} {result.latency(name, workload, percentile).median:.0f}")
        data += ["", ""]
        style = f"lw {3 if 'h2o-breaker' in product else 1.8}"
        style += f" lc rgb '{COLOURS.get(product, OTHER)}'"
        style += " dt 2" if product.startswith("bare") else ""
        lines.append(
            f"'{result.name}.dat' index {len(lines)} using 1:2 with linespoints pt 7 ps 0.5"
            f" {style} title {quote(product)}"
        )
    ticks = ", ".join(f"'{label}' {at}" for at, label in enumerate(PERCENTILES.values()))
    rate = result.rates[workload]
    title = f"{workload}: {rate:,} requests a second, half of the best peer's peak"
    height = 460
    script = f"{FRAME}set logscale y\nset format y '%.0f'\nset xtics ({ticks}) nomirror out\nset xrange [-0.1:3.1]\n"
    script += "set key left top Left reverse samplen 2 spacing 1.15\n"
    script += f"set title {quote(title)} font ',14'\nset bmargin 6\n"
    script += "set ylabel 'latency in µs, from when a request was due' textcolor rgb '#555555'\n"
    script += _note(facts, _products(result), height)
    script += "plot " + ", \\\n  ".join(lines) + "\n"
    return Plot(result.name, 760, height, script, "\n".join(data) + "\n")

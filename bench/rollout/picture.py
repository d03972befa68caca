"""The figures as a picture: bars by mode, with and without a balancer that retries."""

import shutil
import sys
from pathlib import Path

import table

sys.path.append(str(Path(__file__).resolve().parents[1]))

import plots  # pylint: disable=wrong-import-position

PUBLISHED = plots.PUBLISHED / "rollout.svg"
WIDTH, HEIGHT = 900, 460
# what is shown, of which balancer, and how
_BARS = (
    ("failed_loads", "plain", "failed loads", "#d1495b"),
    ("failed_loads", "retrying", "failed loads, balancer retries 503", "#e8a0a9"),
    ("wrong_loads", "plain", "loads with wrong bytes", "#4d7ea8"),
    ("wrong_loads", "retrying", "loads with wrong bytes, balancer retries 503", "#a6bed3"),
)


def draw(facts: dict, directory: Path, is_published: bool) -> list[Path]:
    """Without gnuplot there is no picture."""
    if not shutil.which("gnuplot"):
        return []
    rows = [_row(mode) for mode in facts["modes"]]
    plot = plots.Plot("rollout", WIDTH, HEIGHT, _script(facts), "\n".join(rows) + "\n")
    paths = plots.render(plot, directory)
    if is_published:
        shutil.copy(directory / "rollout.svg", PUBLISHED)
        paths.append(PUBLISHED)
    return paths


def _row(mode: dict) -> str:
    values = [
        table.per_10000(mode["figures"][via][name], mode["figures"][via]["loads"])
        for name, via, _, _ in _BARS
    ]
    label = mode["title"].replace(", ", "\\n")
    return " ".join([plots.quote(label), *(f"{value:.0f}" for value in values)])


def _script(facts: dict) -> str:
    scale = facts["scale"]
    num = scale["deploys"] + scale["rollbacks"]
    about = (
        f"four nodes behind HAProxy, {num} rollouts {scale['cycle_s']} s apart, lazy modules up to"
        f" {scale['lazy_within_s']} s after the page; {facts['date']}"
    )
    script = plots.FRAME + "set style data histograms\nset style histogram clustered gap 1\n"
    script += "set boxwidth 0.92 relative\nset xtics nomirror scale 0 textcolor rgb '#333333'\n"
    script += "set yrange [0:10500]\nset ytics 0,2000,10000\nset xrange [-0.6:4.6]\n"
    script += f"set label 98 {plots.quote('Of 10,000 page loads during rolling deploys')}"
    script += " at screen 0.5,0.95 center font ',14'\nset tmargin 5\nset bmargin 7\n"
    script += "set key at screen 0.5,0.91 center top horizontal maxrows 2 samplen 1 width 2\n"
    script += f"set label 99 {plots.quote(about)} at screen 0.5,0.04 center"
    script += " textcolor rgb '#777777' font ',10'\n"
    bars = []
    for at, (_, _, title, colour) in enumerate(_BARS):
        source = "'rollout.dat'" if at == 0 else "''"
        style = f"lc rgb '{colour}' fs solid 1 noborder"
        bars.append(f"{source} using {at + 2}:xtic(1) title {plots.quote(title)} {style}")
    # a bar that is not there shall be seen to be zero
    bars += [
        f"'' using ($0 + {(at - 1.5) * 0.2:.3f}):{at + 2}:(sprintf('%d', ${at + 2}))"
        " with labels offset 0,0.5 font ',8' notitle"
        for at in range(len(_BARS))
    ]
    return script + "plot " + ", \\\n  ".join(bars) + "\n"

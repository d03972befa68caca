"""The figures as a picture: bars by mode, with and without a balancer that retries."""

import shutil
import sys
from pathlib import Path

import table

sys.path.append(str(Path(__file__).resolve().parents[1]))

import plots  # pylint: disable=wrong-import-position

PUBLISHED = plots.PUBLISHED / "rollout.svg"
WIDTH, HEIGHT = 860, 440
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
    script = plots.FRAME + "set style data histograms\nset style histogram clustered gap 1.2\n"
    script += "set boxwidth 0.92 relative\nset xtics nomirror scale 0\nset yrange [0:10000]\n"
    script += f"set title {plots.quote('Of 10,000 page loads during rolling deploys')} font ',14'\n"
    script += "set key outside bottom center horizontal maxrows 2 samplen 1\nset bmargin 10\n"
    script += f"set label 99 {plots.quote(about)} at screen 0.5,0.03 center"
    script += " textcolor rgb '#777777' font ',10'\n"
    bars = []
    for at, (_, _, title, colour) in enumerate(_BARS):
        source = "'rollout.dat'" if at == 0 else "''"
        style = f"lc rgb '{colour}' fs solid 1 noborder"
        bars.append(f"{source} using {at + 2}:xtic(1) title {plots.quote(title)} {style}")
    # a bar that is not there shall be seen to be zero
    bars += [
        f"'' using ($0 + {(at - 1.5) * 0.19:.3f}):{at + 2}:(sprintf('%d', ${at + 2}))"
        " with labels offset 0,0.6 font ',10' notitle"
        for at in range(len(_BARS))
    ]
    return script + "plot " + ", \\\n  ".join(bars) + "\n"

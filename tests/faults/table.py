"""How long nodes took to agree again, by kind of fault, from one or more reports of run.py:
`run.py --seed 7 >7.json; run.py --seed 8 >8.json; table.py 7.json 8.json`."""

import json
import statistics
import sys


def read(path):
    """A report; the lines of --verbose before it are passed by."""
    with open(path) as file:
        text = file.read()
    return json.loads(text[text.index("{\n"):])


def main():
    reports = [read(path) for path in sys.argv[1:]]
    if not reports:
        sys.exit(__doc__)
    times = {}
    for report in reports:
        for kind, spent in report["times_s"].items():
            times.setdefault(kind, []).extend(spent)
    print("%-30s %6s %8s %8s" % ("kind", "times", "median", "worst"))
    for kind, spent in sorted(times.items()):
        print("%-30s %6d %8.2f %8.2f" % (kind, len(spent), statistics.median(spent), max(spent)))
    every = sorted(sum(times.values(), []))
    p99 = every[min(len(every) - 1, int(0.99 * len(every)))]
    print("%d faults in %d runs, %d requests: median %.2f s, 99th percentile %.2f s, worst %.2f s, "
          "%d over 3 s, %d breaches" % (
              sum(report["faults"] for report in reports), len(reports),
              sum(report["requests"] for report in reports), statistics.median(every), p99,
              every[-1], sum(each > 3 for each in every),
              sum(len(report["breaches"]) for report in reports)))


if __name__ == "__main__":
    main()

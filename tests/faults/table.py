"""How long nodes took to agree again, by kind of fault, and how often the order of releases turned
over, from one or more reports of run.py:
`run.py --seed 7 >7.json; run.py --seed 8 >8.json; table.py 7.json 8.json`."""

import json
import statistics
import sys

# the rows of README.md's table
ROWS = {
    "Redis with its data": ["redis_killed", "redis_away"],
    "Redis empty, flushed": ["redis_emptied", "flushall", "keys_deleted", "evicted",
                             "scripts_flushed"],
    "an old backup, a lagging replica": ["old_dump", "old_backup", "redis_crashed",
                                         "failover_with_lost_writes"],
    "nodes cannot reach Redis": ["half_partitioned", "all_partitioned", "connections_cut",
                                 "clients_killed", "newest_cut_off", "older_cut_off",
                                 "back_to_one_side"],
    "the connection hangs": ["redis_stopped", "redis_hangs", "latency"],
    "Redis's clock": ["redis_clock"],
    "a node killed": ["node_killed", "node_killed_saving", "node_without_state",
                      "state_file_torn", "side_left", "dead_after_changed"],
    "a start while Redis is away": ["start_meanwhile"],
    "another release, wrong clocks": ["roll_out", "make_sides", "promoted",
                                      "clock_off"],
    "password, read-only, type, memory": ["wrong_password", "no_evalsha", "read_only",
                                          "wrong_type", "out_of_memory"],
    "a sentinel failover": ["failover", "failover_asked_for", "master_stopped"],
}


def read(path):
    """A report; the lines of --verbose before it are passed by."""
    with open(path) as file:
        text = file.read()
    return json.loads(text[text.index("{\n"):])


def p99_of(times):
    return sorted(times)[min(len(times) - 1, int(0.99 * len(times)))]


def tell(title, times):
    print("%-36s %6s %8s %8s %8s" % (title, "times", "median", "p99", "worst"))
    for what, spent in times.items():
        if spent:
            print("%-36s %6d %8.2f %8.2f %8.2f" % (what, len(spent), statistics.median(spent),
                                                   p99_of(spent), max(spent)))
    print()


def tell_orders(reports):
    sums = {}
    for report in reports:
        for kind, counts in report["order"].items():
            if kind != "kinds":
                sums[kind] = [sum(each) for each in zip(counts, sums.get(kind, [0] * 5))]
    layout = "%-36s" + " %11s" * 5
    print(layout % ("the order", "looked at", "turned over", "by silence", "on return", "again"))
    for kind, counts in sorted(sums.items()):
        print(layout % (kind, *counts))
    print()


def main():
    reports = [read(path) for path in sys.argv[1:]]
    if not reports:
        sys.exit(__doc__)
    times = {}
    for report in reports:
        for kind, spent in report["times_s"].items():
            times.setdefault(kind, []).extend(spent)
    tell("kind", dict(sorted(times.items())))
    tell("row", {row: sum((times.get(kind, []) for kind in among), [])
                 for row, among in ROWS.items()})
    tell_orders(reports)
    every = sorted(sum(times.values(), []))
    p99 = p99_of(every)
    print("%d faults in %d runs, %d requests: median %.2f s, 99th percentile %.2f s, worst %.2f s, "
          "%d over 3 s, %d breaches" % (
              sum(report["faults"] for report in reports), len(reports),
              sum(report["requests"] for report in reports), statistics.median(every), p99,
              every[-1], sum(each > 3 for each in every),
              sum(len(report["breaches"]) for report in reports)))


if __name__ == "__main__":
    main()

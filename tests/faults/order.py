"""In which order releases stand, and in which they belong. A release belongs where it was deployed
or put on top last: its *rank* is the place of its newest entry that was minted neither by silence
nor on the return. A place in the ledger, not an order: two entries may have one order. Silence is
nobody's fault: only a release whose nodes were away for longer than dead-after while Redis was
there may be overtaken by one of a lower rank, and it takes its place again.

At each settled moment

- the topmost of the releases that have nodes is the one of the greatest rank. (The order below may
  be another one: of three of which two were overtaken, the middle one stays where it is.)
- no entry has come by silence that passed a release whose nodes were not away for that long."""

import collections
import re
import threading
import time

import store

MINTED = re.compile(r"^(\d{12,})(-[\w.~-]{8})?$")
UNMOVED = ("silence", "return")
SAMPLE_S = 0.02

Entry = collections.namedtuple("Entry", "place order token release why")


def is_minted(token):
    return MINTED.match(token) is not None


def newest_of(entries):
    """The newest entry of every release; `entries` come oldest first, here and below."""
    return {entry.release: entry for entry in entries}


def rank_of(entries, release):
    own = [entry for entry in entries if entry.release == release]
    placed = [entry for entry in own if entry.why not in UNMOVED]
    return placed[-1].place if placed else own[0].place


class Book:
    """The orders of tokens: those that are minted have theirs in their digits, others have what
    ledgers say. Any thread may ask."""

    def __init__(self):
        self.orders = {}
        self.doubtful = {}

    def of(self, token):
        match = MINTED.match(token)
        return int(match.group(1)) if match else self.orders.get(token)

    def learn(self, entries):
        for entry in entries:
            # of two births the earlier one counts
            self.orders[entry.token] = min(entry.order, self.orders.get(entry.token, entry.order))

    def is_back(self, before, after):
        """Whether `after` is below `before`; what cannot be told yet is noted."""
        orders = self.of(before), self.of(after)
        if None in orders or not (is_minted(before) and is_minted(after)):
            self.doubtful[before, after] = True
            return False
        return orders[1] < orders[0]

    def settle(self):
        """Returns the pairs in doubt that went back; those that are still unknown stay."""
        wrong = []
        for before, after in list(self.doubtful):
            orders = self.of(before), self.of(after)
            if None not in orders:
                del self.doubtful[before, after]
                if orders[1] < orders[0]:
                    wrong.append((before, after))
        return wrong


class Presence(threading.Thread):
    """Notes when each release had no node that could reach Redis, were it there."""

    def __init__(self, fleet):
        super().__init__(daemon=True)
        self.fleet = fleet
        self.is_over = False
        self.began = time.monotonic()
        self.gaps = {at: [[self.began - 3600, None]] for at in range(len(fleet.releases.trees))}

    def run(self):
        while not self.is_over:
            self.sample()
            time.sleep(SAMPLE_S)

    def sample(self):
        there = {node.release for node in self.fleet.nodes if node.is_up and not node.is_parted()}
        now = time.monotonic()
        for release, gaps in self.gaps.items():
            is_away = bool(gaps) and gaps[-1][1] is None
            if is_away and release in there:
                gaps[-1][1] = now
            elif not is_away and release not in there:
                gaps.append([now, None])

    def was_away(self, release, length_s, since):
        """For so long at a time, and at least until `since`."""
        now = time.monotonic()
        return any((end or now) - start >= length_s and (end or now) >= since
                   for start, end in self.gaps[release])


class Order:
    """What a run knows of the order."""

    def __init__(self, world):
        self.world = world
        self.presence = Presence(world.fleet)
        self.book = Book()
        self.release_at = {}
        self.seen = {}
        self.entries = []
        self.settled = self.before = time.monotonic()
        self.promoted = set()
        self.is_guessed = False
        # by kind of fault: how often the order was looked at, how often it had turned over, how
        # many entries came by silence, how many on the return, and how many of a release that was
        # there before: by nodes that started without a memory while Redis was away
        self.counts = collections.defaultdict(lambda: [0, 0, 0, 0, 0])

    # ---- the ledger ----

    def read(self):
        """The ledger with its reasons, oldest first; raises what `ask` raises."""
        ask = self.world.redis.ask
        words = ask("ZRANGE", store.LEDGER, "0", "-1", "WITHSCORES")
        fields = ask("HGETALL", store.STATE)
        told = {field[2:]: text.split()[0] for field, text in zip(fields[::2], fields[1::2])
                if field.startswith("w:")}
        entries = []
        for place, (member, order) in enumerate(zip(words[::2], words[1::2])):
            token, release = member.split()
            entries.append(Entry(place, int(float(order)), token, release, told.get(token, "-")))
        self.is_guessed = not fields
        return entries if fields else self.guessed(entries)

    def guessed(self, entries):
        """Of versions that tell no reasons: who was known, and whom nobody promoted, overtook."""
        known, guessed = set(), []
        for entry in entries:
            why = self.seen.get(entry.token)
            if why is None:
                is_first = entry.release not in known
                wished = entry.release in self.promoted or not is_minted(entry.token)
                why = "join" if is_first else "promote" if wished else "silence"
            known.add(entry.release)
            guessed.append(entry._replace(why=why))
        return guessed

    # ---- the checks ----

    def living(self, entries):
        """The releases that have nodes, by their newest entries."""
        there = {node.release for node in self.world.fleet.living()}
        newest = newest_of(entries)
        return sorted((release for release in newest if self.release_at.get(release) in there),
                      key=lambda release: newest[release].place)

    def trouble(self, entries):
        """What is out of its place; None when nothing is."""
        living = self.living(entries)
        if len(living) < 2 or self.is_guessed:
            return None
        ranks = {release: rank_of(entries, release) for release in newest_of(entries)}
        newest = newest_of(entries)
        best = max(living, key=lambda release: ranks[release])
        if best == living[-1]:
            return None
        for other in ranks:
            # it may still have to wait for the death of one that is gone
            if (other not in living and ranks[other] > ranks[best] and
                    newest[other].place > newest[best].place):
                return None
        return "%s is below %s: %s" % (self.name(best), self.name(living[-1]), self.told(entries))

    def name(self, release):
        return "release %s" % self.release_at.get(release, release)

    def told(self, entries):
        """The newest entries, as a breach shows them."""
        return ", ".join("%s (%s, %s)" % (entry.token, self.release_at.get(entry.release, "?"),
                                         entry.why) for entry in entries[-8:])

    def passed(self, entries, new):
        """The releases of a higher rank that an entry by silence went above."""
        before = entries[:new.place]
        newest = newest_of(before)
        if new.release not in newest:
            return []
        rank = rank_of(before, new.release)
        return [other for other, entry in newest.items()
                if entry.place > newest[new.release].place and rank_of(before, other) > rank]

    def was_away(self, release):
        """Behind sentinels nobody can tell: some nodes may be with the old master for so long,
        which was not told yet that it is none."""
        if self.world.fleet.has_sentinels:
            return True
        at = self.release_at.get(release)
        # what came in the last but one window may show in this one
        return at is None or self.presence.was_away(at, self.world.least_silence_s(),
                                                    self.before - self.world.return_s())

    def learn(self, entries, release_at):
        """A settled moment begins; returns what is new."""
        self.release_at.update(release_at)
        self.book.learn(entries)
        return [entry for entry in entries if entry.token not in self.seen]

    def settle(self, kind, entries, release_at):
        """Checks what came since the last settled moment; returns the breaches."""
        new = self.learn(entries, release_at)
        breaches = []
        for entry in new:
            self.seen[entry.token] = entry.why
            if entry.why == "silence":
                breaches += self.unfounded(entries, entry)
            elif self.is_needless(entry):
                breaches.append("ORDER: %s joined again: %s"
                                % (self.name(entry.release), self.told(entries)))
        self.count(kind, entries, new)
        breaches += ["P3: %s was left for %s" % pair for pair in self.book.settle()]
        self.entries, self.promoted = entries, set()
        self.before, self.settled = self.settled, time.monotonic()
        self.world.has_forgotten = False
        return breaches

    def is_needless(self, entry):
        """A release that has a token gets another one as if it were new only by a node that lost
        its memory and started alone."""
        return (entry.why == "join" and not self.world.has_forgotten and
                entry.release in newest_of(self.entries) and not self.is_guessed)

    def unfounded(self, entries, entry):
        return ["ORDER: %s overtook %s by silence: %s"
                % (self.name(entry.release), self.name(other), self.told(entries))
                for other in self.passed(entries, entry) if not self.was_away(other)]

    def is_turned(self, before, after, entries):
        """Whether one stands now above another below which it belongs; where no reasons are told,
        any change counts."""
        if self.is_guessed:
            return before != after
        ranks = {release: rank_of(entries, release) for release in after}
        return any(before.index(low) > before.index(high) and ranks[low] > ranks[high]
                   for at, high in enumerate(after) for low in after[:at])

    def count(self, kind, entries, new):
        counts = self.counts[kind]
        before, after = self.living(self.entries), self.living(entries)
        common = set(before) & set(after)
        is_moved = any(entry.why not in UNMOVED and entry.release in common for entry in new)
        if len(common) > 1 and not is_moved:
            counts[0] += 1
            counts[1] += self.is_turned([release for release in before if release in common],
                                        [release for release in after if release in common],
                                        entries)
        counts[2] += sum(entry.why == "silence" for entry in new)
        counts[3] += sum(entry.why == "return" for entry in new)
        counts[4] += sum(entry.why == "join" and entry.release in before for entry in new)

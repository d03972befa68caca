"""What a client may see of an answer: functions that look at an outcome and return what is wrong
with it, or nothing."""


def refused(outcome):
    """502, and nothing of the application's."""
    if not outcome.whole or outcome.status != 502:
        return "not 502: %r" % outcome
    return ""


def late(outcome):
    """504, as nginx has it where time has run out."""
    return "" if outcome.whole and outcome.status == 504 else "not 504: %r" % outcome


def right(body=b"hello", status=200, fields=(), without=()):
    """The answer, whole; with these fields, (name, values in their order), and without others."""
    def check(outcome):
        if (outcome.status, outcome.body, outcome.whole) != (status, body, True):
            return "not %d %r, but %r" % (status, body[:40], outcome)
        for name, *values in fields:
            if outcome.values(name) != values:
                return "%s is %r, not %r" % (name, outcome.values(name), values)
        for name in without:
            if outcome.values(name):
                return "%s is there: %r" % (name, outcome.values(name))
        return ""
    return check


def cut(body=None, status=200):
    """Part of the answer, and a visible end before its time: the connection closed within the body,
    or the stream reset. `body` is what the answer would have had, None where that has no bound."""
    def check(outcome):
        if outcome.whole or outcome.status not in (status, None):
            return "not cut: %r" % outcome
        if body is not None and not body.startswith(outcome.body):
            return "the beginning is another: %r" % outcome
        return ""
    return check


def either(*checks):
    def check(outcome):
        found = [check(outcome) for check in checks]
        return "" if "" in found else "; ".join(found)
    return check


def failed(body=None):
    """502 or a cut answer, as far as it had come when it showed that it was none."""
    return either(refused, cut(body))

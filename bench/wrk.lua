-- The outcome of a run as one line of JSON, for bench/load.py.
function done(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format(
        '{"requests": %d, "microseconds": %d, "bytes": %d, "connect": %d, "read": %d, ' ..
        '"write": %d, "timeout": %d, "status": %d}\n',
        summary.requests, summary.duration, summary.bytes, errors.connect, errors.read,
        errors.write, errors.timeout, errors.status))
end

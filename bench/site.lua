-- The mixed site: asks for the targets of a list, in its order, over and over. The outcome as one
-- line of JSON, for bench/load.py. Argument: the file with the targets, one a line.
local messages, at = {}, 0

function init(args)
    local known = {}
    for target in io.lines(args[1]) do
        known[target] = known[target] or wrk.format('GET', target)
        messages[#messages + 1] = known[target]
    end
end

function request()
    at = at % #messages + 1
    return messages[at]
end

function done(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format(
        '{"requests": %d, "microseconds": %d, "bytes": %d, "connect": %d, "read": %d, ' ..
        '"write": %d, "timeout": %d, "status": %d}\n',
        summary.requests, summary.duration, summary.bytes, errors.connect, errors.read,
        errors.write, errors.timeout, errors.status))
end

-- A client that follows the token: asks for one asset, looks at every answer's status and body, and
-- where it is redirected asks there from then on. The outcome as one line of JSON, for bench/load.py.
-- Argument: the file whose bytes the asset has.
local workers = {}

function setup(thread)
    table.insert(workers, thread)
end

function init(args)
    local file = assert(io.open(args[1], 'rb'))
    expected = file:read('*a')
    file:close()
    right, redirected, wrong, first_wrong = 0, 0, 0, 0
    target = wrk.path
    message = wrk.format('GET', target)
end

function request()
    return message
end

-- where a Location leads from a path
local function resolve(path, location)
    local directory = path:match('^(.*/)')
    if location:sub(1, 1) == '/' then
        return location
    end
    while location:sub(1, 3) == '../' do
        directory, location = directory:match('^(.*/)[^/]*/$'), location:sub(4)
    end
    return directory .. location
end

function response(status, headers, body)
    local location = headers['location'] or headers['Location']
    location = location and resolve(target, location)
    if status == 200 and body == expected then
        right = right + 1
    elseif status == 301 and location then
        redirected = redirected + 1
        -- answers of several connections may be read in another order than they were sent;
        -- the tokens have as many digits each, so a later one is the greater text
        if location > target then
            target = location
            message = wrk.format('GET', target)
        end
    else
        wrong, first_wrong = wrong + 1, first_wrong == 0 and status or first_wrong
    end
end

function done(summary, latency, requests)
    local errors, count = summary.errors, {}
    for _, name in ipairs({ 'right', 'redirected', 'wrong', 'first_wrong' }) do
        count[name] = 0
        for _, thread in ipairs(workers) do
            count[name] = count[name] + thread:get(name)
        end
    end
    io.write(string.format(
        '{"requests": %d, "microseconds": %d, "bytes": %d, "connect": %d, "read": %d, ' ..
        '"write": %d, "timeout": %d, "status": %d, "right": %d, "redirected": %d, ' ..
        '"wrong": %d, "first_wrong": %d}\n',
        summary.requests, summary.duration, summary.bytes, errors.connect, errors.read,
        errors.write, errors.timeout, errors.status, count.right, count.redirected, count.wrong,
        count.first_wrong))
end

-- What a node that holds the releases of others asks beside its polls, every few minutes and when it
-- lacks something: the keys by which the nodes of an application know each other, and a page of
-- nodes. Atomic, and harmless to repeat. Redis is only a meeting point: a key that it has lost comes
-- back from whoever knows it.
--
-- EVALSHA <this> 3 {app}:breaker:key {app}:breaker:nodes {app}:breaker:info ARGV...
--   KEYS[1]  hash: "key" and "before", the one that it took the place of, 64 hexadecimal digits each;
--            "made", when that was, in Redis's ms
--   KEYS[2]  and KEYS[3] as in agree.lua; nothing is written to them
--   ARGV[1]  a key that nobody has seen yet, which is taken where one is needed
--   ARGV[2]  the key that the caller knows as the newest, or ""
--   ARGV[3]  and the one before that, or ""
--   ARGV[4]  the id after which the page of nodes begins, "" for the first page, "-" for none
--
-- Answer: an array of five
--   [1]  Redis's clock in ms, an integer
--   [2]  the key
--   [3]  the one before it, or ""
--   [4]  the page, an array of at most 32 "<last seen> <id> <release> <address> <token> <since>", of
--        nodes that have an address; nil if not wanted
--   [5]  the id after which the next page begins, "" when this one was the last
-- Errors: WRONGTYPE as Redis says it, and ERR for arguments out of the layout.

local ROTATE_MS, PAGE = 24 * 60 * 60 * 1000, 32
local keys, nodes, info = KEYS[1], KEYS[2], KEYS[3]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local function is_key(text)
    return text and #text == 64 and not string.find(text, '[^0-9a-f]')
end

local function is_key_or_none(text)
    return text == '' or is_key(text)
end

if #ARGV ~= 4 or not (is_key(ARGV[1]) and is_key_or_none(ARGV[2]) and is_key_or_none(ARGV[3])) then
    return redis.error_reply('ERR breaker: malformed arguments')
end

local function put(key, before, made)
    redis.call('HSET', keys, 'key', key, 'before', before, 'made', string.format('%.0f', made))
    return key, before
end

-- Who survived knows which key the others go by; only where nobody does a new one is made.
local function put_back()
    if ARGV[2] ~= '' then return put(ARGV[2], ARGV[3], now) end
    return put(ARGV[1], '', now)
end

local function find_keys()
    local found = redis.call('HMGET', keys, 'key', 'before', 'made')
    local key, before, made = found[1], found[2] or '', tonumber(found[3])
    if not is_key(key) then return put_back() end
    if not is_key(before) then before = '' end
    -- a clock that was set back must not keep a key for ever
    if not made or made > now then return put(key, before, now) end
    if now - made >= ROTATE_MS then return put(ARGV[1], key, now) end
    -- a new node made this one after Redis had lost another, by which those who survived still go
    if before == '' and ARGV[2] ~= '' and ARGV[2] ~= key then return put(key, ARGV[2], made) end
    return key, before
end

local function tell_page(cursor)
    local from, lines = cursor == '' and '-' or '(' .. cursor .. '!', {}
    local found = redis.call('ZRANGE', info, from, '+', 'BYLEX', 'LIMIT', 0, PAGE)
    for i = 1, #found do
        local of, owner, at, rest = string.match(found[i], '^(%S+) (%S+) (%S+) (%S+ %d+)$')
        local seen = of and at ~= '-' and redis.call('ZSCORE', nodes, owner .. ' ' .. at .. ' ' .. of)
        if seen then
            table.insert(lines, string.format('%.0f', tonumber(seen)) .. ' ' .. of .. ' ' .. owner ..
                ' ' .. at .. ' ' .. rest)
        end
    end
    return lines, #found == PAGE and string.match(found[PAGE], '^%S+') or ''
end

local page, cursor = false, ''
if ARGV[4] ~= '-' then page, cursor = tell_page(ARGV[4]) end
local key, before = find_keys()
return { now, key, before, page, cursor }

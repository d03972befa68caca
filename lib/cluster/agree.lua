-- What one poll of a node runs in Redis: it merges what the node knows, notes that the node lives,
-- gives its release a token where it needs one, and answers with the ledger. Atomic, and harmless
-- to repeat, so a lost reply costs nothing. Redis is only a meeting point: a node that finds an
-- entry missing sends it again. Nothing here expires and no key is ever deleted.
--
-- EVAL <this> 2 {app}:breaker {app}:breaker:nodes ARGV...
--   KEYS[1]  sorted set, score = order, member = "<token> <release>", the newest 32
--   KEYS[2]  sorted set, score = last seen (Redis's ms), member = "<release> <address> <node id>",
--            and "@birth": when the key was made
--   ARGV[1]  the caller's release; "" only reads: all but ARGV[9] and [10] is ignored then
--   ARGV[2]  the address that peers reach the node at, "host:port", or "-"
--   ARGV[3]  the node's id; "" is no node, and is not noted as alive (breakerctl)
--   ARGV[4]  "mint": mint where the release needs a token; "settle": the same, but not into an
--            empty ledger; "promote": where the release is known, but not the newest
--   ARGV[5]  the operator's token, or ""
--   ARGV[6]  what is appended to minted tokens, or ""
--   ARGV[7]  the caller's clock in ms
--   ARGV[8]  dead-after in ms; 0: a silent release is never overtaken
--   ARGV[9]  the digest that the last answer had, or ""
--   ARGV[10] "nodes" to be told the nodes, or ""
--   ARGV[11...] "<order> <token> <release>", decimal: what is to be merged, the caller's own first
--
-- Answer: an array of four
--   [1]  the digest of the ledger, 40 hexadecimal digits
--   [2]  Redis's clock in ms, an integer
--   [3]  the ledger, oldest first, an array of "<order> <token> <release>"; nil when ARGV[9] is the
--        digest
--   [4]  with "nodes": the nodes seen last, longest unseen first, at most 512, an array of
--        "<last seen in ms> <release> <address> <node id>"; else nil
-- Errors: WRONGTYPE as Redis says it, and ERR for arguments out of the layout and for a ledger
-- whose newest order leaves no room for another.

local HISTORY, NODES, FORGET_MS, AHEAD_MS, ORDER_END = 32, 512, 600000, 60000, 2 ^ 53
local ledger, nodes, release = KEYS[1], KEYS[2], ARGV[1]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local function is_word(text, longest)
    return #text >= 1 and #text <= longest and text ~= '.' and text ~= '..' and
        not string.find(text, '[^%w._~-]')
end

local function is_token(text)
    return is_word(text, 64)
end

local function is_release(text)
    return is_word(text, 108)
end

local function is_order(order)
    return order ~= nil and order >= 0 and order < ORDER_END and order == math.floor(order)
end

-- "%d" would go through a C int on some builds
local function decimal(number)
    return string.format('%.0f', number)
end

-- The ledger as it stands: lines to answer with, owner and order by token, the newest of all and of
-- the caller's release. Members that nobody of ours wrote are left alone and not shown.
local function read()
    local all = redis.call('ZRANGE', ledger, 0, -1, 'WITHSCORES')
    local found = {
        num = #all / 2, lines = {}, owner = {}, order = {}, owner_at = {}, newest = {}
    }
    for i = 1, #all, 2 do
        local token, owner = string.match(all[i], '^(%S+) (%S+)$')
        local order = tonumber(all[i + 1])
        if token and is_token(token) and is_release(owner) and is_order(order) then
            local entry = { order = order, token = token, release = owner }
            table.insert(found.lines, decimal(order) .. ' ' .. token .. ' ' .. owner)
            if not found.owner[token] then
                found.owner[token], found.order[token] = owner, order
            end
            found.top = entry
            if owner == release then found.mine = entry end
            found.owner_at[(i + 1) / 2], found.newest[owner] = owner, (i + 1) / 2
        end
    end
    return found
end

local known = read()
local birth = tonumber(redis.call('ZSCORE', nodes, '@birth'))

-- (1) One entry: added if absent; of the same token and release the birth wins. A token that stands
-- under two releases, one of them the caller's, is a conflict: returns its order then.
local function merge(line)
    local digits, token, owner = string.match(line, '^(%d+) (%S+) (%S+)$')
    local order = tonumber(digits)
    if not (token and is_order(order) and is_token(token) and is_release(owner)) then
        return nil, redis.error_reply('ERR breaker: malformed entry')
    end
    if known.owner[token] == nil then
        redis.call('ZADD', ledger, digits, token .. ' ' .. owner)
        known.owner[token], known.order[token] = owner, order
    elseif known.owner[token] == owner then
        if order < known.order[token] then
            redis.call('ZADD', ledger, digits, token .. ' ' .. owner)
            known.order[token] = order
        end
    elseif owner == release or known.owner[token] == release then
        return order
    end
    return nil
end

-- (2) The node lives. What is long unseen goes, and what a clock that went back left in the future;
-- "@birth" stays, a millisecond below everything else in the key.
local function note(dead_ms)
    local keep = math.max(FORGET_MS, dead_ms)
    if not birth or birth > now then
        birth = now - 1
        redis.call('ZADD', nodes, decimal(birth), '@birth')
    end
    if ARGV[3] ~= '' then
        redis.call('ZADD', nodes, decimal(now), release .. ' ' .. ARGV[2] .. ' ' .. ARGV[3])
    end
    redis.call('ZREMRANGEBYSCORE', nodes, '-inf', '(' .. decimal(birth))
    if now - keep > birth then
        redis.call('ZREMRANGEBYSCORE', nodes, '(' .. decimal(birth), '(' .. decimal(now - keep))
    end
    redis.call('ZREMRANGEBYSCORE', nodes, '(' .. decimal(now + keep), '+inf')
end

local function is_alive(other, dead_ms)
    local seen = redis.call('ZRANGE', nodes, decimal(now - dead_ms), decimal(now + dead_ms),
        'BYSCORE')
    for i = 1, #seen do
        if string.sub(seen[i], 1, #other + 1) == other .. ' ' then return true end
    end
    return false
end

-- The operator's token was never heard of. "v1.1718539201234" is what became of "v1", which may have
-- been trimmed since: it must not come back above its successor, to which clients were redirected.
local function is_fixed_new()
    return known.owner[ARGV[5]] == nil and not (known.mine and
        string.sub(known.mine.token, 1, #ARGV[5] + 1) == ARGV[5] .. '.')
end

-- (3) Whether the release needs a token that it does not have.
local function needs_token(conflict, dead_ms)
    local mine, top = known.mine, known.top
    if ARGV[4] == 'promote' then return mine ~= nil and top.release ~= release end
    if not mine then return ARGV[4] ~= 'settle' or top ~= nil end
    if conflict and mine.order <= conflict then return true end
    if ARGV[5] ~= '' and is_fixed_new() then return true end
    if top.release == release then return false end
    return dead_ms > 0 and now - birth > dead_ms and not is_alive(top.release, dead_ms)
end

local function name_of(order)
    if ARGV[5] == '' then return string.format('%012.0f', order) .. ARGV[6] end
    local digits = '.' .. decimal(order)
    return string.sub(ARGV[5], 1, 64 - #digits) .. digits
end

-- As breaker__mint_order has it: two releases that know the same newest entry, but not of each
-- other (an old backup came back in between), mint different orders above it.
local function spread_of(name)
    local hash = 0
    for i = 1, #name do hash = (hash * 131 + string.byte(name, i)) % 999983 end
    return hash % 1000
end

local function mint(clock_ms)
    local order, token = math.min(clock_ms, now + AHEAD_MS), ARGV[5]
    if known.top and order <= known.top.order then
        order = known.top.order + 1 + spread_of(release)
    end
    if token == '' or not is_fixed_new() then
        while known.owner[name_of(order)] do order = order + 1 end
        token = name_of(order)
    end
    if not is_order(order) or not is_token(token) then
        return redis.error_reply('ERR breaker: no order left above the newest')
    end
    redis.call('ZADD', ledger, decimal(order), token .. ' ' .. release)
end

-- (4) The newest 32. An older entry stays while it is the newest of a release that has nodes, the
-- caller's before all others: its nodes would only send it again.
local function trim()
    local excess, rank, has_nodes = known.num - HISTORY, 0, {}
    if excess <= 0 then return end
    for _, member in ipairs(redis.call('ZRANGE', nodes, 0, -1)) do
        has_nodes[string.match(member, '^%S+')] = true
    end
    for i = 1, known.num do
        local owner = known.owner_at[i]
        if excess > 0 and not (owner and has_nodes[owner] and known.newest[owner] == i) then
            redis.call('ZREMRANGEBYRANK', ledger, rank, rank)
            excess = excess - 1
        else
            rank = rank + 1
        end
    end
    if excess > 0 then
        rank = known.owner_at[1] == release and 1 or 0
        redis.call('ZREMRANGEBYRANK', ledger, rank, rank + excess - 1)
    end
end

local function update()
    local clock_ms, dead_ms, conflict = tonumber(ARGV[7]), tonumber(ARGV[8]), nil
    local is_node = #ARGV[2] > 0 and #ARGV[2] <= 280 and #ARGV[3] <= 64 and
        not string.find(ARGV[2] .. ARGV[3], '%s')
    if not (is_node and is_order(clock_ms) and is_order(dead_ms) and is_release(release)) then
        return redis.error_reply('ERR breaker: malformed arguments')
    end
    for i = 11, #ARGV do
        local order, malformed = merge(ARGV[i])
        if malformed then return malformed end
        if order then conflict = math.max(conflict or 0, order) end
    end
    known = read()
    note(dead_ms)
    if needs_token(conflict, dead_ms) then
        local failed = mint(clock_ms)
        if failed then return failed end
        known = read()
    end
    trim()
    known = read()
end

-- One more than are told is asked for, because one of them may be "@birth", the oldest then.
local function list_nodes()
    local list, all = {}, redis.call('ZRANGE', nodes, -(NODES + 1), -1, 'WITHSCORES')
    for i = #all > 2 * NODES and 3 or 1, #all, 2 do
        if all[i] ~= '@birth' then
            table.insert(list, decimal(tonumber(all[i + 1])) .. ' ' .. all[i])
        end
    end
    return list
end

if #ARGV < 10 then return redis.error_reply('ERR breaker: malformed arguments') end
if release ~= '' then
    local failed = update()
    if failed then return failed end
end
local digest = redis.sha1hex(table.concat(known.lines, '\n'))
return {
    digest, now, digest ~= ARGV[9] and known.lines, ARGV[10] == 'nodes' and list_nodes()
}

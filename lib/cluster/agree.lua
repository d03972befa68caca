-- What one poll of a node runs in Redis: it merges what the node knows, notes that the node lives,
-- gives its release a token where it needs one, and answers with the ledger. Atomic, and harmless
-- to repeat, so a lost reply costs nothing. Redis is only a meeting point: a node that finds an
-- entry missing sends it again. Nothing here expires and no key is ever deleted.
--
-- EVALSHA <this> 4 {app}:breaker {app}:breaker:nodes {app}:breaker:state {app}:breaker:info ARGV...
--   KEYS[1]  sorted set, the ledger: score = order, member = "<token> <release>"; the newest 32 and
--            beyond them the newest of each release that has nodes, 63 at most
--   KEYS[2]  sorted set: score = last seen (Redis's ms), member = "<release> <address> <node id>".
--            Other versions keep a member "@birth" in it
--   KEYS[3]  hash: what the script remembers from poll to poll, see "What is remembered". May be
--            lost at any time: then silence counts anew and reasons are forgotten
--   KEYS[4]  sorted set, every score 0: member = "<node id> <release> <address> <token> <since>",
--            since when (Redis's ms) the node is in touch. Read page by page in the order of ids
--   ARGV[1]  the act
--              "hold"     nothing is needed: the caller saw the ledger of the digest ARGV[9], which
--                         this script answered to the very same caller; else the same as "mint"
--              "mint"     mint where the release needs a token
--              "settle"   the same, but not into an empty ledger
--              "promote"  where the release is known, but not the newest
--              "leave"    the node goes: it is forgotten, and "OK" is the answer
--              "read"     nothing is changed; ARGV[2] to ARGV[10] are ignored
--   ARGV[2]  the caller's release
--   ARGV[3]  the address that peers reach the node at, "host:port", or "-"
--   ARGV[4]  the node's id; "" is no node, and is not noted as alive (breakerctl)
--   ARGV[5]  the operator's token, or ""
--   ARGV[6]  what is appended to minted tokens, or ""
--   ARGV[7]  the caller's clock in ms
--   ARGV[8]  dead-after in ms; 0: a silent release is never overtaken
--   ARGV[9]  the digest that the last answer on this connection had, or "": a new connection
--   ARGV[10] the interval in ms at which the caller polls by its configuration
--   ARGV[11] the fleet as the caller remembers it, in case that Redis does not; 0: not at all
--   ARGV[12] "releases" to be told the releases, or ""
--   ARGV[13] the id after which the page of nodes begins, "" for the first page, "-" for none
--   ARGV[14...] "<order> <token> <release>", decimal, and after them, where the caller knows them,
--            " <why> <what> <when>": what is to be merged, the caller's own first. " local" after that
--            one: the caller proposed it where it could not ask
--
-- Answer: an array of eight
--   [1]  the digest of the ledger, 40 hexadecimal digits
--   [2]  Redis's clock in ms, an integer
--   [3]  the fleet: how many nodes polled lately, an integer
--   [4]  the interval in ms at which the caller is to poll, an integer
--   [5]  the ledger, oldest first, an array of "<order> <token> <release> <why> <what> <when>"; nil
--        when ARGV[9] is the digest. The last three words say why the entry was minted ("join",
--        "operator", "conflict", "promote", "silence", "return"), the release that was overtaken or
--        conflicted with ("-": none) and Redis's ms; "- - 0" where that is not known any more
--   [6]  releases that were seen, an array of "<release> <silent> <dead-after> <address>", ms of
--        service time since a node of it polled last, what its nodes have as dead-after, and where
--        peers reach one of those that polled lately ("-": not known); nil if not wanted, and where
--        the ledger is not told: who hears of a release hears with it where it can be had
--   [7]  the page, an array of at most 100 "<last seen> <id> <release> <address> <token> <since>";
--        nil if not wanted
--   [8]  the id after which the next page begins, "" when this one was the last
-- Errors: WRONGTYPE as Redis says it, and ERR for arguments out of the layout and for a ledger
-- whose newest order leaves no room for another.

local ORDER_END, FORGET_MS, PAGE, FLEET_MAX = 2 ^ 53, 600000, 100, 100000
-- how often it is looked at whether somebody else wrote to the ledger, how finely time is noted,
-- how often the fleet is counted and it is looked whether the release above lives, in ms
local HASHED_MS, GRAIN_MS, COUNTED_MS, LOOKED_MS = 10000, 100, 1000, 1000
local ledger, nodes, state, info = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local act, release, address, id = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

if #ARGV < 13 then return redis.error_reply('ERR breaker: malformed arguments') end
local clock_ms, dead_ms, poll_ms = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[10])
local FIRST_ENTRY = 14
local member = release .. ' ' .. address .. ' ' .. id
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

-- "%d" would go through a C int on some builds
local function decimal(number)
    return string.format('%.0f', number)
end

-- ---- what is remembered ----
--
-- digest, card, hashed   of the ledger, its size, and when that was found out
-- top                    the newest entry's release
-- heard, served          when anybody polled last; S, the service time: how many ms Redis was there
--                        for its nodes, of all that time only what polls bear witness to
-- cut                    S until which nobody's silence counts
-- fleet, counted         how many nodes poll, and when they were counted
-- q:<release>            which release above it must die before it may take its place
-- u:<release>            S until which it need not be looked whether that one has
-- r:<release>            S when a node of it polled last
-- d:<release>            its nodes' dead-after
-- a:<release>            the address of one of them
-- w:<token>              "<why> <what> <when>"

local FIELDS = {
    'digest', 'card', 'hashed', 'top', 'heard', 'counted', 'served', 'cut', 'fleet',
    'r:' .. release, 'd:' .. release, 'u:' .. release
}
local values = redis.call('HMGET', state, unpack(FIELDS))

-- A number that nobody of ours wrote must not set the pace.
local function fleet_of(text)
    local number = tonumber(text)
    return number and number >= 1 and number <= FLEET_MAX and number or nil
end

local fleet = fleet_of(values[9]) or fleet_of(ARGV[11]) or 1

-- All is paced by the size of the fleet: fleet.c has the same formulas.
local interval_ms = math.max(poll_ms or 0, math.ceil(fleet / 2))

-- ---- the usual poll ----

-- How long ago, or nil where that is not known or lies ahead: a clock was set.
local function since(field)
    local ms = now - (tonumber(field) or now + 1)
    return ms >= 0 and ms or nil
end

-- Nothing is new: the ledger was not written to since it was hashed, and the caller needs nothing.
local hashed_ms, heard_ms = since(values[3]), since(values[5])
local is_same = act == 'hold' and values[1] == ARGV[9] and hashed_ms and hashed_ms < HASHED_MS and
    clock_ms and dead_ms and poll_ms and id ~= '' and redis.call('ZCARD', ledger) == tonumber(values[2])

-- It was noted lately how long Redis is there and that the caller's release lives, and the release is
-- on top or cannot be yet.
local function is_noted()
    local served, seen = tonumber(values[7]), tonumber(values[10])
    return heard_ms and heard_ms < GRAIN_MS and seen and served and seen <= served and
        served - seen < GRAIN_MS and tonumber(values[11]) == dead_ms and
        (values[4] == release or served < (tonumber(values[12]) or 0))
end

-- However many entries and nodes there are, this is all that is done, and what follows below costs
-- nothing.
if is_same and ARGV[12] == '' and is_noted() and
    redis.call('ZADD', nodes, decimal(now), member) == 0 then
    return { values[1], now, fleet, interval_ms, false, false, false, '' }
end

-- ---- what is remembered, by name ----

local remembered, news = {}, {}
for i = 1, #FIELDS do remembered[FIELDS[i]] = values[i] end

local function recall(...)
    local names = { ... }
    local found = redis.call('HMGET', state, ...)
    for i = 1, #names do remembered[names[i]] = found[i] end
end

local function recall_all()
    local all = redis.call('HGETALL', state)
    for i = 1, #all, 2 do
        if not remembered[all[i]] then remembered[all[i]] = all[i + 1] end
    end
end

local function remember(field, value)
    if remembered[field] == value then return end
    remembered[field] = value
    table.insert(news, field)
    table.insert(news, value)
end

local function write_news()
    if #news ~= 0 then redis.call('HSET', state, unpack(news)) end
    news = {}
end

local function number(field)
    return tonumber(remembered[field]) or 0
end

-- ---- service time ----

-- within this a living node is back after Redis, or the way to it, was gone
local function return_ms()
    return math.min(math.max(5 * fleet, 1500), 30000) + 2 * interval_ms + 2000
end

local function count_fleet()
    local counted_ms = since(remembered.counted)
    if counted_ms and counted_ms < COUNTED_MS then return end
    -- after an outage it is not smaller because not all of them are back
    local num = redis.call('ZCOUNT', nodes, decimal(now - 3 * interval_ms), '+inf')
    fleet = math.min(math.max(num, fleet - math.ceil(fleet / 8), 1), FLEET_MAX)
    interval_ms = math.max(poll_ms, math.ceil(fleet / 2))
    remember('fleet', decimal(fleet))
    remember('counted', decimal(now))
end

-- Time in which nobody polled counts against nobody: an outage, a pause, a backup that was restored,
-- a clock that was set. Longer than two intervals it is a cut: silence counts anew from when all who
-- live are back.
local function pass_time()
    local heard = tonumber(remembered.heard)
    local gap = heard and now - heard or 0
    if heard and gap >= 0 and gap < GRAIN_MS then return end
    local is_cut = not heard or gap > 2 * interval_ms
    local served = number('served') + (is_cut and 0 or math.max(0, gap))
    remember('served', decimal(served))
    remember('heard', decimal(now))
    if is_cut then remember('cut', decimal(served + return_ms())) end
end

local function note_release()
    local field, served = 'r:' .. release, number('served')
    local seen = tonumber(remembered[field])
    if not seen or seen > served or served - seen >= GRAIN_MS then
        remember(field, decimal(served))
        if address ~= '-' then remember('a:' .. release, address) end
    end
    remember('d:' .. release, decimal(dead_ms))
end

-- ms of service time since a node of the release polled
local function silent_ms(other)
    local served = number('served')
    return served - math.min(number('r:' .. other), served)
end

-- Whether a release seems to be silent for longer than the caller and the release's own nodes have
-- agreed to bear, and for longer than a living one can be. Its fields must have been recalled.
local function allowed_ms(other)
    local own_ms = tonumber(remembered['d:' .. other]) or dead_ms
    if dead_ms == 0 or own_ms == 0 then return ORDER_END end
    return math.max(dead_ms, own_ms, return_ms() + 3 * interval_ms)
end

-- Of its silence what counts: the way back from a cut does not.
local function heard_silent_ms(other)
    return math.min(silent_ms(other), number('served') - number('cut'))
end

local function is_silent(other)
    return heard_silent_ms(other) > allowed_ms(other)
end

local function tell_releases()
    local lines = {}
    recall_all()
    for field in pairs(remembered) do
        local other = string.match(field, '^r:(.+)$')
        if other and remembered[field] and silent_ms(other) <= FORGET_MS and #lines < PAGE then
            table.insert(lines, other .. ' ' .. decimal(silent_ms(other)) .. ' ' ..
                decimal(number('d:' .. other)) .. ' ' .. (remembered['a:' .. other] or '-'))
        end
    end
    table.sort(lines)
    return lines
end

-- ---- the usual poll of others ----

-- The caller is on top, or below a release that lives and belongs there. Which one that is was found
-- when the ledger changed last.
local function is_in_place()
    if remembered.top == release then return true end
    recall('q:' .. release)
    local blocker = remembered['q:' .. release]
    if not blocker then return false end
    recall('r:' .. blocker, 'd:' .. blocker)
    remember('u:' .. release, decimal(number('served') +
        math.min(LOOKED_MS, allowed_ms(blocker) - heard_silent_ms(blocker))))
    return not is_silent(blocker)
end

if is_same and is_in_place() and redis.call('ZADD', nodes, decimal(now), member) == 0 then
    pass_time()
    count_fleet()
    note_release()
    write_news()
    return {
        remembered.digest, now, fleet, interval_ms, false,
        ARGV[12] == 'releases' and tell_releases(), false, ''
    }
end

-- ---- any other poll ----

local HISTORY, KEPT, AHEAD_MS = 32, 63, 60000

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

local function find_info(of)
    return redis.call('ZRANGE', info, '[' .. of .. ' ', '(' .. of .. '!', 'BYLEX', 'LIMIT', 0, 1)[1]
end

-- Nodes of other versions leave their trace in KEYS[2] only. It goes by Redis's clock, so that of
-- ours, of whom silence is known by service time, does not count: a clock may have been set back.
local function has_trace(other, within_ms)
    local seen = redis.call('ZRANGE', nodes, decimal(now - within_ms), decimal(now), 'BYSCORE')
    for i = 1, #seen do
        local owner, of = string.match(seen[i], '^(%S+) %S+ (%S+)$')
        if owner == other and not find_info(of) then
            remember('r:' .. other, decimal(number('served')))
            return true
        end
    end
    return false
end

local function is_dead(other)
    return is_silent(other) and not has_trace(other, allowed_ms(other))
end

-- ---- the ledger ----

-- The ledger as it stands: its entries, oldest first; owner and order by token; the newest of all
-- and of the caller's release. Members that nobody of ours wrote are left alone and not shown.
local function read()
    local all, lines = redis.call('ZRANGE', ledger, 0, -1, 'WITHSCORES'), {}
    local found = { card = #all / 2, owner = {}, order = {}, entries = {}, newest = {} }
    for i = 1, #all, 2 do
        local token, owner = string.match(all[i], '^(%S+) (%S+)$')
        local order = tonumber(all[i + 1])
        if token and is_token(token) and is_release(owner) and is_order(order) then
            local entry = { order = order, token = token, release = owner }
            table.insert(found.entries, entry)
            table.insert(lines, decimal(order) .. ' ' .. token .. ' ' .. owner)
            if not found.owner[token] then
                found.owner[token], found.order[token] = owner, order
            end
            found.top, found.newest[owner] = entry, entry
        end
    end
    found.mine, found.lines = found.newest[release], lines
    found.digest = redis.sha1hex(table.concat(lines, '\n'))
    return found
end

local known

local function add(order, token, owner)
    redis.call('ZADD', ledger, decimal(order), token .. ' ' .. owner)
    known.owner[token], known.order[token], known.is_old = owner, order, true
end

local function give_reason(token, why, what)
    remember('w:' .. token, why .. ' ' .. what .. ' ' .. decimal(now))
end

local WHY = {
    join = true, operator = true, conflict = true, promote = true, silence = true, ['return'] = true
}

-- Who puts an entry back knows why it was there, or nobody does; nor does Redis once it has lost what
-- it remembered.
local function take_reason(token, text)
    local why, what, when = string.match(text, '^ (%S+) (%S+) (%d+)$')
    if WHY[why] and (what == '-' or is_release(what)) and is_order(tonumber(when)) then
        remember('w:' .. token, why .. ' ' .. what .. ' ' .. when)
        return true
    end
    return false
end

-- One entry: added if absent; of the same token and release the birth wins. A token that stands
-- under two releases, one of them the caller's, is a conflict: returns its order and the other then.
local function merge(line, is_own)
    local digits, token, owner, reason = string.match(line, '^(%d+) (%S+) (%S+)(.*)$')
    local order = tonumber(digits)
    if not (token and is_order(order) and is_token(token) and is_release(owner)) then
        return nil, nil, redis.error_reply('ERR breaker: malformed entry')
    end
    local there = known.owner[token]
    if there == nil then
        -- whoever could not ask may have forgotten that its release is known, and where it belongs
        local why = reason == ' local' and known.newest[release] and 'return' or 'join'
        add(order, token, owner)
        if not take_reason(token, reason) and is_own and owner == release then
            give_reason(token, why, '-')
        end
    elseif there == owner then
        if order < known.order[token] then add(order, token, owner) end
        if not remembered['w:' .. token] then take_reason(token, reason) end
    elseif owner == release or there == release then
        return order, owner == release and there or owner
    end
    return nil
end

local function merge_all()
    local conflict, what
    for i = FIRST_ENTRY, #ARGV do
        local order, other, malformed = merge(ARGV[i], i == FIRST_ENTRY)
        if malformed then return nil, nil, malformed end
        if order and order >= (conflict or 0) then conflict, what = order, other end
    end
    if known.is_old then known = read() end
    return conflict, what
end

-- Where each release belongs: the place at which it was deployed, or put on top, last. What was minted
-- by silence, or on the return, does not move that. A place, not an order: two may have one order.
local function find_ranks()
    local ranks = {}
    for i, entry in ipairs(known.entries) do
        local why = string.match(remembered['w:' .. entry.token] or '', '^%S+')
        if not ranks[entry.release] or why ~= 'silence' and why ~= 'return' then
            ranks[entry.release] = i
        end
    end
    return ranks
end

-- What its nodes would send again, and without which it would lose its place among the others.
local function has_nodes(entry, i, ranks)
    return (entry == known.newest[entry.release] or i == ranks[entry.release]) and
        remembered['r:' .. entry.release] and silent_ms(entry.release) <= FORGET_MS
end

-- Drops the oldest that may go until so many are left.
local function drop(num, may_go)
    local excess, ranks = #known.entries - num, find_ranks()
    for i, entry in ipairs(known.entries) do
        if excess <= 0 then break end
        if entry ~= known.mine and may_go(entry, i, ranks) then
            redis.call('ZREM', ledger, entry.token .. ' ' .. entry.release)
            excess, known.is_old = excess - 1, true
        end
    end
    if known.is_old then known = read() end
end

local function drop_most_silent()
    local found
    for _, entry in ipairs(known.entries) do
        if entry ~= known.mine and
            (not found or silent_ms(entry.release) > silent_ms(found.release)) then
            found = entry
        end
    end
    redis.call('ZREM', ledger, found.token .. ' ' .. found.release)
    known = read()
end

-- The newest 32 stay, and what has nodes. Where these are too many, history gives way to them, and
-- then those that were seen longest ago to the others, who poll and would put theirs back.
local function trim()
    local first = #known.entries - HISTORY
    if first <= 0 then return end
    drop(HISTORY, function(entry, i, ranks) return i <= first and not has_nodes(entry, i, ranks) end)
    drop(KEPT, function(entry, i, ranks) return not has_nodes(entry, i, ranks) end)
    while #known.entries > KEPT do drop_most_silent() end
end

-- What is remembered of entries and releases that are no more.
local function clean()
    write_news()
    for field in pairs(remembered) do
        local kind, name = string.match(field, '^([adqruw]):(.+)$')
        local is_gone = kind == 'w' and not known.owner[name] or
            kind and kind ~= 'w' and not known.newest[name] and silent_ms(name) > FORGET_MS
        if is_gone then redis.call('HDEL', state, field) end
    end
end

-- ---- minting ----

-- The operator's token was never heard of. "v1.1718539201234" is what became of "v1", which may
-- have been trimmed since: it must not come back above its successor, to which clients were
-- redirected.
local function is_fixed_new()
    return ARGV[5] ~= '' and known.owner[ARGV[5]] == nil and not (known.mine and
        string.sub(known.mine.token, 1, #ARGV[5] + 1) == ARGV[5] .. '.')
end

-- A release takes a place above others if each of them is dead or belongs below it. So of several
-- that live the newest takes the place of a dead one, and who was only cut off takes its own again.
local function reason_to_pass()
    local ranks, why = find_ranks(), 'return'
    for i = #known.entries, 1, -1 do
        local entry = known.entries[i]
        if entry == known.mine then break end
        if entry == known.newest[entry.release] and ranks[entry.release] > ranks[release] then
            remember('q:' .. release, entry.release)
            if not is_dead(entry.release) then return nil end
            why = 'silence'
        end
    end
    return why
end

-- Returns why the release needs a token that it does not have, and because of which other release.
local function reason_to_mint(conflict, what)
    local mine, top = known.mine, known.top
    if act == 'promote' then
        if mine and top.release ~= release then return 'promote', top.release end
        -- it came there by silence, but now somebody wants it there
        if mine and find_ranks()[release] < #known.entries then give_reason(top.token, 'promote', '-') end
        return nil
    end
    if not mine then
        if act == 'settle' and not top then return nil end
        -- its token, handed out already or the operator's, is another release's
        local other = what or known.owner[ARGV[5]]
        return other and 'conflict' or 'join', other or '-'
    end
    if conflict and mine.order <= conflict then return 'conflict', what end
    if is_fixed_new() then return 'operator', '-' end
    if top.release == release then return nil end
    return reason_to_pass(), top.release
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

local function mint(why, what)
    local order, token = math.min(clock_ms, now + AHEAD_MS), ARGV[5]
    if known.top and order <= known.top.order then
        order = known.top.order + 1 + spread_of(release)
    end
    if not is_fixed_new() then
        while known.owner[name_of(order)] do order = order + 1 end
        token = name_of(order)
    end
    if not is_order(order) or not is_token(token) then
        return redis.error_reply('ERR breaker: no order left above the newest')
    end
    add(order, token, release)
    give_reason(token, why, what)
    known = read()
end

-- ---- who lives ----

-- One id is one node, whatever it served before and from where. `found` is its line.
local function note_info(found)
    local from = decimal(now)
    if found then
        local owner, at, _, before = string.match(found, '^%S+ (%S+) (%S+) (%S+) (%d+)$')
        if ARGV[9] ~= '' then from = before or from end
        if owner and (owner ~= release or at ~= address) then
            redis.call('ZREM', nodes, owner .. ' ' .. at .. ' ' .. id)
        end
    end
    local token = known.mine and known.mine.token or '-'
    local line = table.concat({ id, release, address, token, from }, ' ')
    if line == found then return end
    if found then redis.call('ZREM', info, found) end
    redis.call('ZADD', info, 0, line)
end

local function forget(entry)
    local gone = string.match(entry, '^%S+ %S+ (%S+)$')
    if not gone then return end
    redis.call('ZREM', nodes, entry)
    local found = find_info(gone)
    if found and string.find(found, ' ' .. string.match(entry, '^(%S+ %S+) '), 1, true) then
        redis.call('ZREM', info, found)
    end
end

-- What is long unseen goes, and what a clock that went back left in the future, a page at a time.
local function sweep(keep_ms)
    for _, range in ipairs({
        { '-inf', '(' .. decimal(now - keep_ms) }, { '(' .. decimal(now + keep_ms), '+inf' }
    }) do
        local gone = redis.call('ZRANGE', nodes, range[1], range[2], 'BYSCORE', 'LIMIT', 0, PAGE)
        for i = 1, #gone do forget(gone[i]) end
    end
end

-- ---- a poll ----

-- What the next polls go by.
local function remember_ledger()
    remember('digest', known.digest)
    remember('card', decimal(known.card))
    remember('hashed', decimal(now))
    remember('top', known.top and known.top.release or '')
end

-- Returns the error that the arguments or the numbers' end come to.
local function update()
    local conflict, what, failed = merge_all()
    if failed then return failed end
    local why, because = reason_to_mint(conflict, what)
    if why then
        failed = mint(why, because)
        if failed then return failed end
    end
    trim()
    if why then clean() end
    remember_ledger()
end

-- Somebody who is no node bears no witness: neither that nodes can poll nor how many do.
local function note_node()
    pass_time()
    redis.call('ZADD', nodes, decimal(now), member)
    note_release()
    count_fleet()
    sweep(math.max(FORGET_MS, dead_ms))
end

-- All four keys are looked at before one is written to: of a wrong type it is an error then, and
-- nothing was begun.
local function poll()
    known = read()
    recall_all()
    redis.call('ZCARD', nodes)
    local found = find_info(id)
    if id ~= '' then note_node() end
    local failed = update()
    if id ~= '' and not failed then note_info(found) end
    write_news()
    return failed
end

local ACTS = { hold = true, mint = true, settle = true, promote = true, leave = true }

local function are_arguments()
    local is_node = #address > 0 and #address <= 280 and #id <= 64 and
        not string.find(address .. id, '%s')
    return act == 'read' or ACTS[act] and is_node and is_release(release) and
        is_order(clock_ms) and is_order(dead_ms) and is_order(poll_ms)
end

-- ---- the answer ----

local function tell_ledger()
    local lines = {}
    for i, entry in ipairs(known.entries) do
        lines[i] = known.lines[i] .. ' ' .. (remembered['w:' .. entry.token] or '- - 0')
    end
    return lines
end

-- A node that older versions left half forgotten has no time: 0.
local function tell_page(cursor)
    local from, lines = cursor == '' and '-' or '(' .. cursor .. '!', {}
    local found = redis.call('ZRANGE', info, from, '+', 'BYLEX', 'LIMIT', 0, PAGE)
    for i = 1, #found do
        local of, owner, at, rest = string.match(found[i], '^(%S+) (%S+) (%S+) (%S+ %d+)$')
        if of then
            local seen = redis.call('ZSCORE', nodes, owner .. ' ' .. at .. ' ' .. of) or '0'
            table.insert(lines, decimal(tonumber(seen)) .. ' ' .. of .. ' ' .. owner .. ' ' .. at ..
                ' ' .. rest)
        end
    end
    return lines, #found == PAGE and string.match(found[PAGE], '^%S+') or ''
end

if not are_arguments() then return redis.error_reply('ERR breaker: malformed arguments') end
if act == 'leave' then
    forget(member)
    return redis.status_reply('OK')
end
if act == 'read' then
    known = read()
    recall_all()
else
    local failed = poll()
    if failed then return failed end
end
local page, cursor = false, ''
if ARGV[13] ~= '-' then page, cursor = tell_page(ARGV[13]) end
local is_news = known.digest ~= ARGV[9]
return {
    known.digest, now, fleet, interval_ms, is_news and tell_ledger(),
    (is_news or ARGV[12] == 'releases') and tell_releases(), page, cursor
}

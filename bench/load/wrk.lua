-- wrk script: GET PREFIX/N/SIZE, N as the environment says, and one line of JSON at the end.
--   COUNT     how many objects there are                 PREFIX  the folder, "o" when not set
--   FRESH     the part of requests for an object that nobody has asked for (0..1)
--   FIRST     the number of the first such object
--   ZIPF      objects are asked for as often as 1/rank^ZIPF; evenly without
--   PIPELINE  requests written together                  CLOSE   1: a connection for each request
local count = tonumber(os.getenv("COUNT") or 1)
local size = os.getenv("SIZE") or "1024"
local prefix = os.getenv("PREFIX") or "o"
local fresh = tonumber(os.getenv("FRESH") or 0)
local zipf = tonumber(os.getenv("ZIPF") or 0)
local pipeline = tonumber(os.getenv("PIPELINE") or 1)
local next_fresh = tonumber(os.getenv("FIRST") or 1)
local DRAWS = 65536
local texts, draws = {}, {}

local function text_of(number)
    return wrk.format("GET", "/" .. prefix .. "/" .. number .. "/" .. size)
end

-- A table of draws made beforehand, so that the load costs the same whatever is drawn.
local function draw_zipf()
    local sums, total = {}, 0
    for rank = 1, count do
        total = total + rank ^ -zipf
        sums[rank] = total
    end
    for i = 1, DRAWS do
        local at, low, high = math.random() * total, 1, count
        while low < high do
            local middle = math.floor((low + high) / 2)
            if sums[middle] < at then low = middle + 1 else high = middle end
        end
        draws[i] = low
    end
end

function init()
    if os.getenv("CLOSE") == "1" then
        wrk.headers["Connection"] = "close"
    end
    math.randomseed(tonumber(os.getenv("SEED") or count))
    for number = 1, count do
        texts[number] = text_of(number)
    end
    if zipf > 0 then
        draw_zipf()
    end
end

local function one()
    if fresh > 0 and math.random() < fresh then
        next_fresh = next_fresh + 1
        return text_of(next_fresh)
    end
    return texts[zipf > 0 and draws[math.random(DRAWS)] or math.random(count)]
end

function request()
    if pipeline == 1 then
        return one()
    end
    local together = {}
    for i = 1, pipeline do
        together[i] = one()
    end
    return table.concat(together)
end

function done(summary, latency)
    local e = summary.errors
    io.write(string.format(
        '{"requests": %d, "seconds": %.3f, "bytes": %d, "errors": %d, "p50_ms": %.3f, '
        .. '"p90_ms": %.3f, "p99_ms": %.3f, "p999_ms": %.3f}\n',
        summary.requests, summary.duration / 1e6, summary.bytes,
        e.connect + e.read + e.write + e.status + e.timeout, latency:percentile(50) / 1000,
        latency:percentile(90) / 1000, latency:percentile(99) / 1000,
        latency:percentile(99.9) / 1000))
end

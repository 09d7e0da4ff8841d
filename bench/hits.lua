-- wrk script: GET /o/N/SIZE with N drawn evenly from 1..COUNT (environment), answers counted.
local count, size = tonumber(os.getenv("COUNT")), os.getenv("SIZE")
local requests = {}

function init()
    for n = 1, count do
        requests[n] = wrk.format("GET", "/o/" .. n .. "/" .. size)
    end
    math.randomseed(count)
end

function request()
    return requests[math.random(count)]
end

function done(summary, latency)
    local e = summary.errors
    io.write(string.format(
        '{"requests": %d, "seconds": %.3f, "errors": %d, "p50_ms": %.3f, "p99_ms": %.3f}\n',
        summary.requests, summary.duration / 1e6,
        e.connect + e.read + e.write + e.status + e.timeout,
        latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end

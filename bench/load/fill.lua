-- wrk script: GET /PREFIX/N/SIZE for each N in FROM..TO (environment) once; then the file DONE is made, and
-- whoever started wrk interrupts it.
local from, to = tonumber(os.getenv("FROM")), tonumber(os.getenv("TO"))
local size, at_once = os.getenv("SIZE"), tonumber(os.getenv("AT_ONCE"))
local prefix = os.getenv("PREFIX")
local sent, got, bad = from - 2, 0, 0 -- wrk asks for one request that it does not send

function request()
    sent = sent + 1
    return wrk.format("GET", "/" .. prefix .. "/" .. math.max(from, math.min(sent, to)) .. "/" .. size)
end

function response(status)
    got = got + 1
    if status ~= 200 then
        bad = bad + 1
    end
    if got == to - from + 1 + at_once then -- as many as connections: those before are answered, too
        wrk.thread:stop()
        io.open(os.getenv("DONE"), "w"):close()
    end
end

function setup(thread)
    filler = thread
end

function done(summary)
    io.write(string.format('{"requests": %d, "seconds": %.3f, "bad": %d, "errors": %d}\n',
        summary.requests, summary.duration / 1e6, filler:get("bad") or 0,
        summary.errors.connect + summary.errors.read + summary.errors.timeout))
end

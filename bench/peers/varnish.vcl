# varnish with its memory store, one backend. What is stale at once is kept, to be asked about: by itself
# Varnish takes that for uncacheable, and fetches all of it each time.
vcl 4.1;
backend origin { .host = "@ORIGIN_HOST@"; .port = "@ORIGIN_PORT@"; }
sub vcl_backend_response {
    set beresp.grace = 0s;
    if (beresp.ttl <= 0s && beresp.http.ETag && beresp.http.Cache-Control !~ "no-store|no-cache|private") {
        set beresp.ttl = 1ms; # with none it would not be looked at again
        set beresp.keep = 1h;
        return (deliver);
    }
}

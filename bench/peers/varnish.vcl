# varnish with its memory store, one backend.
vcl 4.1;
backend origin { .host = "@ORIGIN_HOST@"; .port = "@ORIGIN_PORT@"; }
sub vcl_backend_response { set beresp.grace = 0s; }

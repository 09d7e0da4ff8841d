"""The scenarios of larder-bench, in the order in which they are listed and run."""
from scenarios import cost, dns, hits, http2, latency, load, misses, store, textbook, textbook_cdn

ALL = [*hits.ALL, *misses.ALL, *http2.ALL, *load.ALL, *latency.ALL, *store.ALL, *dns.ALL,
       *cost.ALL, *textbook.ALL, *textbook_cdn.ALL]

"""Parsing HTTP dates: Expires tells what was understood."""
import time

from harness import Cases, hit, miss

cases = Cases()
NOW = "Date: @+0"
SOON = (time.gmtime().tm_year + 20) % 100
PAST = (time.gmtime().tm_year - 20) % 100

ACCEPTED = {
    "imf": "Thu, 18 Aug 2050 02:01:18 GMT",
    "rfc850": f"Thursday, 18-Aug-{SOON:02} 02:01:18 GMT",
    "asctime": "Thu Aug 18 02:01:18 2050",
    "asctime-space-padded": "Mon Aug  8 02:01:18 2050",
    "after-2038": "Wed, 18 Aug 2049 02:01:18 GMT",
    "after-2286": "Sun, 21 Nov 2286 04:46:39 GMT",
    "after-2106": "Tue, 18 Aug 2107 02:01:18 GMT",
    "wrong-weekday": "Mon, 18 Aug 2050 02:01:18 GMT",
    "weekday-case": "THU, 18 Aug 2050 02:01:18 GMT",
    "month-case": "Thu, 18 AUG 2050 02:01:18 GMT",
    "zone-case": "Thu, 18 Aug 2050 02:01:18 gMT",
}
REFUSED = {
    "utc": "Thu, 18 Aug 2050 02:01:18 UTC",
    "zone": "Thu, 18 Aug 2050 02:01:18 AEST",
    "offset": "Thu, 18 Aug 2050 02:01:18 +0000",
    "rfc850-past": f"Thursday, 18-Aug-{PAST:02} 02:01:18 GMT",
    "two-digit-year": "Thu, 18 Aug 50 02:01:18 GMT",
    "no-comma": "Thu 18 Aug 2050 02:01:18 GMT",
    "double-spaces": "Thu, 18  Aug  2050 02:01:18 GMT",
    "dashes": "Thu, 18-Aug-2050 02:01:18 GMT",
    "periods": "Thu, 18 Aug 2050 02.01.18 GMT",
    "one-digit-hour": "Thu, 18 Aug 2050 2:01:18 GMT",
    "no-zone": "Thu, 18 Aug 2050 02:01:18",
    "number": "2544400878",
    "word": "never",
    "empty": "",
}
for name, value in ACCEPTED.items():
    cases(f"accepted-{name}", miss(f"Expires: {value}", NOW), hit())
for name, value in REFUSED.items():
    cases(f"refused-{name}", miss(f"Expires: {value}", NOW), miss())
cases("refused-several-bad-lines", miss("Expires: 0", "Expires: 0", NOW), miss())
cases("refused-last-line-good", miss("Expires: 0", "Expires: @+3600", NOW), miss())

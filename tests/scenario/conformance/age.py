"""Parsing Age."""
from harness import Cases, hit, miss

cases = Cases()
LONG = "Cache-Control: max-age=3600"

for name, value in {"letters": "abc", "negative": "-7200", "decimal": "7200.0", "sign": "+7200",
                    "empty": ""}.items():
    cases(name, miss(LONG, f"Age: {value}"), hit())
for value in (2147483647, 2147483648, 2147483649, 10**25):
    cases(f"old-{value}", miss(LONG, f"Age: {value}"), miss())
cases("first-of-line-old", miss(LONG, "Age: 7200, 0"), miss())
cases("first-of-line-young", miss(LONG, "Age: 0, 7200"), hit())
cases("first-line-old", miss(LONG, "Age: 7200", "Age: 0"), miss())
cases("first-line-young", miss(LONG, "Age: 0", "Age: 7200"), hit())
cases("twice-young", miss(LONG, "Age: 0, 0"), hit())
cases("twice-old", miss(LONG, "Age: 7200", "Age: 7200"), miss())

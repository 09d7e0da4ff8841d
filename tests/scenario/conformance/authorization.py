"""Authorization."""
from harness import Cases, hit, miss, valid

cases = Cases()
WHO = ("Authorization: FOO",)

cases("reaches-origin", miss(ask=WHO, saw=WHO))
cases("not-reused", miss("Expires: @+3600", "Date: @+0", ask=WHO, saw=WHO), miss())
cases("not-reused-max-age", miss("Cache-Control: max-age=3600", ask=WHO), miss(ask=WHO))
cases("not-reused-validator", miss('ETag: "a"', "Last-Modified: @-86400", ask=WHO),
      miss(saw=("!If-None-Match",)))
for directives in ("max-age=3600, public", "max-age=3600, must-revalidate", "s-maxage=3600",
                   "max-age=0, s-maxage=3600"):
    name = directives.split(", ")[-1].split("=")[0]
    cases(f"reused-{name}-{len(directives)}", miss(f"Cache-Control: {directives}", ask=WHO),
          hit(), hit(ask=WHO), hit(ask=("Authorization: BAR",)))
cases("stored-without-asked-with", miss("Cache-Control: max-age=3600"), miss(ask=WHO, saw=WHO),
      hit(text=1))
cases("public-asked-with", miss("Cache-Control: max-age=3600, public"), hit(ask=WHO))
cases("validation-carries-it", miss("Cache-Control: no-cache, public", 'ETag: "a"', ask=WHO),
      valid(ask=WHO, saw=(*WHO, 'If-None-Match: "a"')))

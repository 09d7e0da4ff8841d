"""What a scenario is. A scenario says what it asks of servers, fills them, and measures one of them
once; the driver does it for all of them, in rounds that go server by server, so that a noisy minute
hits all alike."""
import math


class Column:
    """One number of a measurement: how it is called, shown and judged. One that is aside is not on the
    terminal, where there is no room for all."""

    def __init__(self, key, title, form="{:,.1f}", lower_is_better=True, of_limit=False, aside=False):
        self.key, self.title, self.form = key, title, form
        self.lower_is_better, self.of_limit, self.aside = lower_is_better, of_limit, aside

    def show(self, value):
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return "–"
        return self.form.format(value)

    def described(self):
        return {"key": self.key, "title": self.title, "form": self.form,
                "lower_is_better": self.lower_is_better, "of_limit": self.of_limit}


CPU = Column("cpu_us", "CPU µs/request", of_limit=True)
USER = Column("user_us", "user")
KERNEL = Column("kernel_us", "kernel")
RATE = Column("per_second", "requests/s", "{:,.0f}", lower_is_better=False)
P50 = Column("p50_ms", "p50 ms", "{:.2f}")
P99 = Column("p99_ms", "p99 ms", "{:.2f}")
ERRORS = Column("errors", "errors", "{:,.0f}")
MEMORY = Column("memory_mib", "memory MiB", "{:,.1f}")
MEMORY_ASIDE = Column("memory_mib", "memory MiB", "{:,.1f}", aside=True)
ORIGIN = Column("origin", "origin per 1,000", "{:,.1f}")


class Case:
    """One row group of the table: `name` is for people, the rest for the scenario. A quick run has only
    some of them, and some are only in a full one."""

    def __init__(self, name, quick=True, only_full=False, **how):
        self.name, self.quick, self.only_full, self.how = name, quick and not only_full, only_full, how

    def __getattr__(self, key):
        try:
            return self.how[key]
        except KeyError:
            raise AttributeError(key) from None


class Scenario:
    name = ""
    title = ""
    kind = "performance"
    page = ""  # of docs, for who wants to know more
    peers = ()
    columns = (CPU, RATE, P50, P99, ERRORS)
    plot = None  # a function of harness.plot that draws its results
    about = ""  # a sentence or two under the title of the report
    most_rounds = 1000  # for what takes long and hardly differs: fewer
    filling = 1  # seconds that a fill takes, about: for the time left that is shown

    def lasts(self, lab, case=None):
        """Seconds that a measurement takes, about; without cases, all of it."""
        return lab.seconds + 0.15

    def parts(self, lab):
        """Of a scenario without cases: how many rows are measured one after the other."""
        return 1

    def groups(self, lab):
        """[(Want, [Case, …]), …]: the servers are started once for each group."""
        raise NotImplementedError

    def takes_part(self, server, case):
        """Whether a server, or its class, is measured in a case."""
        return True

    def cannot(self, server, case):
        """Why the work of a case is not what a server, or its class, can do; or None. The table says so."""
        return None

    def fill(self, lab, server, case):
        """Before the rounds of a case."""

    def measure(self, lab, server, case):
        """{key: number}."""
        raise NotImplementedError

    def ready(self, lab):
        """Why it cannot run on this machine, or None."""
        return None


def by_bytes(load, size):
    """The same load, its requests counted by the bytes that came: of large objects many are under way
    when it ends, and the server has worked for them, too."""
    return {**load, "requests": load["bytes"] / size}


def per_request(used, load, asked=None):
    """The usual numbers of a measurement, from what the server used and the load has seen."""
    requests = max(load["requests"], 1)
    row = {"cpu_us": used.total * 1e6 / requests, "user_us": used.user * 1e6 / requests,
           "kernel_us": used.kernel * 1e6 / requests,
           "per_second": load["requests"] / max(load["seconds"], 1e-9), "errors": load["errors"]}
    row.update({key: value for key, value in load.items() if key.endswith("_ms")})
    if asked is not None:
        row["origin"] = asked * 1000 / requests
    return row

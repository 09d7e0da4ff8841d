/* tail_filter - which lines a watcher wants to see. Pure. */
#include "proxy/client/tail.h"

#include "base/err.h"
#include "http/percent.h"
#include "http/put.h"
#include "proxy/client/shown.h"

/* ---- matching ---- */

/* `*` matches any text, `?` any byte. Remembering one position to go back to is enough; the time is
 * linear except for repeated text. */
static bool glob_matches(struct span pattern, struct span text, bool any_case)
{
    size_t p = 0, t = 0, star = pattern.len, back = 0;

    while (t < text.len) {
        char want = p < pattern.len ? pattern.at[p] : '\0';
        char have = text.at[t];
        bool same = any_case ? ascii_lower(want) == ascii_lower(have) : want == have;
        if (p < pattern.len && want == '*') {
            star = p++;
            back = t;
        } else if (p < pattern.len && (want == '?' || same)) {
            p++;
            t++;
        } else if (star < pattern.len) {
            p = star + 1;
            t = ++back;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.at[p] == '*') {
        p++;
    }
    return p == pattern.len;
}

static bool is_word(struct span want, struct span word)
{
    return want.len == 0 || span_eq(want, word);
}

/* Matches the host as a name, or as larderctl top and the log show it: with brackets, and with a
 * port that is not the default of the scheme. */
static bool host_matches(struct span pattern, const struct uri *uri)
{
    char shown[SHOWN_HOST_MAX + sizeof(":65535")];

    if (glob_matches(pattern, uri->host, true)) {
        return true;
    }
    if (span_find(pattern, ':') == pattern.len) {
        return false;
    }
    char *end = shown_host(shown, uri);
    if (glob_matches(pattern, span_from_to(shown, end), true)) {
        return true;
    }
    *end++ = ':';
    return glob_matches(pattern, span_from_to(shown, put_number(end, uri->port)), true);
}

static bool uri_matches(const struct tail_filter *filter, const struct uri *uri)
{
    static const struct uri none = {0};

    uri = uri ? uri : &none;
    return (filter->host.len == 0 || host_matches(filter->host, uri)) &&
           (filter->path.len == 0 || glob_matches(filter->path, uri->path, false));
}

bool tail_matches(const struct tail_filter *filter, const struct accesslog_entry *entry)
{
    return is_word(filter->outcome, outcome_word(entry->decision->outcome)) &&
           (is_word(filter->reason, reason_word(entry->decision->reason)) ||
            is_word(filter->reason, reason_word(entry->decision->store_reason))) &&
           entry->elapsed_us >= filter->slower_us &&
           (filter->status_last == 0 ||
            (entry->status >= filter->status_first && entry->status <= filter->status_last)) &&
           (!filter->has_client || prefix_has(&filter->client, entry->client)) &&
           uri_matches(filter, entry->uri);
}

/* ---- parsing ---- */

/* Parses "404", "5xx" or "400-499". There are five classes; another one would never match. A number
 * may be larger, as origins send any number. */
static bool parse_status(struct span text, struct tail_filter *out)
{
    struct span last = text;
    struct span first = span_cut(&last, '-');
    uint64_t from, to;

    if (text.len == 3 && text.at[0] >= '1' && text.at[0] <= '5' &&
        span_ieq(span_skip(text, 1), SPAN("xx"))) {
        out->status_first = (text.at[0] - '0') * 100;
        out->status_last = out->status_first + 99;
        return true;
    }
    if (!span_to_u64(first, 999, &from)) {
        return false;
    }
    to = from;
    if (first.len < text.len && !span_to_u64(last, 999, &to)) {
        return false;
    }
    out->status_first = (int)from;
    out->status_last = to ? (int)to : 1; /* 0: no response was sent */
    return from <= to;
}

static bool is_known(struct span word, struct span (*word_of)(int number), int count)
{
    for (int i = 0; i < count; i++) {
        if (span_eq(word, word_of(i))) {
            return true;
        }
    }
    return false;
}

static struct span outcome_number(int number)
{
    return outcome_word((enum outcome)number);
}

static struct span reason_number(int number)
{
    return reason_word((enum reason)number);
}

/* Parses one parameter. Returns what is wrong with it, or NULL. */
static const char *take(struct span name, struct span value, struct tail_filter *out)
{
    if (span_eq(name, SPAN("host"))) {
        out->host = value;
    } else if (span_eq(name, SPAN("path"))) {
        out->path = value;
    } else if (span_eq(name, SPAN("outcome"))) {
        out->outcome = value;
        return is_known(value, outcome_number, OUTCOME_COUNT)
                   ? NULL
                   : "there is no such outcome; expected "
                     "one such as hit, miss or denied";
    } else if (span_eq(name, SPAN("reason"))) {
        out->reason = value;
        return is_known(value, reason_number, REASON_COUNT)
                   ? NULL
                   : "there is no such reason; expected one of those in docs/explain.md";
    } else if (span_eq(name, SPAN("status"))) {
        return parse_status(value, out) ? NULL
                                        : "there is no such status; expected one such as 404, "
                                          "400-499, or a class from 1xx to 5xx";
    } else if (span_eq(name, SPAN("client"))) {
        const char *what = NULL;
        out->has_client = true;
        return prefix_parse(value, &out->client, &what) == 0
                   ? NULL
                   : "the client is not an address or a network; expected one such as 10.0.0.0/8";
    } else if (span_eq(name, SPAN("slower"))) {
        uint64_t ms;
        if (!span_to_u64(value, 1000000000, &ms)) {
            return "\"slower\" is not a number of milliseconds; expected one such as 250";
        }
        out->slower_us = ms * 1000;
    } else {
        return "there is no such filter; expected host, client, outcome, reason, status, path or "
               "slower";
    }
    return NULL;
}

int tail_filter_parse(struct span query, struct arena *arena, struct tail_filter *out,
                      const char **what)
{
    *out = (struct tail_filter){0};
    while (query.len) {
        struct span value = span_cut(&query, '&');
        struct span name = span_cut(&value, '=');
        if (!percent_decode(value, arena, &value) || value.len == 0) {
            *what = "a filter without its value";
            return ERR_SYNTAX;
        }
        *what = take(name, value, out);
        if (*what) {
            return ERR_SYNTAX;
        }
    }
    return 0;
}

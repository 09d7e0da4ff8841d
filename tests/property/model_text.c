/* Reading header fields by hand, one character after another. */
#include "model.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static void copy_trimmed(const char *from, const char *to, char *out)
{
    while (from < to && is_space(*from)) {
        from++;
    }
    while (from < to && is_space(to[-1])) {
        to--;
    }
    memcpy(out, from, (size_t)(to - from));
    out[to - from] = '\0';
}

const char *text_line(const struct message *m, const char *name, size_t n)
{
    for (size_t i = 0; i < m->count; i++) {
        if (strcasecmp(m->lines[i].name, name) == 0 && n-- == 0) {
            return m->lines[i].value;
        }
    }
    return NULL;
}

/* ---- lists, RFC 9110 5.6.1 ---- */

/* The quote that ends the string which begins at `open`, or NULL. */
static const char *string_end(const char *open)
{
    for (const char *at = open + 1; *at; at++) {
        if (*at == '"') {
            return at;
        }
        if (*at == '\\' && at[1] != '\0') {
            at++;
        }
    }
    return NULL;
}

/* A comma inside a quoted string separates nothing (RFC 9110 5.6.4). A quote that is never closed
 * begins no string. */
void text_split(const char *value, struct members *out)
{
    const char *start = value;
    const char *at = value;
    bool strings = true;

    for (;;) {
        if (*at == '"' && strings) {
            const char *end = string_end(at);
            strings = end != NULL;
            at = end ? end + 1 : at + 1;
            continue;
        }
        if (*at == ',' || *at == '\0') {
            char *member = out->at[out->count];
            copy_trimmed(start, at, member);
            out->count += *member != '\0';
            start = at + 1;
        }
        if (*at == '\0') {
            return;
        }
        at++;
    }
}

void text_members(const struct message *m, const char *name, struct members *out)
{
    const char *value;

    out->count = 0;
    for (size_t i = 0; (value = text_line(m, name, i)) != NULL; i++) {
        text_split(value, out);
    }
}

/* ---- small things ---- */

int64_t text_seconds(const char *text)
{
    int64_t seconds = 0;

    for (const char *at = text; *at; at++) {
        if (*at < '0' || *at > '9') {
            return -1;
        }
        seconds = seconds * 10 + (*at - '0');
        if (seconds > MODEL_LONG) {
            seconds = MODEL_LONG;
        }
    }
    return *text ? seconds : -1;
}

/* RFC 9110 8.8.3. */
bool text_is_etag(const char *text)
{
    if (text[0] == 'W' && text[1] == '/') {
        text += 2;
    }
    size_t len = strlen(text);
    if (len < 2 || text[0] != '"' || text[len - 1] != '"') {
        return false;
    }
    for (size_t i = 1; i + 1 < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c != 0x21 && !(c >= 0x23 && c <= 0x7e) && c < 0x80) {
            return false;
        }
    }
    return true;
}

/* RFC 9110 5.6.2. */
bool text_is_token(const char *text)
{
    for (const char *at = text; *at; at++) {
        if (!isalnum((unsigned char)*at) && strchr("!#$%&'*+-.^_`|~", *at) == NULL) {
            return false;
        }
    }
    return *text != '\0';
}

/* ---- dates, RFC 9110 5.6.7 ---- */

static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char *const long_days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                        "Thursday", "Friday", "Saturday"};

static bool is_one_of(const char *word, const char *const words[], size_t count, int *which)
{
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(word, words[i]) == 0) {
            *which = (int)i;
            return true;
        }
    }
    return false;
}

struct pieces {
    char day[16], month[8];
    int mday, year, hour, min, sec;
};

/* Seconds of a calendar date that exists; before 1970 is 1970. */
static int64_t seconds_of(const struct pieces *p, int month)
{
    struct tm tm = {.tm_mday = p->mday,
                    .tm_mon = month,
                    .tm_year = p->year - 1900,
                    .tm_hour = p->hour,
                    .tm_min = p->min,
                    .tm_sec = p->sec};
    time_t when = timegm(&tm);

    if (p->year > 9999 || tm.tm_mday != p->mday || tm.tm_mon != month || p->hour > 23 ||
        p->min > 59 || p->sec > 60) {
        return -1;
    }
    return when < 0 ? 0 : when;
}

/* The latest year with these two digits that is not more than 50 years ahead. */
static int64_t in_century(struct pieces *p, int month, int64_t now)
{
    struct tm ahead;
    time_t t = (time_t)now;

    gmtime_r(&t, &ahead);
    ahead.tm_year += 50;
    int64_t limit = timegm(&ahead);
    int digits = p->year;
    int64_t best = -1;
    for (int century = 1900; century <= 2200; century += 100) {
        p->year = century + digits;
        int64_t when = seconds_of(p, month);
        best = when >= 0 && when <= limit ? when : best;
    }
    return best;
}

enum form { IMF, RFC850, ASCTIME, FORMS };

/* The scanned pieces, written out again in the form, must be the text. */
static bool is_written(const char *text, enum form form, const struct pieces *p)
{
    char again[64];

    switch (form) {
    case IMF:
        snprintf(again, sizeof(again), "%s, %02d %s %04d %02d:%02d:%02d GMT", p->day, p->mday,
                 p->month, p->year, p->hour, p->min, p->sec);
        break;
    case RFC850:
        snprintf(again, sizeof(again), "%s, %02d-%s-%02d %02d:%02d:%02d GMT", p->day, p->mday,
                 p->month, p->year, p->hour, p->min, p->sec);
        break;
    case ASCTIME:
    case FORMS:
        snprintf(again, sizeof(again), "%s %s %2d %02d:%02d:%02d %04d", p->day, p->month, p->mday,
                 p->hour, p->min, p->sec, p->year);
        if (text[8] == '0') {
            again[8] = '0'; /* a padded zero is as good as a space */
        }
        break;
    }
    return strcasecmp(text, again) == 0;
}

static bool scan(const char *text, enum form form, struct pieces *p)
{
    memset(p, 0, sizeof(*p));
    switch (form) {
    case IMF:
        return sscanf(text, "%15[A-Za-z], %d %7[A-Za-z] %d %d:%d:%d", p->day, &p->mday, p->month,
                      &p->year, &p->hour, &p->min, &p->sec) == 7;
    case RFC850:
        return sscanf(text, "%15[A-Za-z], %d-%7[A-Za-z]-%d %d:%d:%d", p->day, &p->mday, p->month,
                      &p->year, &p->hour, &p->min, &p->sec) == 7;
    case ASCTIME:
    case FORMS:
        break;
    }
    return sscanf(text, "%15[A-Za-z] %7[A-Za-z] %d %d:%d:%d %d", p->day, p->month, &p->mday,
                  &p->hour, &p->min, &p->sec, &p->year) == 7;
}

int64_t text_date(const char *text, int64_t now)
{
    for (enum form form = IMF; form < FORMS; form++) {
        const char *const *names = form == RFC850 ? long_days : days;
        struct pieces p;
        int month, day;
        if (strlen(text) < 24 || !scan(text, form, &p) || !is_one_of(p.day, names, 7, &day) ||
            !is_one_of(p.month, months, 12, &month) || !is_written(text, form, &p)) {
            continue;
        }
        return form == RFC850 ? in_century(&p, month, now) : seconds_of(&p, month);
    }
    return -1;
}

/* ---- Cache-Control, RFC 9111 5.2 ---- */

static const struct model_control nothing = {
    .max_age = -1,
    .s_maxage = -1,
    .min_fresh = -1,
    .max_stale = -1,
    .stale_while_revalidate = -1,
    .stale_if_error = -1,
};

struct directive {
    char name[VALUE_MAX];
    bool has_value;
    char value[VALUE_MAX]; /* without quotes */
};

/* token [ "=" ( token / quoted-string ) ]. White space around "=" is not in the grammar: what is
 * behind it is no value. */
static void read_directive(const char *member, struct directive *out)
{
    const char *equals = strchr(member, '=');
    const char *end = equals ? equals : member + strlen(member);

    copy_trimmed(member, end, out->name);
    out->has_value = equals != NULL;
    out->value[0] = '\0';
    if (equals == NULL || (equals > member && is_space(equals[-1]))) {
        return;
    }
    size_t len = strlen(equals + 1);
    bool quoted = len >= 2 && equals[1] == '"' && equals[len] == '"';
    memcpy(out->value, equals + 1 + quoted, len - 2 * quoted);
    out->value[len - 2 * quoted] = '\0';
}

static bool says(const struct members *members, const char *name)
{
    for (size_t i = 0; i < members->count; i++) {
        struct directive d;
        read_directive(members->at[i], &d);
        if (strcasecmp(d.name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Some write "no-cache; no-store", or leave the comma out. A name among such words restricts. */
static bool has_word(const char *member, const char *name)
{
    char words[VALUE_MAX];
    char *rest = words;
    const char *word;

    if (strchr(member, '"')) {
        return false;
    }
    snprintf(words, sizeof(words), "%s", member);
    while ((word = strsep(&rest, "; ")) != NULL) {
        if (strncasecmp(word, name, strlen(name)) == 0 && strchr("=", word[strlen(name)])) {
            return true;
        }
    }
    return false;
}

static bool restricts(const struct members *members, const char *name)
{
    for (size_t i = 0; i < members->count; i++) {
        if (has_word(members->at[i], name)) {
            return true;
        }
    }
    return says(members, name);
}

/* The first of them (4.2.1). What is no number means `invalid`, or (-1) is passed over. */
static int64_t seconds_said(const struct members *members, const char *name, int64_t invalid)
{
    for (size_t i = 0; i < members->count; i++) {
        struct directive d;
        read_directive(members->at[i], &d);
        if (strcasecmp(d.name, name) != 0) {
            continue;
        }
        int64_t seconds = text_seconds(d.value);
        if (seconds >= 0 || invalid >= 0) {
            return seconds >= 0 ? seconds : invalid;
        }
    }
    return -1;
}

/* 5.2.1.2: with or without a value, the first of them. */
static void read_max_stale(const struct members *members, struct model_control *out)
{
    for (size_t i = 0; i < members->count; i++) {
        struct directive d;
        read_directive(members->at[i], &d);
        if (strcasecmp(d.name, "max-stale") != 0) {
            continue;
        }
        out->max_stale_any = !d.has_value;
        out->max_stale = text_seconds(d.value);
        if (out->max_stale_any || out->max_stale >= 0) {
            return;
        }
    }
}

void text_control(const struct message *m, struct model_control *out)
{
    struct members members;

    text_members(m, "Cache-Control", &members);
    *out = nothing;
    out->no_store = restricts(&members, "no-store");
    out->no_cache = restricts(&members, "no-cache"); /* with fields (5.2.2.4) too */
    out->is_private = restricts(&members, "private");
    out->is_public = says(&members, "public");
    out->must_revalidate = restricts(&members, "must-revalidate");
    out->proxy_revalidate = restricts(&members, "proxy-revalidate");
    out->must_understand = says(&members, "must-understand");
    out->immutable = says(&members, "immutable");
    out->only_if_cached = says(&members, "only-if-cached");
    /* 4.2.1: a lifetime that is no number is best taken as stale. */
    out->max_age = seconds_said(&members, "max-age", 0);
    out->s_maxage = seconds_said(&members, "s-maxage", 0);
    out->min_fresh = seconds_said(&members, "min-fresh", -1);
    out->stale_while_revalidate = seconds_said(&members, "stale-while-revalidate", -1);
    out->stale_if_error = seconds_said(&members, "stale-if-error", -1);
    read_max_stale(&members, out);
}

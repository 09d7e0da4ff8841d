/* Scalars: what each type reads, what it expects, and the words nearest to a wrong one. */
#include "base/conf_tree.h"

#include "base/err.h"

#include <math.h>
#include <stdlib.h>

struct unit {
    const char *name;
    uint64_t factor;
};

/* clang-format off */
static const struct unit size_units[] = {
    {"", 1}, {"B", 1},
    {"KiB", 1ull << 10}, {"MiB", 1ull << 20}, {"GiB", 1ull << 30}, {"TiB", 1ull << 40},
    {"K", 1ull << 10},   {"M", 1ull << 20},   {"G", 1ull << 30},   {"T", 1ull << 40},
    {"kB", 1000},        {"MB", 1000000},     {"GB", 1000000000},  {"TB", 1000000000000},
    {NULL, 0},
};
static const struct unit msec_units[] = {
    {"ms", 1}, {"s", 1000}, {"min", 60000}, {"m", 60000}, {"h", 3600000},
    {"d", 86400000}, {"w", 604800000}, {NULL, 0},
};
static const struct unit sec_units[] = {
    {"s", 1}, {"min", 60}, {"m", 60}, {"h", 3600}, {"d", 86400}, {"w", 604800}, {NULL, 0},
};
static const struct unit percent_units[] = {{"%", 1}, {"", 1}, {NULL, 0}};
static const struct unit no_units[] = {{"", 1}, {NULL, 0}};

/* What each type accepts, for error messages and --help. */
static const char *const expectations[] = {
    [CONF_IS_BOOL]     = "yes or no",
    [CONF_IS_INT]      = "a whole number",
    [CONF_IS_REAL]     = "a number such as 50.11",
    [CONF_IS_SIZE]     = "a size such as 64KiB or 10GiB",
    [CONF_IS_MSEC]     = "a duration such as 250ms, 30s or 7d",
    [CONF_IS_SEC]      = "a duration such as 30s, 5min or 7d",
    [CONF_IS_PERCENT]  = "a percentage such as 10%",
    [CONF_IS_STRING]   = "a text",
    [CONF_IS_PATH]     = "a path",
    [CONF_IS_ENUM]     = "a word",
    [CONF_IS_IP]       = "an IP address",
    [CONF_IS_PREFIX]   = "a prefix such as 10.0.0.0/8 or 2001:db8::/32",
    [CONF_IS_ENDPOINT] = "ADDRESS:PORT such as 127.0.0.1:3128 or [::1]:3128",
    [CONF_IS_CUSTOM]   = "a value",
    [CONF_IS_MAP]      = "a map of directives",
};
/* clang-format on */

/* ---- suggestions ---- */

enum { WORD_MAX = 48 };

/* Levenshtein distance that counts two swapped neighbours as one step. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t rows[3][WORD_MAX + 1];
    size_t *above2 = rows[0], *above = rows[1], *row = rows[2];

    for (size_t j = 0; j <= b_len; j++) {
        above[j] = j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            bool same = ascii_lower(a[i - 1]) == ascii_lower(b[j - 1]);
            size_t best = above[j - 1] + !same;
            best = above[j] + 1 < best ? above[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                above2[j - 2] + 1 < best) {
                best = above2[j - 2] + 1;
            }
            row[j] = best;
        }
        size_t *spare = above2;
        above2 = above;
        above = row;
        row = spare;
    }
    return above[b_len];
}

/* Without the dashes of an option, which all options have in common. */
static struct span letters(const char *word)
{
    return span_str(word + strspn(word, "-"));
}

const char *conf_closest(const char *word, const char *const *words, size_t count)
{
    struct span meant = letters(word);
    size_t best = meant.len / 3 + 2; /* at a larger distance it is another word, not a slip */
    const char *closest = NULL;

    for (size_t i = 0; i < count && meant.len <= WORD_MAX; i++) {
        struct span known = words[i] ? letters(words[i]) : SPAN_EMPTY;
        if (known.len == 0 || known.len > WORD_MAX) {
            continue;
        }
        size_t longer = meant.len > known.len ? meant.len : known.len;
        size_t steps = distance(meant.at, meant.len, known.at, known.len);
        if (steps < best && 2 * steps < longer) {
            best = steps;
            closest = words[i];
        }
    }
    return closest;
}

/* ---- reading ---- */

static int read_amount(struct span text, const struct unit *units, uint64_t *out)
{
    size_t digits = 0;
    uint64_t number;

    while (digits < text.len && ascii_is_digit(text.at[digits])) {
        digits++;
    }
    if (!span_to_u64(span_take(text, digits), UINT64_MAX, &number)) {
        return ERR_SYNTAX;
    }
    struct span unit = span_trim(span_skip(text, digits));
    for (; units->name; units++) {
        if (span_ieq(unit, span_str(units->name))) {
            return __builtin_mul_overflow(number, units->factor, out) ? ERR_TOO_LARGE : 0;
        }
    }
    *out = 0; /* zero needs no unit */
    return number == 0 && unit.len == 0 ? 0 : ERR_SYNTAX;
}

static const struct unit *units_of(enum conf_is type)
{
    switch (type) {
    case CONF_IS_SIZE:
        return size_units;
    case CONF_IS_MSEC:
        return msec_units;
    case CONF_IS_SEC:
        return sec_units;
    case CONF_IS_PERCENT:
        return percent_units;
    default:
        return no_units;
    }
}

static int read_bool(struct span text, bool *out)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (span_ieq(text, span_str(words[i]))) {
            *out = i % 2;
            return 0;
        }
    }
    return ERR_SYNTAX;
}

/* Checks the syntax first, as strtod() also accepts hexadecimal, infinity and leading spaces. */
static int read_real(struct span text, double *out)
{
    char copy[64];
    char *end;

    if (text.len == 0 || text.len >= sizeof(copy)) {
        return ERR_SYNTAX;
    }
    memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    if (strspn(copy, "+-0123456789.eE") != text.len) {
        return ERR_SYNTAX;
    }
    *out = strtod(copy, &end);
    return *end == '\0' && end != copy && isfinite(*out) ? 0 : ERR_SYNTAX;
}

static int read_word(struct span text, const char *const *words, uint64_t *out)
{
    for (size_t i = 0; words[i]; i++) {
        if (span_eq(text, span_str(words[i]))) {
            *out = i;
            return 0;
        }
    }
    return ERR_SYNTAX;
}

static char *text_into(struct arena *arena, struct span text)
{
    char *copy = arena_alloc(arena, text.len + 1);

    if (text.len) {
        memcpy(copy, text.at, text.len);
    }
    copy[text.len] = '\0';
    return copy;
}

static int read_endpoint(const struct conf_directive *row, struct span text, struct arena *arena,
                         struct endpoint *out)
{
    *out = (struct endpoint){.text = text_into(arena, text)};
    if (row->flags & CONF_UNIX && span_starts(text, SPAN("unix:"))) {
        out->unix_path = out->text + strlen("unix:");
        /* The kernel's limit (sun_path), NUL included. */
        return out->unix_path[0] == '/' && strlen(out->unix_path) < 108 ? 0 : ERR_SYNTAX;
    }
    return endpoint_parse(text, row->type.port, &out->address, &out->len);
}

/* ---- ranges ---- */

static bool is_amount(enum conf_is type)
{
    return type == CONF_IS_INT || type == CONF_IS_SIZE || type == CONF_IS_MSEC ||
           type == CONF_IS_SEC || type == CONF_IS_PERCENT;
}

static bool amount_in_range(const struct conf_directive *row, uint64_t amount)
{
    uint64_t min = 0, max = UINT64_MAX;

    CHECK(!row->min || read_amount(span_str(row->min), units_of(row->type.is), &min) == 0);
    CHECK(!row->max || read_amount(span_str(row->max), units_of(row->type.is), &max) == 0);
    if (row->field.size < sizeof(max) && max >> (row->field.size * 8)) {
        max = (1ull << (row->field.size * 8)) - 1;
    }
    return amount >= min && amount <= max;
}

static bool real_in_range(const struct conf_directive *row, double real)
{
    double limit = 0;

    CHECK(!row->min || read_real(span_str(row->min), &limit) == 0);
    if (row->min && real < limit) {
        return false;
    }
    CHECK(!row->max || read_real(span_str(row->max), &limit) == 0);
    return !row->max || real <= limit;
}

static bool length_in_range(const struct conf_directive *row, size_t len)
{
    uint64_t min = 1, max = 4096;

    CHECK(!row->min || span_to_u64(span_str(row->min), UINT64_MAX, &min));
    CHECK(!row->max || span_to_u64(span_str(row->max), UINT64_MAX, &max));
    return len >= min && len <= max;
}

static void store_unsigned(void *out, size_t size, uint64_t value)
{
    switch (size) {
    case 1:
        *(uint8_t *)out = (uint8_t)value;
        return;
    case 2:
        *(uint16_t *)out = (uint16_t)value;
        return;
    case 4:
        *(uint32_t *)out = (uint32_t)value;
        return;
    case 8:
        *(uint64_t *)out = value;
        return;
    }
    UNREACHABLE();
}

/* ---- texts of errors ---- */

void conf_expected(const struct conf_directive *row, struct buf *out)
{
    if (row->type.is == CONF_IS_ENUM) {
        buf_printf(out, "one of ");
        for (size_t i = 0; row->type.words[i]; i++) {
            buf_printf(out, "%s%s", i ? ", " : "", row->type.words[i]);
        }
        return;
    }
    const char *text =
        row->type.is == CONF_IS_CUSTOM ? row->type.custom->expected : expectations[row->type.is];
    buf_printf(out, "%s%s", text, row->flags & CONF_UNIX ? ", or unix:/PATH" : "");
}

void conf_range(const struct conf_directive *row, struct buf *out)
{
    const char *unit = row->type.is == CONF_IS_STRING ? " bytes" : "";
    const char *max = row->max;

    if (!max && row->type.is == CONF_IS_INT && row->field.size < sizeof(uint64_t)) {
        max = row->field.size == 1 ? "255" : row->field.size == 2 ? "65535" : "4294967295";
    }
    if (row->min && max) {
        buf_printf(out, " from %s to %s%s", row->min, max, unit);
    } else if (row->min) {
        buf_printf(out, " of at least %s%s", row->min, unit);
    } else if (max) {
        buf_printf(out, " of at most %s%s", max, unit);
    }
}

static int bad_scalar(struct conf *conf, const struct conf_directive *row,
                      const struct conf_node *node, int err, const char *what)
{
    struct buf expected = BUF_INIT;
    const char *closest = NULL;
    size_t words = 0;

    while (row->type.is == CONF_IS_ENUM && row->type.words[words]) {
        words++;
    }
    if (words) {
        closest = conf_closest(node->text, row->type.words, words);
    }
    conf_expected(row, &expected);
    conf_range(row, &expected);
    bool secret = row->flags & CONF_SECRET;
    if (err == ERR_TOO_LARGE && !what) {
        what = "it is out of range";
    }
    conf_report(conf, &node->where, "\"%s\" cannot be %s%.80s%s%s%s; expected %.*s%s%s%s",
                node->said ? node->said : row->name, secret ? "" : "\"",
                secret ? "what is written" : node->text, secret ? "" : "\"", what ? ": " : "",
                what ? what : "", SPAN_ARGS(buf_span(&expected)), CONF_HINT(closest, ""));
    buf_fini(&expected);
    return ERR_CONFIG;
}

/* ---- binding ---- */

static int bind_amount(const struct conf_directive *row, struct span text, void *out)
{
    uint64_t amount = 0;
    int err = read_amount(text, units_of(row->type.is), &amount);

    if (!err && !amount_in_range(row, amount)) {
        err = ERR_TOO_LARGE;
    }
    if (!err) {
        store_unsigned(out, row->field.size, amount);
    }
    return err;
}

static int bind_real(const struct conf_directive *row, struct span text, double *out)
{
    int err = read_real(text, out);
    return !err && !real_in_range(row, *out) ? ERR_TOO_LARGE : err;
}

static int bind_text(const struct conf_directive *row, struct span text, struct arena *arena,
                     char **out)
{
    if (!length_in_range(row, text.len)) {
        return text.len == 0 ? ERR_SYNTAX : ERR_TOO_LARGE;
    }
    *out = text_into(arena, text);
    return 0;
}

static int bind_word(const struct conf_directive *row, struct span text, void *out)
{
    uint64_t index;
    int err = read_word(text, row->type.words, &index);

    if (!err) {
        store_unsigned(out, row->field.size, index);
    }
    return err;
}

/* Is it the row's word alone ("syslog") or followed by a colon ("syslog:MORE")? */
static bool is_word_of(const struct conf_directive *row, const char *text)
{
    const char *const *words = row ? row->type.words : NULL;
    struct span word = span_take(span_str(text), span_find(span_str(text), ':'));

    while (words && *words && !span_eq(word, span_str(*words))) {
        words++;
    }
    return words && *words;
}

struct span conf_path_meant(const struct conf_directive *row, const struct conf_node *node,
                            struct arena *arena)
{
    const char *slash =
        node->where.source == CONF_FROM_FILE ? strrchr(node->where.name, '/') : NULL;

    if (!slash || node->text[0] == '/' || node->text[0] == '\0' || strcmp(node->text, "-") == 0 ||
        is_word_of(row, node->text)) {
        return span_str(node->text);
    }
    return arena_printf(arena, "%.*s/%s", (int)(slash - node->where.name), node->where.name,
                        node->text);
}

/* Remembers where a path was written. `out` is where it was bound; NULL: it was not bound. */
static void note_path(struct conf *conf, const struct conf_node *node, void *out)
{
    bool written = node->where.source != CONF_FROM_DEFAULT;

    if (out && written) {
        struct conf_bound_path *bound = arena_alloc(&conf->memory, sizeof(*bound));
        bound->where = node->where;
        bound->next = conf->paths;
        memcpy(&bound->path, out, sizeof(bound->path));
        conf->paths = bound;
    }
}

void conf_paths(struct conf *conf, struct arena *arena, struct conf_paths *out)
{
    *out = (struct conf_paths){.count = 0};
    for (const struct conf_bound_path *bound = conf->paths; bound; bound = bound->next) {
        out->count++;
    }
    out->at = arena_alloc(arena, (out->count + 1) * sizeof(*out->at));
    size_t left = out->count;
    for (const struct conf_bound_path *bound = conf->paths; bound; bound = bound->next) {
        out->at[--left] = (struct conf_path){bound->path, conf_origin(arena, &bound->where)};
    }
}

int conf_scalar_bind(struct conf *conf, const struct conf_directive *row,
                     const struct conf_node *node, struct arena *arena, void *out)
{
    struct span text = span_str(node->text);
    const char *what = NULL;
    int err = ERR_SYNTAX;

    if (is_amount(row->type.is)) {
        err = bind_amount(row, text, out);
    } else if (row->type.is == CONF_IS_BOOL) {
        err = read_bool(text, out);
    } else if (row->type.is == CONF_IS_REAL) {
        err = bind_real(row, text, out);
    } else if (row->type.is == CONF_IS_STRING) {
        err = bind_text(row, text, arena, out);
    } else if (row->type.is == CONF_IS_PATH) {
        err = bind_text(row, conf_path_meant(row, node, arena), arena, out);
        note_path(conf, node, err ? NULL : out);
    } else if (row->type.is == CONF_IS_ENUM) {
        err = bind_word(row, text, out);
    } else if (row->type.is == CONF_IS_IP) {
        err = ip_parse(text, out);
    } else if (row->type.is == CONF_IS_PREFIX) {
        err = prefix_parse(text, out, &what);
    } else if (row->type.is == CONF_IS_ENDPOINT) {
        err = read_endpoint(row, text, arena, out);
    } else if (row->type.is == CONF_IS_CUSTOM) {
        err = row->type.custom->parse(text, arena, out, &what);
    }
    return err ? bad_scalar(conf, row, node, err, what) : 0;
}

void conf_scalar_same(const struct conf_directive *row, const struct conf_node *node,
                      struct arena *arena, struct buf *out)
{
    struct span text = span_str(node->text);
    uint64_t amount;
    bool truth;

    if (is_amount(row->type.is) && read_amount(text, units_of(row->type.is), &amount) == 0) {
        buf_printf(out, "%llu", (unsigned long long)amount);
    } else if (row->type.is == CONF_IS_BOOL && read_bool(text, &truth) == 0) {
        buf_printf(out, "%d", truth);
    } else {
        buf_append(out, row->type.is == CONF_IS_PATH ? conf_path_meant(row, node, arena) : text);
    }
}

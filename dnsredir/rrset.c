#include "dnsredir/rrset.h"

#include "base/check.h"
#include "base/err.h"

#define TTL_MAX 2147483647u /* RFC 2181 8 */
#define STRING_MAX 255      /* RFC 1035 3.3 */

/* The text of one record, cut into words. */
struct words {
    struct span rest;
    const struct name *origin;
    const char *fault;
};

/* The next word without its blanks; a quoted one keeps its quotes. Empty at the end. */
static struct span next_word(struct words *words)
{
    struct span text = span_trim(words->rest);
    size_t n = 0;
    bool quoted = false;

    while (n < text.len) {
        char c = text.at[n];
        if (c == '\\' && n + 1 < text.len) {
            n++;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && (c == ' ' || c == '\t' || c == ';')) {
            break;
        }
        n++;
    }
    if (quoted) {
        words->fault = "a quotation mark is missing";
    }
    words->rest = n < text.len && text.at[n] == ';' ? SPAN_EMPTY : span_skip(text, n);
    return span_take(text, n);
}

static int fault(struct words *words, const char *what)
{
    words->fault = words->fault ? words->fault : what;
    return ERR_SYNTAX;
}

static int put_number(struct words *words, struct wire_out *out, uint64_t max, const char *what)
{
    uint64_t value;

    if (!span_to_u64(next_word(words), max, &value)) {
        return fault(words, what);
    }
    if (max > UINT8_MAX) {
        wire_put_u16(out, (uint16_t)value);
    } else {
        wire_put_u8(out, (uint8_t)value);
    }
    return 0;
}

static int put_host(struct words *words, struct wire_out *out)
{
    struct name name;

    if (name_parse(next_word(words), words->origin, &name)) {
        return fault(words, "not a domain name");
    }
    wire_put_bytes(out, name.at, name.len);
    return 0;
}

static int put_address(struct words *words, struct wire_out *out, bool v4)
{
    struct ip ip;

    if (ip_parse(next_word(words), &ip) || ip_is_v4(&ip) != v4) {
        return fault(words, v4 ? "not an IPv4 address" : "not an IPv6 address");
    }
    wire_put_bytes(out, ip.at + (v4 ? 12 : 0), v4 ? 4 : 16);
    return 0;
}

/* The byte of a string at text.at[0], with \DDD and \X resolved; how many bytes of text it took. */
static size_t string_byte(struct span text, uint8_t *out)
{
    uint64_t value;

    *out = (uint8_t)text.at[0];
    if (text.at[0] != '\\' || text.len < 2) {
        return 1;
    }
    if (text.len >= 4 && span_to_u64(span_take(span_skip(text, 1), 3), 255, &value)) {
        *out = (uint8_t)value;
        return 4;
    }
    *out = (uint8_t)text.at[1];
    return 2;
}

static struct span unquote(struct span word)
{
    if (word.len >= 2 && word.at[0] == '"' && word.at[word.len - 1] == '"') {
        return span_take(span_skip(word, 1), word.len - 2);
    }
    return word;
}

/* The bytes of a word, without a length. */
static void put_text(struct span word, struct wire_out *out)
{
    for (struct span text = unquote(word); text.len;) {
        uint8_t byte;
        text = span_skip(text, string_byte(text, &byte));
        wire_put_u8(out, byte);
    }
}

static int put_string(struct words *words, struct span word, struct wire_out *out)
{
    uint8_t *length = wire_put(out, 1);
    size_t start = wire_out_len(out);

    put_text(word, out);
    size_t len = wire_out_len(out) - start;
    if (len > STRING_MAX) {
        return fault(words, "a string is longer than 255 bytes");
    }
    if (length) {
        *length = (uint8_t)len;
    }
    return 0;
}

static int put_strings(struct words *words, struct wire_out *out)
{
    struct span word = next_word(words);

    if (word.len == 0) {
        return fault(words, "expected a string");
    }
    for (; word.len; word = next_word(words)) {
        if (put_string(words, word, out)) {
            return ERR_SYNTAX;
        }
    }
    return 0;
}

static int put_a(struct words *words, struct wire_out *out)
{
    return put_address(words, out, true);
}

static int put_aaaa(struct words *words, struct wire_out *out)
{
    return put_address(words, out, false);
}

static int put_mx(struct words *words, struct wire_out *out)
{
    int err = put_number(words, out, UINT16_MAX, "expected a preference, 0 to 65535");
    return err ? err : put_host(words, out);
}

static int put_srv(struct words *words, struct wire_out *out)
{
    for (int i = 0; i < 3; i++) {
        if (put_number(words, out, UINT16_MAX, "expected priority, weight and port")) {
            return ERR_SYNTAX;
        }
    }
    return put_host(words, out);
}

static int put_caa(struct words *words, struct wire_out *out) /* RFC 8659 4.1 */
{
    if (put_number(words, out, UINT8_MAX, "expected flags, 0 to 255")) {
        return ERR_SYNTAX;
    }
    struct span tag = next_word(words);
    if (tag.len == 0 || put_string(words, tag, out)) {
        return fault(words, "expected a tag such as issue");
    }
    put_text(next_word(words), out);
    return 0;
}

static int hex_value(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = memchr(digits, ascii_lower(c), sizeof(digits) - 1);

    return at ? (int)(at - digits) : -1;
}

/* The rest of the words, as hexadecimal digits (RFC 4034 5.3). */
static int put_hex(struct words *words, struct wire_out *out)
{
    struct span word = next_word(words);
    bool any = false;

    for (; word.len; word = next_word(words)) {
        for (; word.len; word = span_skip(word, 2)) {
            int high = hex_value(word.at[0]);
            int low = word.len > 1 ? hex_value(word.at[1]) : -1;
            if (high < 0 || low < 0) {
                return fault(words, "expected pairs of hexadecimal digits");
            }
            wire_put_u8(out, (uint8_t)(high << 4 | low));
            any = true;
        }
    }
    return any ? 0 : fault(words, "expected pairs of hexadecimal digits");
}

static int put_ds(struct words *words, struct wire_out *out)
{
    if (put_number(words, out, UINT16_MAX, "expected key tag, algorithm and digest type") ||
        put_number(words, out, UINT8_MAX, "expected key tag, algorithm and digest type") ||
        put_number(words, out, UINT8_MAX, "expected key tag, algorithm and digest type")) {
        return ERR_SYNTAX;
    }
    return put_hex(words, out);
}

/* clang-format off */
static const struct {
    const char *text;
    uint16_t type;
    int (*put)(struct words *words, struct wire_out *out);
    struct rr_layout layout;
} types[] = {
    {"A",     TYPE_A,     put_a,       {0, 0}},
    {"AAAA",  TYPE_AAAA,  put_aaaa,    {0, 0}},
    {"NS",    TYPE_NS,    put_host,    {0, 1}},
    {"CNAME", TYPE_CNAME, put_host,    {0, 1}},
    {"PTR",   TYPE_PTR,   put_host,    {0, 1}},
    {"MX",    TYPE_MX,    put_mx,      {2, 1}},
    {"TXT",   TYPE_TXT,   put_strings, {0, 0}},
    {"SRV",   TYPE_SRV,   put_srv,     {0, 0}},
    {"CAA",   TYPE_CAA,   put_caa,     {0, 0}},
    {"DS",    TYPE_DS,    put_ds,      {0, 0}},
};
/* clang-format on */

struct rr_layout rr_layout(uint16_t type)
{
    if (type == TYPE_SOA) {
        return (struct rr_layout){0, 2};
    }
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (types[i].type == type) {
            return types[i].layout;
        }
    }
    return (struct rr_layout){0, 0};
}

/* Types that the form for unknown ones is not good for: those that are known or made here, those
 * that are for questions, and those whose data has names, which are compressed (RFC 3597 4) or
 * signed in lower case (RFC 4034 6.2). */
static bool is_generic(uint16_t type)
{
    static const uint16_t refused[] = {
        TYPE_MD,    TYPE_MF,         TYPE_SOA,   TYPE_MB,     TYPE_MG,    TYPE_MR,   TYPE_MINFO,
        TYPE_RP,    TYPE_AFSDB,      TYPE_RT,    TYPE_SIG,    TYPE_PX,    TYPE_NXT,  TYPE_NAPTR,
        TYPE_KX,    TYPE_A6,         TYPE_DNAME, TYPE_OPT,    TYPE_RRSIG, TYPE_NSEC, TYPE_DNSKEY,
        TYPE_NSEC3, TYPE_NSEC3PARAM, TYPE_CDS,   TYPE_CDNSKEY};

    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        if (refused[i] == type) {
            return false;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (types[i].type == type) {
            return false;
        }
    }
    return type != 0 && (type < TYPE_META_FIRST || type > TYPE_ANY);
}

/* RFC 3597 5: "TYPE65 \# 3 000000". */
static int parse_generic(struct words *words, uint16_t type, struct record *out)
{
    struct wire_out data = wire_out_of(out->data, sizeof(out->data));
    uint64_t len;

    if (!is_generic(type)) {
        return fault(words, "a type that cannot be written as TYPE and a number");
    }
    if (!span_eq(next_word(words), SPAN("\\#")) ||
        !span_to_u64(next_word(words), RRSET_LEN_MAX, &len)) {
        return fault(words, "expected \\# and how many bytes of data follow");
    }
    if (len && put_hex(words, &data)) {
        return ERR_SYNTAX;
    }
    if (data.failed || wire_out_len(&data) != len || next_word(words).len) {
        return fault(words, "the data is not as long as it says");
    }
    out->type = type;
    out->len = (uint16_t)len;
    return 0;
}

static int parse_data(struct words *words, struct span type, struct record *out)
{
    struct wire_out data = wire_out_of(out->data, sizeof(out->data));
    uint64_t number;

    if (type.len > 4 && span_ieq(span_take(type, 4), SPAN("TYPE")) &&
        span_to_u64(span_skip(type, 4), UINT16_MAX, &number)) {
        return parse_generic(words, (uint16_t)number, out);
    }
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (!span_ieq(type, span_str(types[i].text))) {
            continue;
        }
        out->type = types[i].type;
        if (types[i].put(words, &data)) {
            return ERR_SYNTAX;
        }
        out->len = (uint16_t)wire_out_len(&data);
        if (next_word(words).len) {
            return fault(words, "more words than the type has");
        }
        return data.failed || words->fault ? fault(words, "too long") : 0;
    }
    return fault(words,
                 "unknown record type; known are A, AAAA, NS, CNAME, PTR, MX, TXT, SRV, CAA, "
                 "DS, and others as TYPE65 \\# 3 000000");
}

int record_parse(struct span text, const struct name *origin, struct record *out, const char **what)
{
    struct words words = {.rest = text, .origin = origin};
    struct span word = next_word(&words);
    uint64_t ttl;

    out->has_ttl = span_to_u64(word, TTL_MAX, &ttl);
    if (!out->has_ttl && word.len && ascii_is_digit(word.at[0])) {
        *what = "the TTL is out of range; expected 0 to 2147483647 seconds";
        return ERR_SYNTAX;
    }
    if (out->has_ttl) {
        out->ttl = (uint32_t)ttl;
        word = next_word(&words);
    }
    if (span_ieq(word, SPAN("IN"))) {
        word = next_word(&words);
    }
    int err = parse_data(&words, word, out);
    *what = words.fault;
    return err;
}

const struct rrset *rrset_find(const struct rrset *sets, uint16_t type)
{
    while (sets && sets->type != type) {
        sets = sets->next;
    }
    return sets;
}

static struct rrset *find_or_add(struct arena *arena, struct rrset **sets,
                                 const struct record *record)
{
    struct rrset **link = sets;

    while (*link && (*link)->type != record->type) {
        link = &(*link)->next;
    }
    if (!*link) {
        *link = arena_zalloc(arena, sizeof(**link));
        (*link)->type = record->type;
        (*link)->ttl = record->ttl;
    }
    return *link;
}

/* Gives every record of the set the TTL of the set. */
static void write_ttls(struct rrset *set)
{
    for (uint8_t *at = set->wire; at < set->wire + set->len;) {
        struct wire_out ttl = wire_out_of(at + 6, 4);
        wire_put_u32(&ttl, set->ttl);
        at += RR_FIXED_LEN + (at[10] << 8 | at[11]);
    }
}

static bool has_record(const struct rrset *set, const struct record *record)
{
    for (const uint8_t *at = set->wire; at < set->wire + set->len;) {
        size_t len = (size_t)(at[10] << 8 | at[11]);
        if (len == record->len && memcmp(at + RR_FIXED_LEN, record->data, len) == 0) {
            return true;
        }
        at += RR_FIXED_LEN + len;
    }
    return false;
}

int rrset_add(struct arena *arena, struct rrset **sets, const struct record *record)
{
    struct rrset *set = find_or_add(arena, sets, record);
    size_t len = set->len + RR_FIXED_LEN + record->len;

    set->ttl = record->ttl < set->ttl ? record->ttl : set->ttl;
    if (has_record(set, record)) {
        write_ttls(set);
        return 0;
    }
    if (len > RRSET_LEN_MAX) {
        return ERR_TOO_LARGE;
    }
    if (len > set->cap) {
        set->cap = (uint32_t)(set->len ? 2 * len : len); /* most have one record */
        uint8_t *wider = arena_alloc(arena, set->cap);
        if (set->len) {
            memcpy(wider, set->wire, set->len);
        }
        set->wire = wider;
    }
    struct wire_out out = wire_out_of(set->wire + set->len, len - set->len);
    wire_put_u16(&out, RR_OWNER);
    wire_put_u16(&out, record->type);
    wire_put_u16(&out, CLASS_IN);
    wire_put_u32(&out, set->ttl);
    wire_put_u16(&out, record->len);
    wire_put_bytes(&out, record->data, record->len);
    set->len = (uint32_t)len;
    set->count++;
    write_ttls(set);
    return 0;
}

/* rrset_text - records as people write them: text to bytes. Load time only. */
#include "dnsredir/message/rrset_text.h"

#include "base/check.h"
#include "base/err.h"
#include "dnsredir/message/escape.h"

#define TTL_MAX 2147483647u /* RFC 2181 8 */
#define STRING_MAX 255      /* RFC 1035 3.3 */

struct span words_next(struct words *words)
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

int words_fault(struct words *words, const char *what)
{
    words->fault = words->fault ? words->fault : what;
    return ERR_SYNTAX;
}

int words_put_number(struct words *words, struct wire_out *out, uint64_t max, const char *what)
{
    uint64_t value;

    if (!span_to_u64(words_next(words), max, &value)) {
        return words_fault(words, what);
    }
    if (max > UINT8_MAX) {
        wire_put_u16(out, (uint16_t)value);
    } else {
        wire_put_u8(out, (uint8_t)value);
    }
    return 0;
}

int words_put_host(struct words *words, struct wire_out *out)
{
    struct name name;

    if (name_parse(words_next(words), words->origin, &name)) {
        return words_fault(words, "not a domain name");
    }
    wire_put_bytes(out, name.at, name.len);
    return 0;
}

static int put_address(struct words *words, struct wire_out *out, bool v4)
{
    struct ip ip;

    if (ip_parse(words_next(words), &ip) || ip_is_v4(&ip) != v4) {
        return words_fault(words, v4 ? "not an IPv4 address" : "not an IPv6 address");
    }
    wire_put_bytes(out, ip.at + (v4 ? 12 : 0), v4 ? 4 : 16);
    return 0;
}

static struct span unquote(struct span word)
{
    if (word.len >= 2 && word.at[0] == '"' && word.at[word.len - 1] == '"') {
        return span_take(span_skip(word, 1), word.len - 2);
    }
    return word;
}

int words_put_text(struct span word, struct wire_out *out)
{
    for (struct span text = unquote(word); text.len;) {
        uint8_t byte;
        if (escape_read(&text, &byte)) {
            return ERR_SYNTAX;
        }
        wire_put_u8(out, byte);
    }
    return 0;
}

static int put_string(struct words *words, struct span word, struct wire_out *out)
{
    uint8_t *length = wire_put(out, 1);
    size_t start = wire_out_len(out);

    if (words_put_text(word, out)) {
        return words_fault(words, BAD_ESCAPE);
    }
    size_t len = wire_out_len(out) - start;
    if (len > STRING_MAX) {
        return words_fault(words, "a string is longer than 255 bytes");
    }
    if (length) {
        *length = (uint8_t)len;
    }
    return 0;
}

static int put_strings(struct words *words, struct wire_out *out)
{
    struct span word = words_next(words);

    if (word.len == 0) {
        return words_fault(words, "expected a string");
    }
    for (; word.len; word = words_next(words)) {
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
    int err = words_put_number(words, out, UINT16_MAX, "expected a preference, 0 to 65535");
    return err ? err : words_put_host(words, out);
}

static int put_srv(struct words *words, struct wire_out *out)
{
    for (int i = 0; i < 3; i++) {
        if (words_put_number(words, out, UINT16_MAX, "expected priority, weight and port")) {
            return ERR_SYNTAX;
        }
    }
    return words_put_host(words, out);
}

static bool is_alphanumeric(struct span word)
{
    for (size_t i = 0; i < word.len; i++) {
        char c = ascii_lower(word.at[i]);
        if (!ascii_is_digit(c) && (c < 'a' || c > 'z')) {
            return false;
        }
    }
    return true;
}

static int put_caa(struct words *words, struct wire_out *out) /* RFC 8659 4.1 */
{
    if (words_put_number(words, out, UINT8_MAX, "expected flags, 0 to 255")) {
        return ERR_SYNTAX;
    }
    struct span tag = words_next(words);
    if (tag.len == 0 || !is_alphanumeric(tag) || put_string(words, tag, out)) {
        return words_fault(words, "expected a tag such as issue, of letters and digits");
    }
    struct span value = words_next(words); /* may be "" */
    if (value.len == 0) {
        return words_fault(words, "expected a value such as ca.example behind the tag");
    }
    return words_put_text(value, out) ? words_fault(words, BAD_ESCAPE) : 0;
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
    struct span word = words_next(words);
    bool any = false;

    for (; word.len; word = words_next(words)) {
        for (; word.len; word = span_skip(word, 2)) {
            int high = hex_value(word.at[0]);
            int low = word.len > 1 ? hex_value(word.at[1]) : -1;
            if (high < 0 || low < 0) {
                return words_fault(words, "expected pairs of hexadecimal digits");
            }
            wire_put_u8(out, (uint8_t)(high << 4 | low));
            any = true;
        }
    }
    return any ? 0 : words_fault(words, "expected pairs of hexadecimal digits");
}

static int put_numbers(struct words *words, struct wire_out *out, unsigned count, const char *what)
{
    for (unsigned i = 0; i < count; i++) {
        if (words_put_number(words, out, UINT8_MAX, what)) {
            return ERR_SYNTAX;
        }
    }
    return put_hex(words, out);
}

static int put_ds(struct words *words, struct wire_out *out) /* RFC 4034 5.3 */
{
    static const char *const what = "expected key tag, algorithm and digest type";

    int err = words_put_number(words, out, UINT16_MAX, what);
    return err ? err : put_numbers(words, out, 2, what);
}

static int put_sshfp(struct words *words, struct wire_out *out) /* RFC 4255 3.2 */
{
    return put_numbers(words, out, 2, "expected algorithm and fingerprint type");
}

static int put_tlsa(struct words *words, struct wire_out *out) /* RFC 6698 2.2 */
{
    return put_numbers(words, out, 3, "expected usage, selector and matching type");
}

/* The types whose data ends with a digest, behind a byte that says which: where the digest begins,
 * and how long the known ones are. One of another length matches nothing: clients that validate
 * would refuse the delegation, the host or the certificate. */
/* clang-format off */
static const struct {
    uint16_t type;
    uint8_t at;
    uint8_t lens[5]; /* by the number of the digest; 0: not known here */
    const char *fault;
} digests[] = {
    {TYPE_DS,    4, {0, 20, 32, 0, 48}, /* RFC 4034, 4509, 6605 */
     "the digest has another length; expected 20 bytes for digest type 1, 32 for 2, 48 for 4"},
    {TYPE_SSHFP, 2, {0, 20, 32, 0, 0}, /* RFC 4255, 6594 */
     "the fingerprint has another length; expected 20 bytes for fingerprint type 1, 32 for 2"},
    {TYPE_TLSA,  3, {0, 32, 64, 0, 0}, /* RFC 6698 7.4 */
     "the digest has another length; expected 32 bytes for matching type 1, 64 for 2"},
};
/* clang-format on */

/* What is wrong with the length of the record's digest; NULL: nothing. */
static const char *digest_fault(const struct record *record)
{
    for (size_t i = 0; i < ARRAY_LEN(digests); i++) {
        if (digests[i].type != record->type) {
            continue;
        }
        size_t at = digests[i].at;
        if (record->len <= at) {
            return "there is no digest";
        }
        uint8_t number = record->data[at - 1];
        size_t want = number < ARRAY_LEN(digests[i].lens) ? digests[i].lens[number] : 0;
        return want && record->len - at != want ? digests[i].fault : NULL;
    }
    return NULL;
}

/* Answers look for the target of a service (RFC 9460 2.2): it must be there, and be a name. */
static const char *service_fault(const struct record *record)
{
    struct wire_in in = wire_in_of(record->data, record->len);
    struct name target;

    wire_get(&in, 2);
    const uint8_t *start = in.at;
    if (in.failed || name_read(&in, &target) || (size_t)(in.at - start) != target.len) {
        return "expected a priority and a domain name in the data";
    }
    return NULL;
}

static const char *data_fault(const struct record *record)
{
    bool service = record->type == TYPE_SVCB || record->type == TYPE_HTTPS;

    return service ? service_fault(record) : digest_fault(record);
}

/* `generic`: may be written as unknown types are, too. */
/* clang-format off */
static const struct {
    const char *text;
    uint16_t type;
    int (*put)(struct words *words, struct wire_out *out);
    struct rr_layout layout;
    bool generic;
} types[] = {
    {"A",     TYPE_A,     put_a,       {0, 0}, false},
    {"AAAA",  TYPE_AAAA,  put_aaaa,    {0, 0}, false},
    {"NS",    TYPE_NS,    words_put_host,    {0, 1}, false},
    {"CNAME", TYPE_CNAME, words_put_host,    {0, 1}, false},
    {"PTR",   TYPE_PTR,   words_put_host,    {0, 1}, false},
    {"MX",    TYPE_MX,    put_mx,      {2, 1}, false},
    {"TXT",   TYPE_TXT,   put_strings, {0, 0}, false},
    {"SRV",   TYPE_SRV,   put_srv,     {0, 0}, false},
    {"CAA",   TYPE_CAA,   put_caa,     {0, 0}, false},
    {"DS",    TYPE_DS,    put_ds,      {0, 0}, false},
    {"SSHFP", TYPE_SSHFP, put_sshfp,   {0, 0}, true},
    {"TLSA",  TYPE_TLSA,  put_tlsa,    {0, 0}, true},
    {"SVCB",  TYPE_SVCB,  words_put_svcb, {0, 0}, true},
    {"HTTPS", TYPE_HTTPS, words_put_svcb, {0, 0}, true},
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
            return types[i].generic;
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
        return words_fault(words, "a type that cannot be written as TYPE and a number");
    }
    if (!span_eq(words_next(words), SPAN("\\#")) ||
        !span_to_u64(words_next(words), RRSET_LEN_MAX, &len)) {
        return words_fault(words, "expected \\# and how many bytes of data follow");
    }
    if (len && put_hex(words, &data)) {
        return ERR_SYNTAX;
    }
    if (data.failed || wire_out_len(&data) != len || words_next(words).len) {
        return words_fault(words, "the data is not as long as it says");
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
        if (words_next(words).len) {
            return words_fault(words, "more words than the type has");
        }
        return data.failed || words->fault ? words_fault(words, "too long") : 0;
    }
    return words_fault(words,
                       "unknown record type; known are A, AAAA, NS, CNAME, PTR, MX, TXT, SRV, CAA, "
                       "DS, SSHFP, TLSA, SVCB, HTTPS, and others as TYPE4242 \\# 3 000000");
}

int record_parse(struct span text, const struct name *origin, struct record *out, const char **what)
{
    struct words words = {.rest = text, .origin = origin};
    struct span word = words_next(&words);
    uint64_t ttl;

    out->has_ttl = span_to_u64(word, TTL_MAX, &ttl);
    if (!out->has_ttl && word.len && ascii_is_digit(word.at[0])) {
        *what = "the TTL is out of range; expected 0 to 2147483647 seconds";
        return ERR_SYNTAX;
    }
    if (out->has_ttl) {
        out->ttl = (uint32_t)ttl;
        word = words_next(&words);
    }
    if (span_ieq(word, SPAN("IN"))) {
        word = words_next(&words);
    }
    int err = parse_data(&words, word, out);
    if (!err) {
        const char *fault = data_fault(out);
        err = fault ? words_fault(&words, fault) : 0;
    }
    *what = words.fault;
    return err;
}

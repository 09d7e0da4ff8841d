/* rrset_svcb - the text of SVCB and HTTPS records: a priority, a target and parameters, which go on
 * the wire in the order of their numbers, each once (RFC 9460 2). Load time only. */
#include "base/check.h"
#include "base/err.h"
#include "dnsredir/message/base64.h"
#include "dnsredir/message/rrset_text.h"

#define PARAMS_MAX 32
#define BYTES_MAX 4096 /* most bytes of all values together, and of the text of one */
#define ITEM_MAX 255

enum {
    KEY_MANDATORY = 0,
    KEY_ALPN = 1,
    KEY_NO_DEFAULT_ALPN = 2,
    KEY_PORT = 3,
    KEY_IPV4HINT = 4,
    KEY_ECH = 5,
    KEY_IPV6HINT = 6,
    KEY_DOHPATH = 7, /* RFC 9461 */
    KEY_OHTTP = 8,   /* RFC 9540 */
    KEY_INVALID = 65535,
};

struct param {
    uint16_t key;
    struct span value;
};

struct params {
    unsigned count;
    struct param list[PARAMS_MAX]; /* by key */
    struct wire_out out;           /* values, in `bytes` */
    uint8_t bytes[BYTES_MAX];
};

/* ---- values: each returns what is wrong with the text, or NULL ---- */

/* The next of the items between commas, with \, and \\ resolved (RFC 9460 appendix A.1). False: it
 * is empty or too long. */
static bool next_item(struct span *text, uint8_t *item, size_t *len)
{
    size_t n = 0;

    for (*len = 0; n < text->len && text->at[n] != ','; n++) {
        if (text->at[n] == '\\' && n + 1 < text->len) {
            n++;
        }
        if (*len == ITEM_MAX) {
            return false;
        }
        item[(*len)++] = (uint8_t)text->at[n];
    }
    bool last_is_empty = n + 1 == text->len;
    *text = span_skip(*text, n < text->len ? n + 1 : n);
    return *len > 0 && !last_is_empty;
}

static const char *put_alpn(struct span text, struct wire_out *out)
{
    uint8_t item[ITEM_MAX];
    size_t len;

    do {
        if (!next_item(&text, item, &len)) {
            return "alpn has an empty protocol or a long one; expected one such as alpn=h2,h3";
        }
        wire_put_u8(out, (uint8_t)len);
        wire_put_bytes(out, item, len);
    } while (text.len);
    return NULL;
}

static const char *put_hints(struct span text, bool v4, struct wire_out *out)
{
    bool open_end = span_ends(text, SPAN(","));

    do {
        struct span item = span_cut(&text, ',');
        struct ip ip;
        if (ip_parse(item, &ip) || ip_is_v4(&ip) != v4 || open_end) {
            return v4 ? "not an IPv4 address; expected one such as ipv4hint=192.0.2.1,192.0.2.2"
                      : "not an IPv6 address; expected one such as ipv6hint=2001:db8::1";
        }
        wire_put_bytes(out, ip.at + (v4 ? 12 : 0), v4 ? 4 : 16);
    } while (text.len);
    return NULL;
}

static const char *put_ipv4hint(struct span text, struct wire_out *out)
{
    return put_hints(text, true, out);
}

static const char *put_ipv6hint(struct span text, struct wire_out *out)
{
    return put_hints(text, false, out);
}

static const char *put_port(struct span text, struct wire_out *out)
{
    uint64_t port;

    if (!span_to_u64(text, UINT16_MAX, &port)) {
        return "not a port; expected one such as port=8443";
    }
    wire_put_u16(out, (uint16_t)port);
    return NULL;
}

static const char *put_ech(struct span text, struct wire_out *out)
{
    uint8_t bytes[BYTES_MAX];
    size_t len;

    if (base64_read(text, bytes, sizeof(bytes), &len)) {
        return "ech is not base64";
    }
    wire_put_bytes(out, bytes, len);
    return NULL;
}

static const char *put_plain(struct span text, struct wire_out *out)
{
    wire_put_bytes(out, text.at, text.len);
    return NULL;
}

static const char *put_mandatory(struct span text, struct wire_out *out);

/* ---- keys ---- */

static const struct {
    const char *word;
    const char *(*put)(struct span text, struct wire_out *out); /* NULL: it has no value */
} keys[] = {
    [KEY_MANDATORY] = {"mandatory", put_mandatory},
    [KEY_ALPN] = {"alpn", put_alpn},
    [KEY_NO_DEFAULT_ALPN] = {"no-default-alpn", NULL},
    [KEY_PORT] = {"port", put_port},
    [KEY_IPV4HINT] = {"ipv4hint", put_ipv4hint},
    [KEY_ECH] = {"ech", put_ech},
    [KEY_IPV6HINT] = {"ipv6hint", put_ipv6hint},
    [KEY_DOHPATH] = {"dohpath", put_plain},
    [KEY_OHTTP] = {"ohttp", NULL},
};

/* *known: it is written as a word, not as "key" and a number. */
static bool find_key(struct span word, uint16_t *key, bool *known)
{
    uint64_t number;

    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (span_eq(word, span_str(keys[i].word))) {
            *key = (uint16_t)i;
            *known = true;
            return true;
        }
    }
    *known = false;
    if (!span_eq(span_take(word, 3), SPAN("key")) ||
        !span_to_u64(span_skip(word, 3), KEY_INVALID - 1, &number)) {
        return false;
    }
    *key = (uint16_t)number;
    return true;
}

/* The keys that a client must know, in their order, each once (RFC 9460 8). */
static const char *put_mandatory(struct span text, struct wire_out *out)
{
    bool open_end = span_ends(text, SPAN(","));
    uint16_t list[PARAMS_MAX];
    unsigned count = 0;

    do {
        struct span word = span_cut(&text, ',');
        uint16_t key;
        bool known;
        if (!find_key(word, &key, &known) || key == KEY_MANDATORY || count == PARAMS_MAX ||
            open_end) {
            return "mandatory names what is no parameter; expected one such as mandatory=alpn,port";
        }
        unsigned at = count++;
        for (; at > 0 && list[at - 1] > key; at--) {
            list[at] = list[at - 1];
        }
        list[at] = key;
        if (at > 0 && list[at - 1] == key) {
            return "mandatory names a parameter twice";
        }
    } while (text.len);
    for (unsigned i = 0; i < count; i++) {
        wire_put_u16(out, list[i]);
    }
    return NULL;
}

/* ---- values that were given as bytes, for key3 and the like ---- */

static bool is_alpn(struct span value)
{
    while (value.len > 1) {
        size_t len = (uint8_t)value.at[0];
        if (len == 0 || len >= value.len) {
            return false;
        }
        value = span_skip(value, 1 + len);
        if (value.len == 0) {
            return true;
        }
    }
    return false;
}

/* Are they as the key, if it is known, defines them? What "mandatory" lists is checked later. */
static bool is_value(uint16_t key, struct span value)
{
    switch (key) {
    case KEY_ALPN:
        return is_alpn(value);
    case KEY_NO_DEFAULT_ALPN:
    case KEY_OHTTP:
        return value.len == 0;
    case KEY_PORT:
        return value.len == 2;
    case KEY_IPV4HINT:
        return value.len > 0 && value.len % 4 == 0;
    case KEY_IPV6HINT:
        return value.len > 0 && value.len % 16 == 0;
    case KEY_ECH:
    case KEY_DOHPATH:
        return value.len > 0;
    default:
        return true;
    }
}

static const char *put_bytes(uint16_t key, struct span value, struct wire_out *out)
{
    if (!is_value(key, value)) {
        return "a known parameter has a number, and other bytes than it can have; expected its "
               "name, "
               "as in port=8443";
    }
    return put_plain(value, out);
}

/* ---- parameters ---- */

static const struct param *find_param(const struct params *params, uint16_t key)
{
    for (unsigned i = 0; i < params->count; i++) {
        if (params->list[i].key == key) {
            return &params->list[i];
        }
    }
    return NULL;
}

static const char *put_value(struct span text, uint16_t key, bool known, struct wire_out *out)
{
    if (known && !keys[key].put) {
        return text.len ? "a parameter has a value that has none" : NULL;
    }
    if (known && text.len == 0) {
        return "a parameter has no value";
    }
    return known ? keys[key].put(text, out) : put_bytes(key, text, out);
}

/* Adds one parameter, such as alpn=h2,h3. Returns what is wrong with it, or NULL. */
static const char *add_param(struct params *params, struct span word)
{
    uint8_t bytes[BYTES_MAX];
    struct wire_out text = wire_out_of(bytes, sizeof(bytes));
    size_t start = wire_out_len(&params->out);
    uint16_t key;
    bool known;

    struct span name = span_cut(&word, '=');
    if (!find_key(name, &key, &known)) {
        return "unknown parameter; expected mandatory, alpn, no-default-alpn, port, ipv4hint, ech, "
               "ipv6hint, dohpath, ohttp, or others as key667=...";
    }
    if (find_param(params, key) || params->count == PARAMS_MAX) {
        return "a parameter stands there twice, or there are more than 32";
    }
    if (words_put_text(word, &text)) {
        return BAD_ESCAPE;
    }
    const char *what = put_value(span_of(bytes, wire_out_len(&text)), key, known, &params->out);
    if (what || text.failed || params->out.failed) {
        return what ? what : "too long";
    }
    unsigned at = params->count++;
    for (; at > 0 && params->list[at - 1].key > key; at--) {
        params->list[at] = params->list[at - 1];
    }
    params->list[at].key = key;
    params->list[at].value = span_of(params->bytes + start, wire_out_len(&params->out) - start);
    return NULL;
}

/* Checks the value of "mandatory", which may have been written as key0, with any bytes. */
static const char *check_mandatory(const struct params *params, struct span value)
{
    struct wire_in in = wire_in_of(value.at, value.len);
    uint16_t before = KEY_MANDATORY;

    do {
        uint16_t key = wire_get_u16(&in); /* 0 if two bytes are not left */
        if (key <= before) {
            return "key0 is no list of other keys in their order; expected mandatory=alpn,port";
        }
        if (!find_param(params, key)) {
            return "mandatory names a parameter that is not there";
        }
        before = key;
    } while (wire_left(&in));
    return NULL;
}

/* Checks what parameters require of each other. */
static const char *check_params(const struct params *params)
{
    const struct param *mandatory = find_param(params, KEY_MANDATORY);
    const char *what = mandatory ? check_mandatory(params, mandatory->value) : NULL;

    if (what) {
        return what;
    }
    if (find_param(params, KEY_NO_DEFAULT_ALPN) && !find_param(params, KEY_ALPN)) {
        return "no-default-alpn without alpn; expected both";
    }
    return NULL;
}

static const char *read_params(struct words *words, struct params *params)
{
    struct span word = words_next(words);
    const char *what = NULL;

    params->count = 0;
    params->out = wire_out_of(params->bytes, sizeof(params->bytes));
    for (; word.len && !what; word = words_next(words)) {
        what = add_param(params, word);
    }
    return what ? what : check_params(params);
}

int words_put_svcb(struct words *words, struct wire_out *out)
{
    struct params params;
    struct wire_in priority = wire_in_of(out->at, 2);

    if (words_put_number(words, out, UINT16_MAX, "expected a priority, 0 to 65535") ||
        words_put_host(words, out)) {
        return ERR_SYNTAX;
    }
    const char *what = read_params(words, &params);
    if (!what && params.count && wire_get_u16(&priority) == 0) { /* RFC 9460 2.4.2 */
        what = "an alias (priority 0) has no parameters; expected none, or a priority from 1";
    }
    if (what) {
        return words_fault(words, what);
    }
    for (unsigned i = 0; i < params.count; i++) {
        struct span value = params.list[i].value;
        wire_put_u16(out, params.list[i].key);
        wire_put_u16(out, (uint16_t)value.len);
        wire_put_bytes(out, value.at, value.len);
    }
    return 0;
}

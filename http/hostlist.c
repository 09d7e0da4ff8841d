/*
 * A host name is looked up by its suffixes: "a.b.example.net", then "b.example.net", and so on, but
 * only those with as many labels as some name of the list has. All names are in one block, each
 * with a byte of length and a byte of flags before it. The hash table has their offsets in the
 * block; it uses open addressing and is at most two thirds full.
 */
#include "http/hostlist.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/prefix.h"

#include <stdatomic.h>

enum {
    NAME_MAX_LEN = 253,
    LABEL_MAX_LEN = 63,
    LABELS_MAX = 127,
    SLOTS_MIN = 16,
    RECORD_HEAD = 2, /* length, flags */
};

enum { IS_ITSELF = 1, IS_ABOVE = 2 };

struct slot {
    uint32_t hash;
    uint32_t at; /* offset of the name in `names`; 0: the slot is empty */
};

struct hostlist {
    atomic_int refs;
    struct sip_key key;
    struct slot *slots;
    size_t mask; /* slots - 1 */
    size_t count;
    uint8_t *names;
    size_t len, cap;
    uint64_t depths[2]; /* bit n: some name has n labels */
};

/* ---- life ---- */

struct hostlist *hostlist_new(const struct sip_key *key)
{
    struct hostlist *list = xcalloc(1, sizeof(*list));

    atomic_init(&list->refs, 1);
    list->key = *key;
    list->mask = SLOTS_MIN - 1;
    list->slots = xcalloc(SLOTS_MIN, sizeof(*list->slots));
    list->cap = 256;
    list->names = xmalloc(list->cap);
    list->len = 1; /* offset 0 belongs to no name */
    return list;
}

struct hostlist *hostlist_ref(struct hostlist *list)
{
    atomic_fetch_add_explicit(&list->refs, 1, memory_order_relaxed);
    return list;
}

void hostlist_unref(struct hostlist **slot)
{
    struct hostlist *list = *slot;

    *slot = NULL;
    if (list && atomic_fetch_sub_explicit(&list->refs, 1, memory_order_acq_rel) == 1) {
        free(list->slots);
        free(list->names);
        free(list);
    }
}

/* ---- the table ---- */

static uint32_t hash_of(const struct hostlist *list, struct span name)
{
    uint64_t hash = sip_hash64(&list->key, name);
    return (uint32_t)(hash ^ hash >> 32);
}

static bool is_at(const struct hostlist *list, const struct slot *slot, uint32_t hash,
                  struct span name)
{
    const uint8_t *record = list->names + slot->at;

    return slot->hash == hash && record[0] == name.len &&
           memcmp(record + RECORD_HEAD, name.at, name.len) == 0;
}

/* The slot of the name, or the empty slot where it belongs. */
static struct slot *find(const struct hostlist *list, uint32_t hash, struct span name)
{
    size_t i = hash & list->mask;

    while (list->slots[i].at && !is_at(list, &list->slots[i], hash, name)) {
        i = (i + 1) & list->mask;
    }
    return &list->slots[i];
}

static void grow(struct hostlist *list)
{
    size_t slots = list->mask + 1;
    struct slot *old = list->slots;

    list->mask = 2 * slots - 1;
    list->slots = xcalloc(2 * slots, sizeof(*list->slots));
    for (size_t i = 0; i < slots; i++) {
        size_t to = old[i].hash & list->mask;
        while (old[i].at && list->slots[to].at) {
            to = (to + 1) & list->mask;
        }
        if (old[i].at) {
            list->slots[to] = old[i];
        }
    }
    free(old);
}

static size_t labels_of(struct span name)
{
    size_t labels = 1;

    for (size_t i = 0; i < name.len; i++) {
        labels += name.at[i] == '.';
    }
    return labels;
}

static int insert(struct hostlist *list, struct span name, uint8_t flags, const char **what)
{
    uint32_t hash = hash_of(list, name);
    struct slot *slot = find(list, hash, name);
    size_t need = RECORD_HEAD + name.len;

    if (slot->at) {
        list->names[slot->at + 1] |= flags;
        return 0;
    }
    if (list->len + need > UINT32_MAX) {
        *what = "there are too many names";
        return ERR_FULL;
    }
    if (list->len + need > list->cap) {
        list->cap = 2 * list->cap;
        list->names = xrealloc(list->names, list->cap);
    }
    uint8_t *record = list->names + list->len;
    record[0] = (uint8_t)name.len;
    record[1] = flags;
    memcpy(record + RECORD_HEAD, name.at, name.len);
    *slot = (struct slot){hash, (uint32_t)list->len};
    list->len += need;
    size_t labels = labels_of(name);
    list->depths[labels / 64] |= UINT64_C(1) << (labels % 64);
    if (++list->count * 3 > list->mask * 2) {
        grow(list);
    }
    return 0;
}

/* ---- patterns ---- */

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || ascii_is_digit(c) || c == '-' || c == '_';
}

static const char *fault_of_char(char c)
{
    if ((unsigned char)c >= 0x80) {
        return "it is not ASCII: write it as xn--...";
    }
    switch (c) {
    case '*':
        return "a \"*\" stands only in front, as in *.example.net";
    case ':':
        return "it has a port, or is a URL";
    case '/':
        return "it is a URL or a path";
    }
    return "it has a character that no name has";
}

/* Checks a lower-case name. Returns what is wrong, or NULL. */
static const char *fault_of(struct span name)
{
    size_t label = 0;
    /* is the last label a number? No host name ends so, and resolvers disagree about its meaning */
    bool numeric = true;

    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        if (c == '.') {
            if (label == 0) {
                return "two dots follow each other";
            }
            label = 0;
            numeric = true;
            continue;
        }
        if (!is_name_char(c)) {
            return fault_of_char(c);
        }
        numeric &= ascii_is_digit(c);
        if (++label > LABEL_MAX_LEN) {
            return "a label is longer than 63";
        }
    }
    return label == 0 ? "it is empty" : numeric ? "it ends in a number and is no address" : NULL;
}

/* Removes "." or "*." and the like in front of a pattern; returns the flags that they mean. */
static uint8_t cut_front(struct span *pattern)
{
    if (span_starts(*pattern, SPAN("*."))) {
        *pattern = span_skip(*pattern, 2);
        return IS_ABOVE;
    }
    bool alone = span_starts(*pattern, SPAN("="));
    bool dotted = span_starts(*pattern, SPAN("."));

    *pattern = span_skip(*pattern, alone || dotted ? 1 : 0);
    return alone ? IS_ITSELF : IS_ITSELF | IS_ABOVE;
}

static struct span without_dots(struct span host)
{
    while (host.len && host.at[host.len - 1] == '.') {
        host.len--;
    }
    return host;
}

int hostlist_add(struct hostlist *list, struct span pattern, const char **what)
{
    char text[IP_TEXT_MAX], lowered[NAME_MAX_LEN];
    struct span name = pattern;
    struct ip ip;
    uint8_t flags = cut_front(&name);

    bool bracketed = name.len > 2 && name.at[0] == '[' && span_ends(name, SPAN("]"));
    struct span address = bracketed ? span_of(name.at + 1, name.len - 2) : name;
    if (flags & IS_ITSELF && ip_parse(address, &ip) == 0) {
        return insert(list, span_str(ip_text(&ip, text)), IS_ITSELF, what);
    }
    if (span_ends(name, SPAN("."))) {
        name.len--;
    }
    if (name.len > NAME_MAX_LEN) {
        *what = "it is longer than 253";
        return ERR_SYNTAX;
    }
    for (size_t i = 0; i < name.len; i++) {
        lowered[i] = ascii_lower(name.at[i]);
    }
    name.at = lowered;
    *what = fault_of(name);
    return *what ? ERR_SYNTAX : insert(list, name, flags, what);
}

/* ---- files ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct span next_word(struct span *line)
{
    size_t len = 0;

    while (line->len && is_blank(line->at[0])) {
        *line = span_skip(*line, 1);
    }
    while (len < line->len && !is_blank(line->at[len])) {
        len++;
    }
    struct span word = span_take(*line, len);
    *line = span_skip(*line, len);
    return word;
}

/* Names that every hosts file contains for other purposes. */
static bool is_passed_over(struct span name)
{
    static const struct span words[] = {
        SPAN_INIT("localhost"),      SPAN_INIT("localhost.localdomain"), SPAN_INIT("local"),
        SPAN_INIT("broadcasthost"),  SPAN_INIT("ip6-localhost"),         SPAN_INIT("ip6-loopback"),
        SPAN_INIT("ip6-localnet"),   SPAN_INIT("ip6-mcastprefix"),       SPAN_INIT("ip6-allnodes"),
        SPAN_INIT("ip6-allrouters"), SPAN_INIT("ip6-allhosts"),
    };
    struct ip ip;

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (span_ieq(name, words[i])) {
            return true;
        }
    }
    return ip_parse(name, &ip) == 0;
}

static int add_line(struct hostlist *list, struct span line, const char **what)
{
    struct span first = next_word(&line);
    struct span second = next_word(&line);
    struct ip ip;
    int err = 0;

    if (first.len == 0) {
        return 0;
    }
    if (second.len == 0) {
        return hostlist_add(list, first, what);
    }
    if (ip_parse(first, &ip) != 0) {
        *what = "more than one word; expected a name, or an address and names";
        return ERR_SYNTAX;
    }
    for (; !err && second.len; second = next_word(&line)) {
        err = is_passed_over(second) ? 0 : hostlist_add(list, second, what);
    }
    return err;
}

size_t hostlist_add_lines(struct hostlist *list, struct span text,
                          void (*complain)(void *arg, size_t line, struct span text,
                                           const char *what),
                          void *arg)
{
    size_t wrong = 0;

    if (span_starts(text, SPAN("\xef\xbb\xbf"))) {
        text = span_skip(text, 3);
    }
    for (size_t number = 1; text.len; number++) {
        struct span line = span_cut(&text, '\n');
        const char *what = NULL;
        line = span_take(line, span_find(line, '#'));
        if (add_line(list, line, &what) != 0) {
            wrong++;
            complain(arg, number, line, what);
        }
    }
    return wrong;
}

void hostlist_finish(struct hostlist *list)
{
    list->cap = list->len;
    list->names = xrealloc(list->names, list->cap);
}

/* ---- lookup ---- */

static bool has_exactly(const struct hostlist *list, struct span name, size_t labels, uint8_t flag)
{
    if (!(list->depths[labels / 64] >> (labels % 64) & 1)) {
        return false;
    }
    const struct slot *slot = find(list, hash_of(list, name), name);
    return slot->at && list->names[slot->at + 1] & flag;
}

/* An IPv4-mapped IPv6 address is looked up as an IPv4 address. */
static bool has_ipv6(const struct hostlist *list, struct span host)
{
    char text[IP_TEXT_MAX];
    struct ip ip;

    if (ip_parse(host, &ip) != 0) {
        return false;
    }
    host = span_str(ip_text(&ip, text));
    return has_exactly(list, host, labels_of(host), IS_ITSELF);
}

bool hostlist_has(const struct hostlist *list, struct span host)
{
    host = without_dots(host);
    if (host.len == 0 || list->count == 0) {
        return false;
    }
    if (span_find(host, ':') < host.len) {
        return has_ipv6(list, host);
    }
    uint8_t flag = IS_ITSELF;
    for (size_t labels = labels_of(host); labels > 0; labels--) {
        if (labels <= LABELS_MAX && host.len <= NAME_MAX_LEN &&
            has_exactly(list, host, labels, flag)) {
            return true;
        }
        host = span_skip(host, span_find(host, '.') + 1);
        flag = IS_ABOVE;
    }
    return false;
}

size_t hostlist_count(const struct hostlist *list)
{
    return list->count;
}

size_t hostlist_bytes(const struct hostlist *list)
{
    return sizeof(*list) + (list->mask + 1) * sizeof(*list->slots) + list->cap;
}

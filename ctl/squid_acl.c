/*
 * acl: named conditions. Their values are translated to items of Larder's rules at once. A value
 * that cannot be expressed is noted with its line and marks the acl as incomplete, so that no rule
 * allows more than it should.
 */
#include "ctl/squid.h"

#include "base/err.h"
#include "base/prefix.h"

#include <errno.h>

struct adding {
    struct squid *squid;
    const struct squid_line *line;
    struct squid_acl *acl;
    const char *from; /* path of the file with the values, or NULL */
    bool ignore_case;
    size_t told; /* values that could not be expressed */
};

enum { TOLD_MAX = 20, LIST_MAX = 64 << 20 };

struct squid_acl *squid_find_acl(struct squid *squid, struct span name)
{
    struct squid_acl *acl = squid->acls;

    while (acl && !span_eq(acl->name, name)) {
        acl = acl->next;
    }
    return acl;
}

void squid_acl_fini(struct squid *squid)
{
    for (struct squid_acl *acl = squid->acls; acl; acl = acl->next) {
        buf_fini(&acl->items);
        buf_fini(&acl->files);
    }
}

static void put_item(struct squid_acl *acl, const char *mark, struct span item)
{
    buf_append(&acl->items, span_str(mark));
    buf_append(&acl->items, item);
    buf_append(&acl->items, SPAN("\0"));
}

/* Does the text consist of letters, digits and characters of `others`? */
static bool is_made_of(struct span text, const char *others)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = ascii_lower(text.at[i]);
        if (!((c >= 'a' && c <= 'z') || ascii_is_digit(c) || (c && strchr(others, c)))) {
            return false;
        }
    }
    return text.len > 0;
}

/* ---- values ---- */

/* A value cannot be expressed: the acl matches less than Squid's from here on. */
static void lose_value(struct adding *adding, struct span value, const char *why)
{
    adding->acl->partly = true;
    if (adding->told++ < TOLD_MAX) {
        squid_lose(adding->squid, adding->line, "\"%.*s\"%s%s: %s",
                   SPAN_ARGS(span_take(value, 100)), adding->from ? " in " : "",
                   adding->from ? adding->from : "", why);
    } else {
        adding->squid->lost++;
    }
}

static void put_source(struct adding *adding, struct span value)
{
    if (span_eq(value, SPAN("all"))) {
        adding->acl->everything = true;
    } else if (!squid_put_source(value, &adding->acl->items)) {
        lose_value(adding, value, "not an address, network or range; write addresses, not names");
    }
}

/* Translates an entry of a host list: ".example.net" means the name and all names below it; without
 * the dot only the name. */
static bool host_item(struct span value, const char **mark, struct span *name)
{
    struct ip ip;
    bool below = span_starts(value, SPAN("."));

    *name = span_skip(value, below);
    if (!below && ip_parse(value, &ip) == 0) {
        *mark = "";
        return true;
    }
    if (span_ends(*name, SPAN("."))) {
        name->len--;
    }
    *mark = below ? "" : "=";
    return squid_is_host(*name);
}

static void put_host(struct adding *adding, struct span value)
{
    const char *mark;
    struct span name;

    if (host_item(value, &mark, &name)) {
        put_item(adding->acl, mark, name);
    } else {
        lose_value(adding, value, "not a host name");
    }
}

static void put_pattern(struct adding *adding, struct span value)
{
    struct squid_acl *acl = adding->acl;
    bool is_url = span_eq(acl->type, SPAN("url_regex"));
    const char *why =
        squid_regex_hosts(value, adding->ignore_case, is_url, &acl->items, &acl->wider);

    if (why) {
        lose_value(adding, value, why);
    }
}

static void put_port(struct adding *adding, struct span value)
{
    if (!squid_put_port(value, &adding->acl->items)) {
        lose_value(adding, value, "not a port or a range of ports");
    }
}

static void put_method(struct adding *adding, struct span value)
{
    if (is_made_of(value, "-")) {
        put_item(adding->acl, "", value);
    } else {
        lose_value(adding, value, "no method");
    }
}

static void put_user(struct adding *adding, struct span value)
{
    if (span_eq(value, SPAN("REQUIRED"))) {
        put_item(adding->acl, "", SPAN("*"));
    } else if (!is_made_of(value, "._-@+$ ") || value.len > 255) {
        lose_value(adding, value, "not a valid user name");
    } else if (adding->ignore_case) {
        lose_value(adding, value, "user names are case-sensitive, so -i is lost");
    } else {
        put_item(adding->acl, "", value);
    }
}

/* Larder speaks only HTTP, so values for other protocols match nothing. */
static void put_protocol(struct adding *adding, struct span value)
{
    if (span_ieq(value, SPAN("HTTP")) || span_ieq(value, SPAN("HTTPS"))) {
        lose_value(adding, value, "rules cannot look at the scheme of a URL; see ports");
    }
}

/* ---- types ---- */

static const struct type {
    const char *name;
    enum squid_kind kind;
    void (*put)(struct adding *adding, struct span value);
} types[] = {
    {"src", SQUID_IS_FROM, put_source},
    {"dstdomain", SQUID_IS_HOSTS, put_host},
    {"dstdom_regex", SQUID_IS_HOSTS, put_pattern},
    {"url_regex", SQUID_IS_HOSTS, put_pattern},
    {"port", SQUID_IS_PORTS, put_port},
    {"method", SQUID_IS_METHODS, put_method},
    {"proxy_auth", SQUID_IS_USERS, put_user},
    {"proto", SQUID_IS_HOSTS, put_protocol},
};

/* Types of acl that rules cannot express, and why. */
static const struct {
    const char *name, *why;
} others[] = {
    {"dst", "rules match requested host names, not the addresses behind them"},
    {"dst_as", "there are no autonomous systems"},
    {"src_as", "there are no autonomous systems"},
    {"srcdomain", "rules match client addresses, not names"},
    {"srcdom_regex", "rules match client addresses, not names"},
    {"urlpath_regex", "rules match hosts, ports and methods, not paths"},
    {"urllogin", "rules cannot look at that part of a URL"},
    {"browser", "rules cannot look at User-Agent"},
    {"referer_regex", "rules cannot look at request headers"},
    {"req_header", "rules cannot look at request headers"},
    {"req_mime_type", "rules cannot look at request bodies"},
    {"rep_mime_type", "rules cannot look at responses"},
    {"rep_header", "rules cannot look at responses"},
    {"http_status", "rules cannot look at responses"},
    {"maxconn", "Larder does not count connections per client; see limits.connections and shares"},
    {"max_user_ip", "Larder does not count the addresses of a user"},
    {"proxy_auth_regex", "list the users, or use groups (users.groups)"},
    {"ext_user", "Larder has no helpers; see users"},
    {"ext_user_regex", "Larder has no helpers; see users"},
    {"external", "Larder has no helpers; use a list of hosts or a group instead"},
    {"ident", "Larder has no ident; see users"},
    {"ident_regex", "Larder has no ident; see users"},
    {"arp", "rules match IP addresses, not hardware addresses"},
    {"eui64", "rules match IP addresses, not hardware addresses"},
    {"myip", "rules are the same for all listeners"},
    {"myport", "rules are the same for all listeners"},
    {"myportname", "rules are the same for all listeners"},
    {"localip", "rules are the same for all listeners"},
    {"localport", "rules are the same for all listeners"},
    {"peername", "Larder has no parents"},
    {"any-of", "write one rule for each of its ACLs"},
    {"all-of", "write its ACLs in the rule itself"},
    {"random", "rules cannot be random"},
    {"note", "Larder has no helpers that could leave notes"},
    {"tag", "Larder has no helpers that could leave notes"},
    {"server_cert_fingerprint", "Larder does not intercept TLS"},
    {"ssl_error", "Larder does not intercept TLS"},
    {"user_cert", "Larder does not ask clients for certificates"},
    {"ca_cert", "Larder does not ask clients for certificates"},
    {"ssl::server_name", "Larder does not intercept TLS; dstdomain is about CONNECT's host"},
    {"ssl::server_name_regex", "Larder does not intercept TLS"},
    {"at_step", "Larder does not intercept TLS"},
    {"hier_code", "origins are always contacted directly"},
};

static const struct type *find_type(struct span name)
{
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (span_eq(name, span_str(types[i].name))) {
            return &types[i];
        }
    }
    return NULL;
}

static const char *why_not(struct span type)
{
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        if (span_eq(type, span_str(others[i].name))) {
            return others[i].why;
        }
    }
    return "ACLs of this type are unknown";
}

/* ---- files ---- */

/* A line of a file of values, without surrounding blanks and without a comment, which begins with a
 * blank and "#". */
static struct span value_of(struct span line)
{
    for (size_t i = 1; i < line.len; i++) {
        if (line.at[i] == '#' && (line.at[i - 1] == ' ' || line.at[i - 1] == '\t')) {
            line.len = i;
        }
    }
    while (line.len && (line.at[line.len - 1] == '\r' || line.at[line.len - 1] == ' ' ||
                        line.at[line.len - 1] == '\t')) {
        line.len--;
    }
    line = span_trim(line);
    return span_starts(line, SPAN("#")) ? SPAN_EMPTY : line;
}

/* Does hostlist_add_lines() understand every line as Squid does? Then the file can be used where it
 * is. */
static bool is_ours(struct span text, size_t *names)
{
    bool same = true;

    *names = 0;
    while (text.len) {
        struct span value = value_of(span_cut(&text, '\n')), name;
        const char *mark;
        if (value.len) {
            ++*names;
            same = same && host_item(value, &mark, &name) && mark[0] == '\0';
        }
    }
    return same;
}

static void put_values(struct adding *adding, const struct type *type, struct span text)
{
    while (text.len) {
        struct span value = value_of(span_cut(&text, '\n'));
        if (value.len) {
            type->put(adding, value);
        }
    }
}

/* Writes the items that came from a file to a list of their own. */
static void keep_list(struct adding *adding, size_t begin)
{
    struct squid *squid = adding->squid;
    struct squid_acl *acl = adding->acl;
    struct buf text = BUF_INIT, path = BUF_INIT;

    buf_printf(&text, "# From %s, of Squid's acl %.*s. =NAME is the name alone.\n", adding->from,
               SPAN_ARGS(acl->name));
    for (struct span rest = span_skip(buf_span(&acl->items), begin); rest.len;) {
        struct span item = span_cut(&rest, '\0');
        buf_printf(&text, "%.*s\n", SPAN_ARGS(item));
    }
    acl->items.end = acl->items.start + begin;
    if (!squid->io->keep) {
        lose_value(
            adding, acl->name,
            "too long to be written into the file; with --lists DIR it becomes a list there");
    } else if (squid->io->keep(squid->io->arg, squid_string(squid, acl->name), buf_span(&text),
                               &path) != 0) {
        lose_value(adding, acl->name, "its list could not be written");
    } else {
        buf_append(&acl->files, buf_span(&path));
    }
    buf_fini(&text);
    buf_fini(&path);
}

static void read_file(struct adding *adding, const struct type *type, struct span path)
{
    struct squid *squid = adding->squid;
    struct squid_acl *acl = adding->acl;
    struct buf text = BUF_INIT;
    size_t names = 0, begin = buf_len(&acl->items);
    bool is_list = span_eq(acl->type, SPAN("dstdomain"));
    int err =
        squid->io ? squid->io->read(squid->io->arg, squid_string(squid, path), &text) : -ENOENT;

    if (err) {
        lose_value(adding, path, err_text(err));
        buf_fini(&text);
        return;
    }
    adding->from = squid_string(squid, path);
    if (is_list && is_ours(buf_span(&text), &names)) {
        buf_append(&acl->files, path);
        buf_append(&acl->files, SPAN("\0"));
    } else {
        put_values(adding, type, buf_span(&text));
        if (is_list && names > SQUID_ITEMS_MAX) {
            keep_list(adding, begin);
        }
    }
    adding->from = NULL;
    buf_fini(&text);
}

/* ---- the line ---- */

static struct squid_acl *new_acl(struct squid *squid, const struct squid_line *line)
{
    struct squid_acl *acl = arena_zalloc(&squid->arena, sizeof(*acl));
    const struct type *type = find_type(squid_word(line, 2));
    bool is_time = span_eq(squid_word(line, 2), SPAN("time"));

    acl->name = arena_copy(&squid->arena, squid_word(line, 1));
    acl->type = arena_copy(&squid->arena, squid_word(line, 2));
    acl->file = line->file;
    acl->number = line->number;
    acl->kind = type ? type->kind : is_time ? SQUID_IS_HOURS : SQUID_KINDS;
    acl->why = acl->kind == SQUID_KINDS ? why_not(acl->type) : NULL;
    acl->next = squid->acls;
    squid->acls = acl;
    squid->acl_count++;
    return acl;
}

static bool is_flag(struct span word)
{
    return word.len == 2 && (word.at[0] == '-' || word.at[0] == '+');
}

/* Is the word a file of values: a path in quotes, or parameters("/path")? */
static bool is_file(const struct squid_line *line, size_t i, struct span *path)
{
    struct span word = line->words[i], open = SPAN("parameters(\""), close = SPAN("\")");

    *path = word;
    if (span_starts(word, open) && span_ends(word, close)) {
        *path = span_of(word.at + open.len, word.len - open.len - close.len);
        return true;
    }
    return line->quoted[i];
}

static void add_values(struct adding *adding, const struct type *type)
{
    const struct squid_line *line = adding->line;
    struct span path;

    for (size_t i = 3; i < line->count; i++) {
        if (is_flag(line->words[i])) {
            adding->ignore_case |= span_eq(line->words[i], SPAN("-i"));
            adding->ignore_case &= !span_eq(line->words[i], SPAN("+i"));
        } else if (is_file(line, i, &path)) {
            read_file(adding, type, path);
        } else {
            type->put(adding, line->words[i]);
        }
    }
    adding->acl->partly |= line->cut;
    if (adding->told > TOLD_MAX) {
        squid_remark(adding->squid, line, "and %zu more", adding->told - TOLD_MAX);
    }
}

static void add_hours(struct squid *squid, const struct squid_line *line, struct squid_acl *acl)
{
    bool inclusive = false;

    if (!squid_put_hours(line, 3, &acl->items, &inclusive)) {
        acl->partly = true;
        squid_lose(squid, line, "neither days (SMTWHFA) nor times of one day (8:00-17:00)");
    } else if (inclusive) {
        squid_remark(squid, line,
                     "ends one minute earlier than in Squid, which includes the last minute");
    }
}

void squid_acl(struct squid *squid, const struct squid_line *line)
{
    struct span name = squid_word(line, 1), type = squid_word(line, 2);
    struct squid_acl *acl = squid_find_acl(squid, name);

    if (line->count < 4) {
        squid_lose(squid, line, "a name, a type and values are expected");
        return;
    }
    if (acl && !span_eq(acl->type, type)) {
        squid_lose(squid, line, "the name is of another type already");
        return;
    }
    if (!acl && squid->acl_count == SQUID_ACLS_MAX) {
        squid_lose(squid, line, "more than %d names", SQUID_ACLS_MAX);
        return;
    }
    acl = acl ? acl : new_acl(squid, line);
    if (acl->why) {
        squid_lose(squid, line, "%s; see below for the rules that use it", acl->why);
    } else if (acl->kind == SQUID_IS_HOURS) {
        add_hours(squid, line, acl);
    } else {
        struct adding adding = {.squid = squid, .line = line, .acl = acl};
        add_values(&adding, find_type(type));
    }
}

#include "dnsredir/resolver/recursor.h"

#include "base/check.h"
#include "base/conf.h"
#include "base/err.h"
#include "base/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unbound.h>

/* Sockets to other servers at once; questions beyond that wait for one. */
#define SOCKETS_MAX 256
#define OPTION_MAX 512

/* Contexts come and go in several threads, and what they share in the library has no lock: it makes
 * and destroys locks of its own then. */
static pthread_mutex_t contexts = PTHREAD_MUTEX_INITIALIZER;

struct recursor {
    struct ub_ctx *ctx;
    struct buf key; /* every setting, to tell contexts apart */
};

/* ---- settings ---- */

struct setup {
    struct recursor *recursor;
    struct buf *fault;
    const char **where;
    bool failed;
};

__attribute__((format(printf, 3, 4))) static void fail(struct setup *s, const char *where,
                                                       const char *format, ...)
{
    char text[OPTION_MAX];
    va_list arguments;

    if (s->failed) {
        return;
    }
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    buf_printf(s->fault, "%s", text);
    *s->where = where;
    s->failed = true;
}

/* `status` of the library after the setting `name: value`. */
static void note(struct setup *s, const char *name, const char *value, int status)
{
    buf_printf(&s->recursor->key, "%s %s\n", name, value);
    if (status) {
        fail(s, name, "%s \"%s\" is not accepted by libunbound: %s; expected another value", name,
             value, ub_strerror(status));
    }
}

__attribute__((format(printf, 3, 4))) static void set(struct setup *s, const char *name,
                                                      const char *format, ...)
{
    char value[OPTION_MAX], option[OPTION_MAX];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(value, sizeof(value), format, arguments);
    va_end(arguments);
    snprintf(option, sizeof(option), "%s:", name);
    note(s, name, value, ub_ctx_set_option(s->recursor->ctx, option, value));
}

/* A file that can be read; its change is a change of the settings. */
static void note_file(struct setup *s, const char *name, const char *path, int status)
{
    struct stat about = {0};
    FILE *file = fopen(path, "re");

    if (!file || fstat(fileno(file), &about) < 0) {
        fail(s, name, "%s \"%s\" cannot be read: %s; expected a readable file", name, path,
             err_text(-errno));
    } else {
        note(s, name, path, status);
        buf_printf(&s->recursor->key, "%jd.%09ld %jd\n", (intmax_t)about.st_mtim.tv_sec,
                   about.st_mtim.tv_nsec, (intmax_t)about.st_size);
    }
    if (file) {
        fclose(file);
    }
}

/* Does a line of a master file have one of these words, as types? */
static bool has_type(const char *line, const char *const types[2])
{
    struct span text = span_str(line);

    text = span_take(text, span_find(text, ';'));
    while (text.len) {
        size_t len = strcspn(text.at, " \t\r\n");
        struct span word = span_take(text, len < text.len ? len : text.len);
        if (span_ieq(word, span_str(types[0])) || span_ieq(word, span_str(types[1]))) {
            return true;
        }
        text = span_skip(text, word.len < text.len ? word.len + 1 : word.len);
    }
    return false;
}

/* The library accepts a file without any of the records it needs and ignores it, so we check that
 * there is one. */
static bool file_has_type(const char *path, const char *const types[2])
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t cap = 0;
    bool found = false;

    while (file && !found && getline(&line, &cap, file) >= 0) {
        found = has_type(line, types);
    }
    free(line);
    if (file) {
        fclose(file);
    }
    return found;
}

static void check_hints(struct setup *s, const char *path)
{
    static const char *const types[2] = {"A", "AAAA"};

    if (!file_has_type(path, types)) {
        fail(s, "root-hints",
             "root-hints \"%s\" has no servers; expected the root's servers and their addresses "
             "in master-file form",
             path);
    }
}

static void check_anchor(struct setup *s, const char *path)
{
    static const char *const types[2] = {"DS", "DNSKEY"};

    if (!file_has_type(path, types)) {
        fail(s, "trust-anchor",
             "trust-anchor \"%s\" has no key; expected DS or DNSKEY records in master-file form, "
             "such as /usr/share/dns/root.key",
             path);
    }
}

/* Returns whether one of them is on this machine. */
static bool set_forward(struct setup *s, const struct recursor_plan *plan)
{
    bool loopback = false;

    for (size_t i = plan->forward_count; i > 0; i--) { /* the library puts each in front */
        const struct sockaddr *address = (const struct sockaddr *)&plan->forward[i - 1].address;
        struct ip ip = ip_of_sockaddr(address);
        char text[IP_TEXT_MAX], value[IP_TEXT_MAX + 8];
        /* the port is at the same place for both families, in network order */
        const uint8_t *port = (const uint8_t *)address + 2;
        snprintf(value, sizeof(value), "%s@%u", ip_text(&ip, text),
                 (unsigned)port[0] << 8 | port[1]);
        note(s, "forward", value, ub_ctx_set_fwd(s->recursor->ctx, value));
        loopback = loopback || ip_is_loopback(&ip);
    }
    return loopback;
}

static void set_private(struct setup *s, const struct recursor_plan *plan)
{
    char text[PREFIX_TEXT_MAX];

    for (size_t i = 0; i < plan->private_count; i++) {
        set(s, "private-address", "%s", prefix_text(&plan->private_addresses[i], text));
    }
    for (size_t i = 0; i < plan->private_name_count; i++) {
        set(s, "private-domain", "%s", plan->private_names[i]);
    }
}

/* The library waits so long for a server it has not met, and twice as long each time it asks it
 * anew: five times, eleven seconds, unless told otherwise. */
enum { FIRST_WAIT_MS = 376, TRIES_MAX = 5 };

/* How often a server is asked while somebody waits. */
static unsigned tries_within(uint64_t timeout_ms)
{
    uint64_t wait = FIRST_WAIT_MS, end = FIRST_WAIT_MS;
    unsigned tries = 1;

    while (tries < TRIES_MAX && end + 2 * wait <= timeout_ms) {
        wait *= 2;
        end += wait;
        tries++;
    }
    return tries;
}

static void set_all(struct setup *s, const struct recursor_plan *plan)
{
    bool loopback = set_forward(s, plan) || plan->loopback;

    set(s, "msg-cache-size", "%" PRIu64, plan->message_cache);
    set(s, "rrset-cache-size", "%" PRIu64, plan->record_cache);
    set(s, "num-queries-per-thread", "%" PRIu64, plan->queries);
    set(s, "outgoing-range", "%" PRIu64, plan->queries < SOCKETS_MAX ? plan->queries : SOCKETS_MAX);
    set(s, "outbound-msg-retry", "%u", tries_within(plan->timeout_ms));
    set(s, "do-not-query-localhost", "%s", loopback ? "no" : "yes");
    set(s, "prefetch", "yes");
    /* the servers that queries are forwarded to know the private networks here */
    if (plan->forward_count) {
        set(s, "unblock-lan-zones", "yes");
        set(s, "insecure-lan-zones", "yes");
    }
    set_private(s, plan);
    if (plan->root_hints) {
        char option[] = "root-hints:";
        note_file(s, "root-hints", plan->root_hints,
                  ub_ctx_set_option(s->recursor->ctx, option, plan->root_hints));
        check_hints(s, plan->root_hints);
    }
    if (plan->trust_anchor) {
        note_file(s, "trust-anchor", plan->trust_anchor,
                  ub_ctx_add_ta_file(s->recursor->ctx, plan->trust_anchor));
        check_anchor(s, plan->trust_anchor);
    }
}

/* Makes the library read its files now, rather than at the first question. */
static int finalize(struct ub_ctx *ctx)
{
    return ub_ctx_zone_remove(ctx, "none.invalid.");
}

static struct ub_ctx *context_new(void)
{
    pthread_mutex_lock(&contexts);
    struct ub_ctx *ctx = ub_ctx_create();
    pthread_mutex_unlock(&contexts);
    if (ctx) {
        ub_ctx_debugout(ctx, NULL);
    }
    return ctx;
}

static void context_free(struct ub_ctx *ctx)
{
    pthread_mutex_lock(&contexts);
    ub_ctx_delete(ctx);
    pthread_mutex_unlock(&contexts);
}

/* The library reports that it failed, but not why. It must be one of the files, because each option
 * was checked when it was set. Root hints are read only at the first question. */
static void name_culprit(struct setup *s, const struct recursor_plan *plan, int status)
{
    if (plan->trust_anchor) {
        fail(s, "trust-anchor",
             "trust-anchor \"%s\" is not taken by libunbound; expected DS or DNSKEY records in "
             "master-file form, such as /usr/share/dns/root.key",
             plan->trust_anchor);
    } else {
        fail(s, NULL, "libunbound does not take the settings: %s; expected others",
             ub_strerror(status));
    }
}

int recursor_open(const struct recursor_plan *plan, const char **where, struct buf *fault,
                  struct recursor **out)
{
    struct recursor *recursor = xcalloc(1, sizeof(*recursor));
    struct setup s = {.recursor = recursor, .fault = fault, .where = where};

    *where = NULL;
    recursor->ctx = context_new();
    if (!recursor->ctx) {
        buf_printf(fault, "libunbound does not start; expected memory and descriptors for it");
        free(recursor);
        return ERR_CONFIG;
    }
    ub_ctx_async(recursor->ctx, 1);
    set_all(&s, plan);
    int status = s.failed ? 0 : finalize(recursor->ctx);
    if (status) {
        name_culprit(&s, plan, status);
    }
    if (s.failed) {
        recursor_close(&recursor);
    }
    *out = recursor;
    return s.failed ? ERR_CONFIG : 0;
}

void recursor_close(struct recursor **recursor)
{
    if (*recursor) {
        context_free((*recursor)->ctx);
        buf_fini(&(*recursor)->key);
        free(*recursor);
        *recursor = NULL;
    }
}

bool recursor_same(const struct recursor *a, const struct recursor *b)
{
    return a && b && span_eq(buf_span(&a->key), buf_span(&b->key));
}

/* ---- questions ---- */

static void on_result(void *arg, int status, struct ub_result *result)
{
    struct recursor_job *job = arg;
    struct resolution resolution = {.rcode = RCODE_SERVFAIL, .ede = EDE_NONE};

    if (status == 0 && result) {
        size_t len =
            result->answer_packet && result->answer_len > 0 ? (size_t)result->answer_len : 0;
        resolution.message = span_of(result->answer_packet, len);
        resolution.rcode = (unsigned)result->rcode & 15;
        resolution.secure = result->secure != 0;
        resolution.bogus = result->bogus != 0;
    }
    job->done(job, &resolution);
    ub_resolve_free(result);
}

int recursor_ask(struct recursor *recursor, const struct name *name, uint16_t type,
                 struct recursor_job *job)
{
    char text[NAME_TEXT_MAX];
    int status = ub_resolve_async(recursor->ctx, name_text(name, text), type, CLASS_IN, job,
                                  on_result, NULL);
    return status ? ERR_IO : 0;
}

int recursor_fd(const struct recursor *recursor)
{
    return ub_fd(recursor->ctx);
}

int recursor_take(struct recursor *recursor)
{
    return ub_process(recursor->ctx) ? ERR_IO : 0;
}

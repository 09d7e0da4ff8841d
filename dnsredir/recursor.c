#include "dnsredir/recursor.h"

#include "base/check.h"
#include "base/conf.h"
#include "base/err.h"
#include "base/mem.h"

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
    bool failed;
};

/* `status` of the library after the setting `name: value`. */
static void note(struct setup *s, const char *name, const char *value, int status)
{
    buf_printf(&s->recursor->key, "%s %s\n", name, value);
    if (status && !s->failed) {
        s->failed = true;
        buf_printf(s->fault, "%s \"%s\" is not accepted: %s", name, value, ub_strerror(status));
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
        if (!s->failed) {
            s->failed = true;
            buf_printf(s->fault, "%s \"%s\" cannot be read", name, path);
        }
    } else {
        note(s, name, path, status);
        buf_printf(&s->recursor->key, "%jd.%09ld %jd\n", (intmax_t)about.st_mtim.tv_sec,
                   about.st_mtim.tv_nsec, (intmax_t)about.st_size);
    }
    if (file) {
        fclose(file);
    }
}

static bool is_loopback(const struct ip *ip)
{
    static const uint8_t one[16] = {[15] = 1};

    return ip_is_v4(ip) ? ip->at[12] == 127 : memcmp(ip->at, one, sizeof(one)) == 0;
}

/* Returns whether one of them is on this machine. */
static bool set_forward(struct setup *s, const struct recursor_plan *plan)
{
    bool loopback = false;

    for (size_t i = plan->forward_count; i > 0; i--) { /* the library puts each in front */
        const struct sockaddr *address = (const struct sockaddr *)&plan->forward[i - 1].address;
        struct ip ip = ip_of_sockaddr(address);
        char text[IP_TEXT_MAX], value[IP_TEXT_MAX + 8];
        const uint8_t *port = (const uint8_t *)address + 2; /* of both families, in network order */
        snprintf(value, sizeof(value), "%s@%u", ip_text(&ip, text),
                 (unsigned)port[0] << 8 | port[1]);
        note(s, "forward", value, ub_ctx_set_fwd(s->recursor->ctx, value));
        loopback = loopback || is_loopback(&ip);
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

static void set_all(struct setup *s, const struct recursor_plan *plan)
{
    bool loopback = set_forward(s, plan) || plan->loopback;

    set(s, "msg-cache-size", "%" PRIu64, plan->message_cache);
    set(s, "rrset-cache-size", "%" PRIu64, plan->record_cache);
    set(s, "num-queries-per-thread", "%" PRIu64, plan->queries);
    set(s, "outgoing-range", "%" PRIu64, plan->queries < SOCKETS_MAX ? plan->queries : SOCKETS_MAX);
    set(s, "do-not-query-localhost", "%s", loopback ? "no" : "yes");
    set(s, "prefetch", "yes");
    if (plan->forward_count) { /* whoever is asked knows the private networks here */
        set(s, "unblock-lan-zones", "yes");
        set(s, "insecure-lan-zones", "yes");
    }
    set_private(s, plan);
    if (plan->root_hints) {
        char option[] = "root-hints:";
        note_file(s, "root-hints", plan->root_hints,
                  ub_ctx_set_option(s->recursor->ctx, option, plan->root_hints));
    }
    if (plan->trust_anchor) {
        note_file(s, "trust-anchor", plan->trust_anchor,
                  ub_ctx_add_ta_file(s->recursor->ctx, plan->trust_anchor));
    }
}

/* Has the library read its files now, and not at the first question. */
static void finalize(struct setup *s)
{
    int status = ub_ctx_zone_remove(s->recursor->ctx, "none.invalid.");

    if (status && !s->failed) {
        s->failed = true;
        buf_printf(s->fault,
                   "libunbound does not take the settings: %s; expected root-hints in "
                   "master-file form, and DS or DNSKEY records in trust-anchor",
                   ub_strerror(status));
    }
}

int recursor_open(const struct recursor_plan *plan, struct buf *fault, struct recursor **out)
{
    struct recursor *recursor = xcalloc(1, sizeof(*recursor));
    struct setup s = {.recursor = recursor, .fault = fault};

    pthread_mutex_lock(&contexts);
    recursor->ctx = ub_ctx_create();
    pthread_mutex_unlock(&contexts);
    if (!recursor->ctx) {
        buf_printf(fault, "libunbound does not start");
        free(recursor);
        return ERR_CONFIG;
    }
    ub_ctx_debugout(recursor->ctx, NULL);
    ub_ctx_async(recursor->ctx, 1);
    set_all(&s, plan);
    finalize(&s);
    if (s.failed) {
        recursor_close(&recursor);
    }
    *out = recursor;
    return s.failed ? ERR_CONFIG : 0;
}

void recursor_close(struct recursor **recursor)
{
    if (*recursor) {
        pthread_mutex_lock(&contexts);
        ub_ctx_delete((*recursor)->ctx);
        pthread_mutex_unlock(&contexts);
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

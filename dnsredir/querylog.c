#include "dnsredir/querylog.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "dnsredir/counters.h"
#include "dnsredir/zone/update.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define RING_SIZE 1024 /* entries */
#define WAKE_MS 100
#define CLOSE_SECONDS 5 /* a reader of our pipe that stands still must not hold up the exit */
#define OUT_SIZE (64 << 10)

struct ring {
    atomic_size_t put; /* entries ever put in; only the worker changes it */
    _Alignas(64) atomic_size_t taken;
    _Alignas(64) struct query_entry entries[RING_SIZE];
};

struct querylog {
    char *path;
    int fd; /* the thread's once it runs */
    size_t ring_count;
    struct ring *rings;
    pthread_t thread;
    pthread_mutex_t lock; /* over the next two; no worker takes it */
    pthread_cond_t wake;
    bool reopen, ending;
    size_t out_len;
    char out[OUT_SIZE];
};

/* ---- lines ---- */

/* A line being written; QUERY_LINE_MAX is enough for the longest. */
struct line {
    char *at;
    char *end;
};

__attribute__((format(printf, 2, 3))) static void line_add(struct line *line, const char *format,
                                                           ...)
{
    va_list arguments;

    va_start(arguments, format);
    int n = vsnprintf(line->at, (size_t)(line->end - line->at), format, arguments);
    va_end(arguments);
    CHECK(n >= 0 && n < line->end - line->at);
    line->at += n;
}

/* Names in text form have no byte outside of printable ASCII. */
static void line_add_name(struct line *line, const struct name *name)
{
    char text[NAME_TEXT_MAX];

    name_text(name, text);
    for (const char *at = text; *at; at++) {
        line_add(line, *at == '"' || *at == '\\' ? "\\%c" : "%c", *at);
    }
}

static void line_add_type(struct line *line, uint16_t type)
{
    static const struct {
        uint16_t type;
        const char *word;
    } words[] = {
        {TYPE_A, "A"},         {TYPE_NS, "NS"},     {TYPE_CNAME, "CNAME"}, {TYPE_SOA, "SOA"},
        {TYPE_PTR, "PTR"},     {TYPE_MX, "MX"},     {TYPE_TXT, "TXT"},     {TYPE_AAAA, "AAAA"},
        {TYPE_SRV, "SRV"},     {TYPE_DS, "DS"},     {TYPE_HTTPS, "HTTPS"}, {TYPE_ANY, "ANY"},
        {TYPE_CAA, "CAA"},     {TYPE_AXFR, "AXFR"}, {TYPE_IXFR, "IXFR"},   {TYPE_SVCB, "SVCB"},
        {TYPE_SSHFP, "SSHFP"}, {TYPE_TLSA, "TLSA"},
    };

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (words[i].type == type) {
            line_add(line, "%s", words[i].word);
            return;
        }
    }
    line_add(line, "TYPE%u", type);
}

static void line_add_time(struct line *line, int64_t when_ms)
{
    time_t seconds = (time_t)(when_ms / 1000);
    struct tm tm;

    gmtime_r(&seconds, &tm);
    line_add(line, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1,
             tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(when_ms % 1000));
}

static const char *bool_word(bool value)
{
    return value ? "true" : "false";
}

size_t query_entry_format(const struct query_entry *entry, char out[QUERY_LINE_MAX])
{
    static const char *const cookies[] = {"none", "client", "bad", "good"};
    static const char *const signatures[] = {"none", "bad", "good"};
    static const char *const limited[] = {"no", "slip", "drop"};
    struct line line = {out, out + QUERY_LINE_MAX};
    const struct answer_note *note = &entry->note;
    char ip[IP_TEXT_MAX];

    line_add(&line, "{\"time\":\"");
    line_add_time(&line, entry->when_ms);
    line_add(&line, "\",\"client\":\"%s\",\"proto\":\"%s\",\"name\":\"",
             ip_text(&entry->client, ip), entry->tcp ? "tcp" : "udp");
    line_add_name(&line, &entry->name);
    line_add(&line, "\",\"type\":\"");
    line_add_type(&line, entry->type);
    line_add(&line, "\",\"class\":%u,\"rcode\":\"%s\",\"bytes\":%u", entry->class,
             counters_rcode(note->rcode), entry->bytes);
    if (entry->ecs.present) {
        line_add(&line, ",\"subnet\":\"%s/%u\",\"scope\":%u", ip_text(&entry->ecs.ip, ip),
                 entry->ecs.source, note->scope);
    }
    if (entry->update || note->tsig != TSIG_NONE) {
        line_add(&line, ",\"opcode\":\"%s\",\"tsig\":\"%s\"", entry->update ? "UPDATE" : "QUERY",
                 signatures[note->tsig]);
    }
    line_add(&line, ",\"cookie\":\"%s\",\"limited\":\"%s\"", cookies[note->cookie],
             limited[note->limited]);
    line_add(&line, ",\"truncated\":%s,\"steered\":%s,\"all_down\":%s}\n",
             bool_word(note->truncated), bool_word(note->policy != NULL),
             bool_word(note->policy && note->level == CHOICE_DOWN));
    return (size_t)(line.at - out);
}

/* ---- the thread ---- */

static bool is_stderr(const struct querylog *log)
{
    return strcmp(log->path, "-") == 0;
}

static int open_file(const struct querylog *log)
{
    if (is_stderr(log)) {
        return STDERR_FILENO;
    }
    int fd = open(log->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    return fd < 0 ? -errno : fd;
}

static void flush(struct querylog *log)
{
    struct span bytes = span_of(log->out, log->out_len);

    while (bytes.len) {
        ssize_t n = write(log->fd, bytes.at, bytes.len);
        if (n < 0 && errno == EAGAIN) { /* a pipe that somebody made non-blocking */
            struct pollfd ready = {.fd = log->fd, .events = POLLOUT};
            poll(&ready, 1, -1);
        } else if (n < 0 && errno != EINTR) {
            log_warn("query_log_failed", "file=%s err=%s", log->path, err_text(-errno));
            break;
        }
        bytes = span_skip(bytes, n > 0 ? (size_t)n : 0);
    }
    log->out_len = 0;
}

static void drain(struct querylog *log, struct ring *ring)
{
    size_t taken = atomic_load_explicit(&ring->taken, memory_order_relaxed);

    while (taken != atomic_load_explicit(&ring->put, memory_order_acquire)) {
        if (OUT_SIZE - log->out_len < QUERY_LINE_MAX) {
            flush(log);
        }
        log->out_len +=
            query_entry_format(&ring->entries[taken % RING_SIZE], log->out + log->out_len);
        atomic_store_explicit(&ring->taken, ++taken, memory_order_release);
    }
}

static void reopen_file(struct querylog *log)
{
    int fd = open_file(log);

    if (fd < 0) {
        log_warn("query_log_not_reopened", "file=%s err=%s", log->path, err_text(fd));
    } else if (fd != log->fd) {
        close(log->fd);
        log->fd = fd;
    }
}

/* Waits for the next round; false when there will be none. */
static bool await_round(struct querylog *log, bool *reopen)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += WAKE_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&log->lock);
    if (!log->ending && !log->reopen) {
        pthread_cond_timedwait(&log->wake, &log->lock, &until);
    }
    bool go_on = !log->ending;
    *reopen = log->reopen;
    log->reopen = false;
    pthread_mutex_unlock(&log->lock);
    return go_on;
}

static void *thread_main(void *arg)
{
    struct querylog *log = arg;
    bool go_on = true;

    while (go_on) {
        bool reopen;
        go_on = await_round(log, &reopen);
        for (size_t i = 0; i < log->ring_count; i++) {
            drain(log, &log->rings[i]);
        }
        flush(log);
        if (reopen) {
            reopen_file(log);
        }
    }
    return NULL;
}

/* ---- the log ---- */

/* Waits are by the monotonic clock: the log must not stand still while the wall clock, which was
 * set back, reaches the same time again. */
static void wake_init(pthread_cond_t *wake)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    CHECK(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    pthread_cond_init(wake, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void log_free(struct querylog *log)
{
    if (log->fd >= 0 && !is_stderr(log)) {
        close(log->fd);
    }
    pthread_cond_destroy(&log->wake);
    pthread_mutex_destroy(&log->lock);
    free(log->rings);
    free(log->path);
    free(log);
}

int querylog_open(const char *path, size_t rings, struct querylog **out)
{
    *out = NULL;
    if (!path) {
        return 0;
    }
    struct querylog *log = xcalloc(1, sizeof(*log));
    log->path = xstrndup(path, strlen(path));
    log->ring_count = rings;
    CHECK((log->rings = aligned_alloc(64, rings * sizeof(*log->rings))) != NULL);
    memset(log->rings, 0, rings * sizeof(*log->rings));
    pthread_mutex_init(&log->lock, NULL);
    wake_init(&log->wake);
    log->fd = open_file(log);
    int err = log->fd < 0 ? log->fd : thread_start(&log->thread, "query-log", thread_main, log);
    if (err) {
        log_free(log);
        return err;
    }
    *out = log;
    return 0;
}

static void tell(struct querylog *log, bool *what)
{
    pthread_mutex_lock(&log->lock);
    *what = true;
    pthread_cond_signal(&log->wake);
    pthread_mutex_unlock(&log->lock);
}

void querylog_reopen(struct querylog *log)
{
    if (log) {
        tell(log, &log->reopen);
    }
}

void querylog_close(struct querylog **slot)
{
    struct querylog *log = *slot;
    struct timespec deadline = {.tv_sec = (time_t)clock_wall() + CLOSE_SECONDS};

    *slot = NULL;
    if (!log) {
        return;
    }
    tell(log, &log->ending);
    if (pthread_timedjoin_np(log->thread, NULL, &deadline) != 0) {
        log_warn("query_log_stuck", "file=%s", log->path);
        return; /* the thread still uses it */
    }
    log_free(log);
}

bool querylog_put(struct querylog *log, size_t number, const struct client *client,
                  const struct answer_note *note, struct span packet, size_t bytes)
{
    struct ring *ring = &log->rings[number];
    size_t put = atomic_load_explicit(&ring->put, memory_order_relaxed);
    struct query query;

    if (query_read(packet, &query) < 0) {
        return true;
    }
    if (put - atomic_load_explicit(&ring->taken, memory_order_acquire) == RING_SIZE) {
        return false;
    }
    struct query_entry *entry = &ring->entries[put % RING_SIZE];
    entry->when_ms = clock_wall_ms();
    entry->client = client->ip;
    entry->tcp = client->tcp;
    entry->update = update_is(packet);
    entry->bytes = (uint16_t)bytes;
    entry->note = *note;
    entry->ecs = query.edns.ecs;
    entry->type = entry->class = 0;
    entry->name = (struct name){.len = 1};
    if (query.question.len) {
        entry->type = query.type;
        entry->class = query.class;
        name_load(&entry->name, query.name.at);
    }
    atomic_store_explicit(&ring->put, put + 1, memory_order_release);
    return true;
}

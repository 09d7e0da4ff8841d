/*
 * accesslog - blocks of lines on their way to one file. A worker fills its block and swaps it for a
 * spare one. The log's thread takes all queued blocks at once, and writes them without holding the
 * lock; so the lock is held only briefly, a few times a second.
 */
#include "proxy/client/accesslog.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/memory.h"
#include "base/thread.h"
#include "proxy/client/accesslog_sink.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

enum {
    /* A block is handed over when the longest line does not fit any more, so this is 96 KiB of
     * lines: each handover wakes the log's thread. */
    BLOCK_SIZE = 4 * ACCESSLOG_LINE_MAX,
    QUEUE_MAX = 64, /* most blocks, which bounds the memory that a stalled disk costs */
    SPARES_MAX = 4,
};

struct block {
    struct block *next;
    size_t len;
    uint64_t lines;
    int fresh; /* descriptor of the reopened file, to be used after this block; -1: no change */
    char bytes[BLOCK_SIZE];
};

struct accesslog {
    atomic_int refs;
    char *to;
    struct sink sink; /* used by the thread once it runs */
    pthread_t thread;

    pthread_mutex_t lock; /* of everything below */
    pthread_cond_t work;
    struct block *queue;
    struct block **tail;
    size_t queued; /* including blocks being written */
    struct block *spares;
    size_t spare_count;
    int fresh; /* as in struct block, for use before the queue */
    bool ending;
};

/* A worker's block for one log. */
struct outlet {
    struct accesslog *log;
    struct log_style style;
    struct block *block;
};

struct accesslog_writer {
    size_t count;
    struct outlet outlets[];
};

/* Lines lost by all logs of the process. */
static atomic_uint_fast64_t dropped;
static pthread_mutex_t running_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t running_less = PTHREAD_COND_INITIALIZER;
static unsigned running; /* number of log threads that run */

/* ---- the thread ---- */

static void write_block(struct accesslog *log, const struct block *block)
{
    int err;
    uint64_t lost = sink_write(&log->sink, span_of(block->bytes, block->len), block->lines, &err);

    if (lost) {
        atomic_fetch_add(&dropped, lost);
        log_warn("access_log_failed", "to=%s err=%s", log->to, err_text(err));
    }
}

static void go_on_with(struct accesslog *log, int fresh)
{
    if (fresh >= 0) {
        sink_replace(&log->sink, fresh);
    }
}

/* Waits for blocks and takes all of them. False: it is time to end. */
static bool take_work(struct accesslog *log, struct block **blocks, int *fresh)
{
    pthread_mutex_lock(&log->lock);
    while (log->queue == NULL && log->fresh < 0 && !log->ending) {
        pthread_cond_wait(&log->work, &log->lock);
    }
    *blocks = log->queue;
    *fresh = log->fresh;
    log->queue = NULL;
    log->tail = &log->queue;
    log->fresh = -1;
    bool go_on = *blocks != NULL || *fresh >= 0 || !log->ending;
    pthread_mutex_unlock(&log->lock);
    return go_on;
}

static void block_free(struct block *block)
{
    if (block) {
        memory_give(MEMORY_LOG, sizeof(*block));
        free(block);
    }
}

static void give_back(struct accesslog *log, struct block *block)
{
    pthread_mutex_lock(&log->lock);
    log->queued--;
    if (log->spare_count < SPARES_MAX) {
        block->next = log->spares;
        log->spares = block;
        log->spare_count++;
        block = NULL;
    }
    pthread_mutex_unlock(&log->lock);
    block_free(block);
}

static void log_free(struct accesslog *log)
{
    while (log->spares) {
        struct block *next = log->spares->next;
        block_free(log->spares);
        log->spares = next;
    }
    sink_close(&log->sink);
    pthread_cond_destroy(&log->work);
    pthread_mutex_destroy(&log->lock);
    free(log->to);
    free(log);
}

static void count_running(int change)
{
    pthread_mutex_lock(&running_lock);
    running += (unsigned)change;
    pthread_cond_broadcast(&running_less);
    pthread_mutex_unlock(&running_lock);
}

/* The last reference may be given up by a worker while it handles a request. Closing the file may
 * wait, so the log's thread frees the log. */
static void *writer_main(void *arg)
{
    struct accesslog *log = arg;
    struct block *blocks;
    int fresh;

    while (take_work(log, &blocks, &fresh)) {
        go_on_with(log, fresh);
        while (blocks) {
            struct block *block = blocks;
            blocks = block->next;
            write_block(log, block);
            go_on_with(log, block->fresh);
            give_back(log, block);
        }
    }
    log_free(log);
    count_running(-1);
    return NULL;
}

/* ---- the log ---- */

int accesslog_open(const char *to, struct accesslog **out)
{
    struct accesslog *log = xcalloc(1, sizeof(*log));
    int err = sink_open(&log->sink, to);

    *out = NULL;
    if (err) {
        free(log);
        return err;
    }
    atomic_init(&log->refs, 1);
    log->to = xspandup(span_str(to));
    log->tail = &log->queue;
    log->fresh = -1;
    pthread_mutex_init(&log->lock, NULL);
    pthread_cond_init(&log->work, NULL);
    count_running(1);
    err = thread_start(&log->thread, "access-log", writer_main, log);
    if (err) {
        log_free(log);
        count_running(-1);
        return err;
    }
    pthread_detach(log->thread);
    *out = log;
    return 0;
}

struct accesslog *accesslog_ref(struct accesslog *log)
{
    atomic_fetch_add_explicit(&log->refs, 1, memory_order_relaxed);
    return log;
}

void accesslog_unref(struct accesslog **slot)
{
    struct accesslog *log = *slot;

    *slot = NULL;
    if (log && atomic_fetch_sub_explicit(&log->refs, 1, memory_order_acq_rel) == 1) {
        pthread_mutex_lock(&log->lock);
        log->ending = true;
        pthread_cond_signal(&log->work);
        pthread_mutex_unlock(&log->lock);
    }
}

int accesslog_reopen(struct accesslog *log)
{
    int fd = sink_open_anew(&log->sink);

    if (fd < 0) {
        return fd;
    }
    pthread_mutex_lock(&log->lock);
    struct block *last = log->queue ? container_of(log->tail, struct block, next) : NULL;
    int *fresh = last ? &last->fresh : &log->fresh;
    int unused = *fresh;
    *fresh = fd;
    pthread_cond_signal(&log->work);
    pthread_mutex_unlock(&log->lock);
    if (unused >= 0 && unused != STDOUT_FILENO) {
        close(unused);
    }
    return 0;
}

const char *accesslog_to(const struct accesslog *log)
{
    return log->to;
}

bool accesslog_wait(unsigned seconds)
{
    struct timespec deadline;
    int err = 0;

    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += seconds;
    pthread_mutex_lock(&running_lock);
    while (running && err == 0) {
        err = pthread_cond_timedwait(&running_less, &running_lock, &deadline);
    }
    bool done = running == 0;
    pthread_mutex_unlock(&running_lock);
    return done;
}

uint64_t accesslog_dropped(void)
{
    return atomic_load(&dropped);
}

/* ---- one worker's end ---- */

static void block_reset(struct block *block)
{
    block->next = NULL;
    block->len = 0;
    block->lines = 0;
    block->fresh = -1;
}

static struct block *block_new(void)
{
    struct block *block = xmalloc(sizeof(*block));

    memory_take(MEMORY_LOG, sizeof(*block));
    block_reset(block);
    return block;
}

struct accesslog_writer *accesslog_writer_new(const struct accesslog_out *outs, size_t count)
{
    if (count == 0) {
        return NULL;
    }
    struct accesslog_writer *writer =
        xcalloc(1, sizeof(*writer) + count * sizeof(writer->outlets[0]));
    writer->count = count;
    for (size_t i = 0; i < count; i++) {
        writer->outlets[i] = (struct outlet){
            .log = accesslog_ref(outs[i].log), .style = outs[i].style, .block = block_new()};
    }
    return writer;
}

/* Queues a block. False: too many are queued. *spare is a used block, or NULL. */
static bool queue_block(struct accesslog *log, struct block *block, struct block **spare)
{
    pthread_mutex_lock(&log->lock);
    bool room = log->queued < QUEUE_MAX;
    if (room) {
        *log->tail = block;
        log->tail = &block->next;
        log->queued++;
        *spare = log->spares;
        if (*spare) {
            log->spares = (*spare)->next;
            log->spare_count--;
        }
    }
    pthread_mutex_unlock(&log->lock);
    if (room) { /* without the lock, or the thread would wake only to wait for it */
        pthread_cond_signal(&log->work);
    }
    return room;
}

static void flush(struct outlet *outlet)
{
    struct block *next = NULL;

    if (outlet->block->len == 0) {
        return;
    }
    if (!queue_block(outlet->log, outlet->block, &next)) {
        atomic_fetch_add(&dropped, outlet->block->lines);
        next = outlet->block;
    }
    outlet->block = next ? next : block_new();
    block_reset(outlet->block);
}

void accesslog_flush(struct accesslog_writer *writer)
{
    for (size_t i = 0; writer && i < writer->count; i++) {
        flush(&writer->outlets[i]);
    }
}

static void write_line(struct outlet *outlet, const struct accesslog_entry *entry)
{
    struct block *block = outlet->block;

    block->len += accesslog_format(block->bytes + block->len, &outlet->style, entry);
    block->lines++;
    if (BLOCK_SIZE - block->len < ACCESSLOG_LINE_MAX) {
        flush(outlet);
    }
}

void accesslog_write(struct accesslog_writer *writer, const struct accesslog_entry *entry)
{
    for (size_t i = 0; writer && i < writer->count; i++) {
        write_line(&writer->outlets[i], entry);
    }
}

void accesslog_writer_free(struct accesslog_writer **slot)
{
    struct accesslog_writer *writer = *slot;

    *slot = NULL;
    if (!writer) {
        return;
    }
    for (size_t i = 0; i < writer->count; i++) {
        flush(&writer->outlets[i]);
        block_free(writer->outlets[i].block);
        accesslog_unref(&writer->outlets[i].log);
    }
    free(writer);
}

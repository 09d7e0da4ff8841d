/*
 * accesslog - blocks of lines on their way to one file.
 *
 * A worker fills its block and swaps it for a spare one; the thread takes all queued blocks at
 * once and writes them without holding the lock. So the lock is held for a few pointers only, some
 * times a second.
 */
#include "proxy/client/accesslog.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/memory.h"
#include "base/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

enum {
    BLOCK_SIZE = 2 * ACCESSLOG_LINE_MAX,
    QUEUE_MAX = 128, /* blocks: what a stalled disk may cost in memory */
    SPARES_MAX = 8,
    CLOSE_SECONDS = 5, /* a reader of our pipe that stands still must not hold up the exit */
};

struct block {
    struct block *next;
    size_t len;
    uint64_t lines;
    char bytes[BLOCK_SIZE];
};

struct accesslog {
    char *path;
    int fd;    /* the thread's once it runs */
    bool torn; /* the last write left half a line */
    pthread_t thread;
    atomic_uint_fast64_t dropped;

    pthread_mutex_t lock; /* over everything below */
    pthread_cond_t work;
    struct block *queue;
    struct block **tail;
    size_t queued; /* and being written */
    struct block *spares;
    size_t spare_count;
    bool reopen, ending;
};

struct accesslog_writer {
    struct accesslog *log;
    struct block *block;
};

/* ---- the thread ---- */

static bool is_stdout(const struct accesslog *log)
{
    return strcmp(log->path, "-") == 0;
}

/* A descriptor or a negative errno. */
static int open_file(const struct accesslog *log)
{
    if (is_stdout(log)) {
        return STDOUT_FILENO;
    }
    int fd = open(log->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    return fd < 0 ? -errno : fd;
}

static void close_file(struct accesslog *log)
{
    if (!is_stdout(log)) {
        close(log->fd);
    }
}

/* Standard output may be a pipe that somebody has made non-blocking. */
static bool may_retry(const struct accesslog *log)
{
    struct pollfd ready = {.fd = log->fd, .events = POLLOUT};

    if (errno == EAGAIN) {
        poll(&ready, 1, -1);
        return true;
    }
    return errno == EINTR;
}

/* 0 or a negative errno. */
static int write_all(struct accesslog *log, struct span bytes)
{
    while (bytes.len) {
        ssize_t n = write(log->fd, bytes.at, bytes.len);
        if (n < 0 && !may_retry(log)) {
            return -errno;
        }
        if (n == 0) {
            return -EIO;
        }
        if (n > 0) {
            log->torn = bytes.at[n - 1] != '\n';
            bytes = span_skip(bytes, (size_t)n);
        }
    }
    return 0;
}

static void write_block(struct accesslog *log, const struct block *block)
{
    int err = log->torn ? write_all(log, SPAN("\n")) : 0;

    err = err ? err : write_all(log, span_of(block->bytes, block->len));
    if (err) {
        atomic_fetch_add(&log->dropped, block->lines);
        log_warn("access_log_failed", "file=%s err=%s", log->path, err_text(err));
    }
}

static void reopen_file(struct accesslog *log)
{
    int fd = open_file(log);

    if (fd < 0) {
        log_warn("access_log_not_reopened", "file=%s err=%s", log->path, err_text(fd));
        return;
    }
    if (fd != log->fd) {
        close_file(log);
        log->fd = fd;
        log->torn = false;
    }
}

/* Takes all that waits; sleeps until something does. False when it is time to end. */
static bool take_work(struct accesslog *log, struct block **blocks, bool *reopen)
{
    pthread_mutex_lock(&log->lock);
    while (log->queue == NULL && !log->reopen && !log->ending) {
        pthread_cond_wait(&log->work, &log->lock);
    }
    *blocks = log->queue;
    *reopen = log->reopen;
    log->queue = NULL;
    log->tail = &log->queue;
    log->reopen = false;
    bool go_on = *blocks != NULL || *reopen || !log->ending;
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

static void *writer_main(void *arg)
{
    struct accesslog *log = arg;
    struct block *blocks;
    bool reopen;

    while (take_work(log, &blocks, &reopen)) {
        while (blocks) {
            struct block *block = blocks;
            blocks = block->next;
            write_block(log, block);
            give_back(log, block);
        }
        if (reopen) {
            reopen_file(log);
        }
    }
    return NULL;
}

/* ---- the log ---- */

static void log_free(struct accesslog *log)
{
    while (log->spares) {
        struct block *next = log->spares->next;
        block_free(log->spares);
        log->spares = next;
    }
    pthread_cond_destroy(&log->work);
    pthread_mutex_destroy(&log->lock);
    free(log->path);
    free(log);
}

int accesslog_open(const char *path, struct accesslog **out)
{
    *out = NULL;
    if (path == NULL) {
        return 0;
    }
    struct accesslog *log = xcalloc(1, sizeof(*log));
    log->path = xstrndup(path, strlen(path));
    log->tail = &log->queue;
    pthread_mutex_init(&log->lock, NULL);
    pthread_cond_init(&log->work, NULL);
    log->fd = open_file(log);
    if (log->fd < 0) {
        int err = log->fd;
        log_free(log);
        return err;
    }
    int err = thread_start(&log->thread, "access-log", writer_main, log);
    if (err) {
        close_file(log);
        log_free(log);
        return err;
    }
    *out = log;
    return 0;
}

void accesslog_reopen(struct accesslog *log)
{
    if (log == NULL) {
        return;
    }
    pthread_mutex_lock(&log->lock);
    log->reopen = true;
    pthread_cond_signal(&log->work);
    pthread_mutex_unlock(&log->lock);
}

void accesslog_close(struct accesslog **slot)
{
    struct accesslog *log = *slot;
    struct timespec deadline = {.tv_sec = (time_t)clock_wall() + CLOSE_SECONDS};

    *slot = NULL;
    if (log == NULL) {
        return;
    }
    pthread_mutex_lock(&log->lock);
    log->ending = true;
    pthread_cond_signal(&log->work);
    pthread_mutex_unlock(&log->lock);
    if (pthread_timedjoin_np(log->thread, NULL, &deadline) != 0) {
        log_warn("access_log_stuck", "file=%s", log->path);
        return; /* the thread still uses it */
    }
    close_file(log);
    log_free(log);
}

/* ---- one worker's end ---- */

static void block_reset(struct block *block)
{
    block->next = NULL;
    block->len = 0;
    block->lines = 0;
}

static struct block *block_new(void)
{
    struct block *block = xmalloc(sizeof(*block));

    memory_take(MEMORY_LOG, sizeof(*block));
    block_reset(block);
    return block;
}

struct accesslog_writer *accesslog_writer_new(struct accesslog *log)
{
    if (log == NULL) {
        return NULL;
    }
    struct accesslog_writer *writer = xcalloc(1, sizeof(*writer));
    writer->log = log;
    writer->block = block_new();
    return writer;
}

/* Queues the block; false when too much waits already. *spare gets a used one, or NULL. */
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
        pthread_cond_signal(&log->work);
    }
    pthread_mutex_unlock(&log->lock);
    return room;
}

void accesslog_flush(struct accesslog_writer *writer)
{
    struct block *next = NULL;

    if (writer == NULL || writer->block->len == 0) {
        return;
    }
    if (!queue_block(writer->log, writer->block, &next)) {
        atomic_fetch_add(&writer->log->dropped, writer->block->lines);
        next = writer->block;
    }
    writer->block = next ? next : block_new();
    block_reset(writer->block);
}

void accesslog_write(struct accesslog_writer *writer, const struct accesslog_entry *entry)
{
    if (writer == NULL) {
        return;
    }
    struct block *block = writer->block;
    block->len += accesslog_format(block->bytes + block->len, entry);
    block->lines++;
    if (BLOCK_SIZE - block->len < ACCESSLOG_LINE_MAX) {
        accesslog_flush(writer);
    }
}

void accesslog_writer_free(struct accesslog_writer **slot)
{
    struct accesslog_writer *writer = *slot;

    *slot = NULL;
    if (writer) {
        accesslog_flush(writer);
        block_free(writer->block);
        free(writer);
    }
}

uint64_t accesslog_dropped(const struct accesslog_writer *writer)
{
    return writer ? atomic_load(&writer->log->dropped) : 0;
}

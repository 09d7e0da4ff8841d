/*
 * log - writes events to stderr, each as one line of key=value pairs. Thread-safe.
 *
 *     log_warn("upstream_refused", "origin=%s err=%s", name, err_text(err));
 *     2026-11-22T07:55:07.123Z warn upstream_refused origin=http://a/ err="connection refused"
 *
 * The event is a fixed word, so that lines can be counted. Values that are not plain printable
 * ASCII are quoted, other bytes are written as \xNN, so that nobody can forge a line or a field. A
 * call site is limited to LOG_BURST lines in LOG_WINDOW_MS; the first line after that says
 * suppressed=N.
 *
 * Formats are literals of "key=conversion" words. Of printf they support %s %.*s %c %d %i %u %x %f
 * %.Nf %% with h, l, ll, j and z.
 */
#ifndef LARDER_BASE_LOG_H
#define LARDER_BASE_LOG_H

#include "base/span.h"

#include <stdarg.h>
#include <stdatomic.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
/* "error", "warn", …, NULL: by level, for CONF_ENUM. */
extern const char *const log_level_words[];

/* If stderr is systemd's journal, prefixes lines with their level from now on, as <N>
 * (sd-daemon(3)). Before there are threads. */
void log_begin(void);
/* Drops lines above this level; initially LOG_LEVEL_INFO. Thread-safe. */
void log_level_set(enum log_level level);
/* The descriptor to write to, initially 2. Borrowed. */
void log_to(int fd);

#define log_error(event, ...) LOG_AT(LOG_LEVEL_ERROR, event, __VA_ARGS__)
#define log_warn(event, ...) LOG_AT(LOG_LEVEL_WARN, event, __VA_ARGS__)
#define log_info(event, ...) LOG_AT(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define log_debug(event, ...) LOG_AT(LOG_LEVEL_DEBUG, event, __VA_ARGS__)

/* ---- behind the macros ---- */

enum { LOG_BURST = 10, LOG_WINDOW_MS = 10000, LOG_LINE_MAX = 2048 };

struct log_site {
    atomic_uint_fast64_t window;
    atomic_uint lines, dropped;
};

#define LOG_AT(level, event, ...)                                                                  \
    do {                                                                                           \
        static struct log_site log_site_here;                                                      \
        log_wants(level) ? log_write(&log_site_here, level, event, __VA_ARGS__) : (void)0;         \
    } while (0)

bool log_wants(enum log_level level);
__attribute__((format(printf, 4, 5))) void log_write(struct log_site *site, enum log_level level,
                                                     const char *event, const char *format, ...);

/* May the site write a line at `now_ms`? Then *suppressed is the number of lines lost before it. */
bool log_admit(struct log_site *site, uint64_t now_ms, unsigned *suppressed);
/* Writes a line with its newline to `out` (LOG_LINE_MAX bytes) and returns its length. A line that
 * is too long ends with "...". Pure. */
__attribute__((format(printf, 6, 0))) size_t log_line(char *out, int64_t wall_ms,
                                                      enum log_level level, const char *event,
                                                      unsigned suppressed, const char *format,
                                                      va_list args);

#endif

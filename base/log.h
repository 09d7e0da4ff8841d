/*
 * log - what happened, one line of key=value pairs each, on stderr. Thread-safe.
 *
 *     log_warn("upstream_refused", "origin=%s err=%s", name, err_text(err));
 *     2026-11-22T07:55:07.123Z warn upstream_refused origin=http://a/ err="connection refused"
 *
 * The event comes first and is a fixed word, so that lines can be counted. Values with anything
 * but plain printable ASCII are quoted, and bytes outside it written as \xNN: nobody outside can
 * forge a line or a field. A call site that repeats itself is cut to LOG_BURST lines in
 * LOG_WINDOW_MS; its first line after that says suppressed=N.
 *
 * Formats are literals of "key=conversion" words; of printf they know %s %.*s %c %d %i %u %x %f
 * %.Nf %% with h, l, ll, j and z.
 */
#ifndef LARDER_BASE_LOG_H
#define LARDER_BASE_LOG_H

#include "base/span.h"

#include <stdarg.h>
#include <stdatomic.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
/* "error", "warn", …, NULL: by level, fit for CONF_ENUM. */
extern const char *const log_level_words[];

/* If stderr is systemd's journal, lines tell it their level from here on, by a <N> that it takes
 * away (sd-daemon(3)). Before there are threads. */
void log_begin(void);
/* Lines above this level are dropped; LOG_LEVEL_INFO at first. Any time, any thread. */
void log_level_set(enum log_level level);
/* Where lines go; 2 at first. Not owned. */
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

/* May the site write a line at `now_ms`? Then *suppressed are the lines lost before it. */
bool log_admit(struct log_site *site, uint64_t now_ms, unsigned *suppressed);
/* Writes one line with its newline into `out` (LOG_LINE_MAX bytes); returns its length. A line
 * that is too long ends in "...". Pure. */
__attribute__((format(printf, 6, 0))) size_t log_line(char *out, int64_t wall_ms,
                                                      enum log_level level, const char *event,
                                                      unsigned suppressed, const char *format,
                                                      va_list args);

#endif

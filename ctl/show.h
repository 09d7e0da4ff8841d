/* show - turns JSON of the admin listener into text. Appends to `out`; missing members count as 0
 * or empty. Pure. */
#ifndef LARDER_CTL_SHOW_H
#define LARDER_CTL_SHOW_H

#include "base/buf.h"

#include <jansson.h>

enum { SHOW_LABEL = 12 }; /* width of labels */

/* A member that is a non-negative number. */
uint64_t show_number(const json_t *object, const char *name);

void show_label(struct buf *out, const char *label);
/* 1234567 → "1,234,567". */
void show_count(struct buf *out, uint64_t value);
/* 2048 → "2.0 KiB". */
void show_size(struct buf *out, uint64_t bytes);
/* 93 → "1 min 33 s". */
void show_duration(struct buf *out, uint64_t seconds);
void show_percent(struct buf *out, uint64_t part, uint64_t whole);
/* Writes text from a network without bytes that could control the terminal. */
void show_text(struct buf *out, const char *text);
void show_string(struct buf *out, const json_t *object, const char *name);
/* A line about the sandbox of a daemon; nothing if the daemon does not report it. */
void show_sandbox(const json_t *sandbox, struct buf *out);
/* A line about the last reload of a daemon, if its status says that it was refused. */
void show_refusal(const json_t *status, struct buf *out);

#endif

/* show - JSON of the admin interface as text for people. Appends to `out`; missing members are 0 or
 * empty. Pure. */
#ifndef LARDER_CTL_SHOW_H
#define LARDER_CTL_SHOW_H

#include "base/buf.h"

#include <jansson.h>

enum { SHOW_LABEL = 12 }; /* columns that a label takes */

/* A member that is a number, not negative. */
uint64_t show_number(const json_t *object, const char *name);

void show_label(struct buf *out, const char *label);
/* 1234567 → "1,234,567". */
void show_count(struct buf *out, uint64_t value);
/* 2048 → "2.0 KiB". */
void show_size(struct buf *out, uint64_t bytes);
/* 93 → "1 min 33 s". */
void show_duration(struct buf *out, uint64_t seconds);
void show_percent(struct buf *out, uint64_t part, uint64_t whole);
/* What is shown comes from a network: nothing in it may steer the terminal. */
void show_text(struct buf *out, const char *text);
void show_string(struct buf *out, const json_t *object, const char *name);
/* A line about what a daemon has given up; nothing of one that says nothing of it. */
void show_sandbox(const json_t *sandbox, struct buf *out);

#endif

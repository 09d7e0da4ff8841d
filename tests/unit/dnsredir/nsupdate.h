/*
 * nsupdate - updates as words: messages made from one line of text, and a store in memory.
 */
#ifndef LARDER_TESTS_NSUPDATE_H
#define LARDER_TESTS_NSUPDATE_H

#include "dnsredir/zone/update.h"

/* The message with the statements of `text`, parted by ";": of prerequisites "nx NAME", "yx NAME",
 * "nx NAME TYPE", "yx NAME TYPE", "yx NAME TYPE DATA", and of changes "add NAME TTL TYPE DATA",
 * "del NAME", "del NAME TYPE", "del NAME TYPE DATA". Names are below `zone`. Returns its length. */
size_t nsupdate_write(const char *zone, const char *text, uint8_t *room, size_t len);

#define MEMORY_NAMES 16

struct dynamic_memory {
    struct {
        struct name name;
        size_t len;
        uint8_t records[4096];
    } names[MEMORY_NAMES];
    size_t count;
    int err; /* what put returns, instead of putting */
};

struct update_store dynamic_memory_store(struct dynamic_memory *memory);
/* "a.ex. 60 A 192.0.2.1, 60 A 192.0.2.2; b.ex. ...", in order of the names. Static memory. */
const char *dynamic_memory_text(const struct dynamic_memory *memory);
/* A table of it, to be unreferenced. */
struct dynamic_records *dynamic_memory_table(const struct dynamic_memory *memory);

#endif

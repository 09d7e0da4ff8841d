/*
 * hpack - writes the fields of header blocks (RFC 7541) for one direction of one connection. Pure.
 *
 * It does less than HPACK can, and what it does costs little: strings are not Huffman coded, and a
 * field is put into the dynamic table when it comes for the second time. So what is the same in
 * each message takes one or two bytes, and a value that comes only once (a validator, a length)
 * pushes nothing out of the table.
 *
 * A message's fields are copied when they are known (hpack_keep()) and encoded when their frame is
 * sent (hpack_encode()), as the table has to change in the order of the frames.
 */
#ifndef LARDER_HTTP_HPACK_H
#define LARDER_HTTP_HPACK_H

#include "http/headers.h"

enum {
    /* The size of the dynamic table: what a decoder has when it was not told otherwise. */
    HPACK_TABLE = 4096,
    /* The bytes that a kept field takes in addition to its name and its value. */
    HPACK_KEPT = 8,
    /* The bytes that an encoded field can take in addition to its name and its value. */
    HPACK_FRAMING = 12,

    HPACK_SETS = 32,
    HPACK_TEXT = 2048,
};

/* A field that was sent before. */
struct hpack_slot {
    uint32_t hash;   /* of name and value; 0: the slot is free */
    uint32_t number; /* which insertion it was, counted from 1; 0: it was not inserted */
    uint32_t before; /* bytes of the table's entries inserted before it */
    uint32_t at;     /* where its text lies, counted as if no text were ever overwritten */
    uint16_t name_len;
    uint16_t value_len;
    uint8_t id;
};

/* What the decoder of the peer has in its dynamic table. Entries that are not known here do no
 * harm: they lie behind those that are. So it may be forgotten at any time (hpack_table_init()),
 * and may be begun late. */
struct hpack_table {
    uint32_t inserted; /* entries */
    uint32_t bytes;    /* their size, as defined by RFC 7541 4.1 */
    uint32_t text_len;
    struct hpack_slot slots[HPACK_SETS][2];
    char text[HPACK_TEXT]; /* names and values, the oldest overwritten by the newest */
};

void hpack_table_init(struct hpack_table *table);

/* Copies a field to `at`, its name in lower case, and returns the end of what it wrote: at most
 * HPACK_KEPT + name.len + value.len bytes. Names and values must be shorter than 64 KiB. */
char *hpack_keep(char *at, const struct http_field *field);

/* Writes :status (100 to 999). Returns the end; at most HPACK_FRAMING bytes. */
char *hpack_put_status(char *at, int status);

/* Encodes fields that hpack_keep() has copied, one behind the other. `table` NULL: the decoder's
 * table is not used. Returns the end; `at` must have room for names, values and HPACK_FRAMING
 * bytes of each field. */
char *hpack_encode(struct hpack_table *table, struct span kept, char *at);

#endif

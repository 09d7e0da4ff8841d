/*
 * parts - a body made of texts and pieces of one object, as a source: text, bytes, text, bytes …
 * and a closing text. What a response to several ranges is (RFC 9110 14.6).
 *
 * One object_reader plays all pieces, one after the other, each opened when its turn has come. It
 * is the owner's, so that whatever wakes it reaches the piece being read, and tells how long all
 * pieces so far have waited for the disk. Belongs to one loop.
 */
#ifndef LARDER_PROXY_CLIENT_PARTS_H
#define LARDER_PROXY_CLIENT_PARTS_H

#include "cache/object.h"
#include "http/range.h"

#define BODY_PARTS_MAX RANGES_MAX

struct body_part {
    struct span before; /* text in front of it, or empty */
    uint64_t from, to;  /* bytes of the object's body; to UINT64_MAX: until its end */
};

struct body_parts {
    size_t count; /* 0: no body at all */
    struct body_part at[BODY_PARTS_MAX];
    struct span after; /* text behind the last one, or empty */
};

struct parts_source {
    struct source source; /* drop does nothing: the owner ends the reader */
    struct body_parts parts;
    struct object *object;
    struct object_reader *reader;
    struct waker waker;
    size_t number;      /* of the part being played */
    struct span text;   /* rest of the text before it, or after all */
    uint64_t left;      /* bytes of it not yet taken, while it is open */
    uint64_t waited_us; /* for the disk, by the pieces that have been played */
    bool is_open;
};

/* Every part must have an end. The texts and the object must outlive the source; `reader` is used
 * until then, and given back with object_reader_fini() by its owner. `waker` as for
 * object_reader_init(), of which 0 or the error for the first part is returned; an error in a later
 * one, or a body that ends before a part does, breaks the source. */
int parts_source_init(struct parts_source *source, const struct body_parts *parts,
                      struct object *object, struct object_reader *reader, struct waker waker);

#endif

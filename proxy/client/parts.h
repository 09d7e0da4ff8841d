/*
 * parts - a source made of texts and parts of one object: the body of a multipart response (RFC
 * 9110 14.6).
 *
 * One object_reader reads all parts, one after the other. The caller owns the reader, so that wakes
 * reach the current part. Belongs to one loop.
 */
#ifndef LARDER_PROXY_CLIENT_PARTS_H
#define LARDER_PROXY_CLIENT_PARTS_H

#include "cache/object.h"
#include "http/range.h"

#define BODY_PARTS_MAX RANGES_MAX

struct body_part {
    struct span before; /* text before it, or empty */
    uint64_t from, to;  /* bytes of the object's body; UINT64_MAX: to its end */
};

struct body_parts {
    size_t count; /* 0: no body */
    struct body_part at[BODY_PARTS_MAX];
    struct span after; /* text after the last part, or empty */
};

struct parts_source {
    struct source source; /* its drop() does nothing: the caller ends the reader */
    struct body_parts list;
    struct object *object;
    struct object_reader *reader;
    struct waker waker;
    size_t number;      /* of the current part */
    struct span text;   /* rest of the text to send before the part, or at the end */
    uint64_t left;      /* bytes of the open part that were not taken so far */
    uint64_t waited_us; /* for the disk, by the parts before this one */
    bool is_open;
};

/* Every part must have an end. Texts and object must outlive the source. The caller calls
 * object_reader_fini() for `reader` afterwards. `waker` is as for object_reader_init(), whose
 * result for the first part is returned. If a later part fails, or the body ends inside a part, the
 * source ends with an error. */
int parts_source_init(struct parts_source *source, const struct body_parts *parts,
                      struct object *object, struct object_reader *reader, struct waker waker);

#endif

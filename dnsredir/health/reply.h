/*
 * reply - parses what a replica answers to a probe, piece by piece. Pure; nothing of it is trusted.
 */
#ifndef LARDER_DNSREDIR_HEALTH_REPLY_H
#define LARDER_DNSREDIR_HEALTH_REPLY_H

#include "dnsredir/steering/load.h"

#define REPLY_HEAD_MAX 4096
#define REPLY_BODY_MAX 65536 /* with a longer body the connection is not kept */

struct reply {
    char head[REPLY_HEAD_MAX];
    size_t head_len; /* bytes so far */
    bool head_done;
    uint64_t body_left;
    int status;       /* 100..599 */
    bool keep;        /* the connection may be used again */
    struct span body; /* the part of it in the bytes taken last; only with `keep` */
    bool has_load;
    struct load_report load;
};

/* To be called before the first byte of a reply. */
void reply_begin(struct reply *reply);

/* Takes bytes that have arrived. Returns 1: the reply is complete; 0: more must come; or
 * ERR_SYNTAX: it is not HTTP. */
int reply_take(struct reply *reply, struct span bytes);

#endif

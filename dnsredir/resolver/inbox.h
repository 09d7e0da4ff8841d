/*
 * inbox - the replies of the resolver on their way to one worker. Only for resolver.c and inbox.c;
 * what others need is in resolver.h.
 */
#ifndef LARDER_DNSREDIR_RESOLVER_INBOX_H
#define LARDER_DNSREDIR_RESOLVER_INBOX_H

#include "base/list.h"
#include "dnsredir/resolver/resolver.h"

/* The answer to one query, on the heap. */
struct reply {
    struct list link;
    struct ticket *ticket;
    struct unresolved *query;
    struct answer_note note;
    size_t len;
    uint8_t bytes[];
};

/* Takes over the reply, and wakes the worker. If the inbox is closed the reply is freed. For any
 * thread. */
void inbox_post(struct inbox *inbox, struct reply *reply);
/* Frees a reply with its ticket and its query. */
void inbox_reply_free(struct reply *reply);

#endif

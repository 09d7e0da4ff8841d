/*
 * inbox - what the resolver sends back to a worker. Between the two of them alone; see resolver.h.
 */
#ifndef LARDER_DNSREDIR_RESOLVER_INBOX_H
#define LARDER_DNSREDIR_RESOLVER_INBOX_H

#include "base/list.h"
#include "dnsredir/resolver/resolver.h"

/* An answer on its way to its ticket. */
struct reply {
    struct list link;
    struct ticket *ticket;
    struct unresolved *query;
    struct answer_note note;
    size_t len;
    uint8_t bytes[];
};

/* Takes the reply. Any thread; when the inbox is closed the reply is freed. */
void inbox_post(struct inbox *inbox, struct reply *reply);
void inbox_reply_free(struct reply *reply);

#endif

/*
 * client_quota - how many questions each client of the resolver has open, and whether it may ask
 * one more. A client that has all it may have keeps nobody else from asking, and new questions are
 * not refused because of old ones that nobody answers. Pure; belongs to one thread.
 *
 * A question waits until its client has an answer, and is open until the recursor has finished with
 * it. When a client asks too much, its oldest waiting question gives way to the new one, if it has
 * waited for CLIENT_QUOTA_FAIR_MS: questions that nobody answers soon are that old, all others are
 * not.
 */
#ifndef LARDER_DNSREDIR_RESOLVER_CLIENT_QUOTA_H
#define LARDER_DNSREDIR_RESOLVER_CLIENT_QUOTA_H

#include "base/list.h"
#include "base/map.h"
#include "base/prefix.h"
#include "base/siphash.h"

/* No question gives way before it has waited so long: most names are resolved sooner. */
#define CLIENT_QUOTA_FAIR_MS 500

struct client_quotas {
    struct map map;
    struct sip_key key;
};

/* What one client (IPv4 address or IPv6 /64) may have. */
struct client_quota {
    uint64_t waiting;
    uint64_t open; /* including those that wait */
};

/* The limits of one client, where `outstanding` questions may be open in all and `per_client` of
 * one client may wait. Twice as many may be open, if that leaves some for others. */
struct client_quota client_quota(uint64_t outstanding, uint64_t per_client);

/* One question, to be embedded. Zeroed it belongs to no client. */
struct client_question {
    struct list link;
    struct quota_client *client;
    uint64_t since_ms;
    bool waits;
};

void client_quotas_init(struct client_quotas *quotas);
/* All questions must have left. */
void client_quotas_fini(struct client_quotas *quotas);

/* Counts a question of the client at `ip`, which begins to wait. */
void client_quotas_enter(struct client_quotas *quotas, const struct ip *ip, uint64_t now_ms,
                         struct client_question *question);
/* May the question that entered last be asked? If so, and *instead is set, that question gives way
 * to it: answer its client at once, and call client_question_answered(). */
bool client_question_allowed(const struct client_question *question,
                             const struct client_quota *limits, uint64_t now_ms,
                             struct client_question **instead);
/* The question waits no more, but is still open. Does nothing if it did not wait. */
void client_question_answered(struct client_question *question);
/* The question is open no more. Does nothing if it belongs to no client. */
void client_quotas_leave(struct client_quotas *quotas, struct client_question *question);

#endif

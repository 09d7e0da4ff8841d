/*
 * dialogue - a redirector without sockets: settings from YAML, queries as words, responses as
 * one line of text that a table can hold.
 */
#ifndef LARDER_TESTS_DIALOGUE_H
#define LARDER_TESTS_DIALOGUE_H

#include "dnsredir/answer/answer.h"
#include "dnsredir/config/directives.h"
#include "dnsredir/zone/signatures.h"

struct dialogue {
    struct settings *settings;
    struct standing standing;
    struct view view;
    struct client client;
    struct answer_note note; /* of the last answer */
    struct signatures *signatures;
    uint8_t packet[DNS_MESSAGE_MAX]; /* the last answer */
    size_t packet_len;
};

/* Fails the test when `yaml` has errors. All replicas are up. It is the second 0; zones
 * with a key are signed. */
void dialogue_init(struct dialogue *d, const char *yaml);
void dialogue_fini(struct dialogue *d);
/* Signs anew, at most `most` sets ahead, at client.now. */
void dialogue_sign(struct dialogue *d, size_t most);
void dialogue_set_up(struct dialogue *d, unsigned replica, bool up);

/* The errors of a configuration that must have some, to be freed by the caller. */
char *dialogue_errors(const char *yaml);
/* The notes of one that is accepted, likewise. */
char *dialogue_notes(const char *yaml);
/* Is it accepted? Checks that one which is not says why. */
bool dialogue_is_good(const char *yaml);

struct question {
    const char *name;
    const char *type;   /* "A", ..., or "TYPE65" */
    const char *subnet; /* "10.1.0.0/16", or NULL: no client subnet; with a colon IPv6 */
    bool edns;          /* implied by subnet and dnssec */
    uint16_t payload;   /* 0: 1232 */
    uint16_t flags;
    uint16_t class; /* 0: IN */
    bool dnssec;    /* DO */
};

/* The query as bytes. */
size_t question_write(const struct question *question, uint8_t *out, size_t room);

/* "NOERROR aa | www.example. 30 A 192.0.2.1 | ns ... | ar ... | scope 16": the code, flags, the
 * sections that are not empty, EDNS if there is OPT. Fails the test when the packet is malformed
 * in any way. Static memory. */
const char *ask(struct dialogue *d, const struct question *question);
const char *ask_bytes(struct dialogue *d, struct span packet);

/* Packets, and what each is answered with. */
struct packet_row {
    const char *what;
    struct span packet;
    const char *want;
};
void ask_rows(struct dialogue *d, const struct packet_row *rows, size_t count);

const char *response_text(struct span packet);

#endif

/*
 * sandbox - what a daemon gives up when it has started: every capability, the way to new ones
 * (no_new_privs), and all system calls that it does not need (seccomp(2), see sandbox_calls.c).
 *
 *     sandbox_begin(mode);   no thread yet: those that begin from now on have no capabilities
 *     ...                    sockets below port 1024 are bound by the first thread
 *     sandbox_enter();       now it has none either, and the filter is on all threads
 *
 * Nothing of it keeps a process from starting: what the kernel cannot do is said in the log.
 */
#ifndef LARDER_BASE_SANDBOX_H
#define LARDER_BASE_SANDBOX_H

#include <stdbool.h>

enum sandbox_mode {
    SANDBOX_ON,     /* what is not needed fails; what only an attack would call ends the process */
    SANDBOX_OFF,    /* neither filter nor dropped capabilities */
    SANDBOX_LOG,    /* calls that "on" forbids are made, and told to the kernel's log */
    SANDBOX_STRICT, /* the first forbidden call ends the process, and says its number: for tests */
};

/* "on", "off", …, NULL: by mode, fit for CONF_ENUM. */
extern const char *const sandbox_words[];

/* Once, by the first thread, before there are others. */
void sandbox_begin(enum sandbox_mode mode);
/* Once, by the same thread, when everything is open that needs privileges. Logs what is in force.
 */
void sandbox_enter(void);
/* Who starts a thread asks before: must it give up its capabilities by itself? Then it calls
 * sandbox_thread() first of all, or, if it did not begin, somebody else sandbox_no_thread():
 * sandbox_enter() waits for one of them, as afterwards it could not any more. */
bool sandbox_awaits_thread(void);
void sandbox_thread(void);
void sandbox_no_thread(void);

/* What is in force. */
struct sandbox_report {
    const char *filter; /* a word of sandbox_words[]: "off" also when the kernel has no filters */
    const char *why;    /* it is off; NULL when it is not */
    bool no_new_privs;
    bool no_capabilities;
};
/* Any thread, after sandbox_enter(). */
struct sandbox_report sandbox_report(void);
/* Calls that are forbidden are not made. */
bool sandbox_is_tight(void);

#endif

/*
 * sandbox - drops privileges after the start of a daemon: all capabilities, ways to new ones
 * (no_new_privs), and all system calls that it does not need (seccomp(2), see sandbox_calls.c).
 *
 *     sandbox_begin(mode);   no thread so far: those started later have no capabilities
 *     ...                    sockets below port 1024 are bound by the first thread
 *     sandbox_enter();       now it has none either, and the filter is on all threads
 *
 * It never keeps a process from starting: what the kernel does not support is logged.
 */
#ifndef LARDER_BASE_SANDBOX_H
#define LARDER_BASE_SANDBOX_H

#include <stdbool.h>

enum sandbox_mode {
    SANDBOX_ON,     /* unneeded calls fail; calls that only an attack would make end the process */
    SANDBOX_OFF,    /* neither filter nor dropped capabilities */
    SANDBOX_LOG,    /* calls that "on" forbids are made, and logged by the kernel */
    SANDBOX_STRICT, /* the first forbidden call ends the process and prints its number: for tests */
};

/* "on", "off", …, NULL: by mode, for CONF_ENUM. */
extern const char *const sandbox_words[];

/* To be called once, by the first thread, before there are others. */
void sandbox_begin(enum sandbox_mode mode);
/* To be called once, by the same thread, when everything that needs privileges is open. Logs what
 * is in force. */
void sandbox_enter(void);
/* For whoever starts a thread: must the thread drop its capabilities itself? Then it calls
 * sandbox_thread() first; if it was not started after all, the caller calls sandbox_no_thread().
 * sandbox_enter() waits for one of both, as the thread could not do it later. */
bool sandbox_awaits_thread(void);
void sandbox_thread(void);
void sandbox_no_thread(void);

/* What is in force. */
struct sandbox_report {
    const char *filter; /* a word of sandbox_words[]; also "off" if the kernel has no filters */
    const char *why;    /* why it is off; NULL: it is not */
    bool no_new_privs;
    bool no_capabilities;
};
/* Thread-safe, after sandbox_enter(). */
struct sandbox_report sandbox_report(void);
/* Are forbidden calls prevented? */
bool sandbox_is_tight(void);

#endif

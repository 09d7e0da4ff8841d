/*
 * server - the whole running redirector: workers that answer, and the control loop of the calling
 * thread, which probes replicas, reloads and stops.
 *
 * Workers never wait for the control loop: what they answer from is published to them (publish.h),
 * and files are parsed on a thread of the pool.
 */
#ifndef LARDER_DNSREDIR_SERVER_H
#define LARDER_DNSREDIR_SERVER_H

#include "dnsredir/config/directives.h"

/* Runs until SIGTERM or SIGINT; SIGHUP loads the settings anew, from the same arguments. Takes over
 * `settings`. Tells the service manager when it is ready. Returns 0, or a negative errno if a
 * listener could not be opened. */
int server_run(int argc, char **argv, struct settings *settings);

#endif

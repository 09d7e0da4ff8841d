/*
 * server - the whole running redirector: workers that answer, and the control loop of the calling
 * thread, which probes replicas, reloads and stops.
 *
 * The workers never wait for the control loop: what they answer from is published to them (see
 * publish.h), and files are parsed on a thread of their own.
 */
#ifndef LARDER_DNSREDIR_SERVER_H
#define LARDER_DNSREDIR_SERVER_H

#include "dnsredir/config/directives.h"

/* Runs until SIGTERM or SIGINT; SIGHUP loads the settings anew from the same arguments. Owns
 * `settings`. Tells the service manager when it is ready. 0, or a negative errno when a listener
 * could not be opened. */
int server_run(int argc, char **argv, struct settings *settings);

#endif

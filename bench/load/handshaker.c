/*
 * handshaker - TLS handshakes, each on a connection of its own: connect, shake hands, ask once,
 * read the answer to its end. No other tool resumes sessions of TLS 1.3.
 *
 *     handshaker [options] PORT PATH
 *       --resume         a connection continues the session of the one before (RFC 8446, 2.2: a
 *                        pre-shared key with ECDHE; in TLS 1.2 without)
 *       --tls VERSION    1.3 or 1.2; 1.3
 *       --connections N  4, each a thread of its own: it begins the next when one has ended
 *       --seconds N      4
 *
 * On loopback; certificates are not verified, as that is the client's work. Prints one line of
 * JSON, in which "resumed" is how many handshakes were, by the word of both sides, and "tickets"
 * how many sessions the server gave. With --resume the first handshake of each thread, which is
 * full, does not count.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { ROOM = 16384, THREADS_MAX = 256, ERRORS_MAX = 1000, PATIENCE_S = 20 };

struct counts {
    unsigned long requests, resumed, sessions, errors;
};

struct client {
    pthread_t thread;
    SSL_CTX *context;
    SSL_SESSION *session; /* the newest; NULL: none, or none is wanted */
    struct counts counts;
};

static struct {
    bool resume;
    int version;
    unsigned connections;
    double seconds;
    uint16_t port;
    const char *path;
} want = {.version = TLS1_3_VERSION, .connections = 4, .seconds = 4};

static char request[1024];
static double ends;

static void fatal(const char *what)
{
    fprintf(stderr, "handshaker: %s\n", what);
    exit(1);
}

static double now(void)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

/* ---- sessions ---- */

/* Called by OpenSSL: in TLS 1.3 after the handshake, for each ticket that comes. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
    struct client *client = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

    client->counts.sessions++;
    SSL_SESSION_free(client->session);
    client->session = session;
    return 1;
}

static void prepare(struct client *client)
{
    client->context = SSL_CTX_new(TLS_client_method());
    if (!client->context || !SSL_CTX_set_min_proto_version(client->context, want.version) ||
        !SSL_CTX_set_max_proto_version(client->context, want.version)) {
        fatal("OpenSSL gives no context");
    }
    SSL_CTX_set_app_data(client->context, client);
    SSL_CTX_set_quiet_shutdown(client->context, 1);
    if (want.resume) {
        SSL_CTX_set_session_cache_mode(client->context,
                                       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(client->context, on_session);
    }
}

/* ---- a connection ---- */

static int open_socket(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons(want.port)};
    struct timeval patience = {.tv_sec = PATIENCE_S};
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0) {
        fatal("no socket");
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Whether the answer is 200. It ends with the connection. */
static bool ask(SSL *ssl)
{
    char room[ROOM];
    int len = (int)strlen(request);

    if (SSL_connect(ssl) != 1 || SSL_write(ssl, request, len) != len) {
        return false;
    }
    int n = SSL_read(ssl, room, sizeof(room));
    bool good = n > 12 && memcmp(room + 8, " 200", 4) == 0;
    while (n > 0) {
        n = SSL_read(ssl, room, sizeof(room));
    }
    SSL_shutdown(ssl); /* sends nothing; without it OpenSSL would forget the session */
    return good;
}

/* Whether it was answered; and if so, whether the session was resumed. */
static bool exchange(struct client *client, bool *resumed)
{
    SSL *ssl = SSL_new(client->context);
    int fd = open_socket();

    if (!ssl) {
        fatal("memory");
    }
    bool good = fd >= 0 && SSL_set_fd(ssl, fd) == 1 &&
                (!client->session || SSL_set_session(ssl, client->session) == 1) && ask(ssl);
    *resumed = good && SSL_session_reused(ssl);
    SSL_free(ssl);
    if (fd >= 0) {
        close(fd);
    }
    return good;
}

static void *shake(void *arg)
{
    struct client *client = arg;
    bool resumed;

    if (want.resume && !exchange(client, &resumed)) {
        client->counts.errors++;
    }
    client->counts.sessions = 0;
    while (now() < ends && client->counts.errors < ERRORS_MAX) {
        if (exchange(client, &resumed)) {
            client->counts.requests++;
            client->counts.resumed += resumed;
        } else {
            client->counts.errors++;
        }
    }
    return NULL;
}

/* ---- the whole ---- */

static void usage(void)
{
    fprintf(stderr, "usage: handshaker [--resume] [--tls 1.2|1.3] [--connections N] [--seconds N] "
                    "PORT PATH\n");
    exit(2);
}

static void set_option(const char *name, const char *value)
{
    if (strcmp(name, "--connections") == 0) {
        want.connections = (unsigned)atoi(value);
    } else if (strcmp(name, "--seconds") == 0) {
        want.seconds = atof(value);
    } else if (strcmp(name, "--tls") == 0 && strcmp(value, "1.2") == 0) {
        want.version = TLS1_2_VERSION;
    } else if (strcmp(name, "--tls") != 0 || strcmp(value, "1.3") != 0) {
        usage();
    }
}

static void read_options(int argc, char **argv)
{
    int at = 1;

    while (at < argc && argv[at][0] == '-') {
        if (strcmp(argv[at], "--resume") == 0) {
            want.resume = true;
            at++;
        } else if (at + 1 < argc) {
            set_option(argv[at], argv[at + 1]);
            at += 2;
        } else {
            usage();
        }
    }
    if (argc - at != 2 || want.connections < 1 || want.connections > THREADS_MAX ||
        want.seconds <= 0) {
        usage();
    }
    want.port = (uint16_t)atoi(argv[at]);
    want.path = argv[at + 1];
}

static void start(struct client *client)
{
    prepare(client);
    if (pthread_create(&client->thread, NULL, shake, client) != 0) {
        fatal("no thread");
    }
}

static void finish(struct client *client, struct counts *all)
{
    pthread_join(client->thread, NULL);
    all->requests += client->counts.requests;
    all->resumed += client->counts.resumed;
    all->sessions += client->counts.sessions;
    all->errors += client->counts.errors;
    SSL_SESSION_free(client->session);
    SSL_CTX_free(client->context);
}

int main(int argc, char **argv)
{
    static struct client clients[THREADS_MAX];
    struct counts all = {0};

    read_options(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    snprintf(request, sizeof(request),
             "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nConnection: close\r\n\r\n", want.path,
             want.port);
    double began = now();
    ends = began + want.seconds;
    for (unsigned i = 0; i < want.connections; i++) {
        start(&clients[i]);
    }
    for (unsigned i = 0; i < want.connections; i++) {
        finish(&clients[i], &all);
    }
    printf("{\"requests\": %lu, \"seconds\": %.3f, \"errors\": %lu, \"resumed\": %lu, "
           "\"sessions\": %lu}\n",
           all.requests, now() - began, all.errors, all.resumed, all.sessions);
    return 0;
}

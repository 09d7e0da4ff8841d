#include "ctl/fetch.h"

#include "base/check.h"
#include "base/err.h"
#include "ctl/show.h"
#include "http/h1_body.h"
#include "http/h1_parse.h"

#include <errno.h>
#include <jansson.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { WAIT_SECONDS = 10, ANSWER_MAX = 16 << 20, NAME_MAX_LEN = 255, REMARK_MAX = 200 };

/* ---- address of the admin listener ---- */

/* "http://HOST:PORT/" and "HOST:PORT" are the same. */
static struct span authority_of(const char *admin)
{
    struct span text = span_str(admin);

    if (span_starts(text, SPAN("http://"))) {
        text = span_skip(text, strlen("http://"));
    }
    if (span_ends(text, SPAN("/")) && !span_starts(text, SPAN("unix:"))) {
        text.len--;
    }
    return text;
}

/* Splits "HOST:PORT", "[V6]:PORT" or "PORT" into C strings; HOST and [V6] alone have `usual_port`.
 * False: not of that form. */
static bool split(struct span text, struct span usual_port, char *host, char *port)
{
    struct span name = text, digits = usual_port;
    uint64_t number;

    if (text.len && text.at[0] == '[') {
        size_t close = span_find(text, ']');
        name = span_take(span_skip(text, 1), close - 1);
        text = span_skip(text, close + 1);
        if (text.len) {
            digits = text.at[0] == ':' ? span_skip(text, 1) : SPAN_EMPTY;
        }
    } else if (span_to_u64(text, UINT16_MAX, &number)) {
        name = SPAN("127.0.0.1");
        digits = text;
    } else if (span_find(text, ':') < text.len) {
        digits = text;
        name = span_cut(&digits, ':');
    }
    if (name.len == 0 || name.len > NAME_MAX_LEN || !span_to_u64(digits, UINT16_MAX, &number)) {
        return false;
    }
    snprintf(host, NAME_MAX_LEN + 1, "%.*s", SPAN_ARGS(name));
    snprintf(port, 8, "%u", (unsigned)number);
    return true;
}

static int dial(int family, const struct sockaddr *address, socklen_t len)
{
    struct timeval wait = {.tv_sec = WAIT_SECONDS};
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -errno;
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
    if (connect(fd, address, len) != 0) {
        int err = -errno;
        close(fd);
        return err;
    }
    return fd;
}

static void explain(const char *admin, int err, struct buf *why)
{
    switch (err) {
    case -ECONNREFUSED:
        buf_printf(why,
                   "nothing listens on %s (connection refused); is it running? "
                   "--admin ADDRESS names another admin listener",
                   admin);
        return;
    case -ENOENT:
        buf_printf(why, "there is no socket %s; is the daemon running, with that admin address?",
                   admin);
        return;
    case -EACCES:
    case -EPERM:
        buf_printf(why,
                   "%s may not be opened by this user (%s); try as root or as the daemon's user",
                   admin, err_text(err));
        return;
    case -EAGAIN:
    case -EINPROGRESS:
    case -ETIMEDOUT:
        buf_printf(why, "nothing from %s for %d seconds; it is stuck, or a firewall is between",
                   admin, WAIT_SECONDS);
        return;
    }
    buf_printf(why, "%s cannot be asked: %s", admin, err_text(err));
}

static bool is_unix(struct span authority)
{
    return span_starts(authority, SPAN("unix:"));
}

static struct span path_of(struct span authority)
{
    return span_skip(authority, strlen("unix:"));
}

static int check(const char *admin, struct span usual_port, struct buf *why)
{
    char host[NAME_MAX_LEN + 1], port[8];
    struct span authority = authority_of(admin);
    size_t most = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;

    if (is_unix(authority)) {
        size_t len = path_of(authority).len;
        if (len > 0 && len <= most) {
            return 0;
        }
        buf_printf(why, "\"%s\" is no path of a socket; expected unix:/PATH of at most %zu bytes",
                   admin, most);
        return ERR_SYNTAX;
    }
    if (!split(authority, usual_port, host, port)) {
        buf_printf(why,
                   "\"%s\" is not an address; expected ADDRESS:PORT such as 127.0.0.1:3129, or "
                   "unix:/PATH",
                   admin);
        return ERR_SYNTAX;
    }
    return 0;
}

int fetch_address(const char *admin, const char *usual, struct buf *out, struct buf *why)
{
    char host[NAME_MAX_LEN + 1], port[8];
    struct span authority = authority_of(admin ? admin : usual), usual_port = span_str(usual);

    span_cut(&usual_port, ':');
    int err = check(admin ? admin : usual, usual_port, why);
    if (err) {
        return err;
    }
    if (is_unix(authority)) {
        buf_append(out, authority);
    } else {
        CHECK(split(authority, usual_port, host, port));
        buf_printf(out, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
    }
    buf_append(out, SPAN("\0"));
    return 0;
}

static int connect_unix(const char *admin, struct span path, struct buf *why)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    memcpy(address.sun_path, path.at, path.len);
    int fd = dial(AF_UNIX, (struct sockaddr *)&address, sizeof(address));
    if (fd < 0) {
        explain(admin, fd, why);
    }
    return fd;
}

static int connect_tcp(const char *admin, struct span authority, struct buf *why)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    char host[NAME_MAX_LEN + 1], port[8];

    CHECK(split(authority, SPAN_EMPTY, host, port)); /* check() has accepted the address */
    int failure = getaddrinfo(host, port, &hints, &list);
    if (failure) {
        buf_printf(why, "the name %s cannot be resolved: %s", host, gai_strerror(failure));
        return ERR_NO_ADDRESS;
    }
    int fd = ERR_NO_ADDRESS;
    for (const struct addrinfo *at = list; at && fd < 0; at = at->ai_next) {
        fd = dial(at->ai_family, at->ai_addr, at->ai_addrlen);
    }
    freeaddrinfo(list);
    if (fd < 0) {
        explain(admin, fd, why);
    }
    return fd;
}

/* ---- the exchange ---- */

static int send_all(int fd, struct span text)
{
    while (text.len) {
        ssize_t n = send(fd, text.at, text.len, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR) {
            return -errno;
        }
        text = span_skip(text, n > 0 ? (size_t)n : 0);
    }
    return 0;
}

/* Receives until the peer closes, which the request has asked for. */
static int receive_all(int fd, struct buf *out)
{
    ssize_t n = 1;

    while (n > 0 && buf_len(out) <= ANSWER_MAX) {
        n = recv(fd, buf_reserve(out, 65536), 65536, 0);
        if (n < 0 && errno == EINTR) {
            n = 1;
            continue;
        }
        buf_commit(out, n > 0 ? (size_t)n : 0);
    }
    return n < 0 ? -errno : n > 0 ? ERR_TOO_LARGE : 0;
}

static int read_body(const struct http_head *head, struct span bytes, struct buf *out)
{
    enum h1_body_result result = H1_BODY_DATA;
    struct h1_body body;

    h1_body_init(&body, head);
    while (result == H1_BODY_DATA || result == H1_BODY_TRAILERS) {
        struct span data = SPAN_EMPTY;
        size_t used;
        result = h1_body_next(&body, bytes, &used, &data);
        if (result == H1_BODY_DATA) {
            buf_append(out, data);
        }
        bytes = span_skip(bytes, used);
    }
    bool whole = result == H1_BODY_END || (result == H1_BODY_MORE && h1_body_eof_is_end(&body));
    return whole ? 0 : ERR_TRUNCATED;
}

bool fetch_error(struct span body, struct buf *out)
{
    json_t *root = json_loadb(body.at ? body.at : "", body.len, 0, NULL);
    const char *error = json_string_value(json_object_get(root, "error"));
    struct span line = span_trim(span_cut(&body, '\n'));
    bool is_line = !root && line.len > 0 && line.at[0] != '<' && line.len <= REMARK_MAX;

    if (error) {
        show_text(out, error);
    } else if (is_line) {
        char text[REMARK_MAX + 1];
        snprintf(text, sizeof(text), "%.*s", SPAN_ARGS(line));
        show_text(out, text);
    }
    json_decref(root);
    return error || is_line;
}

/* Says that the answer has a status which means that the request failed, and what it says itself.
 * Returns the code for it. */
static int explain_status(const char *admin, const char *path, int status, struct span body,
                          struct buf *why)
{
    struct span rest = span_str(path), page = span_cut(&rest, '?');
    struct buf error = BUF_INIT;

    buf_printf(why, "%s answers %.*s with status %d", admin, SPAN_ARGS(page), status);
    if (status != 404 && fetch_error(body, &error)) {
        buf_printf(why, ": %.*s", SPAN_ARGS(buf_span(&error)));
    } else {
        buf_printf(why, "; is that the right admin address?");
    }
    buf_fini(&error);
    return status == 503 ? ERR_BUSY : ERR_NOT_FOUND;
}

static int read_answer(const char *admin, const char *path, struct span bytes, struct buf *body,
                       struct buf *why)
{
    struct h1_scan scan = {0};
    struct h1_error error;
    struct http_head head;
    struct arena arena;
    size_t used;

    arena_init(&arena, NULL, 0);
    int err = h1_parse_response(&scan, bytes, &h1_default_limits, METHOD_GET, &arena, &head, &used,
                                &error);
    if (err) {
        buf_printf(why, "what answers on %s does not speak HTTP; is that the admin address?",
                   admin);
    } else if (read_body(&head, span_skip(bytes, used), body)) {
        buf_printf(why, "the answer of %s broke off", admin);
        err = ERR_TRUNCATED;
    } else if (head.status == 400) {
        err = ERR_REFUSED;
    } else if (head.status != 200) {
        err = explain_status(admin, path, head.status, buf_span(body), why);
    }
    arena_fini(&arena);
    return err;
}

int fetch_begin(const char *admin, const char *method, const char *path, struct buf *why)
{
    struct span authority = authority_of(admin);
    struct buf text = BUF_INIT;
    int err = check(admin, SPAN_EMPTY, why);

    if (err) {
        return err;
    }
    int fd = is_unix(authority) ? connect_unix(admin, path_of(authority), why)
                                : connect_tcp(admin, authority, why);
    if (fd < 0) {
        return fd;
    }
    struct span host = is_unix(authority) ? SPAN("localhost") : authority;
    buf_printf(&text, "%s %s HTTP/1.1\r\nHost: %.*s\r\n%sConnection: close\r\n\r\n", method, path,
               SPAN_ARGS(host), strcmp(method, "POST") == 0 ? "Content-Length: 0\r\n" : "");
    err = send_all(fd, buf_span(&text));
    buf_fini(&text);
    if (err) {
        explain(admin, err, why);
        close(fd);
        return err;
    }
    return fd;
}

static int ask(const char *admin, const char *method, const char *path, struct buf *body,
               struct buf *why)
{
    struct buf text = BUF_INIT;
    int fd = fetch_begin(admin, method, path, why);

    if (fd < 0) {
        return fd;
    }
    int err = receive_all(fd, &text);
    close(fd);
    if (err) {
        explain(admin, err, why);
    } else {
        err = read_answer(admin, path, buf_span(&text), body, why);
    }
    buf_fini(&text);
    return err;
}

int fetch(const char *admin, const char *path, struct buf *body, struct buf *why)
{
    return ask(admin, "GET", path, body, why);
}

int fetch_post(const char *admin, const char *path, struct buf *body, struct buf *why)
{
    return ask(admin, "POST", path, body, why);
}

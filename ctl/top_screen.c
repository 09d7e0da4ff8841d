/* The screen of `top`: draws a frame each second, handles keys, and restores the terminal at the
 * end. */
#include "ctl/top.h"
#include "ctl/watch.h"

#include "base/err.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { FRAME_MS = 1000, ONCE_SECONDS = 2, HALF_LIFE = 20, ONCE_ROWS = 52, ONCE_WIDTH = 600 };

struct screen {
    struct watch *watch;
    struct top *top;
    double since;
    struct termios before;
    bool raw;
};

static volatile sig_atomic_t ended, resized, stopped;

static void on_signal(int number)
{
    if (number == SIGWINCH) {
        resized = 1;
    } else if (number == SIGTSTP) {
        stopped = 1;
    } else {
        ended = 1;
    }
}

static double now_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- the terminal ---- */

static void put(const char *text)
{
    fputs(text, stdout);
}

static void screen_open(struct screen *screen)
{
    struct sigaction action = {.sa_handler = on_signal};
    struct termios raw;

    sigaction(SIGINT, &action, NULL); /* without SA_RESTART, so that signals end poll() */
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    sigaction(SIGWINCH, &action, NULL);
    sigaction(SIGTSTP, &action, NULL);
    if (tcgetattr(STDIN_FILENO, &screen->before) == 0) {
        raw = screen->before;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        raw.c_cc[VMIN] = 0;
        raw.c_cc[VTIME] = 0;
        screen->raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
    }
    put("\x1b[?1049h\x1b[?25l"); /* switches to the alternate screen and hides the cursor */
}

/* Whoever sees the screen go has the terminal as it was. */
static void screen_close(struct screen *screen)
{
    if (screen->raw) {
        tcsetattr(STDIN_FILENO, TCSANOW, &screen->before);
    }
    put("\x1b[?25h\x1b[?1049l");
    fflush(stdout);
}

/* Ctrl-Z: the shell gets its terminal back as it was, and `fg` brings the screen again. */
static void screen_leave(struct screen *screen)
{
    stopped = 0;
    screen_close(screen);
    raise(SIGSTOP);
    screen_open(screen);
    resized = 1;
}

static void screen_size(size_t *width, size_t *height)
{
    struct winsize size = {0};

    ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    *width = size.ws_col ? size.ws_col : 80;
    *height = size.ws_row ? size.ws_row : 24;
}

/* Draws what the keys do, dimmed, on the last line. */
static void draw_keys(size_t width, size_t height)
{
    struct buf keys = BUF_INIT;

    /* a character in the last column would make some terminals scroll */
    top_keys(width - 1, &keys);
    printf("\x1b[%zu;1H\x1b[2m%.*s\x1b[0m", height, SPAN_ARGS(buf_span(&keys)));
    buf_fini(&keys);
}

/* Draws from the top left corner and clears the rest of each line, then the rest of the screen:
 * this does not flicker. */
static void draw(struct screen *screen)
{
    struct buf frame = BUF_INIT;
    size_t width, height;

    screen_size(&width, &height);
    top_frame(screen->top, screen->since, now_seconds(), width, height - 1, false, &frame);
    put("\x1b[H");
    struct span rest = buf_span(&frame);
    while (rest.len) {
        struct span line = span_cut(&rest, '\n');
        printf("%.*s\x1b[K\r\n", SPAN_ARGS(line));
    }
    put("\x1b[J");
    draw_keys(width, height);
    fflush(stdout);
    buf_fini(&frame);
}

static void on_key(struct screen *screen, char key)
{
    enum top_by by;

    if (key == 'q' || key == 'Q' || key == 3) {
        ended = 1;
    } else if (top_by_key(key, &by)) {
        top_by(screen->top, by);
        screen->since = now_seconds();
        draw(screen);
    }
}

static void read_keys(struct screen *screen)
{
    char keys[32];
    ssize_t n = read(STDIN_FILENO, keys, sizeof(keys));

    ended |= n == 0 && !screen->raw;
    for (ssize_t i = 0; i < n; i++) {
        on_key(screen, keys[i]);
    }
}

/* ---- counting ---- */

/* Counts the lines received, at most *left of them. */
static void take_lines(struct screen *screen, uint64_t *left)
{
    double now = now_seconds();
    struct span line;

    while (*left && watch_line(screen->watch, &line)) {
        *left -= top_add(screen->top, line, now) == 0;
    }
}

/* Waits up to `ms` for more lines, and for keys if `keys`. */
static int wait_for_more(struct screen *screen, bool keys, int ms, struct buf *why)
{
    struct pollfd ready[] = {{.fd = screen->watch->fd, .events = POLLIN},
                             {.fd = keys ? STDIN_FILENO : -1, .events = POLLIN}};

    int n = poll(ready, ARRAY_LEN(ready), ms);
    if (n < 0) {
        return errno == EINTR ? 0 : -errno;
    }
    if (ready[1].revents) {
        read_keys(screen);
    }
    return ready[0].revents ? watch_more(screen->watch, why) : 0;
}

static int run_live(struct screen *screen, struct buf *why)
{
    uint64_t left = UINT64_MAX;
    double next = now_seconds();
    int err = 0;

    screen_open(screen);
    while (!err && !ended) {
        if (stopped) {
            screen_leave(screen);
        }
        double now = now_seconds();
        take_lines(screen, &left);
        if (now >= next || resized) {
            resized = 0;
            draw(screen);
            next = now + FRAME_MS / 1000.0;
        }
        err = wait_for_more(screen, true, (int)((next - now) * 1000) + 1, why);
    }
    screen_close(screen);
    return err;
}

/* Counts until *left lines were received or, if --count is not given, for a fixed time. */
static int run_once(struct screen *screen, uint64_t left, struct buf *why)
{
    double end = screen->since + (left == UINT64_MAX ? ONCE_SECONDS : 1e9);
    struct buf frame = BUF_INIT;
    int err = 0;

    while (!err && left && now_seconds() < end) {
        double more = (end - now_seconds()) * 1000;
        err = wait_for_more(screen, false, more < 1000 ? (int)more + 1 : 1000, why);
        take_lines(screen, &left);
    }
    top_frame(screen->top, screen->since, now_seconds(), ONCE_WIDTH, ONCE_ROWS, true, &frame);
    fwrite(frame.data, 1, buf_len(&frame), stdout);
    buf_fini(&frame);
    return err;
}

int verb_top(const struct ctl_options *options)
{
    struct watch watch = {.fd = -1};
    struct screen screen = {.watch = &watch};
    struct buf why = BUF_INIT;
    enum top_by by = TOP_HOST;
    uint64_t count;

    if (options->by && !top_by_word(options->by, &by)) {
        fprintf(stderr,
                "larderctl: --by %s is not known; expected host, client, url, outcome, reason, "
                "status, type or method\n",
                options->by);
        return CTL_USAGE;
    }
    if (!watch_count(options, &count)) {
        return CTL_USAGE;
    }
    bool once = options->once || !isatty(STDOUT_FILENO);
    int err = watch_open(&watch, options, &why);
    if (!err) {
        screen.top = top_new(by, once ? 0 : HALF_LIFE);
        screen.since = now_seconds();
        err = once ? run_once(&screen, count, &why) : run_live(&screen, &why);
        top_free(&screen.top);
    }
    if (err) {
        fprintf(stderr, "larderctl: %.*s\n", SPAN_ARGS(buf_span(&why)));
    }
    watch_close(&watch);
    buf_fini(&why);
    return err == ERR_REFUSED ? CTL_USAGE : err ? CTL_BAD : CTL_GOOD;
}

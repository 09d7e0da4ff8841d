/* main - larder-proxy: arguments, settings, and the server that runs with them. */
#include "base/inherited.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/sandbox.h"
#include "base/takeover.h"
#include "proxy/server.h"

#include <signal.h>
#include <stdio.h>

static void print(struct buf *text, FILE *to)
{
    fwrite(buf_span(text).at, 1, buf_len(text), to);
    buf_fini(text);
}

/* Takes over the settings: the first reload may free them. */
static int serve(struct settings **settings, int argc, char **argv)
{
    struct server *server;

    if (settings_flag(argc, argv, "--takeover") &&
        takeover_begin((*settings)->takeover, "larder-proxy") != 0) {
        return 1;
    }
    sandbox_begin((*settings)->sandbox);
    int err = server_new(settings, argc, argv, &server);

    if (!err) {
        err = server_run(server);
        server_free(&server);
    }
    return err ? 1 : 0;
}

/* When started without arguments, explains what that means. */
static void say_defaults(const struct settings *settings)
{
    fprintf(
        stderr,
        "larder-proxy: no configuration given, so the defaults apply: a proxy for this machine\n"
        "only, on %s, caching in memory. The dashboard is at http://%s/.\n"
        "Try: curl -x http://%s http://example.com/\n"
        "--allow PREFIX lets other clients in, --store DIR caches on disk, --help lists all\n"
        "options, and --print-config shows the settings in force. Ctrl-C stops it.\n",
        settings->listen[0].at.text, settings->admin.text, settings->listen[0].at.text);
}

/* Handles --help and the like. True: there is nothing else to do. */
static bool tell(int argc, char **argv)
{
    struct buf text = BUF_INIT;

    if (settings_flag(argc, argv, "--help")) {
        settings_help(&text);
    } else if (settings_flag(argc, argv, "--directives")) {
        settings_directives(&text);
    } else if (settings_flag(argc, argv, "--version")) {
        buf_printf(&text, "larder-proxy %s\n", LARDER_VERSION);
    } else {
        return false;
    }
    print(&text, stdout);
    return true;
}

int main(int argc, char **argv)
{
    struct buf text = BUF_INIT;
    struct settings *settings;

    memory_shape_heap();
    signal(SIGPIPE, SIG_IGN);
    log_begin();
    inherited_begin();
    if (tell(argc, argv)) {
        return 0;
    }
    if (server_load(argc, argv, NULL, &text, &settings) != 0) {
        print(&text, stderr);
        return 1;
    }
    int status = 0;
    if (settings_flag(argc, argv, "--print-config")) {
        settings_print(settings, &text);
        print(&text, stdout);
    } else if (settings_flag(argc, argv, "--print-settings")) {
        conf_write_settings(&settings->flat, &text);
        print(&text, stdout);
    } else if (!settings_flag(argc, argv, "--check")) {
        if (argc == 1) {
            say_defaults(settings);
        }
        status = serve(&settings, argc, argv);
    }
    settings_unref(&settings);
    buf_fini(&text);
    return status;
}

/*
 * larder-dns - answers names with the nearest healthy replica.
 */
#include "dnsredir/server.h"

#include <stdio.h>
#include <stdlib.h>

static void print(const struct buf *text, FILE *to)
{
    fwrite(buf_span(text).at ? buf_span(text).at : "", 1, buf_len(text), to);
    fflush(to);
}

/* --help and --version: done with. */
static bool tell(int argc, char **argv)
{
    struct buf out = BUF_INIT;
    bool help = settings_flag(argc, argv, "--help");

    if (help) {
        settings_help(&out);
    } else if (settings_flag(argc, argv, "--version")) {
        buf_printf(&out, "larder-dns %s\n", LARDER_VERSION);
    } else {
        return false;
    }
    print(&out, stdout);
    buf_fini(&out);
    return true;
}

int main(int argc, char **argv)
{
    struct buf errors = BUF_INIT;
    struct buf text = BUF_INIT;
    struct settings *settings;

    if (tell(argc, argv)) {
        return EXIT_SUCCESS;
    }
    bool show = settings_flag(argc, argv, "--print-config");
    int err = settings_load(argc, argv, &errors, show ? &text : NULL, &settings);
    print(&errors, stderr);
    print(&text, stdout);
    buf_fini(&errors);
    buf_fini(&text);
    if (err || show || settings_flag(argc, argv, "--check")) {
        settings_free(&settings);
        return err ? EXIT_FAILURE : EXIT_SUCCESS;
    }
    return server_run(argc, argv, settings) ? EXIT_FAILURE : EXIT_SUCCESS;
}

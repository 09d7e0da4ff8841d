/*
 * larder-dns - answers names with the nearest healthy replica.
 */
#include "base/inherited.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/takeover.h"
#include "dnsredir/config/directives_dnssec.h"
#include "dnsredir/server.h"

#include <stdio.h>
#include <stdlib.h>

static void print(const struct buf *text, FILE *to)
{
    fwrite(buf_span(text).at ? buf_span(text).at : "", 1, buf_len(text), to);
    fflush(to);
}

/* Handles --help and similar options. Returns whether there is nothing more to do. */
static bool print_info(int argc, char **argv)
{
    struct buf out = BUF_INIT;

    if (settings_flag(argc, argv, "--help")) {
        settings_help(&out);
    } else if (settings_flag(argc, argv, "--directives")) {
        settings_directives(&out);
    } else if (settings_flag(argc, argv, "--version")) {
        buf_printf(&out, "larder-dns %s\n", LARDER_VERSION);
    } else {
        return false;
    }
    print(&out, stdout);
    buf_fini(&out);
    return true;
}

/* --make-key FILE: a status for exit(); -1 when it is not asked for. */
static int make_key(int argc, char **argv)
{
    const char *path = settings_value(argc, argv, "--make-key");
    char fault[DNSSEC_FAULT_MAX];

    if (!path) {
        return -1;
    }
    if (dnssec_key_make(path, fault)) {
        fprintf(stderr, "larder-dns: %s: %s\n", path, fault);
        return EXIT_FAILURE;
    }
    printf("%s: a key for dnssec: { key: %s } of a zone; larder-dns --ds tells what its parent "
           "needs\n",
           path, path);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct buf errors = BUF_INIT;
    struct buf text = BUF_INIT;
    struct settings *settings;

    memory_shape_heap();
    log_begin();
    inherited_begin();
    if (print_info(argc, argv)) {
        return EXIT_SUCCESS;
    }
    int made = make_key(argc, argv);
    if (made >= 0) {
        return made;
    }
    bool show = settings_flag(argc, argv, "--print-config");
    bool ds = settings_flag(argc, argv, "--ds");
    int err = settings_load(argc, argv, &errors, show ? &text : NULL, &settings);
    if (!err && ds) {
        settings_ds(settings, &text);
        if (buf_len(&text) == 0) {
            buf_printf(&errors, "larder-dns: no zone has a key\n");
        }
    }
    bool settled = settings_flag(argc, argv, "--print-settings");
    if (!err && settled) {
        conf_write_settings(&settings->flat, &text);
    }
    print(&errors, stderr);
    print(&text, stdout);
    buf_fini(&errors);
    buf_fini(&text);
    if (err || show || ds || settled || settings_flag(argc, argv, "--check")) {
        settings_free(&settings);
        return err ? EXIT_FAILURE : EXIT_SUCCESS;
    }
    if (settings_flag(argc, argv, "--takeover") &&
        takeover_begin(settings->takeover, "larder-dns") != 0) {
        settings_free(&settings);
        return EXIT_FAILURE;
    }
    if (takeover_gift() && takeover_gift()->holds_store && settings->state) {
        fprintf(stderr,
                "larder-dns: cannot take over: the process there has the state %s; "
                "restart it instead\n",
                settings->state);
        settings_free(&settings);
        return EXIT_FAILURE;
    }
    return server_run(argc, argv, settings) ? EXIT_FAILURE : EXIT_SUCCESS;
}

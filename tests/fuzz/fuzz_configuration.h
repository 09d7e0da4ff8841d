/*
 * fuzz_configuration - the configuration of a daemon: loaded, checked and compiled as a whole, or
 * refused with reasons. Shared by fuzz_settings.c (larder-proxy) and fuzz_dns_settings.c
 * (larder-dns), which differ in the settings that they load.
 */
#ifndef LARDER_TESTS_FUZZ_CONFIGURATION_H
#define LARDER_TESTS_FUZZ_CONFIGURATION_H

#include "base/buf.h"
#include "base/check.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Loads the settings and frees them again. *loaded: there were any. */
typedef int fuzz_load(int argc, char **argv, struct buf *errors, bool *loaded);

static inline int fuzz_configuration(fuzz_load *load, const uint8_t *data, size_t size)
{
    char program[] = "larder", option[] = "--config", path[32];
    char *argv[] = {program, option, path, NULL};
    struct buf errors = BUF_INIT;
    bool loaded = false;
    int fd = memfd_create("configuration", MFD_CLOEXEC);

    CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof(path), "/dev/fd/%d", fd);
    int err = load(3, argv, &errors, &loaded);
    CHECK((err == 0) == loaded);
    CHECK(err == 0 || buf_len(&errors) > 0);
    buf_fini(&errors);
    close(fd);
    return 0;
}

#endif

/* A configuration of larder-proxy: read, checked and compiled whole, or refused with reasons. */
#include "base/check.h"
#include "proxy/directives.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char program[] = "larder-proxy", option[] = "--config", path[32];
    char *argv[] = {program, option, path, NULL};
    struct buf errors = BUF_INIT;
    struct settings *settings = NULL;
    int fd = memfd_create("configuration", MFD_CLOEXEC);

    CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof(path), "/dev/fd/%d", fd);
    int err = settings_load(3, argv, &errors, &settings);
    CHECK((err == 0) == (settings != NULL));
    CHECK(err == 0 || buf_len(&errors) > 0);
    settings_unref(&settings);
    buf_fini(&errors);
    close(fd);
    return 0;
}

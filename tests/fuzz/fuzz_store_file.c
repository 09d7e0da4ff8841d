/* A whole LMDB file: sound or not, the walk stays inside it, and ends. */
#include "base/check.h"
#include "base/err.h"
#include "base/lmdb_sound.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = memfd_create("store", MFD_CLOEXEC);
    char path[64];

    CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int whole = lmdb_sound_check(path);
    int small = lmdb_sound_check_without(path, "obj");
    CHECK((whole == 0 || whole == ERR_CORRUPT) && (small == 0 || small == ERR_CORRUPT));
    CHECK(whole != 0 || small == 0);
    close(fd);
    return 0;
}

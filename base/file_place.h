/*
 * file_place - where bytes of a mapping are in its file, so that the kernel can send them from
 * there (sendfile(2)) instead of copying them.
 */
#ifndef LARDER_BASE_FILE_PLACE_H
#define LARDER_BASE_FILE_PLACE_H

#include <stdint.h>

struct file_place {
    int fd;          /* borrowed: do not close it, and do not use its position */
    uint64_t offset; /* of the first byte */
};

#endif

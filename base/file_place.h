/*
 * file_place - where bytes that are lent from a mapping lie in its file, so that the kernel can
 * send them from there (sendfile(2)) instead of copying them out of the mapping.
 */
#ifndef LARDER_BASE_FILE_PLACE_H
#define LARDER_BASE_FILE_PLACE_H

#include <stdint.h>

struct file_place {
    int fd;          /* its owner's: not to be closed, and its position not to be used */
    uint64_t offset; /* of the first byte */
};

#endif

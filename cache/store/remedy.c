#include "cache/store/remedy.h"

#include "base/err.h"

#include <errno.h>

const char *remedy_for(int err)
{
    switch (err) {
    case -EACCES:
    case -EPERM:
        return "the user of this process must be able to write to it and to all files in it";
    case -EROFS:
        return "mount its file system for writing, or name another directory";
    case -ENOSPC:
    case -EDQUOT:
        return "make room on its file system, or name a directory on another one";
    case -ENOTDIR:
    case -ENAMETOOLONG:
    case -ELOOP:
        return "name a directory, or a path at which one can be made";
    case -ENOENT:
        return "it was removed or unmounted: restart when it is there again";
    case -EMFILE:
    case -ENFILE:
        return "raise the limit of open files";
    case -ENOMEM:
        return "give it a smaller size: all of it is mapped into the address space";
    case ERR_FULL:
        return "slow readers hold the room of what was evicted: a larger size helps";
    case ERR_BUSY:
        return "see store_in_use";
    default:
        return "see what the kernel says of its file system: dmesg";
    }
}

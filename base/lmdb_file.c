#include "base/lmdb_file.h"

#include "base/err.h"
#include "base/guard.h"
#include "base/lmdb_sound.h"

#include <errno.h>
#include <sys/stat.h>

#define FILE_MODE 0640

int lmdb_file_error(int result)
{
    switch (result) {
    case 0:
        return 0;
    case MDB_NOTFOUND:
        return ERR_NOT_FOUND;
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
        return ERR_FULL;
    case MDB_INVALID:
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_VERSION_MISMATCH:
        return ERR_CORRUPT;
    case MDB_PANIC:
        return ERR_CLOSED;
    }
    return result > 0 ? -result : ERR_IO;
}

MDB_val lmdb_file_val(struct span bytes)
{
    MDB_val val = {bytes.len, NULL};

    memcpy(&val.mv_data, &bytes.at, sizeof(bytes.at)); /* not const, but LMDB never writes there */
    return val;
}

static int check_length(MDB_env *env)
{
    MDB_envinfo info;
    MDB_stat stat;
    struct stat file;
    mdb_filehandle_t fd;
    int err = mdb_env_info(env, &info);

    err = err ? err : mdb_env_stat(env, &stat);
    err = err ? err : mdb_env_get_fd(env, &fd);
    if (err) {
        return lmdb_file_error(err);
    }
    if (fstat(fd, &file) < 0) {
        return -errno;
    }
    return (uint64_t)file.st_size < (info.me_last_pgno + 1) * stat.ms_psize ? ERR_CORRUPT : 0;
}

int lmdb_file_open(const char *path, const struct lmdb_file_plan *plan, MDB_env **env)
{
    *env = NULL;
    guard_install();
    int err = plan->tables ? lmdb_sound_check(path) : lmdb_sound_check_nameless(path);

    if (err) {
        return err;
    }
    err = mdb_env_create(env);
    err = err ? err : mdb_env_set_mapsize(*env, plan->map_size);
    if (!err && plan->tables) {
        err = mdb_env_set_maxdbs(*env, plan->tables);
    }
    if (!err && plan->on_impossible) {
        err = mdb_env_set_assert(*env, plan->on_impossible);
    }
    if (!err) {
        err = mdb_env_open(*env, path, MDB_NOSUBDIR | MDB_NOTLS | plan->flags, FILE_MODE);
    }
    return err ? lmdb_file_error(err) : check_length(*env);
}

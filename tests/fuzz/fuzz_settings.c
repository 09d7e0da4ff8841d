/* A configuration of larder-proxy, see fuzz_configuration.h. */
#include "proxy/config/directives.h"
#include "tests/fuzz/fuzz_configuration.h"

static int load(int argc, char **argv, struct buf *errors, bool *loaded)
{
    struct settings *settings = NULL;
    int err = settings_load(argc, argv, errors, &settings);

    *loaded = settings != NULL;
    settings_unref(&settings);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_configuration(load, data, size);
}

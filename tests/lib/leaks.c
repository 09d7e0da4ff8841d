/* leaks - each test of a part is a process, and looking for leaks at its end takes longer than the
 * test. Whole programs and fuzz targets do so always, these with LARDER_LEAKS in the environment.
 */
#include <stdlib.h>

int __lsan_is_turned_off(void);

int __lsan_is_turned_off(void)
{
    return getenv("LARDER_LEAKS") == NULL;
}

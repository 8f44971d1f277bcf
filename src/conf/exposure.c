#include "conf/exposure.h"

#include <stdlib.h>
#include <string.h>

bool exposure_to_all(const char *path, mode_t mode)
{
    char *real = (mode & S_IROTH) != 0 ? realpath(path, NULL) : NULL;
    bool open = real != NULL;
    struct stat st;

    /* From the folder of the file up to the root. */
    for (char *slash; open && (slash = strrchr(real, '/')) != NULL;) {
        *slash = '\0';
        if (stat(real[0] != '\0' ? real : "/", &st) == 0)
            open = (st.st_mode & S_IXOTH) != 0;
    }
    free(real);
    return open;
}

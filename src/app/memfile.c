#include "app/memfile.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

int memfile_write(const char *name, const void *p, size_t len)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    size_t done = 0;

    while (fd >= 0 && done < len) {
        ssize_t n = write(fd, (const char *)p + done, len - done);
        if (n <= 0) {
            close(fd);
            return -1;
        }
        done += (size_t)n;
    }
    if (fd >= 0)
        (void)fcntl(fd, F_ADD_SEALS, SEALS);
    return fd;
}

bool memfile_is_sealed(int fd)
{
    return fcntl(fd, F_GET_SEALS) == SEALS;
}

void *memfile_read(int fd, size_t max, size_t *len)
{
    struct stat st;

    if (fstat(fd, &st) != 0 || st.st_size < 0 || (uint64_t)st.st_size > max)
        return NULL;
    *len = (size_t)st.st_size;
    void *p = mem_zalloc(*len + 1);
    if (pread(fd, p, *len, 0) == (ssize_t)*len)
        return p;
    free(p);
    return NULL;
}

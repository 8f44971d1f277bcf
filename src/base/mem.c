#include "base/mem.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

static void *checked(void *p)
{
    if (p == NULL) {
        fputs("sallyport: out of memory\n", stderr);
        abort();
    }
    return p;
}

void *mem_zalloc(size_t size)
{
    return checked(calloc(1, size ? size : 1));
}

void *mem_grow(void *p, size_t n, size_t size)
{
    if (size == 0 || n > SIZE_MAX / size)
        return checked(NULL);
    return checked(realloc(p, n > 0 ? n * size : 1));
}

void *mem_append(void *p, size_t n, size_t size)
{
    bool full = (n & (n - 1)) == 0;     /* a power of two, or 0 */

    return full ? mem_grow(p, n > 0 ? 2 * n : 1, size) : p;
}

void *mem_dup(const void *p, size_t len)
{
    void *copy = mem_zalloc(len);

    if (len != 0)
        memcpy(copy, p, len);
    return copy;
}

char *mem_strndup(const char *s, size_t len)
{
    char *copy = mem_zalloc(len + 1);

    if (len != 0)
        memcpy(copy, s, len);
    return copy;
}

char *mem_strdup(const char *s)
{
    return mem_strndup(s, strlen(s));
}

char *mem_printf(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        return checked(NULL);

    char *s = mem_zalloc((size_t)n + 1);
    va_start(ap, fmt);
    vsnprintf(s, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return s;
}

char *mem_join(char *list, const char *sep, const char *item)
{
    char *longer = mem_printf("%s%s%s", list, list[0] != '\0' ? sep : "", item);

    free(list);
    return longer;
}

void mem_wipe_free(void *p, size_t len)
{
    if (p == NULL)
        return;
    explicit_bzero(p, len);
    free(p);
}

void mem_trim(void)
{
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

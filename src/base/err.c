#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *e, const char *fmt, ...)
{
    int saved = errno;
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(e->text, sizeof(e->text), fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof(e->text))
        snprintf(e->text + n, sizeof(e->text) - (size_t)n, ": %s", strerror(saved));
    return -1;
}

int err_setx(struct err *e, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(e->text, sizeof(e->text), fmt, ap);
    va_end(ap);
    return -1;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
    struct err inner = *e;
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(e->text, sizeof(e->text), fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n + 3 > sizeof(e->text))
        return -1;

    size_t at = (size_t)n;
    size_t len = strlen(inner.text), room = sizeof(e->text) - at - 3;
    memcpy(e->text + at, ": ", 2);
    if (len > room)
        len = room;
    memcpy(e->text + at + 2, inner.text, len);
    e->text[at + 2 + len] = '\0';
    return -1;
}

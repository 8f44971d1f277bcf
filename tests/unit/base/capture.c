#include "capture.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int pipe_fds[2];
static char captured[65536 + 1];

void capture_begin(enum log_format format, enum log_level level)
{
    if (pipe(pipe_fds) != 0 || fcntl(pipe_fds[1], F_SETFL, O_NONBLOCK) != 0)
        _exit(99);
    log_set(&(struct log_sink){ pipe_fds[1], format, level });
}

const char *capture_end(void)
{
    size_t len = 0;
    ssize_t n;

    close(pipe_fds[1]);
    while ((n = read(pipe_fds[0], captured + len, sizeof(captured) - 1 - len)) > 0)
        len += (size_t)n;
    captured[len] = '\0';
    close(pipe_fds[0]);
    log_set(&(struct log_sink){ STDERR_FILENO, LOG_FORMAT_TEXT, LOG_LEVEL_INFO });
    return captured;
}

/* A strict recogniser, so that a test need not trust the code it tests. Each
   function takes a place in the text and returns the place behind what it
   recognised, or NULL. */
static const char *value(const char *p);

static const char *blanks(const char *p)
{
    return p + strspn(p, " \t\r\n");
}

static const char *string(const char *p)
{
    if (*p++ != '"')
        return NULL;
    for (; *p != '"'; p++) {
        if ((unsigned char)*p < 0x20)
            return NULL;                /* control bytes, and the end of the text */
        if (*p != '\\')
            continue;
        p++;
        if (*p == 'u') {
            for (int i = 1; i <= 4; i++)
                if (!isxdigit((unsigned char)p[i]))
                    return NULL;
            p += 4;
        } else if (*p == '\0' || strchr("\"\\/bfnrt", *p) == NULL) {
            return NULL;
        }
    }
    return p + 1;
}

static const char *number(const char *p)
{
    size_t digits;

    if (*p == '-')
        p++;
    digits = strspn(p, "0123456789");
    if (digits == 0 || (digits > 1 && *p == '0'))
        return NULL;
    p += digits;
    if (*p == '.') {
        digits = strspn(p + 1, "0123456789");
        if (digits == 0)
            return NULL;
        p += 1 + digits;
    }
    return p;
}

/* Members between the brackets; with names in an object. */
static const char *members(const char *p, char close)
{
    p = blanks(p + 1);
    if (*p == close)
        return p + 1;
    for (;;) {
        if (close == '}') {
            p = string(blanks(p));
            if (p == NULL || *(p = blanks(p)) != ':')
                return NULL;
            p++;
        }
        p = value(p);
        if (p == NULL)
            return NULL;
        p = blanks(p);
        if (*p == close)
            return p + 1;
        if (*p++ != ',')
            return NULL;
    }
}

static const char *value(const char *p)
{
    static const char *const words[] = { "null", "true", "false" };

    p = blanks(p);
    if (*p == '{' || *p == '[')
        return members(p, *p == '{' ? '}' : ']');
    if (*p == '"')
        return string(p);
    for (size_t i = 0; i < 3; i++)
        if (strncmp(p, words[i], strlen(words[i])) == 0)
            return p + strlen(words[i]);
    return number(p);
}

bool json_is_valid(const char *text)
{
    const char *end = value(text);

    return end != NULL && *blanks(end) == '\0';
}

bool json_member(const char *object, const char *name, char *out, size_t cap)
{
    char needle[64];
    size_t n = 0;

    snprintf(needle, sizeof(needle), "\"%s\":", name);
    const char *p = strstr(object, needle);
    if (p == NULL)
        return false;
    p = blanks(p + strlen(needle));
    bool quoted = *p == '"';
    if (quoted)
        p++;
    for (; n + 1 < cap && *p != '\0' && (quoted ? *p != '"' : strchr(",}\n", *p) == NULL); p++) {
        if (quoted && *p == '\\')
            p++;
        out[n++] = *p;
    }
    out[n] = '\0';
    return true;
}

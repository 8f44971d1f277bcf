#include "base/json.h"

#include <assert.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "base/str.h"

/* How many bytes at s are one character of UTF-8 above ASCII (RFC 3629 4); 0: none. */
static size_t utf8_len(const unsigned char *s)
{
    size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;

    if (s[0] < 0xc2 || s[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f)
        || (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;               /* overlong, a surrogate, above U+10FFFF */
    return n;
}

static void quoted(FILE *out, const char *s)
{
    fputc('"', out);
    while (*s != '\0') {
        unsigned char c = (unsigned char)*s;
        size_t n = c < 0x80 ? 1 : utf8_len((const unsigned char *)s);
        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c < 0x20)
            fprintf(out, "\\u%04x", c);
        else if (c == 0x7f || (c == 0xc2 && n > 0 && (unsigned char)s[1] < 0xa0))
            fprintf(out, "\\u%04x", (unsigned char)s[n - 1]);     /* controls beyond, too */
        else if (n == 0)
            fputs("\\ufffd", out);
        else
            fwrite(s, 1, n, out);
        s += n > 0 ? n : 1;
    }
    fputc('"', out);
}

static uint32_t bit(const struct json *j)
{
    return (uint32_t)1 << j->depth;
}

static void new_line(const struct json *j)
{
    fprintf(j->out, "\n%*s", 2 * (int)j->depth, "");
}

/* What stands before a value: comma, line break, name. */
static void begin(struct json *j, const char *name)
{
    if (j->filled & bit(j))
        fputs(j->lines & bit(j) ? "," : ", ", j->out);
    if (j->lines & bit(j))
        new_line(j);
    j->filled |= bit(j);
    if (name != NULL) {
        quoted(j->out, name);
        fputs(": ", j->out);
    }
}

static void open_container(struct json *j, const char *name, char bracket, enum json_style style)
{
    begin(j, name);
    fputc(bracket, j->out);
    j->depth++;
    assert(j->depth <= JSON_DEPTH_MAX);
    j->filled &= ~bit(j);
    j->lines = style == JSON_LINES ? j->lines | bit(j) : j->lines & ~bit(j);
    j->arrays = bracket == '[' ? j->arrays | bit(j) : j->arrays & ~bit(j);
}

void json_object(struct json *j, const char *name, enum json_style style)
{
    open_container(j, name, '{', style);
}

void json_array(struct json *j, const char *name, enum json_style style)
{
    open_container(j, name, '[', style);
}

void json_end(struct json *j)
{
    bool array = j->arrays & bit(j), broken = (j->filled & bit(j)) && (j->lines & bit(j));

    assert(j->depth > 0);
    j->depth--;
    if (broken)
        new_line(j);
    fputc(array ? ']' : '}', j->out);
    if (j->depth == 0) {
        fputc('\n', j->out);
        j->filled = 0;          /* another may follow */
    }
}

void json_text(struct json *j, const char *name, const char *s)
{
    begin(j, name);
    if (s != NULL)
        quoted(j->out, s);
    else
        fputs("null", j->out);
}

void json_escaped(struct json *j, const char *name, const char *escaped)
{
    char *text = escaped != NULL ? str_unescape(mem_strdup(escaped)) : NULL;

    json_text(j, name, text);
    free(text);
}

void json_number(struct json *j, const char *name, int64_t n)
{
    begin(j, name);
    fprintf(j->out, "%" PRId64, n);
}

void json_time(struct json *j, const char *name, int64_t t)
{
    time_t sec = (time_t)t;
    char text[40];
    struct tm tm;
    bool known = t != INT64_MIN && t != INT64_MAX && gmtime_r(&sec, &tm) != NULL
              && strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) > 0;

    json_text(j, name, known ? text : NULL);
}

void json_bool(struct json *j, const char *name, bool yes)
{
    begin(j, name);
    fputs(yes ? "true" : "false", j->out);
}

#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/spill.h"

#define LAST_WORDS_MS 500

static struct log_sink sink = { STDERR_FILENO, LOG_FORMAT_TEXT, LOG_LEVEL_INFO };

static const struct {
    const char *name;
    int priority;
} levels[] = {
    [LOG_LEVEL_ERROR] = { "error", LOG_ERR },
    [LOG_LEVEL_WARN] = { "warn", LOG_WARNING },
    [LOG_LEVEL_INFO] = { "info", LOG_INFO },
    [LOG_LEVEL_DEBUG] = { "debug", LOG_DEBUG },
};

void log_set(const struct log_sink *s)
{
    (void)log_flush();          /* to where it was meant for, if that takes it */
    sink = *s;
}

struct log_sink log_get(void)
{
    return sink;
}

bool log_wants(enum log_level level)
{
    return level <= sink.level;
}

#define TAIL 4 /* room kept for the closing quote or brace and the newline */

static bool room(const struct logline *l, size_t n)
{
    return l->len + n + TAIL <= sizeof(l->text);
}

static void put(struct logline *l, const char *s, size_t n)
{
    memcpy(l->text + l->len, s, n);
    l->len += n;
}

/* One byte as it may stand between quotes in either format; at most 5 characters.
   In JSON each backslash doubles: its reader sees the same \xNN and \\ as in text,
   and can tell a line break from a backslash, x, 0 and a that a peer has sent. */
static size_t escaped(unsigned char c, char out[8])
{
    bool json = sink.format == LOG_FORMAT_JSON;

    if (c == '\\' && json) {
        memcpy(out, "\\\\\\\\", 4);
        return 4;
    }
    if (c == '"' || c == '\\') {
        out[0] = '\\';
        out[1] = (char)c;
        return 2;
    }
    if (c >= 0x20 && c < 0x7f) {
        out[0] = (char)c;
        return 1;
    }
    return (size_t)snprintf(out, 8, json ? "\\\\x%02x" : "\\x%02x", c);
}

/* Appends as much of the value as fits. */
static void put_escaped(struct logline *l, struct span v)
{
    for (size_t i = 0; i < v.len; i++) {
        char e[8];
        size_t n = escaped((unsigned char)v.p[i], e);
        if (!room(l, n))
            return;
        put(l, e, n);
    }
}

/* A message is ours, with at most a peer's words in it, and may hold escapes
   already: quotes and backslashes stay what they are (in JSON, as JSON writes
   them); only what could break the line or the terminal is escaped. */
static void put_message(struct logline *l, struct span v)
{
    bool json = sink.format == LOG_FORMAT_JSON;

    for (size_t i = 0; i < v.len; i++) {
        char e[8] = { '\\', v.p[i] };
        bool kept = v.p[i] == '"' || v.p[i] == '\\';
        size_t n = kept ? 2 : escaped((unsigned char)v.p[i], e);
        size_t skip = kept && !json ? 1 : 0;
        if (!room(l, n))
            return;
        put(l, e + skip, n - skip);
    }
}

/* Text values stand bare when no reader could mistake where they end. */
static bool bare(struct span v)
{
    if (v.len == 0)
        return false;
    for (size_t i = 0; i < v.len; i++) {
        unsigned char c = (unsigned char)v.p[i];
        if (c <= 0x20 || c >= 0x7f || c == '"' || c == '=' || c == '\\')
            return false;
    }
    return true;
}

static bool put_key(struct logline *l, const char *key, size_t value_min)
{
    size_t n = strlen(key);

    if (l->off || !room(l, n + 6 + value_min))
        return false;
    if (sink.format == LOG_FORMAT_JSON) {
        put(l, ",\"", 2);
        put(l, key, n);
        put(l, "\":", 2);
    } else {
        put(l, " ", 1);
        put(l, key, n);
        put(l, "=", 1);
    }
    return true;
}

void logline_begin(struct logline *l, enum log_level level, const char *message)
{
    l->level = level;
    l->len = 0;
    l->off = !log_wants(level);
    if (l->off)
        return;

    char when[CLOCK_TEXT_MAX];
    clock_text(clock_wall_us(), when);
    int n;
    if (sink.format == LOG_FORMAT_JSON)
        n = snprintf(l->text, sizeof(l->text), "{\"time\":\"%s\",\"level\":\"%s\",\"message\":\"",
                     when, levels[level].name);
    else if (sink.fd < 0) /* syslog has the time and the level itself */
        n = 0;
    else
        n = snprintf(l->text, sizeof(l->text), "%s %-5s ", when, levels[level].name);
    l->len = (size_t)n;

    struct span m = { message, strlen(message) };
    put_message(l, m);
    if (sink.format == LOG_FORMAT_JSON)
        put(l, "\"", 1);
}

void logline_span(struct logline *l, const char *key, struct span v)
{
    if (v.p == NULL || !put_key(l, key, 2))
        return;
    if (sink.format == LOG_FORMAT_TEXT && bare(v)) {
        put_escaped(l, v);
        return;
    }
    put(l, "\"", 1);
    put_escaped(l, v);
    put(l, "\"", 1);
}

void logline_str(struct logline *l, const char *key, const char *value)
{
    if (value != NULL)
        logline_span(l, key, str_span(value));
}

static void put_number(struct logline *l, const char *key, const char *digits)
{
    size_t n = strlen(digits);

    if (put_key(l, key, n))
        put(l, digits, n);
}

void logline_u64(struct logline *l, const char *key, uint64_t value)
{
    char digits[24];

    snprintf(digits, sizeof(digits), "%llu", (unsigned long long)value);
    put_number(l, key, digits);
}

void logline_ms(struct logline *l, const char *key, uint64_t us)
{
    char digits[32];

    snprintf(digits, sizeof(digits), "%llu.%03u", (unsigned long long)(us / 1000),
             (unsigned)(us % 1000));
    put_number(l, key, digits);
}

static struct spill spill;

/* What waits at the end of the process gets a last chance. */
static void last_words(void)
{
    (void)spill_flush(&spill, sink.fd, LAST_WORDS_MS);
}

bool log_flush(void)
{
    return spill.len == 0 || spill_flush(&spill, sink.fd, 0);
}

void log_forget(void)
{
    spill_forget(&spill);
}

/* Told as soon as a line gets through again. */
static void tell_dropped(void)
{
    uint64_t n = spill.dropped;

    spill.dropped = 0;
    log_warn("%llu log lines were dropped: the log did not take them",
             (unsigned long long)n);
}

void logline_end(struct logline *l)
{
    static bool will_have_last_words;

    if (l->off)
        return;
    if (sink.format == LOG_FORMAT_JSON)
        put(l, "}", 1);
    if (sink.fd < 0) {
        syslog(LOG_DAEMON | levels[l->level].priority, "%.*s", (int)l->len, l->text);
        return;
    }
    put(l, "\n", 1);
    if (spill_write(&spill, sink.fd, l->text, l->len) && spill.dropped > 0)
        tell_dropped();
    if (spill.len > 0 && !will_have_last_words)
        will_have_last_words = atexit(last_words) == 0;
}

void log_line(enum log_level level, const char *fmt, ...)
{
    struct logline l;
    char message[LOGLINE_MAX];
    va_list ap;

    if (!log_wants(level))
        return;
    va_start(ap, fmt);
    vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    logline_begin(&l, level, message);
    logline_end(&l);
}

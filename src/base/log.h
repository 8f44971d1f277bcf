/*
 * log: one line for one happening, as text or JSON, to a descriptor or syslog.
 *
 * A line is a message and fields: log_line() for the plain ones, a `struct
 * logline` where fields are added one by one. Both formats come from the same
 * calls. Bytes that a peer chose are escaped here, so a caller cannot forget.
 * The sink is the one global of this layer; a process sets it at its start.
 */
#ifndef SALLYPORT_BASE_LOG_H
#define SALLYPORT_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

struct log_sink {
    int fd;                     /* -1: syslog(3) */
    enum log_format format;
    enum log_level level;       /* lines above it are left out */
};

/* The sink is copied; the descriptor stays the caller's. Default: stderr, text, info. */
void log_set(const struct log_sink *sink);
struct log_sink log_get(void);
bool log_wants(enum log_level level);

/*
 * Writing never waits: lines that a stalled reader does not take wait in memory, then
 * are dropped and counted (spill.h). log_flush() writes what waits, as far as it goes;
 * false while some is left. Whoever runs a loop calls it now and then.
 */
bool log_flush(void);

/* In a child after fork(): what waits is the parent's to write. */
void log_forget(void);

void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#define LOGLINE_MAX 4096        /* PIPE_BUF: lines of several processes do not mix in a pipe */

struct logline {
    enum log_level level;
    size_t len;
    bool off;                   /* below the sink's level: every call returns at once */
    char text[LOGLINE_MAX];
};

/* Begin a line about `message`; a field that does not fit is left out. */
void logline_begin(struct logline *l, enum log_level level, const char *message);
void logline_str(struct logline *l, const char *key, const char *value);      /* NULL: left out */
void logline_span(struct logline *l, const char *key, struct span value);
void logline_u64(struct logline *l, const char *key, uint64_t value);
void logline_ms(struct logline *l, const char *key, uint64_t us);   /* shown as 12.345 (ms) */
void logline_end(struct logline *l);                                /* writes it */

#endif

/*
 * logsink: where log lines go, opened by the master and inherited or handed on.
 *
 * Only the master opens a log file: a worker has no right to, and gets the
 * descriptor. Reopening (USR1, after a rotation) opens the new file before the
 * old one is let go.
 */
#ifndef SALLYPORT_APP_LOGSINK_H
#define SALLYPORT_APP_LOGSINK_H

#include "app/channel.h"
#include "base/err.h"
#include "base/log.h"

/*
 * Open `target` ("stdout", "stderr", "syslog", or a path: appended to, made with
 * mode 0640) and send this process's lines there from now on. What logsink_open()
 * opened before is closed. 0, or -1 and e with the sink as it was.
 */
int logsink_open(const char *target, enum log_format format, enum log_level level, struct err *e);

/* Whether it could be opened, without making it. 0, or -1 and e. */
int logsink_check(const char *target, struct err *e);

/* Hand this process's sink to a child, and take it there. A child that cannot be told is
   ending. */
void logsink_send(struct channel *to);
void logsink_take(struct channel_msg *m);

/* In a child, before descriptors are closed: syslog connects anew when needed. */
void logsink_forked(void);

/* At the end of the process: close what was opened; lines go to stderr again. */
void logsink_close(void);

#endif

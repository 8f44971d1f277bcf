/*
 * err: an error as a value.
 *
 * A function that can fail for a reason worth telling takes a `struct err *`,
 * fills it where the reason is known, and returns -1 (or NULL). The caller adds
 * what it was doing with err_wrap() or passes it on; whoever can act on it logs
 * it, once. The text is for people: no trailing newline, no capital.
 */
#ifndef SALLYPORT_BASE_ERR_H
#define SALLYPORT_BASE_ERR_H

#define ERR_TEXT_MAX 512

struct err {
    char text[ERR_TEXT_MAX];
};

#define ERR_INIT { { 0 } }

/* Set the text and append ": " and the text of errno. Always returns -1. */
int err_set(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Set the text as it is. Always returns -1. */
int err_setx(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Put what was being done, and ": ", before the text that is there. Always returns -1. */
int err_wrap(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif

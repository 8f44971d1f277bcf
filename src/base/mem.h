/*
 * mem: allocation for what is built at start, at reload and by commands, where
 * there is nothing sensible to go on with when memory is out: these end the
 * process with a message. The data path does not use them: it calls calloc()
 * and loses one connection when that fails.
 */
#ifndef SALLYPORT_BASE_MEM_H
#define SALLYPORT_BASE_MEM_H

#include <stddef.h>

void *mem_zalloc(size_t size);
/* Grow `p` to `n` members of `size` bytes; overflow is fatal too. */
void *mem_grow(void *p, size_t n, size_t size);
/* Room for one more behind the n members there are, of a list that has grown by this alone:
   it doubles, so that a long one is not copied for each. */
void *mem_append(void *p, size_t n, size_t size);
void *mem_dup(const void *p, size_t len);
char *mem_strdup(const char *s);
char *mem_strndup(const char *s, size_t len);
char *mem_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* One more item of a list in words, behind sep where there are some already. The list, which
   mem_strdup("") begins, is used up; the longer one is the caller's. */
char *mem_join(char *list, const char *sep, const char *item);

/* Overwrite a secret, in a way the compiler keeps, then free it. NULL is fine. */
void mem_wipe_free(void *p, size_t len);

/* Give back to the system what was freed, where the C library can: after much of it at once. */
void mem_trim(void);

#endif

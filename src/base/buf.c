#include "base/buf.h"

#include <stdlib.h>
#include <string.h>

#define KEEP 32 /* spare blocks kept: 1 MiB a worker */

void bufpool_free(struct bufpool *p)
{
    while (p->free != NULL) {
        void *next;
        memcpy(&next, p->free, sizeof(next));
        free(p->free);
        p->free = next;
    }
    p->nfree = 0;
}

int buf_open(struct buf *b, struct bufpool *p)
{
    if (b->block != NULL) {
        if (b->off > 0 && b->off + b->len == BUF_SIZE) {
            memmove(b->block, b->block + b->off, b->len);
            b->off = 0;
        }
        return 0;
    }
    if (p->free != NULL) {
        b->block = p->free;
        memcpy(&p->free, b->block, sizeof(p->free));
        p->nfree--;
    } else {
        b->block = malloc(BUF_SIZE);
        if (b->block == NULL)
            return -1;
    }
    p->nlent++;
    b->off = b->len = 0;
    return 0;
}

void buf_drop(struct buf *b, struct bufpool *p)
{
    if (b->block == NULL)
        return;
    p->nlent--;
    if (p->nfree < KEEP) {
        memcpy(b->block, &p->free, sizeof(p->free));
        p->free = b->block;
        p->nfree++;
    } else {
        free(b->block);
    }
    *b = (struct buf){ 0 };
}

void buf_settle(struct buf *b, struct bufpool *p)
{
    if (b->len == 0)
        buf_drop(b, p);
}

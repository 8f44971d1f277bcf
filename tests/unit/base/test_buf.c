#include <criterion/criterion.h>
#include <string.h>

#include "base/buf.h"

/* Append n bytes that count up from *next. */
static void fill(struct buf *b, size_t n, uint8_t *next)
{
    for (size_t i = 0; i < n; i++)
        buf_tail(b)[i] = (*next)++;
    b->len += (uint32_t)n;
}

static void drain(struct buf *b, size_t n, uint8_t *next)
{
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(b->block[b->off + i], (*next)++);
    buf_consume(b, n);
}

Test(buf, an_empty_buf_holds_no_block)
{
    struct bufpool pool = { 0 };
    struct buf b = { 0 };
    uint8_t in = 0;

    cr_assert_eq(buf_room(&b), BUF_SIZE);
    buf_settle(&b, &pool);
    cr_assert_eq(pool.nlent, 0);

    cr_assert_eq(buf_open(&b, &pool), 0);
    cr_assert_eq(pool.nlent, 1);
    buf_settle(&b, &pool);
    cr_assert_null(b.block, "opened, nothing read: the block goes back");
    cr_assert_eq(pool.nlent, 0);
    cr_assert_eq(pool.nfree, 1);

    buf_open(&b, &pool);
    fill(&b, 10, &in);
    buf_settle(&b, &pool);
    cr_assert_not_null(b.block, "bytes in it: it keeps the block");
    buf_consume(&b, 10);
    buf_settle(&b, &pool);
    cr_assert_null(b.block);
    bufpool_free(&pool);
}

Test(buf, one_hot_block_serves_all)
{
    struct bufpool pool = { 0 };
    struct buf a = { 0 }, b = { 0 };

    buf_open(&a, &pool);
    uint8_t *block = a.block;
    buf_settle(&a, &pool);
    buf_open(&b, &pool);
    cr_assert_eq(b.block, block);
    cr_assert_eq(pool.nfree, 0);
    buf_drop(&b, &pool);
    bufpool_free(&pool);
    cr_assert_null(pool.free);
    cr_assert_eq(pool.nfree, 0);
}

Test(buf, bytes_come_out_in_order_across_moves)
{
    struct bufpool pool = { 0 };
    struct buf b = { 0 };
    uint8_t in = 0, out = 0;

    cr_assert_eq(buf_open(&b, &pool), 0);
    fill(&b, BUF_SIZE, &in);
    cr_assert_eq(buf_room(&b), 0);
    for (int turn = 0; turn < 100; turn++) {
        drain(&b, 1000, &out);
        cr_assert_eq(buf_open(&b, &pool), 0);
        cr_assert_eq(buf_room(&b), 1000, "what was taken in front is room behind");
        fill(&b, 1000, &in);
    }
    drain(&b, BUF_SIZE, &out);
    cr_assert_eq(b.len, 0);
    cr_assert_eq(b.off, 0, "an empty buf begins at the front again");
    buf_settle(&b, &pool);
    cr_assert_eq(pool.nlent, 0);
    bufpool_free(&pool);
}

Test(buf, drop_forgets_bytes)
{
    struct bufpool pool = { 0 };
    struct buf b = { 0 };
    uint8_t in = 0;

    buf_open(&b, &pool);
    fill(&b, 100, &in);
    buf_drop(&b, &pool);
    cr_assert_eq(b.len, 0);
    cr_assert_null(b.block);
    cr_assert_eq(pool.nlent, 0);
    buf_drop(&b, &pool);
    cr_assert_eq(pool.nlent, 0, "dropping twice is dropping once");
    bufpool_free(&pool);
}

Test(buf, the_pool_keeps_a_limit)
{
    enum { MANY = 200 };
    struct bufpool pool = { 0 };
    struct buf b[MANY] = { { 0 } };

    for (int i = 0; i < MANY; i++)
        cr_assert_eq(buf_open(&b[i], &pool), 0);
    cr_assert_eq(pool.nlent, MANY);
    for (int i = 0; i < MANY; i++)
        buf_drop(&b[i], &pool);
    cr_assert_eq(pool.nlent, 0);
    cr_assert_leq(pool.nfree * (size_t)BUF_SIZE, 1024 * 1024, "at most 1 MiB is kept");
    cr_assert_gt(pool.nfree, 0);
    bufpool_free(&pool);
}

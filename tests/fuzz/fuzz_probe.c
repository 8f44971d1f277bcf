/*
 * Answers to probes; the first byte says which. What is decided by a beginning of an answer, all
 * of it decides the same way; who is down has a reason.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "proto/probe.h"

static void must(bool is)
{
    if (!is)
        __builtin_trap();
}

/* In memory of its own size, so that a byte too far is seen. */
static enum probe_verdict judge_exact(enum probe_kind k, const uint8_t *data, size_t n)
{
    uint8_t *copy = calloc(1, n > 0 ? n : 1);
    struct err why = ERR_INIT;

    must(copy != NULL);
    if (n > 0)
        memcpy(copy, data, n);
    enum probe_verdict v = probe_judge(k, copy, n, &why);
    free(copy);
    must((v == PROBE_DOWN) == (why.text[0] != '\0'));
    must(v != PROBE_MORE || n < PROBE_ANSWER_MAX);
    return v;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;

    enum probe_kind k = data[0] % PROBE_KIND_COUNT;
    size_t len = size - 1 < PROBE_ANSWER_MAX ? size - 1 : PROBE_ANSWER_MAX;
    size_t step = 1 + len / 512;
    enum probe_verdict whole = judge_exact(k, data + 1, len);

    for (size_t n = 0; n < len; n += step) {
        enum probe_verdict part = judge_exact(k, data + 1, n);
        must(part == PROBE_MORE || part == whole);
    }
    return 0;
}

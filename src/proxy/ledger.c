#include "proxy/ledger.h"

#include <stdio.h>
#include <string.h>

#include "base/names.h"

#define PLACES (2 * LEDGER_ROWS)

/* The place of that name, or the empty one where it belongs. Half of them are always empty, as
   long as the table is what the master made of it; nobody searches for ever in one that is not. */
static uint32_t place_of(const struct ledger_part *p, const char *name)
{
    uint32_t i = names_hash(str_span(name)) % PLACES;

    for (uint32_t tried = 0; tried < PLACES; tried++, i = (i + 1) % PLACES) {
        uint32_t row = __atomic_load_n(&p->place[i], __ATOMIC_ACQUIRE);
        if (row == 0 || (row < LEDGER_ROWS && strncmp(p->name[row], name, LEDGER_NAME) == 0))
            return i;
    }
    return PLACES;
}

/* What is there is read once, and checked where it was read to: whoever has the memory mapped may
   write between two looks. */
static uint32_t row_at(const struct ledger_part *p, uint32_t place)
{
    uint32_t row = place < PLACES ? __atomic_load_n(&p->place[place], __ATOMIC_ACQUIRE) : 0;

    return row < LEDGER_ROWS ? row : 0;
}

uint32_t ledger_enter(struct ledger *l, enum ledger_kind kind, const char *name)
{
    struct ledger_part *p = &l->part[kind];
    uint32_t place = strlen(name) < LEDGER_NAME ? place_of(p, name) : PLACES;
    uint32_t row = row_at(p, place), n = __atomic_load_n(&p->n, __ATOMIC_ACQUIRE);

    if (place == PLACES || row != 0 || n >= LEDGER_ROWS - 1)
        return row;

    row = n + 1;
    snprintf(p->name[row], LEDGER_NAME, "%s", name);
    __atomic_store_n(&p->place[place], row, __ATOMIC_RELEASE);
    __atomic_store_n(&p->n, row, __ATOMIC_RELEASE);
    return row;
}

uint32_t ledger_find(const struct ledger *l, enum ledger_kind kind, const char *name)
{
    const struct ledger_part *p = &l->part[kind];

    return row_at(p, strlen(name) < LEDGER_NAME ? place_of(p, name) : PLACES);
}

uint32_t ledger_last(const struct ledger *l, enum ledger_kind kind)
{
    uint32_t n = __atomic_load_n(&l->part[kind].n, __ATOMIC_ACQUIRE);

    return n < LEDGER_ROWS ? n : LEDGER_ROWS - 1;
}

const char *ledger_name(const struct ledger *l, enum ledger_kind kind, uint32_t row,
                        char out[LEDGER_NAME])
{
    if (row == 0 || row >= LEDGER_ROWS)
        return "(others)";
    memcpy(out, l->part[kind].name[row], LEDGER_NAME);
    out[LEDGER_NAME - 1] = '\0';
    return out;
}

#include "base/glob.h"

static char folded(char c, bool fold)
{
    return fold && c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Where to go on when what follows a star does not fit: the star takes one byte more. */
struct retry {
    size_t pattern;             /* behind the star; 0: there was none */
    size_t text;                /* the end of what it stands for */
};

bool glob_match(struct span pattern, struct span text, char barrier, size_t fold_from,
                size_t fold_to)
{
    struct retry one = { 0, 0 }, all = { 0, 0 };
    size_t p = 0, t = 0;

    while (t < text.len) {
        if (p < pattern.len && pattern.p[p] == '*') {
            bool wide = barrier == 0 || (p + 1 < pattern.len && pattern.p[p + 1] == '*');
            while (p < pattern.len && pattern.p[p] == '*')
                p++;
            if (wide) {
                all = (struct retry){ p, t };
                one.pattern = 0;        /* what came before has found its place */
            } else {
                one = (struct retry){ p, t };
            }
        } else if (p < pattern.len
                   && pattern.p[p] == folded(text.p[t], t >= fold_from && t < fold_to)) {
            p++;
            t++;
        } else if (one.pattern > 0 && text.p[one.text] != barrier) {
            p = one.pattern;
            t = ++one.text;
        } else if (all.pattern > 0) {
            p = all.pattern;
            t = ++all.text;
            one.pattern = 0;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.p[p] == '*')
        p++;
    return p == pattern.len;
}

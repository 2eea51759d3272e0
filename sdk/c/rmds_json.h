/* rmds_json.h: read and write JSON in a plugin, without libc or an allocator. It stands alone; rmds.h is not needed.
 *
 * A reader goes over a text token by token and checks it on the way, so that a text is JSON once rmds_json_next has said RMDS_JSON_END:
 *
 *     rmds_json j = rmds_json_read(text, n);
 *     int kind;
 *     while ((kind = rmds_json_next(&j)) > 0)
 *         if (kind == RMDS_JSON_NAME && rmds_json_is(&j, "id")) ... the value is the next token
 *     if (kind == RMDS_JSON_BAD) ...
 */
#ifndef RMDS_JSON_H
#define RMDS_JSON_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    RMDS_JSON_BAD = -1, /* no JSON, here or before */
    RMDS_JSON_END = 0,  /* the whole text was one value */
    RMDS_JSON_OBJECT,   /* an object begins */
    RMDS_JSON_ARRAY,    /* an array begins */
    RMDS_JSON_CLOSE,    /* the innermost of them ends */
    RMDS_JSON_NAME,     /* of a member, with its quotes; its value comes next */
    RMDS_JSON_STRING,   /* with its quotes */
    RMDS_JSON_NUMBER,
    RMDS_JSON_LITERAL /* true, false, null */
};

/* How deep a text may nest; what is deeper counts as no JSON. */
#define RMDS_JSON_DEPTH 512

/* A reader. The last token is text[from] up to, without, text[to]. */
typedef struct {
    const char *text;
    uint32_t n, at, from, to, depth;
    uint8_t want;
    uint8_t objects[RMDS_JSON_DEPTH / 8];
} rmds_json;

/* What a reader waits for. */
enum { RMDS_JSON_VALUE_, RMDS_JSON_VALUE_OR_CLOSE_, RMDS_JSON_NAME_, RMDS_JSON_NAME_OR_CLOSE_, RMDS_JSON_AFTER_, RMDS_JSON_FAILED_ };

/* A reader of a text, which must stay where it is. */
static inline rmds_json rmds_json_read(const char *text, uint32_t n) {
    rmds_json j;
    j.text = text, j.n = n, j.at = j.from = j.to = j.depth = 0, j.want = RMDS_JSON_VALUE_;
    return j;
}

static inline int rmds_json_bad_(rmds_json *j) {
    j->want = RMDS_JSON_FAILED_;
    return RMDS_JSON_BAD;
}

static inline void rmds_json_space_(rmds_json *j) {
    while (j->at < j->n && (j->text[j->at] == ' ' || j->text[j->at] == '\t' || j->text[j->at] == '\n' || j->text[j->at] == '\r')) j->at++;
}

static inline int rmds_json_in_object_(const rmds_json *j) {
    return j->depth && (j->objects[(j->depth - 1) / 8] >> ((j->depth - 1) % 8) & 1);
}

static inline int rmds_json_hex_(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* Goes past a string; 0 if it is none. */
static inline int rmds_json_string_(rmds_json *j) {
    uint32_t i = j->at + 1;
    for (; i < j->n && j->text[i] != '"'; i++) {
        if ((unsigned char)j->text[i] < ' ') return 0;
        if (j->text[i] != '\\') continue;
        if (++i >= j->n) return 0;
        if (j->text[i] == 'u') {
            for (uint32_t k = 0; k < 4; k++)
                if (++i >= j->n || rmds_json_hex_(j->text[i]) < 0) return 0;
            continue;
        }
        const char *known = "\"\\/bfnrt";
        while (*known && *known != j->text[i]) known++;
        if (!*known) return 0;
    }
    if (i >= j->n) return 0;
    j->at = j->to = i + 1;
    return 1;
}

static inline uint32_t rmds_json_digits_(rmds_json *j) {
    uint32_t from = j->at;
    while (j->at < j->n && j->text[j->at] >= '0' && j->text[j->at] <= '9') j->at++;
    return j->at - from;
}

/* Goes past a number; 0 if it is none. */
static inline int rmds_json_number_(rmds_json *j) {
    if (j->at < j->n && j->text[j->at] == '-') j->at++;
    int zero = j->at < j->n && j->text[j->at] == '0';
    uint32_t digits = rmds_json_digits_(j);
    if (!digits || (zero && digits > 1)) return 0;
    if (j->at < j->n && j->text[j->at] == '.') {
        j->at++;
        if (!rmds_json_digits_(j)) return 0;
    }
    if (j->at < j->n && (j->text[j->at] == 'e' || j->text[j->at] == 'E')) {
        j->at++;
        if (j->at < j->n && (j->text[j->at] == '+' || j->text[j->at] == '-')) j->at++;
        if (!rmds_json_digits_(j)) return 0;
    }
    j->to = j->at;
    return 1;
}

static inline int rmds_json_literal_(rmds_json *j) {
    static const char *const words[] = {"true", "false", "null"};
    for (uint32_t w = 0; w < 3; w++) {
        uint32_t k = 0;
        while (words[w][k] && j->at + k < j->n && j->text[j->at + k] == words[w][k]) k++;
        if (words[w][k]) continue;
        j->at = j->to = j->at + k;
        return 1;
    }
    return 0;
}

static inline int rmds_json_open_(rmds_json *j, int object) {
    if (j->depth == RMDS_JSON_DEPTH) return rmds_json_bad_(j);
    uint8_t bit = (uint8_t)(1 << j->depth % 8), *byte = &j->objects[j->depth / 8];
    *byte = (uint8_t)(object ? *byte | bit : *byte & ~bit);
    j->depth++;
    j->to = ++j->at;
    j->want = object ? RMDS_JSON_NAME_OR_CLOSE_ : RMDS_JSON_VALUE_OR_CLOSE_;
    return object ? RMDS_JSON_OBJECT : RMDS_JSON_ARRAY;
}

static inline int rmds_json_name_token_(rmds_json *j) {
    if (j->text[j->at] != '"' || !rmds_json_string_(j)) return rmds_json_bad_(j);
    rmds_json_space_(j);
    if (j->at >= j->n || j->text[j->at] != ':') return rmds_json_bad_(j);
    j->at++;
    j->want = RMDS_JSON_VALUE_;
    return RMDS_JSON_NAME;
}

static inline int rmds_json_value_token_(rmds_json *j) {
    char c = j->text[j->at];
    if (c == '{' || c == '[') return rmds_json_open_(j, c == '{');
    j->want = RMDS_JSON_AFTER_;
    if (c == '"') return rmds_json_string_(j) ? RMDS_JSON_STRING : rmds_json_bad_(j);
    if (rmds_json_literal_(j)) return RMDS_JSON_LITERAL;
    return rmds_json_number_(j) ? RMDS_JSON_NUMBER : rmds_json_bad_(j);
}

/* The next token's kind; from and to say where it is. */
static inline int rmds_json_next(rmds_json *j) {
    if (j->want == RMDS_JSON_FAILED_) return RMDS_JSON_BAD;
    int object = rmds_json_in_object_(j);
    rmds_json_space_(j);
    if (j->want == RMDS_JSON_AFTER_ && !j->depth) return j->at == j->n ? RMDS_JSON_END : rmds_json_bad_(j);
    if (j->at >= j->n) return rmds_json_bad_(j);
    int close = j->want == RMDS_JSON_AFTER_ || j->want == RMDS_JSON_VALUE_OR_CLOSE_ || j->want == RMDS_JSON_NAME_OR_CLOSE_;
    if (close && j->text[j->at] == (object ? '}' : ']')) {
        j->from = j->at++;
        j->to = j->at;
        j->depth--;
        j->want = RMDS_JSON_AFTER_;
        return RMDS_JSON_CLOSE;
    }
    if (j->want == RMDS_JSON_AFTER_) {
        if (j->text[j->at++] != ',') return rmds_json_bad_(j);
        rmds_json_space_(j);
        if (j->at >= j->n) return rmds_json_bad_(j);
        j->want = object ? RMDS_JSON_NAME_ : RMDS_JSON_VALUE_;
    }
    j->from = j->at;
    return j->want == RMDS_JSON_NAME_ || j->want == RMDS_JSON_NAME_OR_CLOSE_ ? rmds_json_name_token_(j) : rmds_json_value_token_(j);
}

/* Goes past the whole value that comes next, which from and to then enclose; its kind as of rmds_json_next. */
static inline int rmds_json_skip(rmds_json *j) {
    int kind = rmds_json_next(j);
    if (kind != RMDS_JSON_OBJECT && kind != RMDS_JSON_ARRAY) return kind;
    uint32_t from = j->from, depth = j->depth;
    while (j->depth >= depth)
        if (rmds_json_next(j) == RMDS_JSON_BAD) return RMDS_JSON_BAD;
    j->from = from;
    return kind;
}

/* One character of a string's inside, as UTF-8; *at moves past it. A half of a surrogate pair becomes U+FFFD. */
static inline uint32_t rmds_json_char_(const char *s, uint32_t n, uint32_t *at, char out[4]) {
    if (s[*at] != '\\' || *at + 1 >= n) {
        out[0] = s[(*at)++];
        return 1;
    }
    char c = s[*at + 1];
    *at += 2;
    out[0] = c == 'b' ? '\b' : c == 'f' ? '\f' : c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c;
    if (c != 'u' || *at + 4 > n) return 1;
    uint32_t rune = 0, low = 0;
    for (uint32_t k = 0; k < 4; k++) rune = rune << 4 | (uint32_t)rmds_json_hex_(s[(*at)++]);
    if (rune >= 0xd800 && rune < 0xdc00 && *at + 6 <= n && s[*at] == '\\' && s[*at + 1] == 'u') {
        for (uint32_t k = 2; k < 6; k++) low = low << 4 | (uint32_t)rmds_json_hex_(s[*at + k]);
        if (low >= 0xdc00 && low < 0xe000) {
            rune = 0x10000 + ((rune - 0xd800) << 10) + (low - 0xdc00);
            *at += 6;
        }
    }
    if (rune >= 0xd800 && rune < 0xe000) rune = 0xfffd;
    uint32_t len = rune < 0x80 ? 1 : rune < 0x800 ? 2 : rune < 0x10000 ? 3 : 4;
    for (uint32_t k = len; --k; rune >>= 6) out[k] = (char)(0x80 | (rune & 0x3f));
    static const uint8_t first[] = {0, 0, 0xc0, 0xe0, 0xf0};
    out[0] = (char)(first[len] | rune);
    return len;
}

/* The content of the last token, which is a name or a string: at most cap bytes go to buf, and the full length is returned. */
static inline uint32_t rmds_json_text(const rmds_json *j, char *buf, uint32_t cap) {
    const char *s = j->text + j->from + 1;
    uint32_t n = j->to - j->from - 2, len = 0;
    for (uint32_t at = 0; at < n;) {
        char c[4];
        uint32_t more = rmds_json_char_(s, n, &at, c);
        for (uint32_t k = 0; k < more; k++, len++)
            if (len < cap) buf[len] = c[k];
    }
    return len;
}

/* Whether the last token, which is a name or a string, has this content. */
static inline int rmds_json_equal(const rmds_json *j, const char *text, uint32_t len) {
    const char *s = j->text + j->from + 1;
    uint32_t n = j->to - j->from - 2, i = 0;
    for (uint32_t at = 0; at < n;) {
        char c[4];
        uint32_t more = rmds_json_char_(s, n, &at, c);
        for (uint32_t k = 0; k < more; k++, i++)
            if (i == len || text[i] != c[k]) return 0;
    }
    return i == len;
}

/* The same for a text that ends with a zero byte. */
static inline int rmds_json_is(const rmds_json *j, const char *text) {
    uint32_t n = 0;
    while (text[n]) n++;
    return rmds_json_equal(j, text, n);
}

/* The last token, which is a number: exact up to fifteen digits and an exponent of 22, close beyond. */
static inline double rmds_json_number(const rmds_json *j) {
    const char *s = j->text + j->from, *end = j->text + j->to;
    int negative = *s == '-', point = 0, down = 0;
    int32_t exponent = 0, more = 0;
    double value = 0, scale = 1;
    for (s += negative; s < end && *s != 'e' && *s != 'E'; s++) {
        if (*s == '.') {
            point = 1;
            continue;
        }
        value = value * 10 + (*s - '0');
        exponent -= point;
    }
    if (s < end) s++;
    if (s < end && (*s == '+' || *s == '-')) down = *s++ == '-';
    for (; s < end && more < 100000; s++) more = more * 10 + (*s - '0');
    exponent += down ? -more : more;
    down = exponent < 0;
    for (uint32_t k = (uint32_t)(down ? -exponent : exponent); k && scale < 1e300; k--) scale *= 10;
    value = down ? value / scale : value * scale;
    return negative ? -value : value;
}

/* Looks for a member of the object that the whole text is; the kind of its value, which *value has as its last token (an object or an array
 * whole). RMDS_JSON_END: there is no such member. The last of several counts. */
static inline int rmds_json_member(const char *text, uint32_t n, const char *name, rmds_json *value) {
    rmds_json j = rmds_json_read(text, n);
    int kind = rmds_json_next(&j), found = RMDS_JSON_END;
    if (kind != RMDS_JSON_OBJECT) return RMDS_JSON_BAD;
    while ((kind = rmds_json_next(&j)) == RMDS_JSON_NAME) {
        int wanted = rmds_json_is(&j, name);
        if ((kind = rmds_json_skip(&j)) == RMDS_JSON_BAD) return kind;
        if (wanted) *value = j, found = kind;
    }
    return kind == RMDS_JSON_CLOSE && rmds_json_next(&j) == RMDS_JSON_END ? found : RMDS_JSON_BAD;
}

/* Text as a JSON string with its quotes: at most cap bytes go to buf, and the full length, at most 6 n + 2, is returned. */
static inline uint32_t rmds_json_quote(const char *text, uint32_t n, char *buf, uint32_t cap) {
    uint32_t len = 0;
#define RMDS_JSON_PUT_(c) \
    do { \
        if (len < cap) buf[len] = (c); \
        len++; \
    } while (0)
    RMDS_JSON_PUT_('"');
    for (uint32_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < ' ') {
            const char *escape = "\\u00";
            while (*escape) RMDS_JSON_PUT_(*escape++);
            RMDS_JSON_PUT_("0123456789abcdef"[c >> 4]);
            RMDS_JSON_PUT_("0123456789abcdef"[c & 15]);
            continue;
        }
        if (c == '"' || c == '\\') RMDS_JSON_PUT_('\\');
        RMDS_JSON_PUT_((char)c);
    }
    RMDS_JSON_PUT_('"');
#undef RMDS_JSON_PUT_
    return len;
}

#ifdef __cplusplus
}
#endif
#endif

/* redact: drops messages without text and blots out long numbers in the rest. README.md has the rules. */
#include "rmds.h"

#define MIN_RUN 4

static const char key[] = "\"text\":\"";
#define KEY_LEN (sizeof key - 1)

static int is_digit(char c) { return c >= '0' && c <= '9'; }

static int is_hex(char c) { return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); }

/* Where the text begins, or n if the body has none. */
static uint32_t find_text(const char *b, uint32_t n) {
    for (uint32_t i = 0; i + KEY_LEN <= n; i++) {
        uint32_t k = 0;
        while (k < KEY_LEN && b[i + k] == key[k]) k++;
        if (k == KEY_LEN) return i + KEY_LEN;
    }
    return n;
}

/* The length of the escape sequence at i, whose backslash is followed by at least one byte. */
static uint32_t escape_len(const char *b, uint32_t n, uint32_t i) {
    uint32_t len = 2;
    if (b[i + 1] == 'u')
        while (len < 6 && i + len < n && is_hex(b[i + len])) len++;
    return len;
}

static int is_space_escape(char c) { return c == 't' || c == 'n' || c == 'r'; }

static int is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

RMDS_EXPORT(rmds_filter) int32_t rmds_filter(int32_t body_len) {
    uint32_t n = (uint32_t)body_len;
    char *b = (char *)rmds_room(n);
    if (!b) return rmds_because(RMDS_DEAD, "the body does not fit into the plugin's memory");
    rmds_read(RMDS_BODY, 0, b, n);

    uint32_t from = find_text(b, n), end = from;
    int blank = 1;
    while (end < n && b[end] != '"') {
        if (b[end] == '\\') {
            if (end + 1 >= n) return RMDS_PASS; /* cut off */
            blank = blank && is_space_escape(b[end + 1]);
            end += escape_len(b, n, end);
        } else {
            blank = blank && is_space(b[end]);
            end++;
        }
    }
    if (end >= n) return RMDS_PASS; /* no text, or one that does not end */
    if (blank) return RMDS_DROP;

    uint32_t count = 0;
    for (uint32_t i = from; i < end;) {
        if (b[i] == '\\') {
            i += escape_len(b, n, i);
            continue;
        }
        uint32_t run = 0;
        while (i + run < end && is_digit(b[i + run])) run++;
        if (run >= MIN_RUN) {
            count++;
            for (uint32_t k = 0; k < run; k++) b[i + k] = '#';
        }
        i += run ? run : 1;
    }
    if (count) {
        char digits[20];
        if (rmds_set(RMDS_BODY, b, n) || rmds_put_header("redacted", digits, rmds_decimal(count, digits)))
            return rmds_because(RMDS_DEAD, "the redacted body is above the plugin's limit of effects");
    }
    return RMDS_PASS;
}

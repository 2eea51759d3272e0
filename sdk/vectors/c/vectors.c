/* The plugin of ../vectors.json in C: the first word of a body says what to do. */
#include "rmds.h"

static int started, unwell;

static char out[4096];
static uint32_t used;

static void say_bytes(const void *p, uint32_t n) {
    RMDS_ASSERT(n <= sizeof out - used);
    rmds_copy(out + used, p, n);
    used += n;
}

static void say(const char *text) { say_bytes(text, rmds_len(text)); }

static void say_number(int64_t n) {
    char digits[20];
    if (n < 0) say("-");
    say_bytes(digits, rmds_decimal(n < 0 ? 0 - (uint64_t)n : (uint64_t)n, digits));
}

/* A field or value of at most 512 bytes. */
static void say_field(int32_t field) {
    char buf[512];
    int32_t n = rmds_read(field, 0, buf, sizeof buf);
    RMDS_ASSERT(n >= 0 && n <= (int32_t)sizeof buf);
    say_bytes(buf, (uint32_t)n);
}

static const char *error_text(int32_t code) {
    switch (code) {
    case RMDS_ABSENT: return "absent";
    case RMDS_ARGUMENT: return "illegal argument";
    case RMDS_LIMIT: return "limit reached";
    case RMDS_DENIED: return "not granted in the configuration";
    default: return "not possible here";
    }
}

static int32_t verdict(int32_t code) { return code < 0 ? rmds_because(RMDS_DEAD, error_text(code)) : RMDS_ACK; }

static int starts(const char *b, uint32_t n, const char *word) {
    uint32_t len = rmds_len(word);
    if (n < len) return 0;
    for (uint32_t i = 0; i < len; i++)
        if (b[i] != word[i]) return 0;
    return n == len || b[len] == ' ';
}

RMDS_EXPORT(rmds_init) int32_t rmds_init(void) {
    char value;
    started = 1;
    return rmds_kv_get("key", 3, &value, 1) == RMDS_MISPLACED ? 0 : rmds_because(1, "a key can be read at the start");
}

RMDS_EXPORT(rmds_filter) int32_t rmds_filter(int32_t body_len) {
    char b[256];
    int32_t got = rmds_body(b, sizeof b);
    RMDS_ASSERT(got == body_len);
    uint32_t n = (uint32_t)got;
    if (starts(b, n, "body")) return verdict(rmds_set(RMDS_BODY, b + 5, n - 5));
    if (starts(b, n, "channel")) return verdict(rmds_set(RMDS_CHANNEL, b + 8, n - 8));
    if (starts(b, n, "header")) {
        int32_t code = rmds_put_header("set", b + 7, n - 7);
        return verdict(code ? code : rmds_delete_header("a"));
    }
    if (starts(b, n, "drop")) return RMDS_DROP;
    if (starts(b, n, "dead")) {
        rmds_fail(b + 5, n - 5);
        return RMDS_DEAD;
    }
    return RMDS_PASS;
}

static uint32_t number(const char *p) {
    const unsigned char *b = (const unsigned char *)p;
    return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static void say_headers(void) {
    char block[512];
    int32_t n = rmds_read(RMDS_HEADERS, 0, block, sizeof block);
    RMDS_ASSERT(n >= 4 && n <= (int32_t)sizeof block);
    uint32_t at = 4;
    for (uint32_t i = 0; i < number(block); i++) {
        for (int part = 0; part < 2; part++) {
            uint32_t len = number(block + at);
            if (part) say("=");
            say_bytes(block + at + 4, len);
            at += 4 + len;
        }
        if (i + 1 < number(block)) say(" ");
    }
}

static int32_t describe(int32_t body_len) {
    static const int32_t texts[] = {RMDS_ID, RMDS_CHANNEL, RMDS_SENDER, RMDS_LAST_ERROR};
    char value[16];
    say(started ? "started" : "not started");
    for (int i = 0; i < 4; i++) {
        say(" ");
        say_field(texts[i]);
    }
    say(" attempt ");
    say_number(rmds_num(RMDS_ATTEMPT));
    say(" seq ");
    say_number(rmds_num(RMDS_SEQ));
    say(" created ");
    say_number(rmds_num(RMDS_CREATED_MS));
    say(" expires ");
    say_number(rmds_num(RMDS_EXPIRES_MS));
    say(" a=");
    say_bytes(value, (uint32_t)rmds_get_header("a", value, sizeof value));
    say(rmds_get_header("z", value, sizeof value) == RMDS_ABSENT ? " no z [" : " a z [");
    say_headers();
    say("] ");
    say_field(RMDS_CONFIG);
    say(" ");
    say_field(RMDS_PLUGIN);
    say(" ");
    say_field(RMDS_NODE_INFO);
    say(" size ");
    say_number(body_len);
    say(rmds_num(RMDS_LEFT_MS) > 0 && rmds_num(RMDS_NOW_MS) > 1500000000000 ? " clock" : " no clock");
    rmds_stat("described", 9, 2);
    return rmds_send("out", out, used);
}

static void say_keys(const char *prefix) {
    char key[64], value;
    uint32_t len = rmds_len(prefix), n = len, first = 1;
    rmds_copy(key, prefix, len);
    if (len && rmds_kv_get(key, len, &value, 0) >= 0) {
        say_bytes(key, len);
        first = 0;
    }
    for (;;) {
        int32_t got = rmds_kv_next(key, n, key, sizeof key);
        if (got < 0) return;
        for (uint32_t i = 0; i < len; i++)
            if (key[i] != prefix[i]) return;
        if (!first) say(" ");
        first = 0;
        n = (uint32_t)got;
        say_bytes(key, n);
    }
}

/* Walks through every function on keys and says what came out. */
static int32_t keys(void) {
    static char thousand[1000];
    static const unsigned char nine[8] = {9};
    static const char *const prefixes[] = {"", "a", "a/", "z"};
    char value[8];
    say(rmds_kv_get("n", 1, value, sizeof value) == RMDS_ABSENT ? "absent; " : "present; ");
    say_number(rmds_count("n", 5));
    say("; ");
    say_number(rmds_count("n", -7));
    RMDS_ASSERT(!rmds_kv_set("a/2", 3, "two", 3) && !rmds_kv_set("a/1", 3, thousand, 1000) && !rmds_kv_set("a", 1, nine, 8));
    say("; ");
    say_number(rmds_kv_get("a/1", 3, value, sizeof value));
    say(" bytes; ");
    say_bytes(value, (uint32_t)rmds_kv_get("a/2", 3, value, sizeof value));
    say("; ");
    say(error_text(rmds_add_error(rmds_count("a/2", 1))));
    RMDS_ASSERT(!rmds_kv_del("n", 1));
    for (int i = 0; i < 4; i++) {
        say("; ");
        say_keys(prefixes[i]);
    }
    say(rmds_kv_next("a/2", 3, value, sizeof value) == RMDS_ABSENT ? "; end" : "; more");
    return rmds_send("out", out, used);
}

static int32_t emits(const char *body, uint32_t n) {
    int32_t code = rmds_emit_header("h", 1, "v", 1);
    if (!code) code = rmds_opt(RMDS_TTL_MS, 1000);
    if (!code) code = rmds_opt(RMDS_DELAY_MS, 2000);
    if (!code) code = rmds_send("out", body, n);
    RMDS_ASSERT(rmds_emit_header("", 0, "v", 1) == RMDS_ARGUMENT);
    return code ? code : rmds_send("out", "plain", 5);
}

RMDS_EXPORT(rmds_handle) int32_t rmds_handle(int32_t body_len) {
    uint32_t n = (uint32_t)body_len;
    char *b = (char *)rmds_room(n);
    RMDS_ASSERT(b && rmds_read(RMDS_BODY, 0, b, n) == body_len);
    used = 0;
    if (starts(b, n, "describe")) return verdict(describe(body_len));
    if (starts(b, n, "kv")) return verdict(keys());
    if (starts(b, n, "emit")) return verdict(emits(b + 5, n - 5));
    if (starts(b, n, "denied")) return verdict(rmds_send("elsewhere", "", 0));
    if (starts(b, n, "retry")) {
        rmds_opt(RMDS_RETRY_AFTER_MS, 1500);
        return RMDS_RETRY;
    }
    if (starts(b, n, "log")) rmds_log(RMDS_WARN, b + 4, n - 4);
    if (starts(b, n, "panic")) RMDS_PANIC("on purpose");
    if (starts(b, n, "large")) {
        uint64_t sum = 0;
        for (uint32_t i = 0; i < n; i++) sum += (unsigned char)b[i];
        say_number(n);
        say(" bytes, sum ");
        say_number((int64_t)sum);
        return verdict(rmds_send("out", out, used));
    }
    if (starts(b, n, "unwell")) unwell = 1;
    return RMDS_ACK;
}

RMDS_EXPORT(rmds_tick) int32_t rmds_tick(int64_t now_ms) {
    used = 0;
    say("tick ");
    say_number(now_ms);
    return verdict(rmds_send("out", out, used));
}

RMDS_EXPORT(rmds_health) int32_t rmds_health(void) { return unwell ? rmds_because(1, "a bit unwell") : 0; }

RMDS_EXPORT(rmds_stop) void rmds_stop(void) { rmds_say(RMDS_WARN, "bye"); }

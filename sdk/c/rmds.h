/* rmds.h: write a plugin for RMDS Router in C or C++.
 *
 * One header, no library: it needs neither libc nor an allocator. Functions below are the host's, or small inline helpers on top of
 * them. docs/abi.md has the contract in full; rmds_json.h beside it reads and writes JSON.
 *
 *     #include "rmds.h"
 *
 *     RMDS_EXPORT(rmds_filter) int32_t rmds_filter(int32_t body_len) {
 *         return body_len > 0 ? RMDS_PASS : RMDS_DROP;
 *     }
 *
 * Build: clang-22 --target=wasm32-unknown-unknown -O2 -ffreestanding -nostdlib -fuse-ld=lld \
 *            -Wl,--no-entry -Wl,--strip-all -o plugin.wasm plugin.c
 *
 * Entry points, at least one of the first three:
 *     int32_t rmds_filter(int32_t body_len)    pass, change or drop a message
 *     int32_t rmds_handle(int32_t body_len)    consume a message
 *     int32_t rmds_tick(int64_t now_ms)        called on a timer
 *     int32_t rmds_init(void)                  once for every instance; not 0 refuses to start
 *     int32_t rmds_health(void)                0 is healthy
 *     void    rmds_stop(void)                  before the instance goes
 *
 * Instances come and go without notice: variables are a cache, what has to last is a key (rmds_kv_*). Emits, keys and changes of the
 * message are committed together with the message when the call returns 0 (or 1 from a filter), and otherwise not at all.
 */
#ifndef RMDS_H
#define RMDS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RMDS_IMPORT(name) __attribute__((import_module("rmds1"), import_name(name)))
#define RMDS_EXPORT(name) __attribute__((export_name(#name), used, visibility("default")))

/* Verdicts. */
enum {
    RMDS_PASS = 0,  /* filter: goes on, as modified */
    RMDS_ACK = 0,   /* handler, tick: done */
    RMDS_DROP = 1,  /* filter only: done, goes no further */
    RMDS_RETRY = 2, /* try again later; effects are discarded */
    RMDS_DEAD = 3   /* to the dead letters, with the text of rmds_fail; effects are discarded */
};

/* Errors: negative results. */
enum {
    RMDS_ABSENT = -1,   /* no such header or key */
    RMDS_ARGUMENT = -2, /* an argument that is never legal */
    RMDS_LIMIT = -3,    /* a limit of the plugin is reached; nothing was done */
    RMDS_DENIED = -4,   /* the configuration does not grant it */
    RMDS_MISPLACED = -5 /* not possible in this kind of call */
};

/* Fields of rmds_read; rmds_set takes BODY and CHANNEL. */
enum {
    RMDS_BODY = 0,
    RMDS_ID = 1,
    RMDS_CHANNEL = 2,
    RMDS_SENDER = 3,
    RMDS_HEADERS = 4, /* u32 count, then u32 length, name, u32 length, value for each */
    RMDS_CONFIG = 5,  /* JSON */
    RMDS_PLUGIN = 6,
    RMDS_LAST_ERROR = 7,
    RMDS_NODE_INFO = 8 /* JSON, if granted */
};

/* Fields of rmds_num. */
enum {
    RMDS_CREATED_MS = 0,
    RMDS_ATTEMPT = 1, /* 1 at the first */
    RMDS_EXPIRES_MS = 2, /* 0 never */
    RMDS_SEQ = 3,
    RMDS_NOW_MS = 4,
    RMDS_MONOTONIC_NS = 5,
    RMDS_RANDOM = 6,
    RMDS_LEFT_MS = 7 /* what this call may still take */
};

/* Keys of rmds_opt. */
enum {
    RMDS_RETRY_AFTER_MS = 0, /* with RMDS_RETRY */
    RMDS_TTL_MS = 1,         /* of the next emit */
    RMDS_DELAY_MS = 2,       /* of the next emit */
    RMDS_OFFERS = 3          /* in rmds_init: bit 0 filter, 1 handle, 2 tick; which of the exports are in use */
};

/* Levels of rmds_log. */
enum { RMDS_DEBUG = 0, RMDS_INFO = 1, RMDS_WARN = 2, RMDS_ERROR = 3 };

/* What the host offers. Functions that fill a buffer copy at most cap bytes and return the full length, so that a result above cap says
 * how much there is. Memory that does not exist traps, which ends the call. */
RMDS_IMPORT("read") int32_t rmds_read(int32_t field, uint32_t off, void *buf, uint32_t cap);
RMDS_IMPORT("num") int64_t rmds_num(int32_t field);
RMDS_IMPORT("header") int32_t rmds_header(const char *name, uint32_t nlen, void *buf, uint32_t cap);
RMDS_IMPORT("set") int32_t rmds_set(int32_t field, const void *p, uint32_t n);
RMDS_IMPORT("set_header") int32_t rmds_set_header(const char *name, uint32_t nlen, const void *val, int32_t vlen); /* vlen -1 deletes */
RMDS_IMPORT("emit_header") int32_t rmds_emit_header(const char *name, uint32_t nlen, const void *val, uint32_t vlen);
RMDS_IMPORT("opt") int32_t rmds_opt(int32_t key, int64_t value);
RMDS_IMPORT("emit") int32_t rmds_emit(const char *chan, uint32_t clen, const void *body, uint32_t blen);
RMDS_IMPORT("kv_get") int32_t rmds_kv_get(const void *key, uint32_t klen, void *buf, uint32_t cap);
RMDS_IMPORT("kv_set") int32_t rmds_kv_set(const void *key, uint32_t klen, const void *val, uint32_t vlen);
RMDS_IMPORT("kv_del") int32_t rmds_kv_del(const void *key, uint32_t klen);
RMDS_IMPORT("kv_add") int64_t rmds_kv_add(const void *key, uint32_t klen, int64_t delta); /* below RMDS_MIN_COUNTER: see rmds_add_error */
RMDS_IMPORT("kv_next") int32_t rmds_kv_next(const void *key, uint32_t klen, void *buf, uint32_t cap); /* klen 0: the first key */
RMDS_IMPORT("log") void rmds_log(int32_t level, const char *p, uint32_t n);
RMDS_IMPORT("stat") void rmds_stat(const char *name, uint32_t nlen, int64_t delta);
RMDS_IMPORT("fail") void rmds_fail(const char *p, uint32_t n);

/* The smallest counter; what kv_add returns below it is an error. */
#define RMDS_MIN_COUNTER (INT64_MIN + 16)

/* The error in a result of rmds_kv_add, or 0. */
static inline int32_t rmds_add_error(int64_t result) {
    return result < RMDS_MIN_COUNTER ? (int32_t)-(result - INT64_MIN) : 0;
}

/* A string's length. */
static inline uint32_t rmds_len(const char *s) {
    uint32_t n = 0;
    while (s[n]) n++;
    return n;
}

static inline void rmds_copy(void *to, const void *from, uint32_t n) {
    char *t = (char *)to;
    const char *f = (const char *)from;
    while (n--) *t++ = *f++;
}

/* The next functions take strings that end with a zero byte. */
static inline int32_t rmds_get_header(const char *name, void *buf, uint32_t cap) {
    return rmds_header(name, rmds_len(name), buf, cap);
}
static inline int32_t rmds_put_header(const char *name, const void *val, uint32_t n) {
    return rmds_set_header(name, rmds_len(name), val, (int32_t)n);
}
static inline int32_t rmds_delete_header(const char *name) {
    return rmds_set_header(name, rmds_len(name), 0, -1);
}
static inline int32_t rmds_send(const char *channel, const void *body, uint32_t n) {
    return rmds_emit(channel, rmds_len(channel), body, n);
}
static inline int64_t rmds_count(const char *key, int64_t delta) {
    return rmds_kv_add(key, rmds_len(key), delta);
}
static inline void rmds_say(int32_t level, const char *text) {
    rmds_log(level, text, rmds_len(text));
}
/* Leaves a reason and gives the verdict back: return rmds_because(RMDS_DEAD, "no such customer"); */
static inline int32_t rmds_because(int32_t verdict, const char *reason) {
    rmds_fail(reason, rmds_len(reason));
    return verdict;
}

/* Ends the call as a fault whose reason is the text with file and line; its effects are discarded. */
#define RMDS_PANIC(text) \
    do { \
        static const char rmds_panic_text[] = text " at " __FILE__ ":" RMDS_TEXT(__LINE__); \
        rmds_log(RMDS_ERROR, rmds_panic_text, sizeof rmds_panic_text - 1); \
        rmds_fail(rmds_panic_text, sizeof rmds_panic_text - 1); \
        __builtin_trap(); \
    } while (0)
#define RMDS_ASSERT(condition) \
    do { \
        if (!(condition)) RMDS_PANIC("assertion failed: " #condition); \
    } while (0)
#define RMDS_TEXT(x) RMDS_TEXT_OF(x)
#define RMDS_TEXT_OF(x) #x

/* A whole body in the caller's buffer: its length, or RMDS_LIMIT if it is longer than cap. */
static inline int32_t rmds_body(void *buf, uint32_t cap) {
    int32_t n = rmds_read(RMDS_BODY, 0, buf, cap);
    return n > 0 && (uint32_t)n > cap ? RMDS_LIMIT : n;
}

/* n in decimal digits, at least one and at most twenty, into buf; returns how many. No zero byte follows. */
static inline uint32_t rmds_decimal(uint64_t n, char *buf) {
    char digits[20];
    uint32_t len = 0;
    do {
        digits[len++] = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    for (uint32_t i = 0; i < len; i++) buf[i] = digits[len - 1 - i];
    return len;
}

/* Room for n bytes behind the program's own data, the same for every call: a place for bodies of any length without an allocator. The
 * memory grows as needed; NULL if the plugin's limit does not allow it. Not for programs that have an allocator (malloc, new). */
extern unsigned char __heap_base;
static inline void *rmds_room(uint32_t n) {
    uint64_t end = (uint64_t)(uintptr_t)&__heap_base + n;
    uint64_t have = (uint64_t)__builtin_wasm_memory_size(0) * 65536;
    if (end > have) {
        uint64_t pages = (end - have + 65535) / 65536;
        if (__builtin_wasm_memory_grow(0, (size_t)pages) == (size_t)-1) return NULL;
    }
    return &__heap_base;
}

#ifdef __cplusplus
}
#endif
#endif

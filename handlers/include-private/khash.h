/*
 * In the place of klib's header, which libh2o's http2_internal.h includes and its packages do not
 * bring: as much as its declarations need. Streams are not looked up by it.
 */
#ifndef BREAKER_HANDLERS_KHASH_H
#define BREAKER_HANDLERS_KHASH_H

typedef unsigned khiter_t;

#define khash_t(name) kh_##name##_t
#define KHASH_MAP_INIT_INT64(name, type) typedef struct st_kh_##name##_t khash_t(name);
#define kh_get(name, table, key) ((void)(table), (void)(key), 0u)
#define kh_end(table) 0u
#define kh_val(table, at) NULL

#endif

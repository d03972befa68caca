#ifndef BREAKER_LIB_REDIS_AGREE_H
#define BREAKER_LIB_REDIS_AGREE_H

/* The script that one poll runs in Redis; its layout stands at the top of agree.lua. Not installed.
 */
#include <stddef.h>

/** the text of agree.lua, NUL-ended */
extern const char breaker__agree_lua[];
/** its bytes without the NUL */
extern const size_t breaker__agree_lua_len;

#endif

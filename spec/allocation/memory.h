/*
** Memory that runs out when told to. Each source of it is counted and failed
** on its own: what this library's own code asks for (the program must be
** linked with --wrap for what memory.c replaces), what Lua, libcurl and
** libcrypto do.
*/
#ifndef ALLOCATION_MEMORY_H
#define ALLOCATION_MEMORY_H

#include <stddef.h>

typedef enum memory_source {
  MEMORY_OURS,
  MEMORY_LUA,
  MEMORY_CURL,
  MEMORY_CRYPTO,
  MEMORY_SOURCES
} memory_source;

/* Must be called before libcurl and libcrypto allocate anything. */
void memory_start(void);

/* From now on the nth request to a source fails, and `many` in all. */
void memory_arm(memory_source source, long nth, long many);

/* Lets requests through again; returns how many have failed. */
long memory_disarm(void);

/* Blocks that are not freed yet. */
long memory_live(memory_source source);

/* Lua's allocator. A request to shrink does not fail. */
void *memory_for_lua(void *self, void *block, size_t before, size_t size);

#endif

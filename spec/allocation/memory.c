#include "memory.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static struct {
  memory_source source;
  long left; /* requests until the first that fails */
  long many; /* that fail from there on */
  long failed;
  long live[MEMORY_SOURCES];
} memory;

/* A driver's thread asks for memory too. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void memory_arm(memory_source source, long nth, long many) {
  pthread_mutex_lock(&lock);
  memory.source = source;
  memory.left = nth - 1;
  memory.many = many;
  memory.failed = 0;
  pthread_mutex_unlock(&lock);
}

long memory_disarm(void) {
  pthread_mutex_lock(&lock);
  long failed = memory.failed;
  memory.many = 0;
  pthread_mutex_unlock(&lock);
  return failed;
}

long memory_live(memory_source source) {
  return __atomic_load_n(&memory.live[source], __ATOMIC_SEQ_CST);
}

static bool fails(memory_source source) {
  pthread_mutex_lock(&lock);
  bool now = memory.many > 0 && source == memory.source && memory.left-- <= 0;
  if (now) {
    memory.left = 0;
    memory.many--;
    memory.failed++;
    errno = ENOMEM;
  }
  pthread_mutex_unlock(&lock);
  return now;
}

/* Atomically: libcurl looks names up in a thread of its own. */
static void *counted(memory_source source, void *block) {
  __atomic_add_fetch(&memory.live[source], block != NULL, __ATOMIC_SEQ_CST);
  return block;
}

/* --- in the place of libc's -------------------------------------------- */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t size);
void __real_free(void *block);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t size);
void __wrap_free(void *block);

static void *take(memory_source source, size_t size) {
  return fails(source) ? NULL : counted(source, __real_malloc(size));
}

static void *take_zeroed(memory_source source, size_t count, size_t size) {
  return fails(source) ? NULL : counted(source, __real_calloc(count, size));
}

static void *resize(memory_source source, void *block, size_t size) {
  if (fails(source)) {
    return NULL;
  }
  void *moved = __real_realloc(block, size);
  return block ? moved : counted(source, moved);
}

static void give_back(memory_source source, void *block) {
  __atomic_sub_fetch(&memory.live[source], block != NULL, __ATOMIC_SEQ_CST);
  __real_free(block);
}

void *__wrap_malloc(size_t size) {
  return take(MEMORY_OURS, size);
}

void *__wrap_calloc(size_t count, size_t size) {
  return take_zeroed(MEMORY_OURS, count, size);
}

void *__wrap_realloc(void *block, size_t size) {
  return resize(MEMORY_OURS, block, size);
}

char *__wrap_strdup(const char *text) {
  return fails(MEMORY_OURS) ? NULL
                            : counted(MEMORY_OURS, __real_strdup(text));
}

char *__wrap_strndup(const char *text, size_t size) {
  return fails(MEMORY_OURS) ? NULL
                            : counted(MEMORY_OURS, __real_strndup(text, size));
}

void __wrap_free(void *block) {
  give_back(MEMORY_OURS, block);
}

/* --- Lua's -------------------------------------------------------------- */

void *memory_for_lua(void *self, void *block, size_t before, size_t size) {
  (void)self;
  if (size == 0) {
    give_back(MEMORY_LUA, block);
    return NULL;
  }
  if (block && size <= before) {
    return __real_realloc(block, size);
  }
  return resize(MEMORY_LUA, block, size);
}

/* --- libcurl's ----------------------------------------------------------- */

static void *curl_take(size_t size) {
  return take(MEMORY_CURL, size);
}

static void curl_give_back(void *block) {
  give_back(MEMORY_CURL, block);
}

static void *curl_resize(void *block, size_t size) {
  return resize(MEMORY_CURL, block, size);
}

static char *curl_copy(const char *text) {
  return fails(MEMORY_CURL) ? NULL
                            : counted(MEMORY_CURL, __real_strdup(text));
}

static void *curl_take_zeroed(size_t count, size_t size) {
  return take_zeroed(MEMORY_CURL, count, size);
}

/* --- libcrypto's ---------------------------------------------------------- */

static void *crypto_take(size_t size, const char *file, int line) {
  (void)file, (void)line;
  return size ? take(MEMORY_CRYPTO, size) : NULL;
}

static void *crypto_resize(void *block, size_t size, const char *file,
                           int line) {
  (void)file, (void)line;
  if (size == 0) {
    give_back(MEMORY_CRYPTO, block);
    return NULL;
  }
  return resize(MEMORY_CRYPTO, block, size);
}

static void crypto_give_back(void *block, const char *file, int line) {
  (void)file, (void)line;
  give_back(MEMORY_CRYPTO, block);
}

/* Declared here, for its header is another package's; weak, for libcurl may be
** built on another library. */
int CRYPTO_set_mem_functions(void *(*)(size_t, const char *, int),
                             void *(*)(void *, size_t, const char *, int),
                             void (*)(void *, const char *, int))
  __attribute__((weak));

void memory_start(void) {
  if (CRYPTO_set_mem_functions) {
    CRYPTO_set_mem_functions(crypto_take, crypto_resize, crypto_give_back);
  }
  curl_global_init_mem(CURL_GLOBAL_DEFAULT, curl_take, curl_give_back,
                       curl_resize, curl_copy, curl_take_zeroed);
}

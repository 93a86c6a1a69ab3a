#include "system/windows/wide.h"

#include <errno.h>
#include <stdlib.h>

#include <windows.h>

#include "rules/visibility.h"

wchar_t *sv_wide(const char *text) {
  int size = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, NULL,
                                 0);
  wchar_t *wide = size > 0 ? malloc((size_t)size * sizeof *wide) : NULL;
  if (!wide) {
    errno = size > 0 ? ENOMEM : EILSEQ;
    return NULL;
  }
  MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, wide, size);
  return wide;
}

char *sv_narrow(const wchar_t *wide) {
  int size = WideCharToMultiByte(CP_UTF8, 0, wide, -1, NULL, 0, NULL, NULL);
  char *text = size > 0 ? malloc((size_t)size) : NULL;
  if (text) {
    WideCharToMultiByte(CP_UTF8, 0, wide, -1, text, size, NULL, NULL);
  } else {
    errno = ENOMEM;
  }
  return text;
}

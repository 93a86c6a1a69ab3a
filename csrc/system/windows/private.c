#include "system/windows/private.h"

#include <stdio.h>
#include <wchar.h>

#include <sddl.h>

#include "rules/visibility.h"

enum { USER_ROOM = 256, RIGHTS_ROOM = 256 };

/* The user's identifier as text, by LocalAlloc; NULL where it cannot be had. */
static wchar_t *user(void) {
  union {
    TOKEN_USER user;
    char room[USER_ROOM];
  } about;
  DWORD size;
  HANDLE token;
  wchar_t *text = NULL;
  if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token)) {
    return NULL;
  }
  if (GetTokenInformation(token, TokenUser, &about, sizeof about, &size)) {
    ConvertSidToStringSidW(about.user.User.Sid, &text);
  }
  CloseHandle(token);
  return text;
}

/* Inherits nothing; all rights for the user, none for anybody else. */
SECURITY_ATTRIBUTES *sv_private_make(sv_private *owner) {
  wchar_t rights[RIGHTS_ROOM];
  wchar_t *name = user();
  owner->descriptor = NULL;
  if (name && swprintf(rights, RIGHTS_ROOM, L"D:P(A;;FA;;;%ls)", name) > 0) {
    ConvertStringSecurityDescriptorToSecurityDescriptorW(
        rights, SDDL_REVISION_1, &owner->descriptor, NULL);
  }
  LocalFree(name);
  owner->attributes = (SECURITY_ATTRIBUTES){
      .nLength = sizeof owner->attributes,
      .lpSecurityDescriptor = owner->descriptor,
  };
  return owner->descriptor ? &owner->attributes : NULL;
}

void sv_private_free(sv_private *owner) {
  LocalFree(owner->descriptor);
}

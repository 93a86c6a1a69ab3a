#define _GNU_SOURCE /* dladdr, RTLD_NODELETE */

#include "system/module.h"

#include <dlfcn.h>

#include "rules/visibility.h"

void sv_module_keep(const void *address) {
  Dl_info info;
  if (dladdr(address, &info) && info.dli_fname) {
    dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
  }
}

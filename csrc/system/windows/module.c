#include "system/module.h"

#include "system/windows/win32.h"

#include "rules/visibility.h"

void sv_module_keep(const void *address) {
  HMODULE module;
  GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS |
                         GET_MODULE_HANDLE_EX_FLAG_PIN,
                     (LPCWSTR)address, &module);
}

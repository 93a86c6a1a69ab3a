/*
** What the specs need of Windows and cannot do from Lua: the half of
** spec/fixtures/process.c that there is on it. Built by build.sh.
*/
#include <winsock2.h>

#include <windows.h>

#include <direct.h>
#include <stdlib.h>

#include <lua.h>

#include <lauxlib.h>

static int host_sleep(lua_State *L) {
  Sleep((DWORD)(luaL_checknumber(L, 1) * 1000));
  return 0;
}

/* Starts a program and leaves it alone. One of Linux Wine starts as well, but
** knows nothing of it: what it tells of that one it never set, and the handles
** may have the numbers of others, a socket's among them. */
static int host_start(lua_State *L) {
  char command[4096];
  STARTUPINFOA startup;
  PROCESS_INFORMATION process;
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  luaL_argcheck(L, length < sizeof command, 1, "too long");
  memcpy(command, text, length + 1);
  memset(&startup, 0, sizeof startup);
  memset(&process, 0, sizeof process);
  startup.cb = sizeof startup;
  if (!CreateProcessA(NULL, command, NULL, NULL, FALSE, 0, NULL, NULL,
                      &startup, &process)) {
    return luaL_error(L, "%s does not start: %d", command,
                      (int)GetLastError());
  }
  if (process.dwProcessId != 0
      && GetProcessId(process.hProcess) == process.dwProcessId) {
    CloseHandle(process.hThread);
    CloseHandle(process.hProcess);
  }
  return 0;
}

static int host_change_directory(lua_State *L) {
  lua_pushboolean(L, _chdir(luaL_checkstring(L, 1)) == 0);
  return 1;
}

/* A variable of the environment; nil takes it away. */
static int host_set(lua_State *L) {
  lua_pushboolean(L, _putenv_s(luaL_checkstring(L, 1),
                               luaL_optstring(L, 2, "")) == 0);
  return 1;
}

/* A port that accepts connections into its backlog and never says a word. */
static int host_listen(lua_State *L) {
  struct sockaddr_in address;
  int size = sizeof address;
  SOCKET fd = socket(AF_INET, SOCK_STREAM, 0);
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd == INVALID_SOCKET || bind(fd, (struct sockaddr *)&address, size) != 0
      || listen(fd, 16) != 0
      || getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
    return luaL_error(L, "cannot listen");
  }
  lua_pushinteger(L, ntohs(address.sin_port));
  lua_pushnumber(L, (lua_Number)fd);
  return 2;
}

/* Whether a socket is readable within so many seconds. */
static int host_readable(lua_State *L) {
  WSAPOLLFD watch;
  watch.fd = (SOCKET)luaL_checknumber(L, 1);
  watch.events = POLLRDNORM;
  watch.revents = 0;
  WSAPoll(&watch, 1, (int)(luaL_optnumber(L, 2, 0) * 1000));
  lua_pushboolean(L, watch.revents != 0);
  return 1;
}

/* What there is to be read from a socket; nil at its end. */
static int host_read(lua_State *L) {
  char bytes[512];
  u_long yes = 1;
  SOCKET fd = (SOCKET)luaL_checknumber(L, 1);
  ioctlsocket(fd, FIONBIO, &yes);
  int count = recv(fd, bytes, sizeof bytes, 0);
  if (count == 0) {
    return 0;
  }
  lua_pushlstring(L, bytes, count > 0 ? (size_t)count : 0);
  return 1;
}

/* A socket, or a file of `lock`. */
static int host_close(lua_State *L) {
  lua_Number fd = luaL_checknumber(L, 1);
  if (closesocket((SOCKET)fd) != 0) {
    CloseHandle((HANDLE)(intptr_t)fd);
  }
  return 0;
}

/* Keeps others from locking a file, bytes from a number on, until it is closed. */
static int host_lock(lua_State *L) {
  OVERLAPPED place;
  unsigned long long start = (unsigned long long)luaL_checknumber(L, 2);
  HANDLE file = CreateFileA(luaL_checkstring(L, 1),
                            GENERIC_READ | GENERIC_WRITE,
                            FILE_SHARE_READ | FILE_SHARE_WRITE
                              | FILE_SHARE_DELETE, NULL, OPEN_ALWAYS, 0, NULL);
  memset(&place, 0, sizeof place);
  place.Offset = (DWORD)start;
  place.OffsetHigh = (DWORD)(start >> 32);
  if (file == INVALID_HANDLE_VALUE
      || !LockFileEx(file, LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY,
                     0, MAXDWORD, MAXLONG, &place)) {
    return luaL_error(L, "cannot lock");
  }
  lua_pushnumber(L, (lua_Number)(intptr_t)file);
  return 1;
}

/* Ends a process at once, as SIGKILL does. */
static int host_kill(lua_State *L) {
  HANDLE process = OpenProcess(PROCESS_TERMINATE, FALSE,
                               (DWORD)luaL_checkinteger(L, 1));
  lua_pushboolean(L, process && TerminateProcess(process, 137));
  CloseHandle(process);
  return 1;
}

static const luaL_Reg functions[] = {
  {"sleep", host_sleep}, {"start", host_start}, {"kill", host_kill},
  {"change_directory", host_change_directory}, {"set", host_set},
  {"listen", host_listen}, {"readable", host_readable}, {"read", host_read},
  {"close", host_close}, {"lock", host_lock}, {NULL, NULL}
};

__declspec(dllexport) int luaopen_host(lua_State *L);

int luaopen_host(lua_State *L) {
  const luaL_Reg *function;
  WSADATA data;
  WSAStartup(MAKEWORD(2, 2), &data);
  lua_newtable(L);
  for (function = functions; function->name; function++) {
    lua_pushcfunction(L, function->func);
    lua_setfield(L, -2, function->name);
  }
  return 1;
}

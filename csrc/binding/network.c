#include "binding/network.h"

#include <errno.h>
#include <string.h>

#include "binding/disk.h"
#include "binding/exchange.h"
#include "binding/outbox.h"
#include "http/network.h"
#include "system/signals.h"

#include "rules/visibility.h"

#define NETWORK "starvideos.curl.network"
#define TICKET "starvideos.curl.ticket"

/* --- arguments --------------------------------------------------------- */

/* A NULL pointer is the closed flag. */
static sv_network **check_network(lua_State *L) {
  return luaL_checkudata(L, 1, NETWORK);
}

static sv_network *open_network(lua_State *L) {
  sv_network **box = check_network(L);
  if (!*box) {
    luaL_error(L, "attempt to use a closed network");
  }
  return *box;
}

/* NULL once the result was taken out. */
static sv_ticket *check_ticket(lua_State *L) {
  return *(sv_ticket **)luaL_checkudata(L, 1, TICKET);
}

/* --- network ------------------------------------------------------------ */

static int curl_network(lua_State *L) {
  int max_in_flight;
  bool is_inline;
  const char *ca_file = sv_read_network(L, 1, &max_in_flight, &is_inline);
  sv_network **box = sv_new_object(L, NETWORK, sizeof *box);
  *box = sv_network_new(ca_file, max_in_flight, is_inline);
  if (!*box) {
    return luaL_error(L, "no network: %s", strerror(errno));
  }
  return 1;
}

static int network_close(lua_State *L) {
  sv_network **box = check_network(L);
  sv_network *network = *box;
  *box = NULL;
  if (network) {
    sv_network_close(network);
  }
  return 0;
}

static int push_number(lua_State *L, const sv_ticket *ticket) {
  sv_push_integer(L, ticket->item.number);
  return 2;
}

/* Whether it is open shows once no more Lua may run, finalizers among it. */
static int network_submit(lua_State *L) {
  sv_request request;
  sv_header few[SV_FEW_HEADERS];
  sv_outcome failure;
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  check_network(L);
  sv_read_request(L, 2, &request, few);
  sv_ticket **box = sv_new_object(L, TICKET, sizeof *box);
  if (sv_guard_request(L, 2, &failure)) {
    *box = sv_network_submit(open_network(L), &request, &failure);
  }
  return *box ? push_number(L, *box) : sv_push_failure(L, &failure);
}

static int network_disk(lua_State *L) {
  lua_settop(L, 7);
  sv_ticket **box = sv_new_object(L, TICKET, sizeof *box);
  sv_network *network = open_network(L);
  sv_disk_job *job = sv_read_disk_job(L, 2);
  *box = job ? sv_network_disk(network, job) : NULL;
  return *box ? push_number(L, *box)
              : sv_push_problem(L, job ? errno : ENOMEM);
}

static sv_outbox *outbox_of(lua_State *L) {
  return sv_network_outbox(open_network(L));
}

static double check_seconds(lua_State *L) {
  double seconds = luaL_checknumber(L, 2);
  luaL_argcheck(L, seconds >= 0 && seconds < 1e9, 2, "out of range");
  return seconds;
}

/* wait(seconds): until its wake-up is notified. */
static int network_wait(lua_State *L) {
  sv_wakeup *wakeup = sv_check_wakeup(L, outbox_of(L));
  sv_wakeup_wait(wakeup, sv_interrupt_limit(check_seconds(L)));
  sv_raise_interrupt(L);
  return 0;
}

/* step(seconds) -> whether a ticket has ended: drives one that is inline. */
static int network_step(lua_State *L) {
  sv_network *network = open_network(L);
  lua_pushboolean(L, sv_network_step(network, check_seconds(L)));
  sv_raise_interrupt(L);
  return 1;
}

/* --- ticket ------------------------------------------------------------ */

static int ticket_gc(lua_State *L) {
  sv_ticket **box = luaL_checkudata(L, 1, TICKET);
  sv_ticket *ticket = *box;
  *box = NULL;
  if (ticket) {
    sv_item_release(&ticket->item);
  }
  return 0;
}

static int ticket_done(lua_State *L) {
  sv_ticket *ticket = check_ticket(L);
  lua_pushboolean(L, !ticket || sv_item_done(&ticket->item));
  return 1;
}

static int ticket_cancel(lua_State *L) {
  sv_ticket *ticket = check_ticket(L);
  if (ticket) {
    sv_ticket_cancel(ticket);
  }
  return 0;
}

static int push_lost(lua_State *L) {
  lua_pushnil(L);
  lua_createtable(L, 0, 2);
  sv_set_text(L, "reason", "cancelled");
  sv_set_text(L, "message", "cancelled by a fork");
  return 2;
}

static int push_result(lua_State *L, sv_ticket *ticket) {
  if (!ticket->job) {
    return sv_push_result(L, &ticket->transfer, sv_ticket_outcome(ticket));
  }
  return ticket->item.lost ? push_lost(L) : sv_push_disk_job(L, ticket->job);
}

/* wait(seconds) -> whether it is done, after so long at most; nothing where it
** was never submitted. */
static int ticket_wait(lua_State *L) {
  sv_ticket *ticket = check_ticket(L);
  double seconds = check_seconds(L);
  if (!ticket) {
    return 0;
  }
  lua_pushboolean(L, sv_ticket_wait(ticket, seconds));
  sv_raise_interrupt(L);
  return 1;
}

/* result(keeps) takes the result out, once: Lua's collector knows nothing
** of a body's size, and may leave the ticket alone for long. One that is kept
** can be had again. */
static int ticket_result(lua_State *L) {
  bool keeps = lua_toboolean(L, 2);
  sv_ticket *ticket = check_ticket(L);
  luaL_argcheck(L, ticket, 1, "its result was taken");
  luaL_argcheck(L, sv_item_done(&ticket->item), 1, "still under way");
  int count = push_result(L, ticket);
  if (!keeps) {
    *(sv_ticket **)lua_touserdata(L, 1) = NULL;
    sv_item_release(&ticket->item);
  }
  return count;
}

static int ticket_answer(lua_State *L) {
  sv_ticket *ticket = check_ticket(L);
  return ticket ? sv_push_answer(L, &ticket->transfer,
                                 sv_ticket_status(ticket))
                : 0;
}

/* progress() -> bytes received, in all (nil where unknown) and sent. */
static int ticket_progress(lua_State *L) {
  sv_ticket *ticket = check_ticket(L);
  if (!ticket) {
    return 0;
  }
  sv_progress progress = sv_ticket_progress(ticket);
  sv_push_integer(L, progress.received);
  sv_push_known(L, progress.total);
  sv_push_integer(L, progress.sent);
  return 3;
}

static const luaL_Reg network_methods[] = {
    {"submit", network_submit},  {"disk", network_disk},
    {"wait", network_wait},      {"step", network_step},
    {"close", network_close},
    {"__gc", network_close},     {"__close", network_close},
    {NULL, NULL},
};

static const luaL_Reg ticket_methods[] = {
    {"done", ticket_done},         {"result", ticket_result},
    {"answer", ticket_answer},     {"progress", ticket_progress},
    {"cancel", ticket_cancel},     {"wait", ticket_wait},
    {"__gc", ticket_gc},           {NULL, NULL},
};

void sv_add_network(lua_State *L) {
  sv_make_wakeup_class(L);
  sv_make_class(L, NETWORK, network_methods);
  sv_add_outbox_methods(L, NETWORK, outbox_of);
  sv_make_class(L, TICKET, ticket_methods);
  lua_pushcfunction(L, curl_network);
  lua_setfield(L, -2, "network");
}

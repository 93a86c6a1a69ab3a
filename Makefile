# `make` builds the library for LUA, `make demo` orders a video from the
# sandbox, `make check` is for between two edits, `make test` for a push.

LUA ?= lua5.4
LUAS = lua5.1 lua5.2 lua5.3 lua5.4 luajit
BUILD = build/$(LUA)

# One line a floor of csrc; what needs libcurl or libcrypto is a module apart.
RULES_SRC = $(wildcard csrc/rules/*.c)
# The half of csrc/system that is built: posix or windows.
SYSTEM = posix
SYSTEM_SRC = $(filter-out %/digest.c,\
	$(wildcard csrc/system/*.c csrc/system/$(SYSTEM)/*.c))
CORE_SRC = $(addprefix csrc/binding/,core.c catalog.c compat.c system.c disk.c \
	actor.c watch.c marshal.c outbox.c) \
	$(wildcard csrc/thread/*.c) $(SYSTEM_SRC) $(RULES_SRC)
CURL_SRC = $(addprefix csrc/binding/,curl.c compat.c disk.c network.c exchange.c \
	outbox.c) $(addprefix csrc/thread/,outbox.c service.c) \
	$(wildcard csrc/http/*.c csrc/system/*.c csrc/system/$(SYSTEM)/*.c) \
	$(addprefix csrc/rules/,buffer.c ip.c text.c value.c video.c)

# CFLAGS, LIBFLAG and LUA_INCDIR are LuaRocks' names; whoever sets them keeps
# what the sources rely on.
CFLAGS ?= -O2
LIBFLAG = $(if $(filter Darwin,$(shell uname -s)),-bundle -undefined \
	dynamic_lookup,-shared)
WARNINGS = -Wall -Wextra -Wpedantic -Wshadow -Wconversion

# Debian's hardening flags, those that the compiler knows; whoever sets CFLAGS and
# LDFLAGS has the last word. A sanitizer watches more than these do, and FORTIFY needs
# a compiler that optimizes.
HARDENING_CFLAGS = -fstack-protector-strong -fstack-clash-protection \
	-fcf-protection -Werror=format-security \
	$(if $(filter-out -O0,$(filter -O%,$(CFLAGS))),-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
HARDENING_LDFLAGS = -Wl,-z,relro -Wl,-z,now
known = $(shell mkdir -p $(BUILD); for flag in $(1); do \
	$(CC) -Werror $$flag $(2) -x c /dev/null -o $(BUILD)/known 2>/dev/null && echo " $$flag"; \
	done; rm -f $(BUILD)/known)
# Each is asked for once, when it is first used.
HARDENED_C = $(eval HARDENED_C := $(call known,$(HARDENING_CFLAGS),-c -Wformat))$(HARDENED_C)
HARDENED_LD = $(eval HARDENED_LD := $(call known,$(HARDENING_LDFLAGS),-shared -fPIC))$(HARDENED_LD)
has_sanitizer = $(findstring -fsanitize,$(CFLAGS))

ifeq ($(SYSTEM),windows)
# Made here for there; Win32 as of Windows 10, numbers written as C99 has them. A
# DLL names the one of Lua; it needs no other that Windows does not have.
ENDING = dll
WINDOWS_PARTS = build/windows/prefix
LUA_INCDIR = $(WINDOWS_PARTS)/include/$(LUA)
SYSTEM_CFLAGS = -D_WIN32_WINNT=0x0A00 -D__USE_MINGW_ANSI_STDIO=1 \
	-Wno-float-conversion
CORE_LIBS = -static-libgcc -L$(WINDOWS_PARTS)/lib -l$(LUA) -lws2_32 -lbcrypt -ladvapi32
CURL_CFLAGS = -I$(WINDOWS_PARTS)/include
CURL_LIBS = $(CORE_LIBS) -lcurl
else
ENDING = so
SYSTEM_CFLAGS = -fPIC -pthread $(if $(has_sanitizer),,$(HARDENED_C))
SYSTEM_LDFLAGS = $(if $(has_sanitizer),,$(HARDENED_LD))
CORE_LIBS = -pthread -ldl
CURL_CFLAGS = $(shell pkg-config --cflags libcurl libcrypto 2>/dev/null)
CURL_LIBS = $(shell pkg-config --libs libcurl libcrypto 2>/dev/null || \
	echo -lcurl -lcrypto)
endif

# Asked for when a compiler is about to run, not when this file is read: on a
# new machine `make demo` installs pkg-config first.
ifdef LUA_INCDIR
LUA_CFLAGS = -I$(LUA_INCDIR)
else
LUA_CFLAGS = $(shell pkg-config --cflags $(LUA))
endif
LUA_LIBS = $(shell pkg-config --libs $(LUA) 2>/dev/null)

# On 32 bits a file of more than 2 GiB could not even be looked at.
LARGE_FILES = -D_FILE_OFFSET_BITS=64

COMPILE = $(CC) -std=gnu11 -Icsrc $(LARGE_FILES) $(WARNINGS) $(SYSTEM_CFLAGS) \
	$(CFLAGS) $(CURL_CFLAGS)

# Below the bindings no C knows Lua: builds that differ in LUA alone share its objects.
COMMON = $(if $(filter $(LUA),$(notdir $(BUILD))),$(dir $(BUILD)),$(BUILD)/)common
object = $(patsubst csrc/binding/%.c,$(BUILD)/obj/%.o,$(filter csrc/binding/%,$(1))) \
	$(patsubst csrc/%.c,$(COMMON)/%.o,$(filter-out csrc/binding/%,$(1)))
MODULES = $(BUILD)/starvideos/core.$(ENDING) $(BUILD)/starvideos/curl.$(ENDING)
LAUNCHER = $(BUILD)/bin/starvideos

# Installs packages where it can: `DEPS=true` leaves that to you.
DEPS = spec/packages.sh

LUA_VERSION = $(patsubst lua%,%,$(subst luajit,lua5.1,$(notdir $(LUA))))
PREFIX ?= /usr/local
INST_LUADIR = $(call absolute,$(PREFIX))/share/lua/$(LUA_VERSION)
INST_LIBDIR = $(call absolute,$(PREFIX))/lib/lua/$(LUA_VERSION)
INST_BINDIR = $(call absolute,$(PREFIX))/bin
INST_SHAREDIR = $(call absolute,$(PREFIX))/share

.PHONY: build modules
build: modules $(LAUNCHER) shell-files
modules: $(MODULES)

# The manual page and the completions, which the command itself prints. Where it
# does not run, for want of argparse or on another machine, there are none.
SHELL_FILES = $(addprefix $(BUILD)/share/,man/man1/starvideos.1 \
	bash-completion/completions/starvideos zsh/site-functions/_starvideos \
	fish/vendor_completions.d/starvideos.fish)
.PHONY: shell-files
shell-files: $(BUILD)/share/.made
$(BUILD)/share/.made: $(MODULES) $(LAUNCHER) $(shell find lua/starvideos -name '*.lua')
	@set -- $(SHELL_FILES); \
	for command in manual 'completion bash' 'completion zsh' 'completion fish'; do \
	  mkdir -p "$${1%/*}"; \
	  $(LUA) $(LAUNCHER) $$command >"$$1" 2>$@ || { rm -f "$$1"; \
	    echo "No manual page, no completions: $$(head -n 1 $@)"; break; }; \
	  shift; \
	done; touch $@

$(BUILD)/starvideos/core.$(ENDING): $(call object,$(CORE_SRC))
	@mkdir -p $(@D)
	$(CC) $(LIBFLAG) $(CFLAGS) $(SYSTEM_LDFLAGS) $(LDFLAGS) -o $@ $^ $(CORE_LIBS)

$(BUILD)/starvideos/curl.$(ENDING): $(call object,$(CURL_SRC))
	@mkdir -p $(@D)
	$(CC) $(LIBFLAG) $(CFLAGS) $(SYSTEM_LDFLAGS) $(LDFLAGS) -o $@ $^ $(CURL_LIBS)

$(BUILD)/obj/%.o: csrc/binding/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(COMPILE) $(LUA_CFLAGS) -MMD -MP -c -o $@ $<

$(COMMON)/%.o: csrc/%.c $(COMMON)/flags
	@mkdir -p $(@D)
	$(COMPILE) -MMD -MP -c -o $@ $<

# What all Luas share, before several are built side by side.
.PHONY: common
common: $(call object,$(filter-out csrc/binding/%,$(CORE_SRC) $(CURL_SRC)))

-include $(wildcard $(BUILD)/obj/*.d $(COMMON)/*/*.d $(COMMON)/*/*/*.d)

# Newer than the objects exactly when they were made otherwise.
note = mkdir -p $(@D) && { echo '$(1)' | cmp -s - $@ || echo '$(1)' > $@; }
$(BUILD)/flags: FORCE
	@$(if $(LUA_INCDIR),:,pkg-config --exists $(LUA)) || \
	  { echo "No headers of $(LUA) found: 'make deps' installs them"; exit 1; }
	@$(call note,$(COMPILE) $(LUA_CFLAGS) $(SYSTEM_LDFLAGS) $(LDFLAGS))
$(COMMON)/flags: FORCE
	@$(call note,$(COMPILE))

# The command finds its own modules, wherever LUA_PATH points: what of bin/starvideos
# is not LuaRocks' alone, behind lines that say where they lie.
absolute = $(if $(filter /%,$(1)),,$(CURDIR)/)$(1)
launcher_rest = sed '1,/^-- What the Makefile/d' bin/starvideos
launcher = { printf '%s\n' '\#!/usr/bin/env $(notdir $(LUA))' \
	  'local lua, lib = [==[$(call absolute,$(1))]==], [==[$(call absolute,$(2))]==]'; \
	  $(launcher_rest); }

# On Windows a program of that name starts it; both find the rest from where they
# lie themselves. A folder that the code page has no name for Lua cannot enter.
WINDOWS_LAUNCHER = $(BUILD)/bin/starvideos.bat
$(WINDOWS_LAUNCHER): $(BUILD)/flags bin/starvideos
	@mkdir -p $(@D)
	@{ printf '%s\n' 'local here = arg[0]:match "^(.*[/\\])" or ""' \
	  'local lua, lib = here .. "../../../../lua", here .. ".."'; \
	  $(launcher_rest); } > $(@:.bat=.lua)
	@printf '%s\r\n' '@"$(LUA).exe" "%~dp0starvideos.lua" %*' > $@

$(LAUNCHER): $(BUILD)/flags FORCE
	@mkdir -p $(@D)
	@$(call launcher,lua,$(BUILD)) | cmp -s - $@ || \
	  { $(call launcher,lua,$(BUILD)) > $@; chmod 755 $@; }

# For the shell: eval "$(make -s env)"
.PHONY: env
env:
	@quoted() { printf %s "$$1" | sed "s/'/'\\\\''/g; s/^/'/; s/$$/'/"; }; \
	here=$$(pwd); case "$(BUILD)" in /*) built="$(BUILD)" ;; *) built=$$here/$(BUILD) ;; esac; \
	echo "export LUA_PATH=$$(quoted "$$here/lua/?.lua;$$here/lua/?/init.lua;;")"; \
	echo "export LUA_CPATH=$$(quoted "$$built/?.so;;")"; \
	echo "export PATH=$$(quoted "$$built/bin"):\"\$$PATH\""

.PHONY: deps
deps:
	@$(DEPS) demo test

.PHONY: demo
demo:
	@$(DEPS) demo
	@$(MAKE) --no-print-directory build LUA=lua5.4
	@spec/demo.sh

# One name for each Lua: build-lua5.1 ... build-luajit.
.PHONY: build-all build-common $(LUAS:%=build-%)
build-all: $(LUAS:%=build-%)
build-common:
	@$(MAKE) --no-print-directory common
$(LUAS:%=build-%): build-%: build-common
	@$(MAKE) --no-print-directory build LUA=$*

ROCKSPEC = rockspec/starvideos-scm-1.rockspec
# What takes servers and processes of its own is tried from one Lua here, and from
# LuaJIT as well in .ci/run, where also go what tries every case there is, and the Luas
# between the oldest and the newest: 5.2 in a Turkish locale, and 5.3 in a German one, with
# what LuaRocks installed. Of the hosts only what runs in that Lua: nginx and
# LÖVE have a LuaJIT of their own.
TEST_LUAS = lua5.1 lua5.4 luajit
SUITES = $(TEST_LUAS:%=unit:%) integration:lua5.4 hosts:lua5.4 loops:luajit \
	rockspec:lua5.4
LONG_SUITES = turkish:lua5.2 installed:lua5.3 exhaustive:lua5.4 exhaustive:luajit integration:luajit \
	scenarios:luajit

# What LUA alone can find, in under a minute.
.PHONY: check
check:
	@$(DEPS) demo test lint
	@luacheck --quiet lua spec examples docs $(ROCKSPEC)
	@$(MAKE) --no-print-directory lint-structure lint-gcc-$(LUA)
	@BUILD=build/lint/gcc/$(LUA) lua5.4 spec/run.lua unit:$(LUA)

.PHONY: test
test:
	@$(DEPS) demo test
	@$(MAKE) -j2 --no-print-directory $(TEST_LUAS:%=build-%)
	@lua5.4 spec/run.lua $(SUITES)

.PHONY: test-long
test-long:
	@$(DEPS) demo test
	@$(MAKE) --no-print-directory -j2 build-all rock
	@lua5.4 spec/run.lua $(LONG_SUITES)

# The unit specs under Lua 5.5, which is built from Debian's sources.
.PHONY: test-lua5.5
test-lua5.5:
	@$(DEPS) demo test
	@spec/lua5.5.sh
	@export PKG_CONFIG_PATH="$(CURDIR)/build/lua5.5/lib/pkgconfig" && \
	  $(MAKE) -s --no-print-directory build LUA=lua5.5 && \
	  lua5.4 spec/run.lua unit:lua5.5

# The gateway with clients of others, which npm installs below build: these versions,
# and no script of theirs.
CLIENTS = build/clients/node_modules/.package-lock.json
.PHONY: test-clients
test-clients:
	@$(DEPS) demo test clients
	@$(MAKE) -s --no-print-directory build $(CLIENTS) LUA=lua5.4
	@$(MAKE) -s --no-print-directory build LUA=luajit
	@lua5.4 spec/run.lua clients:lua5.4
$(CLIENTS): spec/clients/package.json spec/clients/package-lock.json
	@mkdir -p build/clients
	@cp $^ build/clients/
	@cd build/clients && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

# LuaRocks makes, packs and installs the release, from a server of its own.
.PHONY: test-rocks
test-rocks:
	@$(DEPS) demo test
	@$(MAKE) -s --no-print-directory build LUA=lua5.4
	@lua5.4 spec/run.lua rocks:lua5.4

# The unit specs against what LuaRocks installed, and nothing else, in a German locale.
.PHONY: test-installed rock
test-installed:
	@$(DEPS) demo test
	@$(MAKE) --no-print-directory rock
	@lua5.4 spec/run.lua installed:lua5.3
rock:
	@MAKEFLAGS= luarocks --lua-version 5.3 make --tree build/rocks $(ROCKSPEC)

# That no arrow climbs a floor or leads in a circle, and that the seam is one: see
# spec/lint.
.PHONY: lint-structure
lint-structure:
	@lua5.4 spec/lint/run.lua

# The files that a warm create runs in.
.PHONY: touched
touched:
	@$(DEPS) demo test
	@$(MAKE) -s --no-print-directory build LUA=lua5.4
	@$(MAKE) -j2 -s --no-print-directory modules LUA=lua5.4 BUILD=build/touched/lua5.4 \
	  CFLAGS='-O0 --coverage'
	@eval "$$($(MAKE) -s --no-print-directory env LUA=lua5.4)" && \
	  BUILD=build/touched/lua5.4 lua5.4 spec/touched/run.lua

.PHONY: lint
lint:
	@$(DEPS) test lint
	@luacheck --quiet lua spec examples docs $(ROCKSPEC)
	@$(MAKE) -j2 --no-print-directory lint-structure $(LUAS:%=lint-gcc-%) $(LUAS:%=lint-clang-%)
	@echo "lint: nothing found"
$(LUAS:%=lint-gcc-%): lint-gcc-%: lint-common-gcc
	@+$(LINT_BUILD) build CC=gcc LUA=$* BUILD=build/lint/gcc/$*
$(LUAS:%=lint-clang-%): lint-clang-%: lint-common-clang
	@+$(LINT_BUILD) build CC=clang LUA=$* BUILD=build/lint/clang/$*
lint-common-%:
	@+$(LINT_BUILD) common CC=$* BUILD=build/lint/$*/$(LUA)
LINT_BUILD = $(MAKE) -s --no-print-directory CFLAGS='-O2 -Werror'

.PHONY: check-security
check-security:
	@$(DEPS) demo test security
	@$(MAKE) -s --no-print-directory build-all
	@eval "$$($(MAKE) -s --no-print-directory env)" && spec/security/check.sh

.PHONY: check-memory
check-memory:
	@$(DEPS) demo test memory
	@spec/memory/check.sh

# For how long each target is fuzzed.
FUZZ_SECONDS = 60
FUZZ_TARGETS = $(patsubst spec/fuzz/%.seeds,%,$(wildcard spec/fuzz/*.seeds))
FUZZ_CFLAGS = -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=undefined \
	-fsanitize=fuzzer-no-link,address,undefined
.PHONY: fuzz fuzz-targets
fuzz:
	@$(DEPS) demo test fuzz
	@$(MAKE) -j2 -s --no-print-directory fuzz-targets LUA=lua5.4 CC=clang \
	  BUILD=build/fuzz CFLAGS='$(FUZZ_CFLAGS)'
	@spec/fuzz/run.sh $(FUZZ_SECONDS) $(FUZZ_TARGETS)
fuzz-targets: $(FUZZ_TARGETS:%=$(BUILD)/target/%)
$(BUILD)/target/%: spec/fuzz/%.c spec/fuzz/peer.c $(wildcard spec/fuzz/*.h) \
  $(call object,$(CORE_SRC) $(CURL_SRC))
	@mkdir -p $(@D)
	$(COMPILE) $(LUA_CFLAGS) -fsanitize=fuzzer -o $@ $(filter-out %.h,$^) \
	  $(CURL_LIBS) $(LUA_LIBS)

# The program of the allocation spec, in which memory runs out when told to.
ALLOCATION_CFLAGS = -O1 -g -fno-omit-frame-pointer \
	-fsanitize=address,undefined -fno-sanitize-recover=undefined
WRAPPED = malloc calloc realloc strdup strndup free curl_multi_wait \
	luaL_newstate
.PHONY: allocation
allocation:
	@$(MAKE) -j2 -s --no-print-directory build/allocation/$(LUA)/driver \
	  BUILD=build/allocation/$(LUA) CFLAGS='$(ALLOCATION_CFLAGS)'
$(BUILD)/driver: $(wildcard spec/allocation/*.[ch] spec/fuzz/peer.*) \
  $(call object,$(CORE_SRC) $(CURL_SRC))
	$(COMPILE) $(LUA_CFLAGS) $(WRAPPED:%=-Wl,--wrap=%) -Ispec/fuzz -o $@ \
	  $(filter-out %.h,$^) $(CURL_LIBS) $(LUA_LIBS)

# Drivers and Lua states on several threads, under ThreadSanitizer.
THREADS_SECONDS = 5
THREADS_CFLAGS = -O1 -g -fno-omit-frame-pointer -fsanitize=thread
.PHONY: check-threads threads
check-threads:
	@$(DEPS) demo test
	@$(MAKE) -s --no-print-directory build threads LUA=$(LUA)
	@eval "$$($(MAKE) -s --no-print-directory env LUA=$(LUA))" && \
	  $(LUA) spec/threads/run.lua build/threads/$(LUA) \
	    $(THREADS_SECONDS)
threads:
	@$(MAKE) -j2 -s --no-print-directory build/threads/$(LUA)/hammer \
	  build/threads/$(LUA)/exit \
	  BUILD=build/threads/$(LUA) CFLAGS='$(THREADS_CFLAGS)'
$(BUILD)/hammer $(BUILD)/exit: $(BUILD)/%: spec/threads/%.c \
  $(call object,$(CORE_SRC) $(CURL_SRC))
	$(COMPILE) $(LUA_CFLAGS) $(OVERTAKEN:%=-Wl,--wrap=%) -o $@ $^ $(CURL_LIBS) \
	  $(LUA_LIBS)
$(BUILD)/exit: OVERTAKEN = pthread_rwlock_unlock fsync

# How often the ledger's program is killed or stopped; SEED repeats a run. Beside
# that an order is killed at each of its system calls, and a host's error is raised
# at each instruction after it was sent.
KILLS = 2000
EVERY = 1
SEED =
.PHONY: torture
torture:
	@$(DEPS) demo test
	@$(MAKE) -s --no-print-directory build LUA=lua5.4
	@eval "$$($(MAKE) -s --no-print-directory env LUA=lua5.4)"; \
	{ lua5.4 spec/torture/calls.lua $(EVERY) && lua5.4 spec/torture/places.lua && \
	  lua5.4 spec/torture/signals.lua && lua5.4 spec/torture/raise.lua; } & \
	lua5.4 spec/torture/run.lua $(KILLS) $(SEED); killed=$$?; \
	wait $$! && exit $$killed

# How often a gateway's nginx workers are killed; SEED repeats a run.
torture-gateway: KILLS = 200
.PHONY: torture-gateway
torture-gateway:
	@$(DEPS) demo test
	@$(MAKE) -s --no-print-directory build LUA=lua5.4
	@$(MAKE) -s --no-print-directory build LUA=luajit
	@eval "$$($(MAKE) -s --no-print-directory env LUA=lua5.4)" && \
	  lua5.4 spec/torture/gateway.lua $(KILLS) $(SEED)

# Many processes on one ledger, killed, limited and cut off: SCALE orders, and as
# much of the rest as of 10,000. SEED repeats a run; PARTS are files of spec/fleet.
SCALE = 10000
PARTS = queue crowd kills cap batch stops calls pooler
.PHONY: fleet
fleet:
	@$(DEPS) demo test
	@$(MAKE) -s --no-print-directory build LUA=lua5.4
	@eval "$$($(MAKE) -s --no-print-directory env LUA=lua5.4)" && \
	  lua5.4 spec/fleet/run.lua $(SCALE) $(or $(SEED),'') $(PARTS)

# 200 workers and ORDERS orders in virtual time, with an outage of ten minutes;
# draws what it saw to PICTURE.
ORDERS = 100000
PICTURE = docs/fleet.svg
.PHONY: simulate
simulate:
	@$(DEPS) demo test
	@$(MAKE) -s --no-print-directory build LUA=luajit
	@eval "$$($(MAKE) -s --no-print-directory env LUA=luajit)" && \
	  luajit spec/simulate/run.lua $(ORDERS) $(or $(SEED),1) $(PICTURE)

# How often an order is sent under each fault of a server, and what comes of
# each operation, over the libcurl that CURL names: `debian`, the system's;
# `sid`, the newest of Debian's unstable sources, built once; or the prefix of
# another, with lib/pkgconfig in it.
CURL = debian
CURL_PREFIX = $(realpath $(patsubst sid,build/curl-sid,$(CURL)))
ifeq ($(CURL),debian)
OVER_CURL = $(MAKE) -s --no-print-directory LUA=lua5.4
else
OVER_CURL = PKG_CONFIG_PATH='$(CURL_PREFIX)/lib/pkgconfig' \
	$(MAKE) -s --no-print-directory LUA=lua5.4 \
	LDFLAGS='-Wl,-rpath,$(CURL_PREFIX)/lib' \
	BUILD=build/faults/$(notdir $(CURL_PREFIX))/lua5.4
endif
.PHONY: faults faults-table faults-figure faults-specs libcurl-sid
faults:
	@$(DEPS) demo test
	@$(if $(filter sid,$(CURL)),$(MAKE) -s --no-print-directory libcurl-sid)
	@$(MAKE) -s --no-print-directory faults-table CURL=$(CURL)
faults-table: faults-figure
	@$(OVER_CURL) faults-specs
faults-figure:
	@test '$(CURL)' = debian || test -n '$(CURL_PREFIX)' || \
	  { echo 'There is no libcurl in $(CURL)'; exit 1; }
	@$(OVER_CURL) build
	@eval "$$($(OVER_CURL) env)" && \
	  lua5.4 spec/faults/figure.lua
faults-specs:
	@BUILD=$(BUILD) lua5.4 spec/run.lua faults:lua5.4
libcurl-sid:
	@$(DEPS) libcurl
	@spec/libcurl.sh

# What the library and its specs need on Windows, into build/windows/prefix.
.PHONY: windows-parts
windows-parts:
	@$(DEPS) demo test windows
	@spec/windows/build.sh

# That all C compiles for macOS and musl without a warning, here, with a compiler
# that npm installs below build.
.PHONY: check-portable
check-portable:
	@$(DEPS) demo test
	@spec/portable/compiler.sh
	@lua5.4 spec/portable/run.lua

# The library for Windows, as build/windows/LUA/starvideos/*.dll.
WINDOWS_LUAS = lua5.4 luajit
.PHONY: windows-build
windows-build: modules $(WINDOWS_LAUNCHER)

.PHONY: windows $(WINDOWS_LUAS:%=windows-%)
windows: windows-parts
	@$(MAKE) -s --no-print-directory $(WINDOWS_LUAS:%=windows-%)
$(WINDOWS_LUAS:%=windows-%): windows-%:
	@$(MAKE) --no-print-directory windows-build SYSTEM=windows LUA=$* \
	  BUILD=build/windows/$* CC=x86_64-w64-mingw32-gcc

# The specs with Wine; what spec/windows/posix.lua marks is expected to fail. No
# spec waits for a file much longer than this, and Wine's server serves all.
.PHONY: test-windows
test-windows: windows
	@$(MAKE) -s --no-print-directory build LUA=lua5.4
	@spec/windows/run.sh $(WINDOWS_LUAS:%=windows:%) console:lua5.4

BENCHES = build/bench/validate_bench build/bench/query_plain \
  build/bench/create_plain
HOST_BENCHES = build/bench/objects
.PHONY: bench
bench:
	@$(DEPS) demo test bench
	@$(MAKE) -s --no-print-directory build $(BENCHES) LUA=lua5.4
	@$(MAKE) -s --no-print-directory build LUA=luajit
	@eval "$$($(MAKE) -s --no-print-directory env LUA=lua5.4)"; \
	  lua5.4 spec/bench/run.lua; status=$$?; \
	  eval "$$($(MAKE) -s --no-print-directory env LUA=luajit)"; \
	  luajit spec/bench/run.lua query && exit $$status

# Longest updates, unrelated requests and late timers, inside the real hosts.
.PHONY: bench-hosts
bench-hosts:
	@$(DEPS) demo test bench
	@$(MAKE) -s --no-print-directory build $(HOST_BENCHES) LUA=lua5.4
	@$(MAKE) -s --no-print-directory build LUA=luajit
	@eval "$$($(MAKE) -s --no-print-directory env LUA=luajit)" && \
	  luajit spec/bench/hosts/run.lua

# Queries by others as well, and docs/performance.md; FIGURES are files of lines
# that the two above have printed.
FIGURES =
.PHONY: bench-peers
bench-peers:
	@$(DEPS) demo peers
	@spec/bench/peers/install.sh
	@$(MAKE) -s --no-print-directory build build/bench/query_plain LUA=lua5.4
	@eval "$$($(MAKE) -s --no-print-directory env LUA=lua5.4)" && \
	  lua5.4 spec/bench/peers/run.lua $(FIGURES)
build/bench/validate_bench: $(RULES_SRC)
build/bench/query_plain build/bench/create_plain: \
  BENCH_LIBS = $(CURL_CFLAGS) $(CURL_LIBS)
build/bench/objects: BENCH_LIBS = $(LUA_CFLAGS) $(LUA_LIBS) -Wl,-E
build/bench/%: spec/bench/%.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(WARNINGS) $(CFLAGS) -Icsrc -o $@ $^ $(BENCH_LIBS)

# The pages of the reference and of docs, as Markdown.
.PHONY: pages
pages: build
	@rm -rf build/docs && mkdir -p build/docs/reference
	@eval "$$($(MAKE) -s --no-print-directory env)" && \
	  $(LUA) docs/reference.lua build/docs

# The same as HTML, in build/site.
.PHONY: docs
docs: pages
	@$(DEPS) docs
	@mkdocs build --quiet --strict

# The pages as they are read: each link, each anchor.
.PHONY: check-docs
check-docs: docs
	@eval "$$($(MAKE) -s --no-print-directory env)" && \
	  $(LUA) spec/lint/links.lua build/docs

# LuaRocks sets IN_A_TREE, for it moves what was installed: the whole of bin/starvideos
# finds that from where it lies.
installed_launcher = $(if $(IN_A_TREE),cat bin/starvideos,$(call launcher,$(INST_LUADIR),$(INST_LIBDIR)))
.PHONY: install
install: build
	cd lua && find starvideos -type d \
	  -exec mkdir -p '$(DESTDIR)$(INST_LUADIR)/{}' \;
	cd lua && find starvideos -type f \
	  -exec install -m 644 '{}' '$(DESTDIR)$(INST_LUADIR)/{}' \;
	mkdir -p '$(DESTDIR)$(INST_LIBDIR)/starvideos' '$(DESTDIR)$(INST_BINDIR)'
	install -m 755 $(MODULES) '$(DESTDIR)$(INST_LIBDIR)/starvideos'
	$(installed_launcher) > '$(DESTDIR)$(INST_BINDIR)/starvideos'
	chmod 755 '$(DESTDIR)$(INST_BINDIR)/starvideos'
	cd '$(BUILD)/share' && find . -type f ! -name '.*' | while read -r file; do \
	  mkdir -p "$(DESTDIR)$(INST_SHAREDIR)/$${file%/*}" && \
	  install -m 644 "$$file" "$(DESTDIR)$(INST_SHAREDIR)/$$file" || exit; \
	done

# What `make install` of this tree has put there, and folders that are empty then;
# bin, lib and share stay. A command of another Lua's stays, with its manual.
.PHONY: uninstall
uninstall:
	@gone() { rm -f "$$2/$$3" && cd "$$1" && cd "$$2" 2>/dev/null && \
	  rmdir -p "$$(dirname "$$3")" 2>/dev/null; cd '$(CURDIR)'; }; \
	root='$(DESTDIR)$(call absolute,$(PREFIX))'; \
	lua='$(INST_LUADIR)'; lib='$(INST_LIBDIR)'; prefix='$(call absolute,$(PREFIX))'; \
	(cd lua && find starvideos -type f) | while read -r file; do \
	  gone / "$$root/share" "$${lua#"$$prefix/share/"}/$$file"; done; \
	for module in $(notdir $(MODULES)); do \
	  gone / "$$root/lib" "$${lib#"$$prefix/lib/"}/starvideos/$$module"; done; \
	command='$(DESTDIR)$(INST_BINDIR)/starvideos'; \
	if $(installed_launcher) | cmp -s - "$$command"; then \
	  rm -f "$$command"; \
	  for file in $(SHELL_FILES:$(BUILD)/share/%=%); do \
	    gone / '$(DESTDIR)$(INST_SHAREDIR)' "$$file"; done; \
	fi

# What a release is made of: the version stands in lua/starvideos/base/version.lua alone.
# DIST_URL is where the tarball will lie.
VERSION = $(shell sed -n 's/^return "\(.*\)"$$/\1/p' lua/starvideos/base/version.lua)
DIST_URL = https://starvideos.example/releases
RELEASE_ROCKSPEC = rockspec/starvideos-$(VERSION)-1.rockspec

# For rockspec/generate.lua, which asks for either SYSTEM.
.PHONY: sources rockspec dist
sources:
	@echo core $(CORE_SRC)
	@echo curl $(CURL_SRC)
rockspec:
	@mkdir -p build
	@lua5.4 rockspec/generate.lua $(VERSION) $(DIST_URL) > build/rockspec
	@mv build/rockspec $(RELEASE_ROCKSPEC)

# From git's files of one commit alone: whoever makes it gets the same bytes.
COMMIT = HEAD
dist:
	@mkdir -p build
	@git archive --format=tar --prefix=starvideos-$(VERSION)/ $(COMMIT) | \
	  gzip -n9 > build/starvideos-$(VERSION).tar.gz
	@echo build/starvideos-$(VERSION).tar.gz

.PHONY: clean
clean:
	rm -rf build

.PHONY: FORCE
FORCE:

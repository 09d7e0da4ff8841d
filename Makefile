# Larder's front door: every target installs what it needs (Debian 12; root or sudo only when a
# package is missing), builds with meson, and runs. The build itself is described in meson.build.
#
#   make run           the proxy, its admin port and the DNS redirector on this machine
#   make test          unit tests, fuzz corpus, whole-program scenarios
#   make check         formatting, clang-tidy, sizes
#   make real          real programs through the proxy: apt, npm, pip, skopeo, Chromium, a video, kill -9, two replicas
#   make stress        the store against kill -9, power loss, failing calls, damage; and every
#                      randomised test with fresh seeds: minutes
#   make bare          `make run` and `make test` in fresh Debian roots (as root; many minutes)
#   make deb           packages for Debian 12 in build-deb, looked at by lintian
#   make deb-test      installs, starts, upgrades and purges them in fresh Debian roots (as root)
#   make systemd-test  the second half of it: under a systemd of their own
#   make bench         performance beside the peers, by bench/larder-bench: tables and plots; an hour
#   make bench-check   instructions of the hot path, by valgrind, against those written down
#   make install-deps  every package the targets above would install
#
# VARIANT=asan|tsan|clang|release  builds and tests in build-VARIANT with other settings.
# LIGHT=1  asan and clang without the tests of single parts: each is a process, and starting one with
#          AddressSanitizer takes longer than the test.

SHELL := /bin/bash
VARIANT ?= debug
BUILD := build-$(VARIANT)
PACKAGES := deploy/install-packages.sh

LIGHT_1 := -Dunit=false -Dbench=false

# Warnings are errors but under sanitizers, whose added checks make gcc see paths that are not there.
FLAGS_debug := -Dwerror=true
FLAGS_clang := -Dwerror=true --optimization=0 $(LIGHT_$(LIGHT))
# A hit takes a tenth fewer instructions when small functions are inlined across files.
FLAGS_release := --buildtype=release -Db_lto=true -Dtests=false
# What sanitizers add is the larger part of compiling: less optimisation spares a third of it.
FLAGS_asan := -Db_sanitize=address,undefined -Db_lundef=false --optimization=1 $(LIGHT_$(LIGHT))
FLAGS_tsan := -Db_sanitize=thread -Db_lundef=false --optimization=1 -Dunit=false -Dcorpora=false -Dbench=false
NEEDS_asan := check
NEEDS_tsan := check
NEEDS_clang := check
ifeq ($(VARIANT),clang)
export CC := clang
endif

# ThreadSanitizer is for what has threads: whole programs, with four workers, where several of them
# meet (tests/scenario/meson.build). Disks that fail are tried in two variants already.
ifeq ($(VARIANT),tsan)
SUITES_tsan := --suite scenario --no-suite fault --no-suite calm
export LARDER_WORKERS := 4
endif
# clang is for its warnings: what it makes of them has been tested in three variants already.
SUITES_clang := --suite fuzz
export ASAN_OPTIONS ?= abort_on_error=1:detect_leaks=1:detect_stack_use_after_return=1
export UBSAN_OPTIONS ?= halt_on_error=1:abort_on_error=1:print_stacktrace=1
export TSAN_OPTIONS ?= halt_on_error=1:second_deadlock_stack=1:suppressions=$(CURDIR)/tests/tsan.supp

CONFIGURE = [ -f $(BUILD)/build.ninja ] || meson setup $(BUILD) $(FLAGS_$(VARIANT))
# A machine that is busy, or slow, is no failure: a test that hangs is found a little later. Tests
# wait more than they compute, so there are more of them at a time than processors.
TEST = meson test -C $(BUILD) --no-rebuild --print-errorlogs --timeout-multiplier 3 \
    --num-processes $$(($$(nproc) + 2)) $(SUITES_$(VARIANT))

.PHONY: all run build test check real stress bare deb deb-test systemd-test bench bench-check install-deps clean

all: build

build:
	@$(PACKAGES) build
	@$(MAKE) --no-print-directory VARIANT=release ninja

# Only what it runs: the other half of the programs are for measuring.
run:
	@$(PACKAGES) build run
	@$(MAKE) --no-print-directory VARIANT=release ninja \
	    TARGETS="proxy/larder-proxy dnsredir/larder-dns ctl/larderctl"
	@exec deploy/run.sh build-release

.PHONY: ninja
ninja:
	@$(CONFIGURE)
	@ninja -C $(BUILD) $(TARGETS)

test:
	@$(PACKAGES) build run test $(NEEDS_$(VARIANT))
	@$(MAKE) --no-print-directory VARIANT=$(VARIANT) ninja
	@$(TEST)

check:
	@$(PACKAGES) build run test check
	@$(MAKE) --no-print-directory VARIANT=debug ninja
	@tests/check.sh build-debug

real: build
	@$(PACKAGES) build run test real
	@tests/scenario/real.sh build-release

stress:
	@$(PACKAGES) build run test
	@$(MAKE) --no-print-directory VARIANT=$(VARIANT) ninja
	@tests/fault/stress.sh $(BUILD)

bare:
	@$(PACKAGES) bare
	@tests/scenario/newcomer.sh
	@tests/scenario/bare-debian.sh

bench: build
	@$(PACKAGES) build run bench
	@bench/larder-bench run --build build-release

# Instructions of the hot path, compared with bench/instructions.txt.
bench-check: build
	@$(PACKAGES) build bench
	@bench/instructions.py build-release

deb:
	@$(PACKAGES) build deb
	@deploy/deb.sh $(CURDIR)/build-deb

deb-test: deb
	@$(PACKAGES) bare
	@tests/scenario/deb-debian.sh $(CURDIR)/build-deb
	@$(SYSTEMD_TEST)

# Machines that boot no systemd skip it.
SYSTEMD_TEST = tests/scenario/systemd-debian.sh $(CURDIR)/build-deb || [ $$? = 77 ]
systemd-test: deb
	@$(PACKAGES) bare
	@$(SYSTEMD_TEST)

install-deps:
	@$(PACKAGES) build run test check real bare deb bench

clean:
	rm -rf build-*/

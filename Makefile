# RMDS Router. `make` alone lists the targets.

# Go's own stamp of the repository's state fails on a checkout that another user owns; the version is passed in instead.
export GOFLAGS := $(GOFLAGS) -buildvcs=false

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS  = -s -w -X main.version=$(VERSION)
BIN      = bin/rmds-router

# How many networks the simulation plays, and how many power cuts the store meets.
SEEDS ?= 2000
CUTS  ?= 20000

# How many hours the soak runs, how long each fuzz target runs, and what goes to `rmds-router bench`.
SOAK      ?= 8
FUZZTIME  ?= 1m
BENCHARGS ?=

.DEFAULT_GOAL := help
.PHONY: help build plugins test check demo bench fuzz soak planted lint tools clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build the static binary, ./bin/rmds-router
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/rmds-router

plugins: ## build the example plugins that are written in Go, into ./bin/plugins
	GOOS=wasip1 GOARCH=wasm CGO_ENABLED=0 go build -buildmode=c-shared -trimpath -ldflags '-s -w' -o bin/plugins/aggregate.wasm ./examples/plugins/aggregate

test: tools check ## run every test; installs what the tests need first (apt, as root or with sudo)
	@echo 'The proof by simulation, without the race detector, which makes SQLite thirty times slower; a part of it runs again with it below.'
	CGO_ENABLED=0 go test -count=1 -v -run 'TestPowerCuts|TestTheCutsFindMissingSyncs' ./engine/internal/store -cuts $(CUTS)
	RMDS_SIM_SEEDS=$(SEEDS) CGO_ENABLED=0 go test -count=1 -v -timeout 40m ./engine/internal/sim
	CGO_ENABLED=1 go test -race -timeout 25m ./...

check: # what is quick to check before the tests run
	CGO_ENABLED=0 go build ./...
	CGO_ENABLED=0 go vet ./...
	@unformatted=$$(gofmt -l .); \
	if [ -n "$$unformatted" ]; then echo "not formatted; run gofmt -w on:" >&2; echo "$$unformatted" >&2; exit 1; fi

demo: build plugins ## run the demonstration: an edge and a hub, killed at random points, accounts checked
	go run ./test/demo

bench: build ## measure throughput beside JetStream (BENCHARGS='--quick')
	$(BIN) bench $(BENCHARGS)

fuzz: ## run every fuzz target for FUZZTIME (1m)
	scripts/fuzz.sh $(FUZZTIME)

soak: tools ## run the long tests in rounds for SOAK (8) hours, and print what was done so far
	scripts/soak.sh $(SOAK)

planted: ## let the simulation find every planted bug, and write the table of docs/guarantees.md anew
	scripts/planted.sh

lint: ## run golangci-lint, at the version that tools/go.mod pins
	go tool -modfile=tools/go.mod golangci-lint run ./...

tools: ## install what the tests need, unless it is there
	@scripts/tools.sh

clean: ## remove what was built
	rm -rf bin

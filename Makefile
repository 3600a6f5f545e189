# The targets that people and CI call. `make help` lists them.

export CGO_ENABLED := 0
export GOFLAGS := -trimpath
export GOWORK := off

MODULES := . localcluster tools
# The local cluster that cluster-up and cluster-down mean; the tests have their own, named test.
CLUSTER ?= catalyst
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
# CI=true: a missing prerequisite is an error, a skipped test a failure, and nothing is left running.
STRICT := $(if $(filter true,$(CI)),true)
TESTBED = tools/run testbed $(if $(STRICT),-stop) test
SIMULATED = tools/run testbed $(if $(STRICT),-stop) -simulated simulated
# The kubeconfig of the environment is the user's own and never touched; one on the command line is meant.
DEMO_CLUSTER = $(if $(filter command,$(origin KUBECONFIG)),-kubeconfig $(KUBECONFIG) $(if $(REGISTRY),-registry $(REGISTRY)))

.DEFAULT_GOAL := help
.PHONY: help run build demo demo-once test e2e diagnose-table simulate mutants hostile killpoints faults storm load fuzz foreign screenshots bench bench-50 lint generate migration verify cluster-up cluster-down needs-go needs-git

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: needs-go needs-git ## build bin/catalyst
	go build -ldflags='-s -w -X catalyst.dev/catalyst/internal/cli.version=$(VERSION)' -o bin/catalyst ./cmd/catalyst

run: needs-go ## run the server with catalyst.yaml, its database migrated
	@test -f catalyst.yaml || { echo "catalyst.yaml is missing here: see docs for an example, or try make demo, which needs none" >&2; exit 1; }
	go run ./cmd/catalyst serve --config catalyst.yaml --migrate

demo: needs-go ## show a pull request's whole life on a local cluster, and leave it running (on another: KUBECONFIG=file REGISTRY=host:port)
	go run ./test/demo $(DEMO_CLUSTER)

demo-once: needs-go ## the same once through, then clean up
	go run ./test/demo -once $(DEMO_CLUSTER)

test: needs-go ## run all tests, with a real cluster behind them
	$(TESTBED) tools/run tally $(if $(STRICT),-strict) $(MODULES) -- -timeout=30m -parallel=6

e2e: needs-go ## run the end-to-end tests alone
	$(TESTBED) go test ./test/e2e/... -count=1

diagnose-table: needs-go ## deploy all the broken charts and print what is said about each (ONLY=regexp)
	@$(TESTBED) go run ./test/diagnose -run '$(ONLY)'

simulate: needs-go ## play N histories of crashes, lost replies and lies over the life cycle (N=10000, or SEED=… to see one again)
	@go test -tags simulate -c -o bin/simulate.test ./test/simulate
	@cd test/simulate && ../../bin/simulate.test -test.timeout=0 $(if $(SEED),-test.run='^TestSimulate$$' -histories=1 -rapid.seed=$(SEED),-histories=$(or $(N),10000))

mutants: needs-go needs-git ## show that the tests catch each of the seeded mistakes (RUN=regexp for some of them, N=histories)
	@$(if $(RUN),,tools/run testbed -stop mutants) go run ./test/mutants $(if $(RUN),-run='$(RUN)') $(if $(N),-histories=$(N))

killpoints: needs-go ## kill Catalyst before and after each of its side effects, on both databases (SHORT=1: a sample; UPDATE=1: list them anew)
	@go test -tags killpoints -c -o bin/killpoints.test ./test/killpoints
	@$(SIMULATED) bin/killpoints.test -test.timeout=0 $(if $(UPDATE),-test.run='^TestList$$' -update,$(if $(SHORT),-at-once 8,-full)) $(if $(RUN),-test.run='$(RUN)')

faults: needs-go ## spoil the network, the database, the clock and the processes under Catalyst (SHORT=1: a sample)
	@go test -tags faults -c -o bin/faults.test ./test/faults
	@$(SIMULATED) bin/faults.test -test.timeout=0 $(if $(SHORT),,-full) $(if $(RUN),-test.run='$(RUN)')

storm: needs-go ## change a pull request 300 times in a minute before three processes and a bad GitHub, and count what is written of it
	@go test -tags faults -c -o bin/faults.test ./test/faults
	@$(SIMULATED) bin/faults.test -test.timeout=0 -full -test.run='^TestStorm$$'

hostile: needs-go ## show what becomes of charts that mean harm, and that an honest preview beside them keeps its time
	go run ./test/hostile

load: needs-go ## keep 200 pages of 50 previews open, then follow 5,000 lines a second and a log through cut connections
	go run ./test/load
	go run ./test/load -logs

fuzz: needs-go needs-git ## fuzz what reads foreign input, each target for TIME (10m; ONLY=regexp)
	tools/fuzz $(or $(TIME),10m) '$(ONLY)'

screenshots: needs-go ## write pictures of every page and state, wide and narrow, light and dark (DIR=bin/screenshots)
	go test ./test/browser -count=1 -run '^TestScreenshots$$' -screenshots '$(abspath $(or $(DIR),bin/screenshots))'

foreign: needs-go ## put N foreign texts into all that GitHub is told, and read it as GitHub does (N=100000)
	go test ./internal/report -run='^TestForeign' -count=1 -timeout=0 -v -rapid.checks=$(or $(N),100000)

bench: needs-go ## measure one pull request against kubectl
	go run ./bench

bench-50: needs-go ## measure fifty pull requests opened at once, on simulated nodes
	go run ./bench -pulls 50 -n 3

lint: needs-go needs-git ## check form: gofmt, vet, linters, tidy modules, unreachable functions
	tools/lint $(MODULES)

generate: needs-go ## write the generated code again
	go generate ./cmd/... ./internal/...

migration: needs-go ## write the next migration from internal/store/schema.sql (NAME=what_changes)
	@test -n "$(NAME)" || { echo "name it: make migration NAME=what_changes" >&2; exit 1; }
	tools/run migration new $(NAME)

verify: needs-go needs-git ## fail when generated code or the migrations are not what their sources say
	tools/verify
	tools/run migration check

cluster-up: needs-go ## start a local cluster (CLUSTER=name)
	go -C localcluster run . start --name $(CLUSTER)

cluster-down: needs-go ## stop it, and keep its state
	go -C localcluster run . stop --name $(CLUSTER)

needs-go:
	@command -v go >/dev/null || { echo "go is missing: install Go 1.26 or newer, https://go.dev/doc/install" >&2; exit 1; }

needs-git:
	@command -v git >/dev/null || { echo "git is missing: apt-get install git" >&2; exit 1; }

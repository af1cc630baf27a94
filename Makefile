# What a contributor types. `make ci` is all of it, and what CI runs.

.DEFAULT_GOAL := build
.PHONY: build test lint cross e2e demo packages notices ci

build: ## the program, in this folder
	CGO_ENABLED=0 go build -trimpath -o . ./cmd/runner-bootstrap

test: ## every test that needs no root and no network
	go test -race -shuffle=on ./...

lint: ## all that can be said without running anything
	scripts/lint.sh

cross: ## every platform we ship to
	scripts/cross.sh

e2e: ## machines that boot: systemd, cloud-init, an image, hostile jobs, packages, Windows under Wine; needs root
	go test -tags e2e -timeout 20m ./test/e2e/... ./test/hostile ./test/packages/... ./test/wine/...

demo: ## the whole of it against a simulated GitHub
	go run ./internal/demo

packages: ## everything that a release consists of, into dist
	scripts/package.sh "$${VERSION:?such as 1.2.3}" dist

notices: ## the licence texts that are shipped with the program
	mkdir -p dist
	scripts/notices.sh > dist/NOTICES.txt

ci: ## everything
	.ci/run

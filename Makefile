# `make up` and `make test` are the two commands; the rest serves them.
.PHONY: up test build tools cql cql-stop bench nemesis fmt lint help

DATA ?= .dsom

help: ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

up: tools ## build, start the mesh here with simulated operators
	cargo build --release --bins
	./target/release/dsom up --data $(DATA) --sandbox --simulate

build: ## the release binaries
	cargo build --release --bins

test: tools ## everything that must pass
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo build --workspace --bins
	@# Most tests wait for servers: more of them than cores run side by side. A server of minutes is not worth the JVM's second compiler.
	DSOM_CQL_JAVA=-XX:TieredStopAtLevel=1 RUST_TEST_THREADS=6 services/dsom/tools/cql.sh run cargo test --workspace

tools: ## nats-server, where there is none
	@services/dsom/tools/nats-server.sh

cql: ## a CQL server here, Apache Cassandra 5, in the background
	@services/dsom/tools/cql.sh start

cql-stop: ## stop it
	@services/dsom/tools/cql.sh stop

bench: tools build ## the speed of the mesh on this machine, on both engines
	./target/release/dsom bench
	services/dsom/tools/cql.sh run ./target/release/dsom bench --store scylla

nemesis: tools ## twenty seeded kills under load
	cargo build --workspace --bins
	DSOM_NEMESIS_KILLS=20 services/dsom/tools/cql.sh run cargo test -p dsom-e2e --test it -- nemesis engine sharing --nocapture

fmt: ## format
	cargo fmt --all

lint: ## clippy on everything
	cargo clippy --workspace --all-targets -- -D warnings

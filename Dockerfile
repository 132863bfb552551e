# syntax=docker/dockerfile:1
# One image with all our programs and nothing else: docker build -t dsom .
#
# The base is pinned to a version here. A release pins it to the bytes, too:
#   docker build --build-arg RUST_IMAGE=rust:1.95.0-slim-trixie@sha256:<digest> .
# with the digest that `docker buildx imagetools inspect rust:1.95.0-slim-trixie` shows. What is shipped comes from this one
# base: the image itself starts from nothing.
ARG RUST_IMAGE=rust:1.95.0-slim-trixie

# The manifests alone: as long as they stay the same, so does all that is built from them.
FROM ${RUST_IMAGE} AS manifests
COPY . /all
RUN mkdir /manifests && cd /all && find . -name Cargo.toml -o -name Cargo.lock | tar -cf - -T - | tar -xf - -C /manifests

# Every dependency, built for empty crates of ours. They have a sentence, for without one our lints refuse them.
FROM ${RUST_IMAGE} AS build
WORKDIR /src
COPY --from=manifests /manifests ./
RUN find . -name Cargo.toml -not -path ./Cargo.toml | while read -r manifest; do \
        mkdir -p "$(dirname "$manifest")/src" && \
        echo '//! Stub.' >"$(dirname "$manifest")/src/lib.rs" && \
        printf '//! Stub.\nfn main() {}\n' >"$(dirname "$manifest")/src/main.rs"; \
    done && \
    cargo build --locked --profile dist -p dsom -p dsom-ingest -p dsom-chaining -p dsom-licensing

COPY . .
# Cargo goes by time stamps, and the empty crates are younger than the real ones.
RUN find . -name '*.rs' -not -path './target/*' -exec touch {} + && \
    cargo build --locked --profile dist -p dsom -p dsom-ingest -p dsom-chaining -p dsom-licensing && \
    ./services/dsom/tools/rootfs.sh /rootfs target/dist/dsom target/dist/dsom-ingest target/dist/dsom-chaining target/dist/dsom-licensing

FROM scratch
COPY --from=build /rootfs /
COPY --from=build --chown=65532:65532 /rootfs/var /var
ENV PATH=/usr/bin DSOM_DATA_DIR=/var/lib/dsom DSOM_LOG=json
USER 65532:65532
WORKDIR /var/lib/dsom
ENTRYPOINT ["dsom"]
CMD ["--help"]

# Images for those who build them with Docker, and for arm64. `make image` needs no Docker, and is what
# releases are made with (linux/amd64).
#
#   docker buildx build --platform linux/amd64,linux/arm64 --target controller -t …/seamark-controller:… \
#     --build-arg VERSION=… --build-arg REVISION="$(git rev-parse HEAD)" .
#   docker buildx build --platform linux/amd64,linux/arm64 --target speaker -t …/seamark-speaker:… \
#     --build-arg VERSION=… --build-arg REVISION="$(git rev-parse HEAD)" .

FROM rust:1.95-bookworm AS build
WORKDIR /seamark
COPY . .
# The flags of `make image`.
RUN target=$(rustc -vV | sed -n 's/^host: //p') && \
    RUSTFLAGS="-C target-feature=+crt-static --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo" \
    cargo build --locked --release --target "$target" -p seamark-controller -p seamark-speaker && \
    mv "target/$target/release/seamark-controller" "target/$target/release/seamark-speaker" /

FROM scratch AS controller
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title=seamark-controller \
      org.opencontainers.image.version=$VERSION \
      org.opencontainers.image.revision=$REVISION \
      org.opencontainers.image.licenses=Apache-2.0
COPY --from=build /seamark-controller /seamark-controller
USER 65532:65532
EXPOSE 7472/tcp
ENTRYPOINT ["/seamark-controller"]

# Capabilities that a pod adds reach no other user than root.
FROM scratch AS speaker
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title=seamark-speaker \
      org.opencontainers.image.version=$VERSION \
      org.opencontainers.image.revision=$REVISION \
      org.opencontainers.image.licenses=Apache-2.0
COPY --from=build /seamark-speaker /seamark-speaker
EXPOSE 7473/tcp
ENTRYPOINT ["/seamark-speaker"]

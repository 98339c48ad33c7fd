# One static program in an otherwise empty image. Builds with docker, podman and buildah:
#   docker build -t emm:dev .
# It writes to /home (its own home, where nothing says otherwise) and /tmp alone, so the root may be read-only when these
# two are mounted. Images are read without text recognition: there is no tesseract in it.

# Any image with this Rust (see rust-version in Cargo.toml), a C compiler and the CA certificates of Debian.
ARG BUILD_IMAGE=docker.io/library/rust:1.95-slim-bookworm

FROM ${BUILD_IMAGE} AS build
# release is built sooner, dist is smaller and faster.
ARG PROFILE=release
WORKDIR /build

# The dependencies alone, beside empty sources: a layer that stays until Cargo.toml or Cargo.lock change. Naming the target
# keeps the static C library away from build scripts and procedural macros, which need the shared one.
COPY Cargo.toml Cargo.lock ./
COPY .ci/image .ci/image
RUN .ci/image dependencies

COPY config config
COPY src src
RUN .ci/image program
RUN .ci/image root

FROM scratch
LABEL org.opencontainers.image.title="emm" \
      org.opencontainers.image.description="Expert Memory Machine: files documents into a Johnny.Decimal structure" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /image/root/ /
COPY --from=build --chown=65532:65532 /image/owned/ /
ENV EMM_HOME=/home/emm
# A number, for runAsNonRoot cannot look names up.
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/emm"]

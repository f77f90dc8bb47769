# The daemon as an image: Debian 12, non-root, only what the programs link with.
#
#   docker build -t talkjsd .
#   docker run --read-only -v talkjsd-run:/run/talkjsd -v talkjsd-state:/var/lib/talkjsd talkjsd
#
# Flags come after the image's name. Clients mount /run/talkjsd and run with group 10001, or as user
# 10001. It writes nowhere but into its two volumes. See docs/deploy.md, deploy/compose.yaml and
# deploy/kubernetes.
ARG BASE_IMAGE=debian:12

FROM ${BASE_IMAGE} AS runtime
COPY deploy/packages.txt deploy/install-packages /tmp/deploy/
RUN /tmp/deploy/install-packages runtime \
 && rm -rf /tmp/deploy /var/lib/apt/lists/* /var/cache/apt/*.bin /var/log/apt /var/log/dpkg.log \
 && groupadd --gid 10001 talkjsd \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/talkjsd \
            --shell /usr/sbin/nologin talkjsd \
 && install -d -o talkjsd -g talkjsd -m 0750 /run/talkjsd \
 && install -d -o talkjsd -g talkjsd -m 0700 /var/lib/talkjsd
USER 10001:10001
# Defaults: a configuration file (TALKJSD_CONFIG), variables and flags win over them.
ENV TALKJSD_ADDRESS=unix:///run/talkjsd/talkjsd.sock \
    RUNTIME_DIRECTORY=/run/talkjsd \
    STATE_DIRECTORY=/var/lib/talkjsd
VOLUME ["/run/talkjsd", "/var/lib/talkjsd"]
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["talkjsctl", "--timeout", "3", "health"]
ENTRYPOINT ["/usr/bin/talkjsd"]

FROM ${BASE_IMAGE} AS build
COPY deploy/packages.txt deploy/install-packages /src/deploy/
RUN /src/deploy/install-packages build
COPY . /src
WORKDIR /src
RUN cmake --preset release -DTALKJSD_UNITY=ON \
 && cmake --build --preset release --target talkjsd talkjsctl talkjs-emulator \
 && cmake --install build/release --prefix /out --strip

FROM runtime
COPY --from=build /out/bin/ /usr/bin/

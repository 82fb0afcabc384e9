# Shoal with its browser. Two images come from here: `server` (the default) and `prometheus`, the Debian package.
#   docker build -t shoal .
# Everything is built from Debian and the language registries' packages, as ./run does it; nothing else is downloaded.
ARG BASE=debian:bookworm-slim
# An image that has the packages already may stand in for the first stage's base.
ARG BUILD_BASE=${BASE}

FROM ${BUILD_BASE} AS build
# Node brings its own list of certificates; with this it also trusts what the image trusts.
ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt DEBIAN_FRONTEND=noninteractive
# The path shows in nothing that is kept; the same one as a checkout's lets a mounted ccache hit.
ARG SOURCE=/src
WORKDIR ${SOURCE}
COPY scripts/apt_packages.txt scripts/bootstrap.sh scripts/lib.sh scripts/node.lock scripts/
RUN scripts/bootstrap.sh build
COPY . .
RUN ./run --no-serve && mkdir /made && strip --strip-debug -o /made/shoal build/release/shoal \
    && mv browser_agent/dist /made/agent && mv .shoal/tools/headless_shell .shoal/models /made/

FROM ${BASE} AS prometheus
ENV DEBIAN_FRONTEND=noninteractive
RUN apt-get update -q && apt-get install -y --no-install-recommends prometheus && rm -rf /var/lib/apt/lists/* \
    && chown -R prometheus:prometheus /var/lib/prometheus
COPY deploy/prometheus/prometheus.yml /etc/prometheus/prometheus.yml
USER prometheus
EXPOSE 9090
ENTRYPOINT ["prometheus", "--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/var/lib/prometheus"]

FROM ${BASE} AS runtime
COPY scripts/apt_packages.txt scripts/bootstrap.sh scripts/lib.sh /tmp/setup/scripts/
RUN SHOAL_HOME=/tmp/setup/home /tmp/setup/scripts/bootstrap.sh runtime && rm -rf /tmp/setup /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /var/lib/shoal --create-home --shell /usr/sbin/nologin shoal

FROM runtime AS server
COPY --from=build /made/shoal /usr/bin/shoal
COPY --from=build /made/agent /usr/share/shoal/agent
COPY --from=build /made/headless_shell /usr/share/shoal/headless_shell
COPY --from=build --chown=shoal:shoal /made/models /var/lib/shoal/models
USER shoal
WORKDIR /var/lib/shoal
# Requests carry no keys, so the port must not be published to other machines: compose binds it to the loopback address.
ENV SHOAL_HOME=/var/lib/shoal SHOAL_AGENT_DIR=/usr/share/shoal/agent \
    SHOAL_POOL_HEADLESS_SHELL=/usr/share/shoal/headless_shell/headless_shell.sh \
    SHOAL_SERVER_HOST=0.0.0.0 SHOAL_SERVER_INSECURE=true SHOAL_LOG_FORMAT=json
VOLUME /var/lib/shoal
EXPOSE 8000 8001 8002
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["curl", "--fail", "--silent", "--output", "/dev/null", "http://127.0.0.1:8000/v2/health/ready"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["shoal"]
CMD ["serve"]

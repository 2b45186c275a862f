# The executable in a small image: built in one stage, run in another that has neither compiler nor shell tools
# beyond Debian's slim base.
FROM debian:12-slim AS build
WORKDIR /src
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        g++ cmake ninja-build mold pkg-config \
        libboost1.81-dev libboost-json1.81-dev libboost-url1.81-dev \
        libpqxx-dev libpq-dev libsqlite3-dev libjemalloc-dev libsodium-dev libssl-dev libre2-dev libyaml-cpp-dev libmaxminddb-dev \
        libspdlog-dev libfmt-dev libcli11-dev prometheus-cpp-dev libunistring-dev libidn2-dev libnats-dev libhiredis-dev libzstd-dev \
 && rm -rf /var/lib/apt/lists/*
COPY CMakeLists.txt CMakePresets.json ./
COPY domain domain
COPY eventlog eventlog
COPY migrations migrations
COPY commands commands
COPY projections projections
COPY api api
COPY cli cli
COPY bench/CMakeLists.txt bench/CMakeLists.txt
RUN cmake --preset release -DLINKLEDGER_TESTS=OFF \
 && cmake --build --preset release --target linkledger \
 && strip build/release/cli/linkledger

FROM debian:12-slim
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        libboost-json1.81.0 libboost-url1.81.0 libpqxx-6.4 libpq5 libsqlite3-0 libjemalloc2 libsodium23 libssl3 libre2-9 \
        libyaml-cpp0.7 libmaxminddb0 libspdlog1.10 libfmt9 libprometheus-cpp-core1.0 libunistring2 libidn2-0 libnats3.4 libhiredis0.14 libzstd1 uap-core curl \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --home-dir /data --no-create-home linkledger \
 && install -d -o linkledger -g linkledger -m 0700 /data
COPY --from=build /src/build/release/cli/linkledger /usr/local/bin/linkledger
USER linkledger
WORKDIR /data
VOLUME /data
ENV DB_PATH=/data/linkledger.db LISTEN=0.0.0.0:8080
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["curl", "--fail", "--silent", "--show-error", "--output", "/dev/null", "http://127.0.0.1:8080/readyz"]
ENTRYPOINT ["linkledger"]
CMD ["serve"]

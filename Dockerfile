# A node in a container. The steps are those of the scripts, so that they stay true:
#   docker build -t matricula .
#   (umask 077; openssl rand -hex 32 >identifiers.key)      once; keep a copy in a safe place
#   docker run --rm -v matricula:/var/lib/matricula matricula token create --name admin --scopes '*'
#   docker run -p 8080:8080 -v matricula:/var/lib/matricula \
#     -e MATRICULA_IDENTIFIERS__KEY="$(cat identifiers.key)" matricula
# The second run prints the token, once; without a token no node starts.
FROM debian:12 AS build
WORKDIR /src
COPY scripts/install scripts/install
RUN ./scripts/install --build
COPY . .
RUN cmake --preset release -DMATRICULA_TESTS=OFF && cmake --build --preset release --target matricula

FROM debian:12
COPY scripts/install /tmp/install
RUN /tmp/install --runtime && rm -rf /tmp/install /var/lib/apt/lists/* \
  && useradd --system --uid 10001 --home-dir /var/lib/matricula --shell /usr/sbin/nologin matricula \
  && install -d -o matricula -g matricula -m 0750 /var/lib/matricula
COPY --from=build /src/build/release/matricula /usr/local/bin/matricula
COPY config/matricula.toml /etc/matricula/matricula.toml
COPY LICENSE /usr/share/doc/matricula/LICENSE
USER matricula
WORKDIR /var/lib/matricula
# Loopback inside a container reaches nobody.
ENV MATRICULA_SERVER__LISTEN=0.0.0.0:8080
VOLUME /var/lib/matricula
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD curl --fail --silent --max-time 2 "http://127.0.0.1:${MATRICULA_SERVER__LISTEN##*:}/healthz" >/dev/null
ENTRYPOINT ["matricula"]
CMD ["serve", "--config", "/etc/matricula/matricula.toml"]

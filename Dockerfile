# fd-bridge in an image that holds nothing else: no shell, no package manager, no root.
#
#   docker build -t fd-bridge .
#   docker run --rm -p 127.0.0.1:8080:8080 \
#     -e DATABRICKS_AI_GATEWAY_URL=… -e FD_BRIDGE_CLIENT_KEY=… fd-bridge

FROM denoland/deno:2.8.2 AS build
WORKDIR /src
COPY . .
RUN deno task compile --output /out/fd-bridge

FROM gcr.io/distroless/cc-debian12:nonroot@sha256:9dac0a79194e45a7da0158a9c6da57b217585af0786db3845d1f0ec1a0dd182f
COPY --from=build --chmod=755 /out/fd-bridge /fd-bridge
# A .env and a models.json that are mounted here are found.
WORKDIR /config
USER 65532:65532
# Inside a container loopback reaches nobody; the bridge then asks for a client key.
ENV FD_BRIDGE_HOST=0.0.0.0
EXPOSE 8080
# There is no shell and no curl: the program asks itself, at FD_BRIDGE_PORT.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 CMD ["/fd-bridge", "healthcheck"]
ENTRYPOINT ["/fd-bridge"]

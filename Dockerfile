# syntax=docker/dockerfile:1
# Two stages: the first compiles the native addons and the program, the second holds neither compiler nor sources, and
# runs as a user of its own. See docs/operations.md.

FROM node:24-bookworm-slim AS build
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates g++ make python3 \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
COPY patches patches
COPY scripts/link-command.mjs scripts/link-command.mjs
# Addons are built against the image's own Node; the one that the package pins for checkouts stays behind.
ENV npm_config_nodedir=/usr/local
RUN npm ci
COPY . .
RUN npm run build \
 && npm prune --omit=dev --ignore-scripts \
 && rm -rf node_modules/node-linux-* node_modules/.bin node_modules/.cache \
           node_modules/better-sqlite3/deps node_modules/node-pty/prebuilds \
 && find node_modules -type d -name obj.target -prune -exec rm -rf {} + \
 && find node_modules -path '*/build/Release/*' ! -name '*.node' -type f -delete \
 && mkdir -p /app/bin /app/policies \
 && cp -r dist node_modules package.json LICENSE /app/ \
 && cp bin/sallyport /app/bin/ \
 && cp -r policies/packs /app/policies/ \
 && mkdir -p /app/console \
 && cp -r console/dist /app/console/

FROM node:24-bookworm-slim
RUN groupadd --system --gid 10022 sallyport \
 && useradd --system --uid 10022 --gid 10022 --home-dir /var/lib/sallyport --shell /usr/sbin/nologin sallyport \
 && install --directory --owner=sallyport --group=sallyport --mode=0700 /var/lib/sallyport \
 && rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /opt/yarn*
COPY --from=build /app /app
RUN ln -s /app/bin/sallyport /usr/local/bin/sallyport
ENV NODE_ENV=production \
    SALLYPORT_DATA=/var/lib/sallyport
USER sallyport
WORKDIR /var/lib/sallyport
VOLUME /var/lib/sallyport
EXPOSE 2222
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --retries=3 CMD ["sallyport", "health"]
CMD ["sallyport", "serve"]

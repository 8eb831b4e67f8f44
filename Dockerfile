# mtjobs as a small image. It runs as the owner of the areas' files and of their caches under /tmp: name and numbers
# of that user are fixed when the image is built, for the name is part of a cache's path.
#   docker build --build-arg OWNER=megatest --build-arg OWNER_UID=1000 --build-arg OWNER_GID=1000 -t megatest-jobs .
# Besides the base image it needs an npm registry and nothing else. One of your own: --build-arg NPM_REGISTRY=URL, or
# with a login --secret id=npmrc,src=$HOME/.npmrc; its certificate authority: --secret id=ca,src=/path/ca.pem.

ARG NODE_IMAGE=docker.io/library/node:24-bookworm-slim

FROM $NODE_IMAGE AS build
ARG NPM_REGISTRY
WORKDIR /app
COPY package.json npm-shrinkwrap.json ./
COPY scripts scripts
# What prepares the package is run below, once its sources are there.
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc --mount=type=secret,id=ca \
    if [ -e /run/secrets/ca ]; then export NODE_EXTRA_CA_CERTS=/run/secrets/ca; fi; \
    npm ci --ignore-scripts --no-audit --no-fund ${NPM_REGISTRY:+--registry "$NPM_REGISTRY"}
COPY . .
# The product needs neither source maps nor SQLite's sources, and the SQLite of this platform only.
RUN node scripts/build.mjs && npm prune --omit=dev --ignore-scripts --no-audit --no-fund \
 && find dist -name '*.map' -delete && find node_modules -type d -empty -delete \
 && cd node_modules/better-sqlite3 && rm -r deps src \
 && find prebuilds -type f ! -name "linux-$(node -p process.arch).node" -delete

FROM $NODE_IMAGE
ARG OWNER=megatest
ARG OWNER_UID=1000
ARG OWNER_GID=1000
# One name for each number: users of the base image with the owner's name or number are removed. An existing group is
# used. root is always 0.
RUN set -e; \
    if [ "$OWNER" != root ]; then \
      for user in node "$OWNER" "$(getent passwd "$OWNER_UID" | cut -d: -f1)"; do \
        if getent passwd "$user" >/dev/null; then userdel "$user"; fi; \
      done; \
      rm -rf /home/node; \
      getent group "$OWNER_GID" >/dev/null || groupadd --gid "$OWNER_GID" owner; \
      useradd --no-log-init --uid "$OWNER_UID" --gid "$OWNER_GID" --create-home "$OWNER"; \
    fi; \
    ln -s /app/dist/entry/mtjobs.js /usr/local/bin/mtjobs
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
USER $OWNER
ENTRYPOINT ["mtjobs"]
CMD ["--help"]

# mtjobs as a small image. It runs as the owner of the areas' files and of their caches under /tmp: name and numbers
# of that user are fixed when the image is built, for the name is part of a cache's path.
#   docker build --build-arg OWNER=megatest --build-arg OWNER_UID=1000 --build-arg OWNER_GID=1000 -t megatest-jobs .

FROM node:24-bookworm AS build
WORKDIR /app
COPY package.json npm-shrinkwrap.json ./
COPY scripts scripts
# What prepares the package is run below, once its sources are there.
RUN npm ci --ignore-scripts
COPY . .
RUN node scripts/build.mjs && npm prune --omit=dev --ignore-scripts

FROM node:24-bookworm-slim
ARG OWNER=megatest
ARG OWNER_UID=1000
ARG OWNER_GID=1000
# The image's own user has those numbers already; nobody is to be called by two names.
RUN userdel --remove node \
 && groupadd --gid "$OWNER_GID" "$OWNER" \
 && useradd --uid "$OWNER_UID" --gid "$OWNER_GID" --create-home "$OWNER"
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
USER $OWNER
ENTRYPOINT ["node", "/app/dist/entry/mtjobs.js"]
CMD ["--help"]

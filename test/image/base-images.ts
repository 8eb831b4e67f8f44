import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { which } from "../../scripts/command.mjs";
import { isRoot } from "../support/area.ts";
import { output, podman } from "./engine.ts";

/** The names that Dockerfile and docker-compose.yml use. */
export const nodeImage = "docker.io/library/node:24-bookworm-slim";
export const redisImage = "docker.io/library/redis:7-alpine";

/**
 * Sees to it that podman has the images: its own, those of a registry, or, without one, one image for both made of
 * Debian's packages and this process's Node and npm. They stay.
 */
export async function provideBaseImages(): Promise<void> {
  const missing: string[] = [];
  for (const image of [nodeImage, redisImage]) {
    if ((await podman("image", "exists", image)).code === 0) continue;
    if ((await podman("pull", "--quiet", image)).code !== 0) missing.push(image);
  }
  if (missing.length === 0) return;
  if (!isRoot || which("debootstrap") === undefined) {
    throw new Error(`cannot pull ${missing.join(", ")}; as root, and with debootstrap, they would be made`);
  }
  await makeImages(missing);
}

async function makeImages(names: readonly string[]): Promise<void> {
  // Not below /tmp or /dev/shm: those may be mounted without devices or in memory.
  const tree = mkdtempSync("/var/tmp/mtjobs-base-");
  try {
    const packages = "--include=ca-certificates,libatomic1,redis-server";
    await output("debootstrap", ["--variant=minbase", packages, "bookworm", tree]);
    addNode(tree);
    await output("chroot", [tree, "useradd", "--create-home", "--uid", "1000", "node"]);
    await output("chroot", [tree, "apt-get", "clean"]);
    const archive = `${tree}.tar`;
    try {
      await output("tar", ["--create", "--file", archive, "--directory", tree, "."]);
      for (const name of names) await output("podman", ["import", "--quiet", archive, name]);
    } finally {
      rmSync(archive, { force: true });
    }
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}

/** Installs Node and npm as the official image has them. */
function addNode(tree: string): void {
  const local = join(tree, "usr", "local");
  cpSync(realpathSync(process.execPath), join(local, "bin", "node"));
  const npm = dirname(dirname(realpathSync(which("npm") ?? "")));
  const modules = join(local, "lib", "node_modules");
  mkdirSync(modules, { recursive: true });
  cpSync(npm, join(modules, "npm"), { recursive: true, dereference: true });
  symlinkSync("../lib/node_modules/npm/bin/npm-cli.js", join(local, "bin", "npm"));
}

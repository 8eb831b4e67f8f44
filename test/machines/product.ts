import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { cacheDirectory } from "./machine-image.ts";
import { run, say, timed } from "./run.ts";

/**
 * Returns a directory that holds the tarball for hosts as `npm run package` makes it. It is kept until a file of the
 * checkout changes that is no test.
 */
export async function packProduct(): Promise<string> {
  const digest = createHash("sha256");
  const files = await run("git", ["ls-files", "--cached", "--others", "--exclude-standard", "--", ":!test"]);
  for (const file of files.split("\n").filter((name) => existsSync(name)))
    digest.update(`${file}\0`).update(readFileSync(file));
  const directory = join(cacheDirectory, `product-${digest.digest("hex").slice(0, 12)}`);
  if (!existsSync(directory)) await timed("npm run package", () => pack(directory));
  const [tarball = ""] = tarballsIn(directory);
  say(`the tarball ${tarball} has ${(statSync(join(directory, tarball)).size / 1e6).toFixed(1)} MB`);
  return directory;
}

async function pack(directory: string): Promise<void> {
  mkdirSync(cacheDirectory, { recursive: true });
  for (const name of readdirSync(cacheDirectory).filter((name) => name.startsWith("product-")))
    rmSync(join(cacheDirectory, name), { recursive: true });
  const work = join(cacheDirectory, "packing");
  rmSync(work, { recursive: true, force: true });
  await run(process.execPath, [join("scripts", "package.mjs"), "--out", work]);
  for (const name of readdirSync(work).filter((name) => !name.endsWith(".tar.xz"))) rmSync(join(work, name));
  renameSync(work, directory);
}

function tarballsIn(directory: string): string[] {
  return readdirSync(directory).filter((name) => name.endsWith(".tar.xz"));
}

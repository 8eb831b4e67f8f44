/** Installs what single commands need into a directory of its own, with a lock file of its own. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { npm, root, SetupError, say } from "./command.mjs";

const readJson = (path) => JSON.parse(readFileSync(path, "utf8"));

/**
 * Resolves to the directory of a package of `scripts/<name>/package-lock.json`, installed if necessary.
 *
 * @param size for the message, such as "20 MB"
 */
export async function installTool(name, packageName, size) {
  const directory = join(root, "scripts", name);
  const installed = join(directory, "node_modules", packageName);
  const { version } = readJson(join(directory, "package-lock.json")).packages[`node_modules/${packageName}`];
  const manifest = join(installed, "package.json");
  if (existsSync(manifest) && readJson(manifest).version === version) return installed;
  say(`installing ${packageName} ${version} into scripts/${name} (npm ci; about ${size} on disk)`);
  const status = await npm(["ci", "--no-audit", "--no-fund", "--ignore-scripts"], { cwd: directory });
  if (status !== 0)
    throw new SetupError(`${packageName} ${version} could not be installed; see npm's output above`);
  return installed;
}

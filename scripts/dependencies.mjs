/** Installs the packages of npm-shrinkwrap.json if they are missing: `node scripts/dependencies.mjs`. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ask, npm, root, SetupError, say } from "./command.mjs";
import { asProgram } from "./program.mjs";

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}

/** Returns true if node_modules has every package in the version of the lock file. */
function isInstalled(top) {
  const wanted = readJson(join(top, "npm-shrinkwrap.json"));
  const present = readJson(join(top, "node_modules", ".package-lock.json"));
  if (wanted === undefined) throw new SetupError(`${join(top, "npm-shrinkwrap.json")} is missing or damaged`);
  if (present === undefined) return false;
  return Object.entries(wanted.packages).every(([path, { version, optional }]) => {
    const found = present.packages[path];
    // Optional packages are mostly binaries for other platforms: they may be missing, but not differ.
    return path === "" || (found === undefined ? optional === true : found.version === version);
  });
}

/** better-sqlite3 brings a binary for each common platform, which a copied node_modules may lack. */
async function sqliteOpens() {
  const script = 'new (require("better-sqlite3"))(":memory:").close()';
  return (await ask(process.execPath, ["-e", script])).code === 0;
}

async function install() {
  // Nothing that is installed needs a script.
  if ((await npm(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])) !== 0) {
    throw new SetupError("npm ci failed; see its output above");
  }
}

/** Makes node_modules match npm-shrinkwrap.json and checks that better-sqlite3 loads. @throws {SetupError} */
export async function installDependencies() {
  if (!isInstalled(root)) {
    say("installing the packages of npm-shrinkwrap.json (npm ci)");
    await install();
  }
  if (await sqliteOpens()) return;
  say("better-sqlite3 does not load: installing the packages again (npm ci)");
  await install();
  if (await sqliteOpens()) return;
  throw new SetupError(
    `better-sqlite3 has no binary that loads on ${process.platform}-${process.arch}; on Linux it needs glibc 2.34 or later, or musl`,
  );
}

await asProgram(import.meta.url, installDependencies);

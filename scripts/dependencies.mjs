/**
 * Installs the packages of package-lock.json if they are missing: `node scripts/dependencies.mjs`. Needs only Node
 * and npm; if better-sqlite3 must be compiled, also a compiler.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ask, asProgram, npm, root, SetupError, say, which } from "./command.mjs";
import { installPackages } from "./package-manager.mjs";

const compilers = [["python3"], ["make"], ["g++", "c++", "clang++"]];
const noCompiler = `better-sqlite3 could not be installed. If its prebuilt binary cannot be downloaded, it is compiled, which
needs python3, make and a C++ compiler (and Node's headers, which node-gyp downloads). Install them
(Debian, Ubuntu: sudo apt-get install python3 make g++; Fedora: sudo dnf install python3 make gcc-c++;
Alpine: apk add python3 make g++; macOS: xcode-select --install), then run this again`;

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}

/** Returns true if node_modules has every package in the version of the lock file. */
function isInstalled(top) {
  const wanted = readJson(join(top, "package-lock.json"));
  const present = readJson(join(top, "node_modules", ".package-lock.json"));
  if (wanted === undefined) throw new SetupError(`${join(top, "package-lock.json")} is missing or damaged`);
  if (present === undefined) return false;
  return Object.entries(wanted.packages).every(([path, { version, optional }]) => {
    const found = present.packages[path];
    // Optional packages are mostly binaries for other platforms: they may be missing, but not differ.
    return path === "" || (found === undefined ? optional === true : found.version === version);
  });
}

/** better-sqlite3 is native: with another Node version or a copied node_modules it is present but unusable. */
async function sqliteOpens() {
  const script = 'new (require("better-sqlite3"))(":memory:").close()';
  return (await ask(process.execPath, ["-e", script])).code === 0;
}

function lacksCompiler() {
  return compilers.some((names) => names.every((name) => which(name) === undefined));
}

async function installCompilers() {
  const packages = {
    apt: [["python3", "make", "g++"]],
    dnf: [["python3", "make", "gcc-c++"]],
    apk: [["python3", "make", "g++"]],
  };
  return installPackages("the compiler for better-sqlite3", packages);
}

/** Runs an npm command; if it fails without a compiler, installs one and tries once more. */
async function npmWithCompiler(args) {
  let status = await npm(args);
  if (status !== 0 && lacksCompiler()) {
    if (!(await installCompilers())) throw new SetupError(noCompiler);
    status = await npm(args);
  }
  if (status !== 0) throw new SetupError(`npm ${args[0]} failed; see its output above`);
}

/** Makes node_modules match package-lock.json and better-sqlite3 usable. @throws {SetupError} */
export async function installDependencies() {
  if (!isInstalled(root)) {
    say(
      "installing the packages of package-lock.json (npm ci; about a minute if better-sqlite3 must be compiled)",
    );
    await npmWithCompiler(["ci", "--no-audit", "--no-fund"]);
  }
  if (await sqliteOpens()) return;
  say("better-sqlite3 does not load in this Node version: rebuilding it");
  await npmWithCompiler(["rebuild", "better-sqlite3"]);
  if (!(await sqliteOpens())) throw new SetupError(noCompiler);
}

await asProgram(import.meta.url, installDependencies);

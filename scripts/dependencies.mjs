/**
 * Installs what package-lock.json lists, if it is not there yet: `node scripts/dependencies.mjs`.
 * Needs Node and npm alone; where better-sqlite3 must be compiled, a compiler too.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ask, asProgram, npm, root, SetupError, say, which } from "./command.mjs";
import { installPackages } from "./package-manager.mjs";

const compilers = [["python3"], ["make"], ["g++", "c++", "clang++"]];
const noCompiler = `better-sqlite3 could not be installed. Where its ready-made binary cannot be downloaded it is compiled,
which needs python3, make and a C++ compiler (and Node's headers, which node-gyp downloads). Install them
(Debian, Ubuntu: sudo apt-get install python3 make g++; Fedora: sudo dnf install python3 make gcc-c++;
Alpine: apk add python3 make g++; macOS: xcode-select --install), then run this again`;

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}

/** Whether node_modules holds every package in the version that the lock file names. */
function isInstalled(top) {
  const wanted = readJson(join(top, "package-lock.json"));
  const present = readJson(join(top, "node_modules", ".package-lock.json"));
  if (wanted === undefined) throw new SetupError(`${join(top, "package-lock.json")} is missing or damaged`);
  if (present === undefined) return false;
  return Object.entries(wanted.packages).every(([path, { version, optional }]) => {
    const found = present.packages[path];
    // Optional packages are binaries for other platforms, mostly: they may be absent, not different.
    return path === "" || (found === undefined ? optional === true : found.version === version);
  });
}

/** better-sqlite3 is native: another Node version, or a copied node_modules, leaves it there but unusable. */
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
  return installPackages("what compiles better-sqlite3", packages);
}

/** Runs one npm command; where it fails for want of a compiler, installs one and tries once more. */
async function npmWithCompiler(args) {
  let status = await npm(args);
  if (status !== 0 && lacksCompiler()) {
    if (!(await installCompilers())) throw new SetupError(noCompiler);
    status = await npm(args);
  }
  if (status !== 0) throw new SetupError(`npm ${args[0]} failed; what it printed above says why`);
}

/** Leaves node_modules as package-lock.json describes it and better-sqlite3 usable. @throws {SetupError} */
export async function installDependencies() {
  if (!isInstalled(root)) {
    say(
      "installing the packages of package-lock.json (npm ci; about a minute where better-sqlite3 is compiled)",
    );
    await npmWithCompiler(["ci", "--no-audit", "--no-fund"]);
  }
  if (await sqliteOpens()) return;
  say("better-sqlite3 does not load in this Node: building it again");
  await npmWithCompiler(["rebuild", "better-sqlite3"]);
  if (!(await sqliteOpens())) throw new SetupError(noCompiler);
}

await asProgram(import.meta.url, installDependencies);

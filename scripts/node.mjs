/**
 * The Node of this checkout: the machine's if it is recent enough, otherwise one from the npm registry, in the
 * version of node/package-lock.json. `node scripts/node.mjs` prints a PATH that begins with it.
 */
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { exitStatus, isProgram, npm, root, SetupError, say, statusOf } from "./command.mjs";

/** Tests start TypeScript files, which needs this Node; the built product runs on older ones (package.json). */
const oldestMajor = 24;
const directory = join(root, "scripts", "node");
const packageName = `node-${process.platform}-${process.arch}`;
const packageDirectory = join(directory, "node_modules", packageName);
const binary = join(packageDirectory, "bin", "node");

const readJson = (path) => JSON.parse(readFileSync(path, "utf8"));

/** Returns the version that the lock file names for this platform; undefined if it names none. */
function lockedVersion() {
  return readJson(join(directory, "package-lock.json")).packages[`node_modules/${packageName}`]?.version;
}

/**
 * Resolves to the directory of a Node package from the npm registry, installed if necessary.
 * @param reason why one is needed, for messages
 */
export async function installNode(reason = "a package contains a Node of its own") {
  const version = lockedVersion();
  if (version === undefined) throw new SetupError(`${reason}: install it (https://nodejs.org)`);
  if (!existsSync(binary) || readJson(join(packageDirectory, "package.json")).version !== version) {
    say(`${reason}: installing Node ${version} into scripts/node (npm ci; about 200 MB on disk)`);
    const status = await npm(["ci", "--no-audit", "--no-fund", "--ignore-scripts"], { cwd: directory });
    if (status !== 0 || !existsSync(binary)) {
      throw new SetupError(`Node ${version} could not be installed; see npm's output above`);
    }
  }
  return packageDirectory;
}

/** Resolves to the path of the checkout's Node, installed if necessary; undefined if this process runs a recent one. */
export async function checkoutNode() {
  if (Number.parseInt(process.versions.node, 10) >= oldestMajor) return undefined;
  await installNode(`this is Node ${process.version}, and the checkout needs Node ${oldestMajor} or later`);
  return binary;
}

/** Returns a PATH on which `node` comes first. */
const pathWith = (node) => [dirname(node), process.env.PATH ?? ""].join(delimiter);

/** Runs this process's program again with another Node; resolves to its exit status. */
export function runAgain(node) {
  return new Promise((resolve, reject) => {
    const child = spawn(node, process.argv.slice(1), {
      env: { ...process.env, PATH: pathWith(node) },
      // Over the channel, the child notices if this process is killed.
      stdio: ["inherit", "inherit", "inherit", "ipc"],
    });
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve(exitStatus(code, signal)));
  });
}

if (isProgram(import.meta.url)) {
  process.exitCode = await statusOf(async () => {
    const node = await checkoutNode();
    process.stdout.write(`${node === undefined ? process.env.PATH : pathWith(node)}\n`);
  });
}

/** Runs other programs: the only place where the set-up scripts start processes. */
import { execFile, spawn } from "node:child_process";
import { accessSync, constants, realpathSync, statSync } from "node:fs";
import { constants as system } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The root of the checkout. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** A failure whose message is sufficient: printed without a stack. */
export class SetupError extends Error {
  status;

  constructor(message, status = 1) {
    super(message);
    this.status = status;
  }
}

/** Tells the user what is being done, on stderr: stdout belongs to the launched program. */
export function say(text) {
  process.stderr.write(`mtjobs: ${text}\n`);
}

/** Returns the path of an executable on the PATH, or undefined. */
export function which(name) {
  for (const directory of (process.env.PATH ?? "").split(delimiter)) {
    const path = join(directory === "" ? "." : directory, name);
    try {
      accessSync(path, constants.X_OK);
      if (statSync(path).isFile()) return path;
    } catch {
      // not in this directory
    }
  }
  return undefined;
}

/** Runs a program quietly; resolves to its exit code and output, even if it cannot be started. */
export function ask(command, args, { timeoutMs = 10_000 } = {}) {
  return new Promise((resolve) => {
    execFile(command, args, { timeout: timeoutMs, cwd: root }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
      resolve({ code, stdout, stderr });
    });
  });
}

/** Returns the exit status as a shell reports it: 128 + the signal's number if a signal ended the program. */
export function exitStatus(code, signal) {
  return code ?? 128 + (system.signals[signal] ?? 0);
}

/** @type {Set<import("node:child_process").ChildProcess>} */
const running = new Set();

/**
 * Runs a program on this terminal and resolves to its exit status. Its stdout goes to stderr by default, because
 * set-up output must not mix with the launched program's. It gets its own process group: Ctrl-C then reaches it
 * once, through `passOn`, and not also from the terminal and from npm (a second signal means "exit immediately").
 */
export function run(
  command,
  args,
  { env = process.env, cwd = root, stdout = process.stderr, started = (_pid) => {} } = {},
) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env,
      detached: true,
      stdio: ["ignore", stdout, "inherit"],
    });
    running.add(child);
    child.once("error", (error) => {
      running.delete(child);
      reject(new SetupError(`cannot start ${command}: ${error.message}`));
    });
    child.once("spawn", () => started(child.pid));
    child.once("exit", (code, signal) => {
      running.delete(child);
      resolve(exitStatus(code, signal));
    });
  });
}

/** Sends a signal to all programs that `run` is running, and to their children. */
export function passOn(signal) {
  for (const { pid } of running) {
    if (pid === undefined) continue;
    try {
      process.kill(-pid, signal);
    } catch {
      // it has just ended
    }
  }
}

/** Runs npm: the one that started this script, otherwise the one on the PATH. */
export function npm(args, options) {
  const own = process.env.npm_execpath;
  if (own?.endsWith("npm-cli.js")) return run(process.execPath, [own, ...args], options);
  return run("npm", args, options);
}

/** Resolves to the exit status of `work`: what it resolves to, 0 without a value. A SetupError is printed as one line. */
export async function statusOf(work) {
  try {
    return (await work()) ?? 0;
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    say(error.message);
    return error.status;
  }
}

/** Returns true if the module was started as a program (not imported). */
export function isProgram(moduleUrl) {
  return process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(moduleUrl);
}

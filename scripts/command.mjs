/** Running other programs: the one place where the set-up scripts start processes. */
import { execFile, spawn } from "node:child_process";
import { accessSync, constants, realpathSync, statSync } from "node:fs";
import { constants as system } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The top of the checkout. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** A failure whose message is all the user needs: printed without a stack. */
export class SetupError extends Error {
  status;

  constructor(message, status = 1) {
    super(message);
    this.status = status;
  }
}

/** Tells the user what is being done. On stderr, so that stdout belongs to the program run. */
export function say(text) {
  process.stderr.write(`mtjobs: ${text}\n`);
}

/** The path of an executable on the PATH, or undefined. */
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

/** Runs a program quietly; resolves to its exit code and output, also when it cannot be started. */
export function ask(command, args, { timeoutMs = 10_000 } = {}) {
  return new Promise((resolve) => {
    execFile(command, args, { timeout: timeoutMs, cwd: root }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
      resolve({ code, stdout, stderr });
    });
  });
}

/** Exit status as a shell reports it: 128 + the signal's number for a program that a signal ended. */
export function exitStatus(code, signal) {
  return code ?? 128 + (system.signals[signal] ?? 0);
}

/** @type {Set<import("node:child_process").ChildProcess>} */
const running = new Set();

/**
 * Runs a program on our own terminal and resolves to its exit status. Its stdout goes to our stderr unless
 * told otherwise: what set-up prints is not the launched program's output.
 * It gets a process group of its own: Ctrl-C reaches it once, through `passOn`, and not once more from
 * the terminal and again from npm (a second signal means "leave at once" to what we run).
 */
export function run(
  command,
  args,
  { env = process.env, stdout = process.stderr, started = (_pid) => {} } = {},
) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: root,
      env,
      detached: true,
      stdio: ["ignore", stdout, "inherit"],
    });
    running.add(child);
    child.once("error", (error) => {
      running.delete(child);
      reject(new SetupError(`${command} cannot be started: ${error.message}`));
    });
    child.once("spawn", () => started(child.pid));
    child.once("exit", (code, signal) => {
      running.delete(child);
      resolve(exitStatus(code, signal));
    });
  });
}

/** Sends a signal to whatever `run` is running, its children included. */
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

/** npm itself: the one that started us, else the one on the PATH. */
export function npm(args, options) {
  const own = process.env.npm_execpath;
  if (own?.endsWith("npm-cli.js")) return run(process.execPath, [own, ...args], options);
  return run("npm", args, options);
}

/**
 * Does `work` if the module was started as a program (not imported): a SetupError is told in one line,
 * and the exit status is what `work` resolves to, 0 without a value.
 */
export async function asProgram(moduleUrl, work) {
  if (process.argv[1] === undefined || realpathSync(process.argv[1]) !== fileURLToPath(moduleUrl)) return;
  try {
    process.exitCode = (await work(process.argv.slice(2))) ?? 0;
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    say(error.message);
    process.exitCode = error.status;
  }
}

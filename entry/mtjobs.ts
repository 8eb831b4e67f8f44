#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { buildProgram } from "../producers/cli/program.ts";
import { ExitCode } from "../shared/errors.ts";
import { workingDirectory } from "../shared/working-directory.ts";

// The command `mtjobs`: brings producers and workers together, and owns this process.

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Aborted by the first signal; a second one ends the process at once. Signals are caught only once somebody
 * asks for this: a command that has nothing to tidy up dies of Ctrl-C as any other program, and a worker
 * listens by itself.
 */
function catchSignals(): AbortSignal {
  const interrupt = new AbortController();
  for (const signal of signals) {
    process.on(signal, () => {
      if (interrupt.signal.aborted) process.exit(ExitCode.interrupted);
      interrupt.abort();
    });
  }
  return interrupt.signal;
}

function ownVersion(): string {
  // One level up from the source, two from the built file in dist/.
  const up = import.meta.url.endsWith(".ts") ? "../package.json" : "../../package.json";
  const { version } = JSON.parse(readFileSync(new URL(up, import.meta.url), "utf8")) as { version: string };
  return version;
}

let interrupt: AbortSignal | undefined;

const cwd = workingDirectory();
try {
  process.cwd();
} catch {
  // It was removed. Node, its threads and its children cannot start there.
  process.chdir("/");
}

// It reaches who writes, and is told at the end.
process.stdout.on("error", () => {});
// Nowhere is left to tell it; the work, and its exit code, do not depend on it.
process.stderr.on("error", () => {});

const program = buildProgram({
  io: {
    env: process.env,
    cwd,
    get stdin() {
      return process.stdin;
    },
    stdout: process.stdout,
    stderr: process.stderr,
    get interrupt() {
      interrupt ??= catchSignals();
      return interrupt;
    },
  },
  version: ownVersion(),
  commandPath: fileURLToPath(import.meta.url),
  // Loaded when needed: most commands start faster without SQLite's and the queue's workers.
  runWorker: async (...worker) => (await import("../workers/main.ts")).runWorker(...worker),
  runInline: async (...job) => (await import("../workers/inline.ts")).runInline(...job),
  runRepair: async (...job) => (await import("../workers/inline.ts")).runRepair(...job),
});
process.exitCode = await program.run(process.argv.slice(2));

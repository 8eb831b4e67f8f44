import { fileURLToPath } from "node:url";
import { buildProgram } from "../producers/cli/commands/program.ts";
import { ExitCode } from "../shared/error-codes.ts";
import { builtFile } from "../shared/process.ts";
import { workingDirectory } from "../shared/settings/working-directory.ts";
import { ownVersion } from "../shared/version.ts";

// The command `mtjobs`, loaded by mtjobs.ts.

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Returns a signal aborted by the first SIGINT, SIGTERM or SIGHUP; a second one exits immediately. Installed on
 * request: a command without clean-up ends as the shell expects, and a worker has its own handlers.
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

let interrupt: AbortSignal | undefined;

const cwd = workingDirectory();
try {
  process.cwd();
} catch {
  // It was removed. Node's threads and child processes cannot start there.
  process.chdir("/");
}

// Write errors are reported by the writer.
process.stdout.on("error", () => {});
// There is nowhere to report this.
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
  commandPath: fileURLToPath(builtFile("entry/mtjobs.js")),
  // Loaded on demand, for a faster start.
  runWorker: async (...worker) => (await import("../workers/main.ts")).runWorker(...worker),
  runInline: async (...job) => (await import("../workers/inline.ts")).runInline(...job),
  runRepair: async (...job) => (await import("../workers/inline.ts")).runRepair(...job),
});
process.exitCode = await program.run(process.argv.slice(2));

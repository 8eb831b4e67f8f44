#!/usr/bin/env node
import { existsSync } from "node:fs";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";
import { enableCompileCache } from "./compile-cache.ts";

// The command `mtjobs`. Imports nothing that an old Node could not load, and the rest only on a Node that is recent
// enough: its packages crash on an older one.

const oldest = [22, 15] as const;

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major > oldest[0] || (major === oldest[0] && minor >= oldest[1])) {
  enableCompileCache();
  void import("./command.ts");
} else {
  void runWithOtherNode();
}

/** Runs the command with the Node of the checkout (scripts/node.mjs); without one, says what is needed. */
async function runWithOtherNode(): Promise<void> {
  const installed = `../../scripts/node/node_modules/node-${process.platform}-${process.arch}/bin/node`;
  const node = fileURLToPath(new URL(installed, import.meta.url));
  if (existsSync(node)) {
    const { spawn } = await import("node:child_process");
    const child = spawn(node, process.argv.slice(1), { stdio: "inherit" });
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
      process.on(signal, () => child.kill(signal));
    child.once("exit", (code, signal) => {
      process.exitCode = code ?? 128 + (constants.signals[signal ?? "SIGKILL"] ?? 0);
    });
    return;
  }
  process.stderr.write(
    `mtjobs: this is Node ${process.version}, and mtjobs needs Node ${oldest.join(".")} or later: install it from https://nodejs.org\n`,
  );
  process.exitCode = 1;
}

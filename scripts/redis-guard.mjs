/**
 * Holds one private server and outlives whoever asked for it by a moment: when that process ends, for
 * whatever reason, SIGKILL included, the channel to it closes, and the server and its files go.
 *
 * Started by redis.mjs with one argument, a JSON plan:
 * `{ command, args, directory, log, cleanUp?: [command, …args] }`.
 * A message `{ charge: pid | null }` names a process group to end too if our parent dies.
 */
import { spawn, spawnSync } from "node:child_process";
import { openSync, rmSync } from "node:fs";

const plan = JSON.parse(process.argv[2]);
const log = openSync(plan.log, "a");
const server = spawn(plan.command, plan.args, { cwd: plan.directory, stdio: ["ignore", log, log] });
let charge = null;

function leave(code) {
  if (plan.cleanUp !== undefined) spawnSync(plan.cleanUp[0], plan.cleanUp.slice(1), { stdio: "ignore" });
  // A server that failed leaves its log to be read by the parent, which then removes the directory.
  if (!process.connected) rmSync(plan.directory, { recursive: true, force: true });
  process.exit(code);
}

function end() {
  if (charge !== null) {
    try {
      process.kill(-charge, "SIGTERM");
    } catch {
      // already gone
    }
  }
  server.kill("SIGTERM");
  setTimeout(() => server.kill("SIGKILL"), 3_000).unref();
}

server.once("error", () => leave(1));
server.once("exit", (code) => leave(code ?? 1));
process.on("message", (message) => {
  charge = message.charge;
});
process.on("disconnect", end);
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, end);

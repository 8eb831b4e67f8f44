/**
 * Runs one private server and ends it, with its files, when the parent process ends for any reason, including
 * SIGKILL: the channel to the parent closes then.
 *
 * Started by redis.mjs with one argument, a JSON plan: `{ command, args, directory, log, cleanUp?: [command, …args]
 * }`. A message `{ charge: pid | null }` names a process group to end too if the parent dies.
 */
import { spawn, spawnSync } from "node:child_process";
import { openSync, rmSync } from "node:fs";

const plan = JSON.parse(process.argv[2]);
const log = openSync(plan.log, "a");
const server = spawn(plan.command, plan.args, { cwd: plan.directory, stdio: ["ignore", log, log] });
let charge = null;

function leave(code) {
  if (plan.cleanUp !== undefined) spawnSync(plan.cleanUp[0], plan.cleanUp.slice(1), { stdio: "ignore" });
  // After a failure the parent reads the log and removes the directory.
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

/** Uses the system's package manager if it needs no password. */
import { existsSync } from "node:fs";
import { ask, run, say, which } from "./command.mjs";

const managers = {
  apt: {
    command: "apt-get",
    refresh: ["update", "-q"],
    install: ["install", "-y", "-q", "--no-install-recommends"],
  },
  dnf: { command: "dnf", install: ["install", "-y", "-q"] },
  apk: { command: "apk", install: ["add", "--no-cache"] },
  brew: { command: "brew", install: ["install"] },
};

/** Returns the prefix that gives a command the rights to install; undefined if a password would be needed. */
async function rights(name) {
  const isRoot = process.getuid?.() === 0;
  if (name === "brew") return isRoot ? undefined : [];
  if (isRoot) return [];
  return which("sudo") !== undefined && (await ask("sudo", ["-n", "true"])).code === 0
    ? ["sudo", "-n"]
    : undefined;
}

/**
 * Installs the first of the alternative package lists that the manager knows.
 * @param {string} what for the message
 * @param {Record<string, string[][]>} alternatives package lists by manager: apt, dnf, apk, brew
 * @returns {Promise<boolean>} whether one was installed; also false if no manager may be used
 */
export async function installPackages(what, alternatives) {
  for (const [name, { command, refresh, install }] of Object.entries(managers)) {
    if (which(command) === undefined || alternatives[name] === undefined) continue;
    const prefix = await rights(name);
    if (prefix === undefined) continue;
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    const execute = (args) => {
      const [program, ...rest] = [...prefix, command, ...args];
      return run(program, rest, { env });
    };
    if (refresh !== undefined) await execute(refresh);
    for (const packages of alternatives[name]) {
      say(`installing ${what} with ${name}: ${packages.join(" ")} (it stays installed)`);
      if ((await execute([...install, ...packages])) === 0) return true;
    }
  }
  return false;
}

/** Stops a service that a package may have started automatically; the tests use a private server. */
export async function stopService(unit) {
  const prefix = (await rights("service")) ?? [];
  const stop = existsSync("/run/systemd/system")
    ? ["systemctl", "disable", "--now", unit]
    : ["service", unit, "stop"];
  const [program, ...rest] = [...prefix, ...stop];
  await ask(program, rest, { timeoutMs: 30_000 });
}

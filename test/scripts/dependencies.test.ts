import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { findProgram, Machine, root, temporaryDirectory } from "./run-script.ts";

const npm = (await findProgram("npm")) ?? "";
const node = process.execPath;

/** A checkout with one package, in the checkout itself, so that npm needs no network. */
function checkout(version: string, main = "module.exports = class { close() {} };"): string {
  const top = temporaryDirectory();
  cpSync(join(root, "scripts"), join(top, "scripts"), { recursive: true });
  mkdirSync(join(top, "vendor"));
  writeFileSync(join(top, "vendor", "index.js"), main);
  lock(top, version);
  return top;
}

function lock(top: string, version: string): void {
  const dependencies = { "better-sqlite3": "file:vendor" };
  const own = { name: "small", version: "1.0.0", dependencies };
  const packages = {
    "": own,
    "node_modules/better-sqlite3": { resolved: "vendor", link: true },
    vendor: { name: "better-sqlite3", version },
  };
  writeFileSync(join(top, "package.json"), JSON.stringify(own));
  writeFileSync(join(top, "vendor", "package.json"), JSON.stringify({ name: "better-sqlite3", version }));
  writeFileSync(join(top, "package-lock.json"), JSON.stringify({ ...own, lockfileVersion: 3, packages }));
}

function machineWithNpm(): Machine {
  const machine = new Machine();
  machine.script("npm", `PATH="$PATH:/usr/bin:/bin" exec ${node} ${npm} "$@"`);
  return machine;
}

const script = (top: string) => [join(top, "scripts", "dependencies.mjs")];

test("packages are installed where node_modules is missing, and not again while the lock file stays", async () => {
  const top = checkout("1.0.0");
  const machine = machineWithNpm();
  const first = await machine.run(script(top));
  expect(first.status, first.stderr).toBe(0);
  expect(first.stderr).toContain("npm ci");
  expect((await machine.run(script(top))).stderr).toBe("");
});

test("packages are installed again when the lock file names another version", async () => {
  const top = checkout("1.0.0");
  const machine = machineWithNpm();
  await machine.run(script(top));
  lock(top, "1.0.1");
  expect((await machine.run(script(top))).stderr).toContain("npm ci");
  expect((await machine.run(script(top))).stderr).toBe("");
});

test("a better-sqlite3 that does not load and cannot be compiled is told with what to install", async () => {
  const top = checkout("1.0.0", 'throw new Error("wrong ABI");');
  const machine = machineWithNpm();
  machine.script("sudo", "exit 1");
  const { status, stderr } = await machine.run(script(top));
  expect(status).toBe(1);
  expect(stderr).toContain("rebuilding it");
  expect(stderr).toContain("python3, make and a C++ compiler");
});

test("a failed npm ci on a machine without a compiler installs one by the package manager and tries again", async () => {
  const top = checkout("1.0.0");
  const machine = machineWithNpm();
  const tools = ["python3", "make", "g++"].map((tool) => join(machine.bin, tool)).join(" ");
  machine.script(
    "npm",
    `[ -e ${join(machine.bin, "make")} ] || exit 1
PATH="$PATH:/usr/bin:/bin" exec ${node} ${npm} "$@"`,
  );
  machine.script("sudo", 'shift; exec "$@"');
  machine.script("true", "exit 0");
  machine.script(
    "apt-get",
    `[ "$1" = update ] || /bin/cp ${join(machine.bin, "true")} ${tools.split(" ")[1]}`,
  );
  const { status, stderr } = await machine.run(script(top));
  expect(status, stderr).toBe(0);
  expect(stderr).toContain("with apt: python3 make g++");
});

test("a failed npm ci on a machine with a compiler is passed on as it is", async () => {
  const top = checkout("1.0.0");
  const machine = new Machine();
  machine.script("npm", "exit 1");
  for (const tool of ["python3", "make", "g++"]) machine.script(tool, "exit 0");
  const { status, stderr } = await machine.run(script(top));
  expect(status).toBe(1);
  expect(stderr).toContain("npm ci failed");
});

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
  writeFileSync(join(top, "npm-shrinkwrap.json"), JSON.stringify({ ...own, lockfileVersion: 3, packages }));
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

test("a better-sqlite3 that does not load is installed again, and then named with what it needs", async () => {
  const top = checkout("1.0.0", 'throw new Error("wrong ABI");');
  const { status, stderr } = await machineWithNpm().run(script(top));
  expect(status).toBe(1);
  expect(stderr).toContain("better-sqlite3 does not load: installing the packages again (npm ci)");
  expect(stderr).toContain(
    `no binary that loads on ${process.platform}-${process.arch}; on Linux it needs glibc`,
  );
});

test("a failed npm ci ends with its status and names npm", async () => {
  const top = checkout("1.0.0");
  const machine = new Machine();
  machine.script("npm", "exit 1");
  const { status, stderr } = await machine.run(script(top));
  expect(status).toBe(1);
  expect(stderr).toContain("npm ci failed");
});

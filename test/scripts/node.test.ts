import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { Machine, type Outcome, root, temporaryDirectory } from "./run-script.ts";

const binary = join("scripts", "node", "node_modules", `node-${process.platform}-${process.arch}`);

/** A checkout whose scripts take this Node for too old, with an `npm ci` that brings it as the recent one. */
function oldMachine() {
  const top = temporaryDirectory();
  cpSync(join(root, "scripts"), join(top, "scripts"), {
    recursive: true,
    filter: (path) => !path.includes("node_modules"),
  });
  const old = join(top, "old.mjs");
  writeFileSync(
    old,
    `if (!process.env.PATH.includes("scripts/node/")) Object.defineProperty(process.versions, "node", { value: "20.20.2" });`,
  );
  const version = "26.0.0";
  const lock = { packages: { [`node_modules/${binary.split("/").at(-1)}`]: { version } } };
  writeFileSync(join(top, "scripts", "node", "package-lock.json"), JSON.stringify(lock));
  const machine = new Machine();
  const bin = join(top, binary, "bin");
  machine.script(
    "npm",
    `PATH=/usr/bin:/bin; echo "npm $1 in $PWD" >&2; mkdir -p ${bin}; ln -s ${process.execPath} ${bin}/node
echo '{"version":"${version}"}' > ${dirname(bin)}/package.json`,
  );
  const run = (script: string, ...args: string[]): Promise<Outcome> =>
    machine.run([join(top, "scripts", script), ...args], { NODE_OPTIONS: `--import ${old}` });
  return { top, machine, run, bin };
}

test("a script on an old Node installs the checkout's Node once and runs with it", async () => {
  const { top, run, bin } = oldMachine();
  const first = await run("tally.mjs", "no-report.json");
  expect(first.stderr).toContain(`npm ci in ${join(top, "scripts", "node")}`);
  expect(first).toMatchObject({ status: 1, stdout: "0 passed, 0 failed\n" });
  expect((await run("tally.mjs", "no-report.json")).stderr).toBe("");
  expect((await run("node.mjs")).stdout.split(":")[0]).toBe(bin);
});

test("a script on an old Node that finds none for this platform says which Node it needs", async () => {
  const { top, run } = oldMachine();
  writeFileSync(join(top, "scripts", "node", "package-lock.json"), '{"packages":{}}');
  const { status, stderr } = await run("tally.mjs");
  expect(status).toBe(1);
  expect(stderr).toContain("the checkout needs Node 24 or later: install it (https://nodejs.org)");
});

test("the command on an old Node runs with the checkout's Node, and without one says in one line what it needs", async () => {
  const { top, machine } = oldMachine();
  cpSync(join(root, "dist", "entry"), join(top, "dist", "entry"), { recursive: true });
  cpSync(join(root, "dist", "chunks"), join(top, "dist", "chunks"), { recursive: true });
  cpSync(join(root, "package.json"), join(top, "package.json"));
  symlinkSync(join(root, "node_modules"), join(top, "node_modules"));
  const command = [join(top, "dist", "entry", "mtjobs.js"), "--version"];
  const old = { NODE_OPTIONS: `--import ${join(top, "old.mjs")}` };
  expect(await machine.run(command, old)).toMatchObject({
    status: 1,
    stdout: "",
    stderr: expect.stringMatching(/^mtjobs: this is Node v\S+, and mtjobs needs Node 22\.15 or later: .+\n$/),
  });
  mkdirSync(join(top, binary, "bin"), { recursive: true });
  // Stands for a recent Node: shows what it is started with.
  writeFileSync(join(top, binary, "bin", "node"), '#!/bin/sh\necho "recent: $*"; exit 3\n', { mode: 0o755 });
  expect(await machine.run(command, old)).toEqual({
    status: 3,
    stdout: `recent: ${command.join(" ")}\n`,
    stderr: "",
  });
});

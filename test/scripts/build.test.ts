import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Machine, smallCheckout } from "./run-script.ts";

const machineArgs = (top: string, ...flags: string[]) => [join(top, "scripts", "build.mjs"), ...flags];

function checkout(): string {
  return smallCheckout({
    "entry/mtjobs.ts": 'import { word } from "../shared/word.ts";\nconsole.log(word);\n',
    "shared/word.ts": 'export const word = "first";\n',
  });
}

test("a build leaves an executable command that runs and nothing else beside it", async () => {
  const top = checkout();
  const machine = new Machine();
  expect((await machine.run(machineArgs(top))).status).toBe(0);
  const command = join(top, "dist", "entry", "mtjobs.js");
  expect(statSync(command).mode & 0o111).toBe(0o111);
  expect((await machine.run([command])).stdout).toBe("first\n");
  expect(readdirSync(top).filter((name) => name.startsWith("dist"))).toEqual(["dist"]);
});

test("a build that is newer than its sources is kept, and one that is older is made again", async () => {
  const top = checkout();
  const machine = new Machine();
  await machine.run(machineArgs(top));
  expect((await machine.run(machineArgs(top, "--if-stale"))).stderr).toBe("");
  writeFileSync(join(top, "shared", "word.ts"), 'export const word = "second";\n');
  expect((await machine.run(machineArgs(top, "--if-stale"))).stderr).toContain("building dist/");
  expect((await machine.run([join(top, "dist", "entry", "mtjobs.js")])).stdout).toBe("second\n");
});

test("what was built from a source that is gone goes with the next build", async () => {
  const top = checkout();
  const machine = new Machine();
  const library = join(top, "entry", "library.ts");
  writeFileSync(library, "export const gone = true;\n");
  await machine.run(machineArgs(top));
  expect(existsSync(join(top, "dist", "entry", "library.js"))).toBe(true);
  rmSync(library);
  await machine.run(machineArgs(top, "--if-stale"));
  expect(existsSync(join(top, "dist", "entry", "library.js"))).toBe(false);
});

test("a build that fails says so and leaves the last good one", async () => {
  const top = checkout();
  const machine = new Machine();
  await machine.run(machineArgs(top));
  const command = join(top, "dist", "entry", "mtjobs.js");
  const before = readFileSync(command, "utf8");
  writeFileSync(join(top, "shared", "word.ts"), "export const word = ;\n");
  const { status, stderr } = await machine.run(machineArgs(top));
  expect(status).toBe(1);
  expect(stderr).toContain("shared/word.ts");
  expect(stderr).toContain("building dist/ failed");
  expect(readFileSync(command, "utf8")).toBe(before);
  expect(readdirSync(top).filter((name) => name.startsWith("dist"))).toEqual(["dist"]);
});

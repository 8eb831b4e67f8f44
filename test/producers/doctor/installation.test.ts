import { cpSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Check } from "../../../producers/contract/area.ts";
import { healthyArea, temporaryDirectory } from "../../support/area.ts";
import { builtCommand, runCommand } from "../../support/queue.ts";

const product = join(dirname(builtCommand), "../..");

/** An installed product whose SQLite has lost its native library, as with a copy from another platform. */
function installWithout(spoil: (binding: string) => void): string {
  const root = temporaryDirectory();
  const modules = join(root, "node_modules");
  mkdirSync(modules);
  cpSync(join(product, "package.json"), join(root, "package.json"));
  cpSync(join(product, "dist"), join(root, "dist"), { recursive: true });
  for (const name of readdirSync(join(product, "node_modules")))
    if (name !== "better-sqlite3") symlinkSync(join(product, "node_modules", name), join(modules, name));
  const from = join(product, "node_modules/better-sqlite3");
  const to = join(modules, "better-sqlite3");
  for (const name of ["package.json", "lib"]) cpSync(join(from, name), join(to, name), { recursive: true });
  const binding = join(to, `prebuilds/${process.platform}-${process.arch}.node`);
  mkdirSync(dirname(binding), { recursive: true });
  spoil(binding);
  return join(root, "dist/entry/mtjobs.js");
}

describe("SQLite's native library", () => {
  it.each<[string, (binding: string) => void]>([
    ["is missing", (binding) => rmSync(dirname(binding), { recursive: true })],
    ["does not load", (binding) => writeFileSync(binding, "of another system")],
  ])("that %s is one fault of the installation to doctor and job, none of the area", async (_, spoil) => {
    const area = healthyArea();
    const command = installWithout(spoil);
    const env = { MTJOBS_HOST: area.host, MTJOBS_USER: area.user, MTJOBS_CACHE_ROOT: area.cacheRoot };
    const run = (args: string[]) => runCommand([...args, "--json"], { env, command });
    const doctor = await run(["doctor", area.directory]);
    const { checks } = JSON.parse(doctor.stdout) as { checks: Check[] };
    expect(doctor.code).toBe(1);
    expect(checks).toEqual([
      {
        name: "installation",
        ok: false,
        verdict: expect.stringMatching(/^SQLite's native library does not load: [^\n]+$/),
        remedy: expect.stringContaining("install mtjobs again on this host"),
        details: { code: "bad-installation" },
      },
    ]);
    const job = await run(["reduce", area.directory, "--runname", "%", "--inline"]);
    expect([job.code, JSON.parse(job.stdout)]).toMatchObject([1, { error: { code: "bad-installation" } }]);
  });
});

import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { z } from "zod";

const root = fileURLToPath(new URL("..", import.meta.url));
const readText = (file: string) => readFileSync(new URL(`../${file}`, import.meta.url), "utf8");
const read = (file: string): unknown => JSON.parse(readText(file));

const manifest = z
  .object({
    dependencies: z.record(z.string(), z.string()),
    devDependencies: z.record(z.string(), z.string()),
    allowScripts: z.record(z.string(), z.boolean()),
    publishConfig: z.object({ provenance: z.literal(true) }),
  })
  .parse(read("package.json"));

const lock = z
  .object({
    packages: z.record(
      z.string(),
      z.object({
        version: z.string().optional(),
        license: z.string().optional(),
        integrity: z.string().optional(),
        dev: z.boolean().optional(),
        devOptional: z.boolean().optional(),
        hasInstallScript: z.boolean().optional(),
      }),
    ),
  })
  .parse(read("npm-shrinkwrap.json"));
const locked = Object.entries(lock.packages).filter(([path]) => path !== "");
const nameOf = (path: string) => path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
const shipped = locked.filter(([, { dev, devOptional }]) => dev !== true && devOptional !== true);

/** Licences that let an MIT package be built on them. */
const permissive = new Set(
  "MIT ISC 0BSD Apache-2.0 BSD-2-Clause BSD-3-Clause BlueOak-1.0.0 (MIT OR WTFPL) (BSD-2-Clause OR MIT OR Apache-2.0)"
    .replaceAll(" OR ", "_OR_")
    .split(" ")
    .map((name) => name.replaceAll("_OR_", " OR ")),
);

describe("what is installed with the package", () => {
  it("is named by exact versions, each with the digest of what was downloaded", () => {
    for (const [name, version] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies }))
      expect(version, name).toMatch(/^\d+\.\d+\.\d+(-[\w.]+)?$/);
    for (const [path, { integrity }] of locked) expect(integrity, path).toMatch(/^sha512-/);
  });

  it("has licences that an MIT package may be built on, and lists those of what is bundled", () => {
    expect(shipped.length).toBeGreaterThan(20);
    const others = shipped.filter(([, { license }]) => !permissive.has(license ?? "none"));
    expect(others.map(([path, { license }]) => `${nameOf(path)}: ${license}`)).toEqual([]);
    const bundled = [...readText("dist/LICENCES.txt").matchAll(/^(\S+) \d+\.\d+\.\d+\S*: (.+)$/gm)];
    expect(bundled.map(([, name]) => name)).toEqual(
      expect.arrayContaining(["commander", "fastify", "uplot"]),
    );
    expect(bundled.flatMap(([line, , licence = ""]) => (permissive.has(licence) ? [] : line))).toEqual([]);
  });

  it("needs no script at installation", () => {
    const scripts = shipped.filter(([, { hasInstallScript }]) => hasInstallScript);
    expect(scripts.map(([path]) => nameOf(path))).toEqual(["msgpackr-extract"]);
    expect(manifest.allowScripts).toEqual({ "msgpackr-extract": false });
  });

  it("has no flaw that the registry knows of", ({ skip }) => {
    const { stdout } = spawnSync("npm", ["audit", "--json", "--omit=dev", "--fetch-retries=0"], {
      // Without an answer npm would try for longer than a test may take.
      timeout: 30_000,
      cwd: root,
      encoding: "utf8",
    });
    const audit = z
      .object({
        message: z.string().optional(),
        vulnerabilities: z.record(z.string(), z.unknown()).optional(),
      })
      .parse(JSON.parse(stdout || "{}"));
    // A mirror may keep packages and no advisories; without a network there are none either.
    if (audit.vulnerabilities === undefined) skip(`the registry tells none: ${audit.message ?? "no answer"}`);
    expect(Object.keys(audit.vulnerabilities ?? {})).toEqual([]);
  });

  it("is listed in a bill of materials that npm run sbom prints", () => {
    const printed = execFileSync("npm", ["run", "--silent", "sbom"], { cwd: root, encoding: "utf8" });
    const { components } = z
      .object({ components: z.array(z.object({ name: z.string() })) })
      .parse(JSON.parse(printed));
    const listed = components.map(({ name }) => name);
    expect(listed).toEqual(expect.arrayContaining(Object.keys(manifest.dependencies)));
  });
});

import { execFile } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { temporaryDirectory, variable } from "../support/area.ts";
import { withRedis } from "../support/queue.ts";
import { withRegistry } from "./registry.ts";
import { startServices } from "./services.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const all = variable("MTJOBS_INSTALLS") === "all";

interface Outcome {
  status: number;
  stdout: string;
  stderr: string;
}

async function run(
  command: string,
  args: string[],
  cwd: string,
  env: Record<string, string>,
): Promise<Outcome> {
  try {
    return { status: 0, ...(await promisify(execFile)(command, args, { cwd, env, maxBuffer: 2 ** 26 })) };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { status: code, stdout, stderr };
  }
}

/** Runs a program that must succeed. */
async function must(
  command: string,
  args: string[],
  cwd: string,
  env: Record<string, string>,
): Promise<string> {
  const { status, stdout, stderr } = await run(command, args, cwd, env);
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${status}: ${stdout}${stderr}`);
  return stdout;
}

/** This process's environment, but what tests and `npm test` set: npm would install into the checkout. */
const plain = Object.fromEntries(
  Object.entries(process.env).flatMap(([name, value]) =>
    /^(MTJOBS_|npm_|NODE_OPTIONS|VITEST)/.test(name) || value === undefined ? [] : [[name, value]],
  ),
);
const path = plain.PATH ?? "";
const registryUrl = (await must("npm", ["config", "get", "registry"], root, plain)).trim();
const isReachable = (await fetch(new URL("zod", registryUrl)).catch(() => undefined))?.ok === true;

const readJson = (file: string) => JSON.parse(readFileSync(file, "utf8"));
const manifest = readJson(join(root, "package.json"));

interface Locked {
  version: string;
  dev?: boolean;
  peer?: boolean;
}

function packagesOf(lockFile: string): Map<string, Locked> {
  const packages: Record<string, Locked> = readJson(lockFile).packages;
  return new Map(Object.entries(packages).filter(([place]) => place !== ""));
}

function bytesOf(directory: string): number {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return files.reduce((sum, file) => sum + statSync(join(file.parentPath, file.name)).size, 0);
}

const canAnalyze = (await run("systemd-analyze", ["--version"], "/", plain)).status === 0;

/** Has systemd check an installed unit: that it can be read, and that a service may do less than most. */
async function checkUnit(unit: string): Promise<void> {
  expect(readFileSync(unit, "utf8")).not.toMatch(/@[A-Z]+@/);
  if (!canAnalyze) return;
  expect(await run("systemd-analyze", ["verify", unit], "/", plain)).toMatchObject({ status: 0, stderr: "" });
  if (!unit.endsWith(".service")) return;
  const security = ["security", "--offline=yes", "--threshold=39", "--no-pager", unit];
  expect(await run("systemd-analyze", security, "/", plain)).toMatchObject({ status: 0 });
}

/** Returns the links of pages below a directory to files that are not there. */
function deadLinks(directory: string): string[] {
  const pages = readdirSync(directory, { recursive: true, encoding: "utf8" }).filter(
    (path) => path.endsWith(".md") && !path.includes("node_modules"),
  );
  expect(pages.length).toBeGreaterThan(20);
  return pages.flatMap((page) => {
    const text = readFileSync(join(directory, page), "utf8");
    const links = text.matchAll(/(?:\]\(|(?:src|href)=")(?![a-z]+:|#)([^)"#\s]+)/g);
    return [...links].flatMap(([, path = ""]) =>
      existsSync(join(directory, dirname(page), path)) ? [] : [`${page}: ${path}`],
    );
  });
}

/** A TypeScript program that uses the library, checked without `skipLibCheck`. */
const program = `
import { type FullDb, JobsError, MtJobs, type MoveResult } from "megatest-jobs";
const mtjobs = new MtJobs({ redisUrl: "redis://queue:6379" });
export const moved: Promise<MoveResult> = mtjobs.reduce("/areas/a1", { age: "30d" }).then((job) => job.result());
export const count = (db: FullDb) => db.connection.prepare("SELECT count(*) FROM runs").get();
export const isBusy = (error: unknown) => error instanceof JobsError && error.code === "busy";
`;
const strict = {
  module: "nodenext",
  target: "es2023",
  strict: true,
  skipLibCheck: false,
  noEmit: true,
  types: ["node"],
};

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

describe.skipIf(!isReachable)("the packages (need the npm registry)", () => {
  const out = mkdtempSync(join(tmpdir(), "mtjobs-installs-"));
  const tarball = join(out, `${manifest.name}-${manifest.version}.tgz`);

  beforeAll(async () => {
    await must(process.execPath, [join(root, "scripts", "package.mjs"), "--out", out, "--fast"], root, plain);
  });
  afterAll(() => rmSync(out, { recursive: true, force: true }));

  /** Installs the package as from a registry; with the Node that comes first on the PATH. */
  async function install(npm: string[], env: Record<string, string>): Promise<string> {
    const directory = temporaryDirectory();
    writeFileSync(join(directory, "package.json"), '{ "private": true, "type": "module" }');
    const [command = "", ...args] = npm;
    await withRegistry({ tarball, manifest, real: registryUrl }, async (registry) => {
      const options = ["--no-audit", "--no-fund", "--registry", registry];
      await must(command, [...args, "install", manifest.name, ...options], directory, env);
    });
    return directory;
  }

  /** Uses an installed package: a reduce of the demo's area through a queue. */
  async function use(directory: string, env: Record<string, string>): Promise<void> {
    const command = join(directory, "node_modules", ".bin", "mtjobs");
    expect(await must(command, ["--version"], directory, env)).toBe(`${manifest.version}\n`);
    await withRedis(async (_redis, _prefix, url) => {
      const withQueue = { ...env, MTJOBS_REDIS_URL: url };
      const demo = await must(command, ["demo", "--json"], directory, withQueue);
      expect(JSON.parse(demo)).toMatchObject({ result: { state: "completed" } });
      await startServices(command, directory, withQueue);
    });
  }

  it("install from a registry what was tested: few packages, no script, types that check, a command that works", async () => {
    const directory = await install(["npm"], plain);
    const installed = packagesOf(join(directory, "node_modules", ".package-lock.json"));
    installed.delete(`node_modules/${manifest.name}`);
    const tested = packagesOf(join(root, "npm-shrinkwrap.json"));
    const others = [...installed].filter(([place, { version }]) => {
      const inside = place.replace(`node_modules/${manifest.name}/`, "");
      return tested.get(inside)?.version !== version;
    });
    expect(others).toEqual([]);
    expect(installed.size).toBeGreaterThan(20);
    expect(installed.size).toBeLessThan(100);
    expect(bytesOf(join(directory, "node_modules"))).toBeLessThan(64e6);

    writeFileSync(join(directory, "program.ts"), program);
    const typeRoots = [join(root, "node_modules", "@types")];
    const config = { compilerOptions: { ...strict, typeRoots }, files: ["program.ts"] };
    writeFileSync(join(directory, "tsconfig.json"), JSON.stringify(config));
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
    expect(await run(process.execPath, [tsc, "-p", directory], directory, plain)).toMatchObject({
      status: 0,
      stdout: "",
    });
    expect(deadLinks(join(directory, "node_modules", manifest.name))).toEqual([]);
    await use(directory, plain);
  });

  it.runIf(process.platform === "linux")(
    "include one with its own Node that runs with nothing else, installs units, and is removed",
    async () => {
      const directory = temporaryDirectory();
      const [packed = ""] = readdirSync(out).filter((name) => name.endsWith(".tar.xz"));
      await must(
        "tar",
        ["--extract", "--file", join(out, packed), "--directory", directory],
        directory,
        plain,
      );
      const top = join(directory, packed.replace(".tar.xz", ""));
      expect(deadLinks(top)).toEqual([]);
      const bare = { PATH: "/usr/bin:/bin" };
      expect(await must(join(top, "bin", "mtjobs"), ["--version"], "/", bare)).toBe(`${manifest.version}\n`);
      await withRedis(async (_redis, _prefix, url) => {
        const env = { ...bare, MTJOBS_REDIS_URL: url };
        expect(
          JSON.parse(await must(join(top, "bin", "mtjobs"), ["demo", "--json"], "/", env)),
        ).toMatchObject({
          result: { state: "completed" },
        });
        await startServices(join(top, "bin", "mtjobs"), directory, env);
      });
      expect(readFileSync(join(top, "GLIBC"), "utf8")).toBe("glibc 2.34 or later\n");

      const host = join(directory, "host");
      mkdirSync(host);
      const install = (...args: string[]) => run(join(top, "install.sh"), args, "/", bare);
      expect(await install("--root", host)).toMatchObject({
        status: 2,
        stderr: expect.stringContaining("--user USER"),
      });
      expect(await install("--user", "no-such-user", "--root", host)).toMatchObject({
        status: 1,
        stderr: "install.sh: there is no user no-such-user on this host\n",
      });
      expect(await install("--user", "-u", "--root", host)).toMatchObject({ status: 1 });
      expect(await install("--user", "daemon", "--root", join(host, "none"))).toMatchObject({
        status: 1,
        stderr: `install.sh: there is no directory ${join(host, "none")}\n`,
      });
      expect(readdirSync(host)).toEqual([]);
      expect(await install("--user", "daemon", "--root", host)).toMatchObject({ status: 0, stderr: "" });
      const worker = join(host, "etc", "systemd", "system", "mtjobs-worker.service");
      const units = readdirSync(dirname(worker)).sort();
      expect(units).toEqual(
        ["doctor.service", "doctor.timer", "server.service", "worker.service"].map(
          (name) => `mtjobs-${name}`,
        ),
      );
      for (const unit of units) await checkUnit(join(dirname(worker), unit));
      expect(readFileSync(worker, "utf8")).toContain(`\nUser=daemon\n`);
      expect(readFileSync(worker, "utf8")).toContain(`ExecStart=${top}/bin/mtjobs worker`);
      const linked = join(host, "usr", "local", "bin", "mtjobs");
      expect(await must(linked, ["--version"], "/", bare)).toBe(`${manifest.version}\n`);
      expect(statSync(join(host, "etc", "mtjobs.env")).mode & 0o777).toBe(0o600);
      const uninstall = (...args: string[]) =>
        run(join(top, "uninstall.sh"), [...args, "--root", host], "/", bare);
      // As after the installation of a later version.
      const unit = readFileSync(worker, "utf8");
      writeFileSync(worker, unit.replaceAll(top, "/opt/mtjobs-later"));
      expect(await uninstall()).toMatchObject({ status: 0 });
      expect(readFileSync(worker, "utf8")).toContain("ExecStart=/opt/mtjobs-later/bin/mtjobs worker");
      writeFileSync(worker, unit);
      expect(await uninstall("--purge")).toMatchObject({ status: 0 });
      const left = readdirSync(host, { recursive: true, withFileTypes: true }).filter(
        (entry) => !entry.isDirectory(),
      );
      expect(left.map(({ name }) => name)).toEqual([]);
    },
  );

  it
    .runIf(all)
    .each(
      ["10", "11", "12"].flatMap((npm) => ["20.20.2", "22.15.0", "24", "26"].map((node) => ({ node, npm }))),
    )("work with Node $node and npm $npm", async ({ node, npm }) => {
    const tools = temporaryDirectory();
    writeFileSync(join(tools, "package.json"), '{ "private": true }');
    const nodePackage = `node-${process.platform}-${process.arch}`;
    const wanted = [`${nodePackage}@${node}`, `npm@${npm}`];
    await must("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", ...wanted], tools, plain);
    const binary = join(tools, "node_modules", nodePackage, "bin", "node");
    const env = { ...plain, PATH: `${dirname(binary)}:${path}` };
    const directory = await install([binary, join(tools, "node_modules", "npm", "bin", "npm-cli.js")], env);
    if (!node.startsWith("20")) return await use(directory, env);
    const command = join(directory, "node_modules", ".bin", "mtjobs");
    expect(await run(command, ["list-runs", "/areas/a1"], directory, env)).toEqual({
      status: 1,
      stdout: "",
      stderr: `mtjobs: this is Node v${node}, and mtjobs needs Node 22.15 or later: install it from https://nodejs.org\n`,
    });
  });
});

import { chmodSync, chownSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { openArea } from "../../../shared/area/area.ts";
import { readPolicies } from "../../../shared/area/config/policies.ts";
import { scanPolicies } from "../../../workers/periodic/policy-scan.ts";
import { isRoot, makeArea, settingsFor, temporaryDirectory } from "../../support/area.ts";

const plain = "[fields]\nsysname TEXT\n[setup]\nlinktree /tmp/lt\n";
let root: string;
let defaults: string;

beforeEach(() => {
  root = temporaryDirectory();
  defaults = join(root, "mtjobs.config");
  writeFileSync(
    defaults,
    "[reduce-records]\nold age=90d; between=22:00-06:00\n[setup]\nlinktree /elsewhere\n",
  );
});

const area = (config = plain) => makeArea(join(root, "a1"), { "megatest.config": config });
const open = (path: string, roots = [root]) => openArea(path, { roots });
const names = (path: string, roots = [root]) =>
  readPolicies(open(path, roots).config).policies.map(({ name }) => name);

describe("[reduce-records] of a root's mtjobs.config", () => {
  it("is that of an area without one, and nothing else of the file is", () => {
    const { config } = open(area());
    expect(readPolicies(config)).toMatchObject({
      policies: [{ name: "old", request: { age: 90 * 24 * 3_600_000, between: "22:00-06:00" } }],
      problems: [],
    });
    expect([config.get("setup", "linktree"), config.names("fields")]).toEqual(["/tmp/lt", ["sysname"]]);
  });

  it("is not that of an area with its own, nor of one that switches it off, nor without roots", () => {
    expect(names(area(`${plain}[reduce-records]\nmine keep=3\n`))).toEqual(["mine"]);
    expect(names(area(`${plain}[reduce-records]\noff\n`))).toEqual([]);
    expect(readPolicies(open(area(`${plain}[reduce-records]\noff\n`)).config).problems).toEqual([]);
    expect(readPolicies(openArea(area()).config).policies).toEqual([]);
  });

  it("comes from the innermost root", () => {
    const inner = join(root, "inner");
    mkdirSync(inner);
    writeFileSync(join(inner, "mtjobs.config"), "[reduce-records]\ninner keep=1\n");
    const path = makeArea(join(inner, "a2"), { "megatest.config": plain });
    expect(names(path, [root, inner])).toEqual(["inner"]);
    expect(names(path)).toEqual(["old"]);
  });

  it.each([
    ["writable by others", () => chmodSync(defaults, 0o666), "must belong to"],
    [
      "a link",
      () => {
        rmSync(defaults);
        symlinkSync("/etc/passwd", defaults);
      },
      "not a regular file",
    ],
    [
      "not readable as a config",
      () => writeFileSync(defaults, "[include missing.config\n\u0000"),
      "mtjobs.config",
    ],
  ])("is ignored and named as a problem where it is %s", (_, spoil, why) => {
    spoil();
    const { policies, problems } = readPolicies(open(area()).config);
    expect([policies, problems]).toEqual([[], [expect.stringContaining(why)]]);
  });

  it("purges nothing: its [purge-records] is named as a problem, and its [reduce-records] is followed", () => {
    writeFileSync(defaults, "[reduce-records]\nold age=30d\n[purge-records]\nold age=2y; export=/archive\n");
    const { config } = open(area());
    const { policies, problems } = readPolicies(config);
    expect(policies.map(({ name }) => name)).toEqual(["old"]);
    expect(problems).toEqual([expect.stringContaining("[purge-records]")]);
    expect(readPolicies(config, "purge").policies).toEqual([]);
  });

  it.runIf(isRoot)(
    "is ignored and named as a problem where it belongs to another user than the root's owner",
    () => {
      chownSync(defaults, 65534, 65534);
      const { policies, problems } = readPolicies(open(area()).config);
      expect([policies, problems]).toEqual([[], [expect.stringContaining("must belong to")]]);
    },
  );

  it("is what a worker follows in the areas that are at home", async () => {
    const path = area();
    writeFileSync(join(path, ".homehost"), "hosta");
    const settings = settingsFor({ host: "hosta", areas: [root] });
    const { areas } = await scanPolicies(settings, {});
    expect(areas).toMatchObject([{ area: path, policies: [{ name: "old" }] }]);
  });
});

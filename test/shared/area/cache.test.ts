import { chmodSync, symlinkSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openArea } from "../../../shared/area/area.ts";
import { cacheDirectories, findCache } from "../../../shared/area/cache/cache.ts";
import {
  asUser,
  errorOf,
  isRoot,
  makeArea,
  makeFifo,
  nobody,
  settingsFor,
  temporaryDirectory,
  writeFile,
} from "../../support/area.ts";

function areaWithAlias() {
  const root = temporaryDirectory();
  makeArea(join(root, "real.v1"));
  symlinkSync(join(root, "real.v1"), join(root, "alias.v1"));
  const area = openArea(join(root, "alias.v1"));
  const settings = settingsFor({ cacheRoot: join(root, "tmp"), user: "ann" });
  const [given = "", resolved = ""] = cacheDirectories(area, settings);
  return { root, area, settings, given, resolved };
}

describe("this user's cache", () => {
  it("may be named by the path as given and as resolved, every slash a dot", () => {
    const { root, given, resolved } = areaWithAlias();
    const dots = root.replaceAll("/", ".");
    expect(given).toBe(join(root, "tmp/ann/megatest_localdb/alias", `${dots}.alias.v1`));
    expect(resolved).toBe(join(root, "tmp/ann/megatest_localdb/alias", `${dots}.real.v1`));
  });

  it("is one directory where the path has no links", () => {
    const area = openArea(makeArea(temporaryDirectory()));
    expect(cacheDirectories(area, settingsFor())).toHaveLength(1);
  });

  it("of an area whose path is longer than a directory's name may be is said to be that; a link is a way out", () => {
    const root = temporaryDirectory();
    const long = makeArea(join(root, ...Array.from({ length: 6 }, () => "ü".repeat(22)), "area"));
    const settings = settingsFor({ cacheRoot: join(root, "tmp"), user: "ann" });
    expect(errorOf(() => findCache(openArea(long), settings))).toMatchObject({
      code: "not-an-area",
      message: expect.stringMatching(/^the path .* has \d{3} bytes; .* has at most 255$/),
      hint: expect.stringContaining("shorter path"),
    });
    symlinkSync(long, join(root, "short"));
    const area = openArea(join(root, "short"));
    expect(findCache(area, settings)).toBeUndefined();
    const [directory = ""] = cacheDirectories(area, settings);
    const megatestDb = writeFile(join(directory, "megatest.db"), "");
    expect(findCache(area, settings)).toMatchObject({ megatestDb });
  });

  it("is undefined without a directory, or without a megatest.db in it", () => {
    const { area, settings, given } = areaWithAlias();
    expect(findCache(area, settings)).toBeUndefined();
    writeFile(join(given, "megatest_ref.db"), "");
    expect(findCache(area, settings)).toBeUndefined();
  });

  it("is found by the resolved path, with its ref only if that exists", () => {
    const { area, settings, resolved } = areaWithAlias();
    const megatestDb = writeFile(join(resolved, "megatest.db"), "");
    expect(findCache(area, settings)).toEqual({ directory: resolved, megatestDb, refDb: undefined });
    const refDb = writeFile(join(resolved, "megatest_ref.db"), "");
    expect(findCache(area, settings)).toEqual({ directory: resolved, megatestDb, refDb });
  });

  it("is of two the one that changed last, by its write-ahead log too", () => {
    const { area, settings, given, resolved } = areaWithAlias();
    const old = writeFile(join(given, "megatest.db"), "");
    utimesSync(old, 1000, 1000);
    const newer = writeFile(join(resolved, "megatest.db"), "");
    utimesSync(newer, 2000, 2000);
    expect(findCache(area, settings)?.directory).toBe(resolved);
    utimesSync(writeFile(join(given, "megatest.db-wal"), ""), 3000, 3000);
    expect(findCache(area, settings)?.directory).toBe(given);
  });

  it.each([
    ["a link", (path: string, target: string) => symlinkSync(target, path)],
    ["a FIFO", (path: string) => void makeFifo(path)],
  ])("is refused where %s stands in its place", (_what, make) => {
    const { root, area, settings, given } = areaWithAlias();
    writeFile(join(given, "x"), "");
    make(join(given, "megatest.db"), writeFile(join(root, "elsewhere.db"), ""));
    expect(errorOf(() => findCache(area, settings)).code).toBe("not-owner");
  });

  it.runIf(isRoot)("is refused where this user may not look at it", () => {
    const { root, area, settings, given } = areaWithAlias();
    writeFile(join(given, "megatest.db"), "");
    chmodSync(root, 0o755);
    chmodSync(given, 0o700);
    expect(asUser(nobody, () => errorOf(() => findCache(area, settings))).code).toBe("not-owner");
  });
});
